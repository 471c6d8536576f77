import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countableGroups,
  shareHits,
  dueWindows,
  firstDueDay,
  nextAttemptAt,
  unloadedWindows,
  planBackfill,
  planDeep,
  planIntraday,
  planSync,
  statusAfterRead,
  type LedgerWindow,
  type PlannedWindow,
} from '../../src/history/plan.ts'
import { withinBudget } from '../../src/history/nightly-budget.ts'
import { addDays, formatWindow, startOfDay, subtract } from '../../src/model/interval.ts'
import { type WindowStatus } from '../../src/postgres/database.ts'

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

  it('still plans what is provisional or kept changing', () => {
    const ledger = [ledgerDay(1, 'done'), ledgerDay(2, 'provisional'), ledgerDay(3, 'unstable')]
    const plan = planSync({ ...settings, ledger })
    expect(plan.slice(0, 3).map(({ reason }) => reason)).toEqual(['lookback', 'owed', 'owed'])
  })

  it('does not read again what the interrupted run that it resumes has read', () => {
    const ledger = [ledgerDay(1, 'done', { readAt: now }), ledgerDay(2, 'unstable', { readAt: now })]
    expect(names(planSync({ ...settings, cycleStart: addDays(now, -0.1), ledger }))[0]).toBe('2026-11-19')
  })

  it('tries a day again that failed in the run that this one resumes', () => {
    const ledger = [ledgerDay(1, 'failed', { readAt: now }), ledgerDay(2, 'done', { readAt: now })]
    const cycleStart = addDays(now, -0.1)
    expect(planSync({ ...settings, cycleStart, ledger })[0]).toMatchObject({ ...day(1), reason: 'owed' })
    const range = { start: day(2).start, end: day(1).end }
    expect(names(planBackfill({ range, now, ledger, reload: true, cycleStart }))).toEqual(['2026-11-21'])
  })

  it('catches up on older days since the first due day that were never loaded, and only those', () => {
    const ledger = [ledgerDay(8, 'done'), ledgerDay(9, 'failed'), ledgerDay(10, 'provisional'), ledgerDay(11, 'done')]
    const plan = planSync({ ...settings, historyStart: addDays(today, -12), ledger })
    expect(names(plan).slice(7)).toEqual(['2026-11-13', '2026-11-12', '2026-11-10'])
  })

  it('plans nothing before the first due day, even within the lookback', () => {
    expect(names(planSync({ ...settings, historyStart: addDays(today, -2), ledger: [] }))).toEqual([
      '2026-11-21',
      '2026-11-20',
    ])
  })

  it('leaves out the last two minutes of yesterday just after midnight', () => {
    const plan = planSync({ ...settings, now: new Date('2026-11-22T00:01:00Z'), ledger: [] })
    expect(formatWindow(plan[0]!)).toBe('2026-11-21T00:00Z/2026-11-21T23:59Z')
  })

  it('thins out a lookback beyond the request budget, but never what was not loaded yet', () => {
    const ledger = [1, 2, 3, 4, 5, 7].map((age) => ledgerDay(age, 'done'))
    const plan = planSync({ ...settings, ledger })
    const estimated = (requests: number) =>
      plan.map((window) => ({ ...window, hits: requests * 100, requests, isCounted: true }))
    expect(names(withinBudget(estimated(1000), now, { lookbackDays: 7, settleDays: 3 }))).toEqual([
      '2026-11-21',
      '2026-11-20',
      '2026-11-18',
      '2026-11-16',
      '2026-11-15',
    ])
    expect(withinBudget(estimated(700), now, { lookbackDays: 7, settleDays: 3 })).toEqual(estimated(700))
  })

  it('reads a day again when what ended on it has settled, also when it thins out', () => {
    const ledger = [1, 2, 3, 4, 5, 6, 7].map((age) => ledgerDay(age, 'done'))
    const plan = planSync({ ...settings, ledger })
    const estimated = plan.map((window) => ({ ...window, hits: 100_000, requests: 1000, isCounted: true }))
    for (const settleDays of [2, 4, 5]) {
      const kept = withinBudget(estimated, now, { lookbackDays: 7, settleDays })
      expect(names(kept)).toContain(formatWindow(day(settleDays + 1)))
      expect(kept).toHaveLength(4)
    }
  })
})

describe('a day is due until it was read at the last age of the lookback', () => {
  const settings = { now, lookbackDays: 7, historyStart: null, cycleStart: now }
  /** As it is after the night in which it had that age. */
  const readAtAge = (age: number, agesLater: number): Partial<LedgerWindow> => ({
    readAt: addDays(now, agesLater - age),
  })

  it('reads again what was not, though it is older than the lookback', () => {
    const ledger = [
      ledgerDay(20, 'done', readAtAge(20, 6)),
      ledgerDay(19, 'done', readAtAge(19, 7)),
      ledgerDay(18, 'done', readAtAge(18, 8)),
    ]
    const plan = planSync({ ...settings, ledger })
    expect(plan.slice(7).map((window) => [formatWindow(window), window.reason])).toEqual([['2026-11-02', 'lookback']])
    expect(dueWindows({ ...settings, ledger: [ledgerDay(20, 'done', { readAt: now })] })).toEqual([])
  })

  it('takes the part that is due of a window wider than a day, and of overlapping ones what none has settled', () => {
    const wide: LedgerWindow = { ...ledgerDay(20, 'done', readAtAge(20, 8)), end: day(16).end }
    expect(names(dueWindows({ ...settings, ledger: [wide] }))).toEqual(['2026-11-04', '2026-11-05', '2026-11-06'])
    const half = { ...ledgerDay(18, 'done', { readAt: now }), end: addDays(day(18).start, 0.5) }
    expect(names(dueWindows({ ...settings, ledger: [wide, half] }))[0]).toBe('2026-11-04T12:00Z/2026-11-05T00:00Z')
  })

  it('plans the days of an outage without HISTORY_START too: since the lookback of the first sync', () => {
    const firstSyncAt = addDays(now, -60)
    const ledger = [ledgerDay(62, 'done', readAtAge(62, 2))]
    const plan = planSync({ ...settings, firstSyncAt, ledger })
    expect(plan).toHaveLength(67)
    expect(plan.filter(({ reason }) => reason === 'lookback').map(formatWindow)).toEqual(['2026-09-21'])
    expect(formatWindow(plan.at(-1)!)).toBe('2026-09-16')
    expect(firstDueDay({ ...settings, firstSyncAt: addDays(now, 3) })).toEqual(addDays(today, -7))
  })

  it('leaves what was loaded before the first day that is set', () => {
    const ledger = [ledgerDay(20, 'done', readAtAge(20, 1)), ledgerDay(10, 'done', readAtAge(10, 1))]
    expect(names(dueWindows({ ...settings, historyStart: addDays(today, -10), ledger }))).toEqual(['2026-11-12'])
  })

  it('spends on late days what the budget leaves, the oldest first, and reads one at least', () => {
    const ledger = [1, 2, 3, 4, 5, 6, 7, 10, 11, 12].map((age) =>
      ledgerDay(age, 'done', { readAt: addDays(now, -9.5) }),
    )
    const plan = planSync({ ...settings, ledger })
    const kept = (requests: number) =>
      names(
        withinBudget(
          plan.map((window) => ({ ...window, hits: requests * 100, requests, isCounted: true })),
          now,
          { lookbackDays: 7, settleDays: 4 },
        ),
      ).slice(4)
    expect(kept(800)).toEqual(['2026-11-11', '2026-11-10'])
    expect(kept(4000)).toEqual(['2026-11-10'])
  })

  it('keeps the last age of the lookback when it thins out, since that settles a day', () => {
    const ledger = [1, 2, 3, 4, 5].map((age) => ledgerDay(age, 'done'))
    const plan = planSync({ ...settings, lookbackDays: 5, ledger })
    const estimated = plan.map((window) => ({ ...window, hits: 0, requests: 2000, isCounted: true }))
    expect(names(withinBudget(estimated, now, { lookbackDays: 5, settleDays: 3 }))).toEqual([
      '2026-11-21',
      '2026-11-20',
      '2026-11-18',
      '2026-11-17',
    ])
  })

  it('whatever nights are missed or fail, every day ends up read at that age', () => {
    const night = fc.oneof(
      { weight: 3, arbitrary: fc.constant<Night>({ kind: 'run' }) },
      { weight: 2, arbitrary: fc.constant<Night>({ kind: 'missed' }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('stopped' as const), after: fc.nat(12) }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('failing' as const), every: fc.integer({ min: 2, max: 4 }) }),
      },
    )
    const requests = fc.constantFrom(1, 300, 900, 3000)
    const first = fc.option(fc.integer({ min: 0, max: 20 }), { nil: null })
    fc.assert(
      fc.property(
        fc.array(night, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 12 }),
        requests,
        first,
        (nights, lookbackDays, requestsOfDay, historyAge) => {
          const oldest = simulate({ nights, lookbackDays, requestsOfDay, historyAge })
          expect(oldest).toEqual([])
        },
      ),
      { numRuns: 30 },
    )
  })
})

type Night =
  | { readonly kind: 'run' | 'missed' }
  | { readonly kind: 'stopped'; readonly after: number }
  | { readonly kind: 'failing'; readonly every: number }

/**
 * Plays nights through, then as many good ones as the backlog may take, and returns the days since the first one owed that were
 * never read at the last age of the lookback though they are old enough.
 */
function simulate(given: {
  readonly nights: readonly Night[]
  readonly lookbackDays: number
  readonly requestsOfDay: number
  readonly historyAge: number | null
}): string[] {
  const { lookbackDays, requestsOfDay } = given
  const begin = now
  const historyStart = given.historyAge === null ? null : addDays(startOfDay(begin), -given.historyAge)
  const ledger = new Map<number, LedgerWindow>()
  const oldestRead = new Map<number, number>()
  let firstSyncAt: Date | null = null
  const good = Array.from({ length: 150 }, (): Night => ({ kind: 'run' }))
  let end = begin
  for (const [index, what] of [...given.nights, ...good].entries()) {
    if (what.kind === 'missed') continue
    const at = addDays(begin, index)
    const isOver = index > given.nights.length + lookbackDays
    if (isOver && dueWindows({ now: at, lookbackDays, historyStart, ledger: [...ledger.values()] }).length === 0) break
    end = addDays(startOfDay(at), -lookbackDays)
    firstSyncAt ??= at
    const plan = planSync({
      now: at,
      lookbackDays,
      historyStart,
      firstSyncAt,
      cycleStart: at,
      ledger: [...ledger.values()],
    })
    const kept = withinBudget(
      plan.map((window) => ({ ...window, hits: requestsOfDay * 100, requests: requestsOfDay, isCounted: true })),
      at,
      { lookbackDays, settleDays: 4 },
    )
    for (const [position, window] of kept.entries()) {
      if (what.kind === 'stopped' && position >= what.after) break
      const known = ledger.get(+window.start)
      if (what.kind === 'failing' && position % what.every === 0) {
        if (!known)
          ledger.set(+window.start, { ...window, status: 'failed', readAt: at, nextAttemptAt: null, hits: null })
        continue
      }
      ledger.set(+window.start, { ...window, status: 'done', readAt: at, nextAttemptAt: null, hits: 1 })
      const age = (+startOfDay(at) - +window.start) / 86_400_000
      oldestRead.set(+window.start, Math.max(age, oldestRead.get(+window.start) ?? 0))
    }
  }
  const missed: string[] = []
  for (
    let at = firstDueDay({ now: end, lookbackDays, historyStart, firstSyncAt: firstSyncAt ?? begin });
    at < end;
    at = addDays(at, 1)
  ) {
    if ((oldestRead.get(+at) ?? -1) < Math.max(lookbackDays, 1)) missed.push(at.toISOString().slice(0, 10))
  }
  return missed
}

describe('the weekly plan', () => {
  const settings = { now, lookbackDays: 7, deepLookbackDays: 30, historyStart: null, cycleStart: now }

  it('reads again what is loaded of the longer lookback, and nothing else', () => {
    const ledger = [ledgerDay(31, 'done'), ledgerDay(30, 'done'), ledgerDay(20, 'failed'), ledgerDay(8, 'done')]
    const plan = planDeep({ ...settings, ledger })
    expect(plan).toMatchObject([
      { ...day(8), reason: 'deep' },
      { ...day(30), reason: 'deep' },
    ])
    expect(names(planDeep({ ...settings, historyStart: day(10).start, ledger }))).toEqual(['2026-11-14'])
  })

  it('leaves the days of the nightly lookback to the nightly plan, whatever the settings are', () => {
    const ledger = Array.from({ length: 40 }, (_, age) => ledgerDay(age + 1, 'done'))
    expect(planDeep({ ...settings, ledger }).at(0)).toMatchObject(day(8))
    expect(planDeep({ ...settings, ledger })).toHaveLength(23)
    expect(planDeep({ ...settings, lookbackDays: 35, ledger })).toEqual([])
  })

  it('goes on where an interrupted run stopped', () => {
    const ledger = [ledgerDay(9, 'done', { readAt: now }), ledgerDay(10, 'done')]
    expect(names(planDeep({ ...settings, cycleStart: addDays(now, -0.1), ledger }))).toEqual(['2026-11-12'])
  })
})

describe('a ledger that a clock ahead has written', () => {
  const settings = { now, lookbackDays: 3, historyStart: null, cycleStart: addDays(now, -0.1) }
  const ahead = addDays(now, 3)

  it('does not believe windows that end or were read in the future', () => {
    const ledger = [ledgerDay(-1, 'done', { readAt: now }), ledgerDay(0, 'done', { readAt: now })]
    expect(unloadedWindows({ start: today, end: now }, now, ledger)).toHaveLength(1)
    expect(planSync({ ...settings, ledger: [ledgerDay(1, 'done', { readAt: ahead })] })[0]).toMatchObject({
      reason: 'owed',
    })
    const range = { start: addDays(today, -9), end: addDays(today, -8) }
    const old = [ledgerDay(9, 'done', { readAt: ahead })]
    for (const reload of [true, false]) {
      expect(names(planBackfill({ range, now, ledger: old, reload, cycleStart: now }))).toEqual(['2026-11-13'])
    }
  })

  it('believes them once they have been read again, and bears clocks that differ by seconds', () => {
    expect(unloadedWindows(day(1), now, [ledgerDay(1, 'done', { readAt: new Date(+now + 30_000) })])).toEqual([])
  })

  it('does not let a window rest until an attempt further ahead than any rest', () => {
    const resting = (hours: number) => [ledgerDay(3, 'unstable', { nextAttemptAt: new Date(+now + hours * 3_600_000) })]
    expect(names(unloadedWindows(day(3), now, resting(24)))).toEqual([])
    expect(names(unloadedWindows(day(3), now, resting(25)))).toEqual(['2026-11-19'])
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
    expect(names(unloadedWindows(day(3), now, [resting]))).toEqual([])
    expect(names(unloadedWindows(day(3), now, [due]))).toEqual(['2026-11-19'])
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

describe('the estimate of windows that were never read', () => {
  const days = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => ({
      start: addDays(now, from + index),
      end: addDays(now, from + index + 1),
      reason: 'owed' as const,
    }))

  it('counts a few windows one by one, which is exact', () => {
    expect(countableGroups(days(31), 7).map((group) => group.length)).toEqual(Array.from({ length: 31 }, () => 1))
  })

  it('counts many in groups of days that touch, whatever their order', () => {
    const windows = [...days(20), ...days(20, 30)].reverse()
    const groups = countableGroups(windows, 7)
    expect(groups.map((group) => group.length)).toEqual([7, 7, 6, 7, 7, 6])
    for (const group of groups) expect(+group.at(-1)!.end - +group[0]!.start).toBe(group.length * 86_400_000)
  })

  it('shares the hits of a group by length, in whole numbers that add up', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 31 }), (hits, count) => {
        const shares = shareHits(hits, days(count))
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(hits)
        for (const share of shares) expect(Math.abs(share - hits / count)).toBeLessThanOrEqual(1)
      }),
    )
  })
})
