import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addDays, ageInDays, startOfDay, subtract, union } from '../../src/model/interval.ts'
import { eventsSince, startsToSearch } from '../../src/settled/event-plan.ts'
import { dueThreadDays } from '../../src/settled/thread-plan.ts'

const now = new Date('2026-11-22T02:15:00Z')
const today = startOfDay(now)
const day = (age: number) => ({ start: addDays(today, -age), end: addDays(today, 1 - age) })
const arbitraryLoaded = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 200 })), { maxLength: 5 })
  .map((ranges) => union(ranges.map(([age, days]) => ({ start: day(age + days).start, end: day(age).start }))))

describe('the conversations that are searched for late events', () => {
  it('are all that are loaded, older than the lookback, and complete at Genesys, in intervals that the API takes', () => {
    fc.assert(
      fc.property(arbitraryLoaded, fc.integer({ min: 0, max: 40 }), (loaded, lookbackDays) => {
        const intervals = startsToSearch(loaded, now, lookbackDays)
        for (const { start, end } of intervals) {
          expect(+end - +start).toBeGreaterThan(0)
          expect(+end - +start).toBeLessThanOrEqual(31 * 86_400_000)
        }
        const wanted = loaded.flatMap((range) => subtract(range, [{ start: new Date(0), end: day(558).start }]))
        const beyond = { start: addDays(today, -lookbackDays), end: addDays(today, 1000) }
        expect(union(intervals)).toEqual(wanted.flatMap((range) => subtract(range, [beyond])))
        expect(intervals.map(({ start }) => +start)).toEqual(intervals.map(({ start }) => +start).sort((a, b) => b - a))
      }),
    )
  })

  it('have an event since an hour before the last time, at first since a month ago', () => {
    const before = addDays(now, -1)
    expect(eventsSince(before, now)).toEqual({ start: new Date(+before - 3_600_000), end: now })
    expect(eventsSince(addDays(now, -90), now).start).toEqual(new Date(+addDays(now, -90) - 3_600_000))
    expect(eventsSince(null, now)).toEqual({ start: addDays(now, -31), end: now })
    // by a clock that was ahead
    expect(eventsSince(addDays(now, 1), now)).toEqual({ start: addDays(now, -31), end: now })
  })
})

describe('the days whose threads are read again', () => {
  const settings = { now, lookbackDays: 7, cycleStart: now }
  const read = (age: number, daysAgo: number, status: 'done' | 'unstable' | 'failed' = 'done') => ({
    ...day(age),
    status,
    readAt: addDays(now, -daysAgo),
  })

  it('are the loaded ones beyond the lookback, up to 40 days', () => {
    const covered = [{ start: day(100).start, end: day(0).start }]
    const due = dueThreadDays({ ...settings, covered, ledger: [] })
    expect(due.map(({ start }) => ageInDays(start, now))).toEqual(Array.from({ length: 33 }, (_, index) => index + 8))
    expect(dueThreadDays({ ...settings, covered: [day(50), day(20), day(3)], ledger: [] })).toEqual([day(20)])
  })

  it('take turns where they do not all fit into a night, and those of a run that is resumed are not read twice', () => {
    const covered = [{ start: day(12).start, end: day(7).start }]
    const ledger = [read(8, 1), read(9, 3, 'unstable'), read(10, 0), read(11, 2, 'failed')]
    const due = dueThreadDays({ ...settings, cycleStart: addDays(now, -0.1), covered, ledger })
    expect(due).toEqual([day(11), day(12), day(9), day(8)])
  })

  it('do not count as read by a clock that was ahead', () => {
    expect(dueThreadDays({ ...settings, covered: [day(20)], ledger: [read(20, -3)] })).toEqual([day(20)])
  })
})
