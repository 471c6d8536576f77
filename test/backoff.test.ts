import { expect, test } from 'vitest'
import { backoffMs, withJitter } from '../src/backoff.ts'

const limits = { baseMs: 100, ceilingMs: 5000 }

test.each([
  [1, 100],
  [2, 200],
  [6, 3200],
  [7, 5000],
  [5000, 5000],
])('after %i failures in a row waits %i ms', (failures, waitMs) => {
  expect(backoffMs(failures, limits)).toBe(waitMs)
})

test('half of a wait is jitter', () => {
  expect([0, 0.5, 0.999].map((random) => Math.round(withJitter(1000, random)))).toEqual([500, 750, 1000])
})
