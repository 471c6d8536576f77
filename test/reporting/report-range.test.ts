import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  comparisonShift,
  dayCount,
  eachDay,
  isDay,
  shiftDay,
  shiftSlot,
  slotsOf,
  usualGranularity,
  type Days,
} from '../../src/reporting/report-range.ts'

const day = fc
  .date({ min: new Date('2015-01-01'), max: new Date('2090-01-01'), noInvalidDate: true })
  .map((at) => at.toISOString().slice(0, 10))
const range = fc.record({ first: day, length: fc.integer({ min: 1, max: 400 }) }).map(({ first, length }): Days => ({
  first,
  last: shiftDay(first, length - 1),
}))
const weekday = (text: string): number => new Date(`${text}T00:00:00Z`).getUTCDay()

test.each([
  ['2026-02-28', true],
  ['2024-02-29', true],
  ['2026-02-29', false],
  ['2026-13-01', false],
  ['2014-12-31', false],
  ['2999-12-31', true],
  ['3000-01-01', false],
  ['20260-1-01', false],
  ['2026-11-26T00:00', false],
  ['', false],
])('%j is a day: %j', (text, expected) => {
  expect(isDay(text)).toBe(expected)
})

test('a comparison has the same weekdays, and no day in common with its range, as near as possible', () => {
  fc.assert(
    fc.property(range, (days) => {
      const shift = comparisonShift(days)
      const last = shiftDay(days.last, -shift)
      expect(weekday(last)).toBe(weekday(days.last))
      expect(last < days.first).toBe(true)
      expect(shiftDay(last, 7) < days.first).toBe(false)
    }),
  )
})

test('each day of a range comes once, and the last is the last', () => {
  fc.assert(
    fc.property(range, (days) => {
      const all = eachDay(days)
      expect(all).toHaveLength(dayCount(days))
      expect([all[0], all.at(-1)]).toEqual([days.first, days.last])
      expect(new Set(all).size).toBe(all.length)
      expect(all.every(isDay)).toBe(true)
    }),
  )
})

test('steps are in order, begin with the range, and stay in it', () => {
  const granularity = fc.constantFrom('30-minutes' as const, '1-hour' as const, '1-day' as const, '1-week' as const)
  fc.assert(
    fc.property(range, granularity, fc.integer({ min: 1, max: 7 }), (days, step, firstDayOfWeek) => {
      const slots = slotsOf(days, step, firstDayOfWeek)
      expect(slots.toSorted()).toEqual(slots)
      expect(new Set(slots).size).toBe(slots.length)
      expect(slots[0]!.slice(0, 10)).toBe(days.first)
      expect(slots.at(-1)!.slice(0, 10) <= days.last).toBe(true)
      if (step === '1-week') {
        for (const slot of slots.slice(1)) expect(((weekday(slot) + 6) % 7) + 1).toBe(firstDayOfWeek)
      }
    }),
  )
})

test('a day has 48 half hours by the wall clock, whatever the clocks do on it', () => {
  const slots = slotsOf({ first: '2026-03-29', last: '2026-03-29' }, '30-minutes', 1)
  expect(slots).toHaveLength(48)
  expect(slots.slice(18, 20)).toEqual(['2026-03-29 09:00', '2026-03-29 09:30'])
})

test('the usual step shows a day by half hours, weeks by days and years by weeks', () => {
  const of = (length: number) => usualGranularity({ first: '2026-01-01', last: shiftDay('2026-01-01', length - 1) })
  expect([1, 2, 28, 100, 101, 400].map(of)).toEqual(['30-minutes', '1-day', '1-day', '1-day', '1-week', '1-week'])
})

test('a step of the comparison is found where it belongs', () => {
  expect(shiftSlot('2026-11-19 09:30', 7)).toBe('2026-11-26 09:30')
  expect(shiftSlot('2026-02-22', 7)).toBe('2026-03-01')
})
