import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LedgerWindow, PlannedWindow } from '../../src/history/plan.ts'
import { chooseSources, isWorthJobs, missingActivity, planActivity } from '../../src/history/plan-jobs.ts'
import { addDays, formatWindow, splitByDay, startOfDay, union, type Interval } from '../../src/model/interval.ts'

const now = new Date('2026-11-22T02:15:00Z')
const today = startOfDay(now)
const day = (age: number): Interval => ({ start: addDays(today, -age), end: addDays(today, 1 - age) })
const names = (windows: readonly Interval[]): string[] => windows.map(formatWindow)
const owed = (windows: readonly Interval[]): PlannedWindow[] => windows.map((window) => ({ ...window, reason: 'owed' }))
const read = (age: number, status: LedgerWindow['status'] = 'done'): LedgerWindow => ({
  ...day(age),
  status,
  readAt: addDays(now, -age + 1),
  nextAttemptAt: null,
  hits: 5,
})

const anyDays = fc
  .tuple(fc.integer({ min: -40, max: 0 }), fc.integer({ min: 1, max: 40 }))
  .map(([from, count]) => owed(splitByDay({ start: addDays(today, from - 5), end: addDays(today, from - 5 + count) })))
const anyAvailability = fc.option(
  fc.integer({ min: -50 * 24, max: 48 }).map((hours) => new Date(+today + hours * 3_600_000)),
  { nil: null },
)
const anySource = fc.constantFrom(...(['query', 'jobs', 'auto'] as const))

describe('the sources of a backfill', () => {
  it('a job never reads what is not complete in the data lake', () => {
    fc.assert(
      fc.property(anyDays, anySource, anyAvailability, (days, source, availableUntil) => {
        const { windows } = chooseSources(days, source, availableUntil)
        for (const window of windows) {
          if (window.source === 'jobs') expect(+window.end).toBeLessThanOrEqual(+(availableUntil ?? Number.NaN))
        }
      }),
    )
  })

  it('no window is lost: it is read, or it waits', () => {
    fc.assert(
      fc.property(anyDays, anySource, anyAvailability, (days, source, availableUntil) => {
        const { windows, waiting } = chooseSources(days, source, availableUntil)
        expect(names([...windows, ...waiting]).sort()).toEqual(names(days).sort())
        if (source !== 'jobs') expect(waiting).toEqual([])
      }),
    )
  })

  it('auto leaves three days to queries, and reads more than that by jobs as far as they reach', () => {
    const sources = (days: number, availableUntil: Date): string[] =>
      chooseSources(owed(splitByDay({ start: addDays(today, -days), end: today })), 'auto', availableUntil).windows.map(
        ({ source = 'query' }) => source,
      )
    expect(sources(3, today)).toEqual(['query', 'query', 'query'])
    expect(sources(4, today)).toEqual(['jobs', 'jobs', 'jobs', 'jobs'])
    expect(sources(5, addDays(today, -1))).toEqual(['jobs', 'jobs', 'jobs', 'jobs', 'query'])
    // what jobs have of it is too little
    expect(sources(5, addDays(today, -2))).toEqual(Array.from({ length: 5 }, () => 'query'))
    expect(isWorthJobs([day(1), day(2), day(3)])).toBe(false)
    expect(isWorthJobs([day(1), day(2), day(3), day(4)])).toBe(true)
  })
})

describe('the days of activity', () => {
  const plan = (ledger: readonly LedgerWindow[], availableUntil = new Date('2026-11-22T01:00:00Z'), at = now) =>
    planActivity({ now: at, availableUntil, ledger })

  it('are at first the last seven that are complete in the data lake, oldest first', () => {
    expect(names(plan([]).due)).toEqual(names([7, 6, 5, 4, 3, 2, 1].map(day)))
    const behind = plan([], new Date('2026-11-20T23:00:00Z'))
    expect(names(behind.due)).toEqual(names([8, 7, 6, 5, 4, 3, 2].map((age) => day(age + 1))))
    expect(names(behind.waiting)).toEqual(names([2, 1].map(day)))
  })

  it('are due once, and those of missed nights and failed ones again', () => {
    const ledger = [10, 9, 8, 5, 4].map((age) => read(age))
    expect(names(plan([...ledger, read(7, 'failed')]).due)).toEqual(names([7, 6, 3, 2, 1].map(day)))
    expect(plan([...ledger, ...[7, 6, 3, 2, 1].map((age) => read(age))]).due).toEqual([])
  })

  it('wait until the data lake has passed their end', () => {
    const { due, waiting } = plan([read(2)], new Date('2026-11-21T23:59:59Z'))
    expect(names(due)).not.toContain(formatWindow(day(1)))
    expect(names(waiting)).toEqual(names([day(1)]))
    expect(names(plan([read(2)], today).due)).toContain(formatWindow(day(1)))
  })

  it('never reach into the current day, whatever the data lake says', () => {
    const { due, waiting } = plan([read(2)], addDays(today, 3))
    expect(names(due).at(-1)).toBe(formatWindow(day(1)))
    expect(waiting).toEqual([])
  })

  it('are each read once until all are read, however the nights go', () => {
    const nights = fc.array(fc.record({ runs: fc.boolean(), fails: fc.nat(3), lagHours: fc.nat(60) }), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(nights, (list) => {
        const ledger: LedgerWindow[] = []
        const times = new Map<string, number>()
        const night = (index: number, fails: number, lagHours: number): void => {
          const at = addDays(now, index)
          const availableUntil = new Date(+at - lagHours * 3_600_000)
          const { due } = plan(ledger, availableUntil, at)
          for (const [position, window] of due.entries()) {
            expect(+window.end).toBeLessThanOrEqual(+availableUntil)
            const isFailed = position < fails
            if (!isFailed) times.set(formatWindow(window), (times.get(formatWindow(window)) ?? 0) + 1)
            ledger.push({ ...window, status: isFailed ? 'failed' : 'done', readAt: at, nextAttemptAt: null, hits: 1 })
          }
        }
        for (const [index, { runs, fails, lagHours }] of list.entries()) if (runs) night(index, fails, lagHours)
        night(list.length, 0, 0)
        night(list.length + 1, 0, 0)
        expect([...times.values()].every((count) => count === 1)).toBe(true)
        // a list of failed and done rows of a day counts as done
        expect(union(ledger.filter(({ status }) => status === 'done'))).toHaveLength(1)
        expect(missingActivity(ledger, addDays(now, list.length + 1))).toEqual([])
      }),
    )
  })
})

it('days of activity are missing only from the first one on', () => {
  expect(missingActivity([], now)).toEqual([])
  expect(names(missingActivity([read(5), read(3), read(2, 'failed')], now))).toEqual([
    formatWindow(day(4)),
    formatWindow({ start: day(2).start, end: today }),
  ])
})
