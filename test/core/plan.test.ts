import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  nextAttemptAt,
  owedWindows,
  planBackfill,
  planIntraday,
  planSync,
  statusAfterRead,
  withinBudget,
  type LedgerWindow,
  type PlannedWindow,
  type WindowStatus,
} from '../../src/core/plan.ts'
import { addDays, formatWindow, startOfDay, subtract } from '../../src/core/window.ts'

const now = new Date('2026-11-22T02:15:00Z')
const today = startOfDay(now)

function day(age: number): { start: Date; end: Date } {
  return { start: addDays(today, -age), end: addDays(today, 1 - age) }
}

function ledgerDay(age: number, status: WindowStatus, more: Partial<LedgerWindow> = {}): LedgerWindow {
  return { ...day(age), status, readAt: addDays(now, -1), nextAttemptAt: null, hits: 100, ...more }
}

const names = (plan: readonly PlannedWindow[]) => plan.map((window) => formatWindow(window))

describe('the nightly plan', () => {
  const settings = { now, lookbackDays: 7, historyStart: null, cycleStart: now }

  it('reads the closed days of the lookback, newest first, and never the current day', () => {
    expect(names(planSync({ ...settings, ledger: [] }))).toEqual([
      '2026-11-21',
      '2026-11-20',
      '2026-11-19',
      '2026-11-18',
      '2026-11-17',
      '2026-11-16',
      '2026-11-15',
    ])
  })

  it('reads done days of the lookback again, as a lookback', () => {
    const plan = planSync({ ...settings, ledger: [ledgerDay(1, 'done'), ledgerDay(2, 'failed')] })
    expect(plan.slice(0, 2).map(({ reason }) => reason)).toEqual(['lookback', 'owed'])
  })

  it('still owes what was only read so far, or kept changing', () => {
    const ledger = [ledgerDay(1, 'done'), ledgerDay(2, 'provisional'), ledgerDay(3, 'unstable')]
    const plan = planSync({ ...settings, ledger })
    expect(plan.slice(0, 3).map(({ reason }) => reason)).toEqual(['lookback', 'owed', 'owed'])
  })

  it('does not read again what the interrupted run that it resumes has read', () => {
    const ledger = [ledgerDay(1, 'done', { readAt: now }), ledgerDay(2, 'unstable', { readAt: now })]
    expect(names(planSync({ ...settings, cycleStart: addDays(now, -0.1), ledger }))[0]).toBe('2026-11-19')
  })

  it('makes up older days that are owed since the first day, and only those', () => {
    const ledger = [ledgerDay(8, 'done'), ledgerDay(9, 'failed'), ledgerDay(10, 'provisional'), ledgerDay(11, 'done')]
    const plan = planSync({ ...settings, historyStart: addDays(today, -12), ledger })
    expect(names(plan).slice(7)).toEqual(['2026-11-13', '2026-11-12', '2026-11-10'])
  })

  it('owes nothing before the first day, even within the lookback', () => {
    expect(names(planSync({ ...settings, historyStart: addDays(today, -2), ledger: [] }))).toEqual([
      '2026-11-21',
      '2026-11-20',
    ])
  })

  it('leaves out the last two minutes of yesterday just after midnight', () => {
    const plan = planSync({ ...settings, now: new Date('2026-11-22T00:01:00Z'), ledger: [] })
    expect(formatWindow(plan[0]!)).toBe('2026-11-21T00:00Z/2026-11-21T23:59Z')
  })

  it('thins out a lookback beyond the request budget, but never what is owed', () => {
    const ledger = [1, 2, 3, 4, 5, 7].map((age) => ledgerDay(age, 'done'))
    const plan = planSync({ ...settings, ledger })
    const estimated = (requests: number) => plan.map((window) => ({ ...window, hits: requests * 100, requests }))
    expect(names(withinBudget(estimated(1000), now))).toEqual([
      '2026-11-21',
      '2026-11-20',
      '2026-11-18',
      '2026-11-16',
      '2026-11-15',
    ])
    expect(withinBudget(estimated(700), now)).toEqual(estimated(700))
  })
})

describe('the plan of a backfill', () => {
  const range = { start: addDays(today, -5), end: addDays(today, 1) }

  it('reads what no done window covers, oldest first, up to two minutes ago', () => {
    const plan = planBackfill({
      range,
      now,
      ledger: [ledgerDay(4, 'done'), ledgerDay(2, 'done')],
      reload: false,
      cycleStart: now,
    })
    expect(names(plan)).toEqual(['2026-11-17', '2026-11-19', '2026-11-21', '2026-11-22T00:00Z/2026-11-22T02:13Z'])
  })

  it('reads everything again with reload, but resumes where an interrupted reload stopped', () => {
    const ledger = [ledgerDay(5, 'done', { readAt: now }), ledgerDay(4, 'done')]
    const plan = planBackfill({ range, now, ledger, reload: true, cycleStart: now })
    expect(names(plan)[0]).toBe('2026-11-18')
    expect(plan).toHaveLength(5)
  })

  it('lets an unstable window rest until its next attempt', () => {
    const resting = ledgerDay(3, 'unstable', { nextAttemptAt: new Date(+now + 1) })
    const due = ledgerDay(3, 'unstable', { nextAttemptAt: now })
    expect(names(owedWindows(day(3), now, [resting]))).toEqual([])
    expect(names(owedWindows(day(3), now, [due]))).toEqual(['2026-11-19'])
  })

  it('ends with everything covered, whatever was done before and in whatever order windows complete', () => {
    const status = fc.constantFrom<WindowStatus>('done', 'failed', 'provisional')
    const hours = fc.integer({ min: 0, max: 200 })
    fc.assert(
      fc.property(fc.array(fc.tuple(hours, hours, status)), fc.nat(), (rows, seed) => {
        const hour = (count: number) => new Date(+range.start + count * 3_600_000)
        const ledger: LedgerWindow[] = rows.map(([a, b, status]) => ({
          start: hour(Math.min(a, b)),
          end: hour(Math.max(a, b)),
          status,
          readAt: now,
          nextAttemptAt: null,
          hits: null,
        }))
        const settled = { start: range.start, end: new Date(+now - 120_000) }
        for (;;) {
          const plan = planBackfill({ range, now, ledger, reload: false, cycleStart: now })
          if (plan.length === 0) break
          const next = plan[seed % plan.length]!
          expect(+next.end - +next.start).toBeLessThanOrEqual(86_400_000)
          ledger.push({ ...next, status: 'done', readAt: now, nextAttemptAt: null, hits: null })
        }
        const done = ledger.filter((window) => window.status === 'done')
        expect(subtract(settled, done)).toEqual([])
      }),
    )
  })
})

describe('the intraday plan and the state of a window', () => {
  it('reads the current day so far, and nothing in its first two minutes', () => {
    expect(names(planIntraday(now))).toEqual(['2026-11-22T00:00Z/2026-11-22T02:13Z'])
    expect(planIntraday(new Date('2026-11-22T00:02:00Z'))).toEqual([])
  })

  it('calls a window provisional as long as its day goes on, however well it was read', () => {
    expect(statusAfterRead({ start: today, end: new Date(+now - 120_000) }, 'done', now)).toBe('provisional')
    expect(statusAfterRead(day(1), 'done', now)).toBe('done')
    expect(statusAfterRead(day(1), 'unstable', now)).toBe('unstable')
  })

  it('waits longer after each unstable attempt, a day at most', () => {
    const minutes = (attempts: number) => (+nextAttemptAt(now, attempts) - +now) / 60_000
    expect([1, 2, 3, 50].map(minutes)).toEqual([15, 30, 60, 1440])
  })
})
