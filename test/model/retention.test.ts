import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDays, subtract, type Interval } from '../../src/model/interval.ts'
import {
  expiredTimes,
  isWithin,
  monthAround,
  monthsTouching,
  outside,
  retentionFloor,
  shortestDays,
  timesNotDue,
} from '../../src/model/retention.ts'

const instants = fc.date({ min: new Date('2013-01-01'), max: new Date('2090-01-01'), noInvalidDate: true })
const MS_PER_DAY = 86_400_000

test('whole months and the current one are kept', () => {
  const floor = (now: string, months: number) => retentionFloor(new Date(now), months).toISOString()
  expect(floor('2026-11-26T20:00:00Z', 24)).toBe('2024-11-01T00:00:00.000Z')
  expect(floor('2026-03-01T00:00:00Z', 1)).toBe('2026-02-01T00:00:00.000Z')
  expect(floor('2026-02-28T23:59:59Z', 1)).toBe('2026-01-01T00:00:00.000Z')
  expect(floor('2026-01-31T12:00:00Z', 13)).toBe('2024-12-01T00:00:00.000Z')
})

test('the floor never moves back while time passes', () => {
  fc.assert(
    fc.property(instants, instants, fc.integer({ min: 1, max: 240 }), (a, b, months) => {
      const [earlier, later] = a < b ? [a, b] : [b, a]
      expect(+retentionFloor(earlier, months)).toBeLessThanOrEqual(+retentionFloor(later, months))
    }),
  )
})

test('the floor begins a month, moves with the months, and leaves at least the shortest months', () => {
  fc.assert(
    fc.property(instants, fc.integer({ min: 1, max: 240 }), (now, months) => {
      const floor = retentionFloor(now, months)
      expect(monthAround(floor).start).toEqual(floor)
      expect(monthAround(retentionFloor(now, months + 1)).end).toEqual(floor)
      expect(retentionFloor(monthAround(now).start, months)).toEqual(floor)
      const days = (+monthAround(now).start - +floor) / MS_PER_DAY
      expect(days).toBeGreaterThanOrEqual(shortestDays(months))
      expect(days).toBeLessThanOrEqual(months * 31)
    }),
  )
  expect([1, 2, 3, 12].map(shortestDays)).toEqual([28, 59, 89, 365])
})

test('every instant is either expired or kept, and whatever is expired is not due', () => {
  const month = fc.record({ at: instants, isStored: fc.boolean() })
  fc.assert(
    fc.property(fc.option(instants), fc.array(month, { maxLength: 5 }), instants, (kept, some, at) => {
      const floor = kept && monthAround(kept).start
      const byStart = new Map(
        some.map(({ at, isStored }) => [+monthAround(at).start, { ...monthAround(at), isStored }]),
      )
      const retention = { floor, months: [...byStart.values()] }
      const row = byStart.get(+monthAround(at).start)
      const isOld = floor !== null && at < floor
      expect(isWithin(expiredTimes(retention), at)).toBe(row ? !row.isStored : isOld)
      expect(isWithin(timesNotDue(retention), at)).toBe(row !== undefined || isOld)
    }),
  )
})

test('months that a range touches follow each other and hold it', () => {
  fc.assert(
    fc.property(instants, fc.integer({ min: 0, max: 900 }), (start, days) => {
      const range = { start, end: addDays(start, days) }
      const months = monthsTouching(range)
      expect(subtract(range, months)).toEqual([])
      expect(months.every((month: Interval) => month.start < range.end && month.end > range.start)).toBe(true)
    }),
  )
})

test('what lies outside keeps its other properties', () => {
  const [start, middle, end] = ['2025-06-30', '2025-07-01', '2025-07-02'].map((day) => new Date(day)) as [
    Date,
    Date,
    Date,
  ]
  expect(outside([{ start, end, reason: 'owed' }], [{ start, end: middle }])).toEqual([
    { start: middle, end, reason: 'owed' },
  ])
})
