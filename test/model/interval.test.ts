import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ageInDays, formatWindow, splitByDay, subtract, union, type Interval } from '../../src/model/interval.ts'

const HALF_HOUR = 30 * 60_000
const epoch = Date.UTC(2026, 0, 30)

/** Windows on a grid of half hours around a month's end, so that they often touch, overlap and span midnights. */
const windows = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 150 }), fc.integer({ min: 0, max: 100 })), { maxLength: 8 })
  .map((pairs) => pairs.map(([start, length]) => windowOf(start, start + length)))
const someWindow = fc
  .tuple(fc.integer({ min: 0, max: 150 }), fc.integer({ min: 0, max: 100 }))
  .map(([start, length]) => windowOf(start, start + length))

function windowOf(startSlot: number, endSlot: number): Interval {
  return { start: new Date(epoch + startSlot * HALF_HOUR), end: new Date(epoch + endSlot * HALF_HOUR) }
}

/** The half hours of some windows: the slow, obvious meaning of them. */
function slotsOf(list: readonly Interval[]): Set<number> {
  const slots = new Set<number>()
  for (const { start, end } of list) for (let t = +start; t < +end; t += HALF_HOUR) slots.add(t)
  return slots
}

describe('the algebra of windows', () => {
  it('keeps every instant of a union, in sorted windows that do not touch', () => {
    fc.assert(
      fc.property(windows, (list) => {
        const merged = union(list)
        expect(slotsOf(merged)).toEqual(slotsOf(list))
        for (const [index, window] of merged.entries()) {
          const next = merged[index + 1]
          if (next) expect(+window.end).toBeLessThan(+next.start)
        }
      }),
    )
  })

  it('subtracts exactly the covered instants', () => {
    fc.assert(
      fc.property(someWindow, windows, (range, covered) => {
        const uncovered = slotsOf([range]).difference(slotsOf(covered))
        expect(slotsOf(subtract(range, covered))).toEqual(uncovered)
      }),
    )
  })

  it('cuts a range at every UTC midnight and loses nothing', () => {
    fc.assert(
      fc.property(someWindow, (range) => {
        const days = splitByDay(range)
        expect(slotsOf(days)).toEqual(slotsOf([range]))
        for (const { start, end } of days) {
          expect(new Date(+end - 1).toISOString().slice(0, 10)).toBe(start.toISOString().slice(0, 10))
        }
      }),
    )
  })

  it('counts the age of a day by UTC days, not by 24 hours', () => {
    expect(ageInDays(new Date('2026-03-28T23:59:00Z'), new Date('2026-03-29T00:01:00Z'))).toBe(1)
    expect(ageInDays(new Date('2026-03-29T00:00:00Z'), new Date('2026-03-29T23:59:59Z'))).toBe(0)
  })

  it('names a whole day by its date and a part of it by its instants', () => {
    expect(formatWindow({ start: new Date('2026-03-28T00:00:00Z'), end: new Date('2026-03-29T00:00:00Z') })).toBe(
      '2026-03-28',
    )
    expect(formatWindow({ start: new Date('2026-03-28T10:00:00Z'), end: new Date('2026-03-28T10:30:00Z') })).toBe(
      '2026-03-28T10:00Z/2026-03-28T10:30Z',
    )
  })
})
