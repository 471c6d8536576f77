import { expect, test } from 'vitest'
import { waitForClearDay } from './midnight.ts'

test.each([
  ['2026-11-26T12:00:00.000Z', 0],
  ['2026-11-26T00:02:10.000Z', 0],
  ['2026-11-26T00:02:09.000Z', 1_000],
  ['2026-11-26T00:00:00.000Z', 130_000],
  ['2026-11-26T23:58:00.000Z', 0],
  ['2026-11-26T23:58:30.000Z', 220_000],
  ['2026-11-26T23:59:59.999Z', 130_001],
])('a test of today that would begin at %s waits %i ms', (now, milliseconds) => {
  expect(waitForClearDay(Date.parse(now))).toBe(milliseconds)
})
