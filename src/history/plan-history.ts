/** What a history job would read: the windows that are due, with an estimate of their requests. */
import { JOB_PAGE_SIZE } from '../genesys/details-jobs.ts'
import { estimateWindow, isFiltered, DETAILS_PAGE_SIZE } from '../genesys/details-query.ts'
import { readRetention } from '../loader/dropped-months.ts'
import { addDays, intersect, startOfDay, type Interval } from '../model/interval.ts'
import { expiredTimes, outside, timesNotDue, type Retention } from '../model/retention.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import { selectFirstSync } from '../runs/run-history.ts'
import { windowKey, type HistoryDependencies, type HistoryRequest, type HistorySettings } from './context.ts'
import { jobsAvailableUntil } from './jobs-context.ts'
import { selectWindows, type WindowSource } from './ledger.ts'
import { withinBudget } from './nightly-budget.ts'
import { chooseSources, isWorthJobs } from './plan-jobs.ts'
import {
  countableGroups,
  planBackfill,
  planDeep,
  planIntraday,
  planSync,
  shareHits,
  type EstimatedWindow,
  type LedgerWindow,
  type PlannedWindow,
} from './plan.ts'
import { unsettledIn, type UnsettledWindow } from './unsettled.ts'

export interface HistoryPlan {
  readonly windows: readonly EstimatedWindow[]
  readonly requests: number
  /** At the rate limit, reading once. */
  readonly minutes: number
  /** Windows within the request's scope that were read and are not known to be complete, or that wait for the data of jobs. */
  readonly unsettled: readonly UnsettledWindow[]
  /** What of a backfill's range is left out, since it is not kept any more. */
  readonly dropped: readonly Interval[]
  /** Up to when the data of jobs are complete; null: no window is read by a job. */
  readonly availableUntil: Date | null
}

/** Days that one counting query may span: what the API takes without a filter, and with one. */
const COUNTABLE_DAYS = { unfiltered: 7, filtered: 31 }

/**
 * What a request would read, estimated but not read: for `--dry-run`, and the first step of every run. Windows that the ledger
 * does not know are counted by the API: one by one where there are few, several days per request otherwise.
 * @throws GenesysError, a database error, or the signal's reason
 */
export async function planHistory(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  {
    clock,
    cycleStart,
    signal,
  }: { readonly clock: DatabaseClock; readonly cycleStart: Date; readonly signal: AbortSignal },
): Promise<HistoryPlan> {
  const { warehouse, history } = dependencies
  const now = clock.now()
  // a sync looks after all that was ever loaded; the others concern their own time alone
  const scope = scopeOf(request, history, now)
  const ledger = await selectWindows(warehouse.db, windowKey(history), request.job === 'sync' ? undefined : scope)
  const firstSyncAt = await selectFirstSync(warehouse.db, history)
  const retention = await readRetention(warehouse)
  const left = timesLeftOut(request, retention)
  const due = outside(choose(request, { now, ledger, cycleStart, history, firstSyncAt }), left)
  const sourced = await assignSources(dependencies, request, due, signal)
  warnOfThinData(dependencies, sourced.windows, now)
  const estimated = await estimate(dependencies, sourced.windows, ledger, signal)
  const windows = request.job === 'sync' ? withinBudget(estimated, now, history) : estimated
  const requests = windows.reduce((sum, window) => sum + window.requests, 0)
  return {
    windows,
    requests,
    minutes: requests / history.requestsPerMinute,
    unsettled: [...outside(unsettledIn(scope, ledger), left), ...sourced.waiting],
    dropped: request.job === 'backfill' ? intersect(request.range, left) : [],
    availableUntil: sourced.availableUntil,
  }
}

/** What a request does not read: a job what is not due any more, a backfill what would not be stored; `reload` brings it back. */
export function timesLeftOut(request: HistoryRequest, retention: Retention): Interval[] {
  if (request.job !== 'backfill') return timesNotDue(retention)
  return request.reload ? [] : expiredTimes(retention)
}

/** Decides which windows of a backfill are read by jobs, and asks Genesys up to when they can be. */
async function assignSources(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  due: readonly PlannedWindow[],
  signal: AbortSignal,
): Promise<{ windows: PlannedWindow[]; waiting: UnsettledWindow[]; availableUntil: Date | null }> {
  const source = request.job === 'backfill' ? (request.source ?? 'query') : 'query'
  if (source === 'query' || due.length === 0 || (source === 'auto' && !isWorthJobs(due)))
    return { windows: [...due], waiting: [], availableUntil: null }
  const availableUntil = await jobsAvailableUntil(dependencies, source === 'jobs', signal)
  const { windows, waiting } = chooseSources(due, source, availableUntil)
  return { windows, availableUntil, waiting: waiting.map((window) => waitingForData(window, availableUntil)) }
}

function waitingForData({ start, end }: Interval, availableUntil: Date | null): UnsettledWindow {
  const until = availableUntil === null ? '' : `; so far they are complete until ${availableUntil.toISOString()}`
  const reason = `it waits until the data of details jobs are complete until ${end.toISOString()}${until}`
  return { start, end, reason, nextAttemptAt: null, waitsForData: true }
}

/** Help, "View an interaction's details": an interaction older than this may return limited information. */
const COMPLETE_DAYS = 558

function warnOfThinData({ logger }: HistoryDependencies, windows: readonly Interval[], now: Date): void {
  const oldest = addDays(startOfDay(now), -COMPLETE_DAYS)
  const days = windows.filter(({ start }) => start < oldest).length
  if (days === 0) return
  logger.warn(
    { windows: days, before: oldest.toISOString().slice(0, 10) },
    `Genesys keeps less of conversations that are older than ${COMPLETE_DAYS} days: what it still has of these windows is loaded`,
  )
}

/** The time that a job is responsible for. */
export function scopeOf(
  request: HistoryRequest,
  { start, lookbackDays, deepLookbackDays }: HistorySettings,
  now: Date,
): Interval {
  if (request.job === 'backfill') return request.range
  const today = startOfDay(now)
  const tomorrow = addDays(today, 1)
  if (request.job === 'intraday') return { start: today, end: tomorrow }
  if (request.job === 'deep') return { start: addDays(today, -deepLookbackDays), end: addDays(today, -lookbackDays) }
  return { start: start ?? addDays(today, -lookbackDays), end: tomorrow }
}

function choose(
  request: HistoryRequest,
  inputs: {
    readonly now: Date
    readonly ledger: readonly LedgerWindow[]
    readonly cycleStart: Date
    readonly history: HistorySettings
    readonly firstSyncAt: Date | null
  },
): PlannedWindow[] {
  const { now, ledger, cycleStart, history, firstSyncAt } = inputs
  const { lookbackDays, deepLookbackDays, start: historyStart } = history
  switch (request.job) {
    case 'sync':
      return planSync({ now, ledger, cycleStart, lookbackDays, historyStart, firstSyncAt })
    case 'deep':
      return planDeep({ now, ledger, cycleStart, lookbackDays, deepLookbackDays, historyStart })
    case 'intraday':
      return planIntraday(now)
    case 'backfill':
      return planBackfill({ now, ledger, cycleStart, range: request.range, reload: request.reload })
  }
}

/** The windows with what reading them should take: by the ledger where it knows them, else by counting. */
async function estimate(
  { genesys, history, progress, logger }: HistoryDependencies,
  windows: readonly PlannedWindow[],
  ledger: readonly LedgerWindow[],
  signal: AbortSignal,
): Promise<EstimatedWindow[]> {
  const estimates = new Map<string, EstimatedWindow>()
  const jobPageSize = history.jobs?.pageSize ?? JOB_PAGE_SIZE
  const keep = (window: PlannedWindow, hits: number, isCounted: boolean): void => {
    const requests = requestsFor(hits, window.source, jobPageSize)
    estimates.set(keyOf(window), { ...window, hits, requests, isCounted })
  }
  const hitsOf = new Map(ledger.map((window) => [keyOf(window), window.hits]))
  for (const window of windows) {
    const hits = hitsOf.get(keyOf(window))
    if (typeof hits === 'number') keep(window, hits, true)
  }
  const unknown = windows.filter((window) => !estimates.has(keyOf(window)))
  const days = isFiltered(history.filter) ? COUNTABLE_DAYS.filtered : COUNTABLE_DAYS.unfiltered
  const groups = countableGroups(unknown, days)
  if (groups.length > 0)
    logger.info({ windows: unknown.length, requests: groups.length }, 'estimating windows that were never read')
  progress.plan('estimate', groups.length)
  const count = async (group: readonly PlannedWindow[]): Promise<void> => {
    const [first, last] = [group[0], group.at(-1)]
    if (!first || !last) return
    const interval = { start: first.start, end: last.end }
    const { hits } = await estimateWindow(genesys, interval, history.filter, { priority: 'history', signal })
    for (const [index, share] of shareHits(hits, group).entries()) keep(group[index]!, share, group.length === 1)
    progress.advance(1)
  }
  try {
    // the client bounds how many are in flight
    await Promise.all(groups.map(count))
  } finally {
    progress.finish()
  }
  return windows.flatMap((window) => estimates.get(keyOf(window)) ?? [])
}

/** A job's submission, its deletion, and about as many looks at its state as are usual. */
const REQUESTS_AROUND_JOB = 8

/** The requests that so many conversations take, reading once. */
function requestsFor(hits: number, source: WindowSource | undefined, jobPageSize: number): number {
  if (source === 'jobs') return REQUESTS_AROUND_JOB + Math.max(1, Math.ceil(hits / jobPageSize))
  return Math.max(1, Math.ceil(hits / DETAILS_PAGE_SIZE))
}

function keyOf({ start, end }: Interval): string {
  return `${+start}/${+end}`
}
