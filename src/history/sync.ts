/**
 * The history: asks the planner which windows are owed, reads them from Genesys, loads what has changed, and marks each
 * window done strictly after all its batches have committed. The nightly sync, the intraday tick and a backfill differ
 * only in their plan.
 */
import { selectFirstSync } from '../runs/run-history.ts'
import {
  planBackfill,
  planIntraday,
  planSync,
  withinBudget,
  type EstimatedWindow,
  type LedgerWindow,
  type PlannedWindow,
} from './plan.ts'
import { addDays, formatWindow, startOfDay, type Interval } from '../model/interval.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { estimateWindow, DETAILS_PAGE_SIZE } from '../genesys/details-query.ts'
import { EtlError } from '../errors.ts'
import { readDatabaseClock, type DatabaseClock } from '../postgres/clock.ts'
import { selectWindows } from './ledger.ts'
import { recordPlan, type Run, type RunTrigger } from '../runs/run-history.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { windowKey, type HistoryDependencies, type HistorySettings } from './context.ts'
import { loadWindow, recordFailure, type LoadedWindow } from './load-window.ts'
import { claimForOrganization } from '../loader/organization-guard.ts'
import { refuseAllStale, warnOfWrongClock } from './clock-check.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { createPlaces, type Places } from '../genesys/places.ts'
import { runJob } from '../runs/run-job.ts'
import { unsettledIn, type UnsettledWindow } from './unsettled.ts'

export type HistoryRequest =
  | { readonly job: 'sync' | 'intraday' }
  | { readonly job: 'backfill'; readonly range: Interval; readonly reload: boolean }

export interface HistoryPlan {
  readonly windows: readonly EstimatedWindow[]
  readonly requests: number
  /** At the rate limit, reading once. */
  readonly minutes: number
  /** Windows of what was asked for that were read, and of which it is not known that they are whole. */
  readonly unsettled: readonly UnsettledWindow[]
}

export interface HistorySummary {
  readonly windows: {
    readonly planned: number
    readonly done: number
    readonly provisional: number
    readonly unstable: number
    readonly failed: number
  }
  readonly requests: number
  readonly counts: HistoryCounts
  /** Windows of what was asked for that are not known to be whole, those that rest until their next attempt included. */
  readonly unsettled: readonly UnsettledWindow[]
}

interface HistoryCounts extends LoadCounts {
  /** Windows that had conversations and have none any more. */
  readonly emptiedWindows: number
}

/** Windows read at the same time, so that the limit is used up while some wait for their first page or their last batch. */
const WINDOWS_AT_ONCE = 8
/** Batches written at the same time: enough to keep Postgres busy while the next batch is encoded. */
const BATCHES_AT_ONCE = 3

/**
 * Runs a history job to its end.
 * @throws EtlError when a window failed (retryable only if every failure was), Interrupted when stopped
 */
export async function runHistory(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  trigger: RunTrigger,
  signal: AbortSignal,
): Promise<HistorySummary> {
  const { warehouse, genesys, history } = dependencies
  const parameters = { filter: history.filter, ...describe(request) }
  return await runJob(dependencies, { job: request.job, trigger, parameters }, signal, async (run, jobSignal) => {
    await claimForOrganization(genesys, warehouse, jobSignal)
    const clock = await readDatabaseClock(warehouse.db)
    await warnOfWrongClock(dependencies, clock, jobSignal)
    const plan = await planHistory(dependencies, request, { clock, cycleStart: run.cycleStartedAt, signal: jobSignal })
    await recordPlan(warehouse.db, run, planRecord(plan))
    const loaded = await loadPlan(dependencies, plan, run, clock, jobSignal)
    refuseAllStale(loaded.map(({ counts }) => counts).reduce(addLoadCounts, emptyLoadCounts()))
    const ledger = await selectWindows(warehouse.db, windowKey(history))
    return summarize(plan, loaded, unsettledIn(scopeOf(request, history, clock.now()), ledger, loaded))
  })
}

/** What a request would read, estimated but not read: for `--dry-run`, and the first step of every run. */
export async function planHistory(
  { genesys, warehouse, history, progress }: HistoryDependencies,
  request: HistoryRequest,
  {
    clock,
    cycleStart,
    signal,
  }: { readonly clock: DatabaseClock; readonly cycleStart: Date; readonly signal: AbortSignal },
): Promise<HistoryPlan> {
  const now = clock.now()
  const ledger = await selectWindows(warehouse.db, windowKey(history))
  const firstSyncAt = await selectFirstSync(warehouse.db, history)
  const owed = choose(request, { now, ledger, cycleStart, history, firstSyncAt })
  const hitsOf = new Map(ledger.map((window) => [keyOf(window), window.hits]))
  const unknown = owed.filter((window) => typeof hitsOf.get(keyOf(window)) !== 'number')
  progress.plan('estimate', unknown.length)
  const estimate = async (window: PlannedWindow): Promise<EstimatedWindow> => {
    const hits = hitsOf.get(keyOf(window))
    if (typeof hits === 'number') return { ...window, hits, requests: Math.max(1, Math.ceil(hits / DETAILS_PAGE_SIZE)) }
    const estimated = await estimateWindow(genesys, window, history.filter, { priority: 'history', signal })
    progress.advance(1)
    return { ...window, ...estimated }
  }
  const estimated = await Promise.all(owed.map(estimate)).finally(() => progress.finish())
  const windows = request.job === 'sync' ? withinBudget(estimated, now, history.lookbackDays) : estimated
  const requests = windows.reduce((sum, window) => sum + window.requests, 0)
  return {
    windows,
    requests,
    minutes: requests / history.requestsPerMinute,
    unsettled: unsettledIn(scopeOf(request, history, now), ledger),
  }
}

/** The time that a job is responsible for. */
function scopeOf(request: HistoryRequest, { start, lookbackDays }: HistorySettings, now: Date): Interval {
  if (request.job === 'backfill') return request.range
  const today = startOfDay(now)
  const tomorrow = addDays(today, 1)
  if (request.job === 'intraday') return { start: today, end: tomorrow }
  return { start: start ?? addDays(today, -lookbackDays), end: tomorrow }
}

function choose(
  request: HistoryRequest,
  inputs: {
    now: Date
    ledger: readonly LedgerWindow[]
    cycleStart: Date
    history: HistorySettings
    firstSyncAt: Date | null
  },
): PlannedWindow[] {
  const { now, ledger, cycleStart, history, firstSyncAt } = inputs
  const { lookbackDays, start: historyStart } = history
  switch (request.job) {
    case 'sync':
      return planSync({ now, ledger, cycleStart, lookbackDays, historyStart, firstSyncAt })
    case 'intraday':
      return planIntraday(now)
    case 'backfill':
      return planBackfill({ now, ledger, cycleStart, range: request.range, reload: request.reload })
  }
}

/** Reads and loads the windows of a plan, a few at once, newest wishes first as the plan has them. */
async function loadPlan(
  dependencies: HistoryDependencies,
  plan: HistoryPlan,
  run: Run,
  clock: DatabaseClock,
  signal: AbortSignal,
): Promise<LoadedWindow[]> {
  const { progress, logger } = dependencies
  const places = createPlaces(BATCHES_AT_ONCE)
  const loaded: LoadedWindow[] = []
  const failures: WindowFailure[] = []
  const queue = plan.windows.values()
  const { history } = dependencies
  // Only what is about to be sent asks whether the loader keeps up: the many that wait for their turn would all have a stale answer.
  const genesys = limitInFlight(atPaceOf(places, dependencies.genesys), history.concurrency)
  const context = { ...dependencies, genesys, key: windowKey(history), run, clock, places, signal }

  const worker = async (): Promise<void> => {
    for (const window of queue) {
      signal.throwIfAborted()
      try {
        loaded.push(await loadWindow(context, window))
      } catch (error) {
        signal.throwIfAborted()
        failures.push({ window, error })
        await recordFailure(context, window, error)
        logger.warn({ window: formatWindow(window), err: error }, 'window failed')
        if (!concernsOneWindow(error)) throw error
      }
    }
  }

  progress.plan(run.job, plan.requests)
  try {
    const workers = await Promise.allSettled(
      Array.from({ length: Math.min(WINDOWS_AT_ONCE, plan.windows.length) }, worker),
    )
    signal.throwIfAborted()
    const crash = workers.find((worker) => worker.status === 'rejected')
    if (failures.length > 0) throw failureOf(failures, plan)
    if (crash) throw crash.reason
  } finally {
    progress.finish()
  }
  return loaded
}

interface WindowFailure {
  readonly window: Interval
  readonly error: unknown
}

/** The same client, which sends nothing while a batch waits to be written: a slow Postgres then costs time, not memory. */
function atPaceOf(places: Places, genesys: GenesysClient): GenesysClient {
  return {
    async request(request) {
      await places.calm()
      return await genesys.request(request)
    },
    close: () => genesys.close(),
  }
}

/** Whether other windows may still succeed: an unreachable API, a refused login or a lost database concerns them all. */
function concernsOneWindow(error: unknown): boolean {
  return (
    error instanceof EtlError &&
    ['GENESYS_WINDOW_TOO_LARGE', 'GENESYS_TIMEOUT', 'GENESYS_BAD_REQUEST', 'GENESYS_BAD_ANSWER'].includes(error.code)
  )
}

/** Failed windows that an error names. */
const WINDOWS_NAMED = 5

/** The error of a run with failed windows: the worst of theirs, since one that needs a human makes the run need one. */
function failureOf(failures: readonly WindowFailure[], plan: HistoryPlan): unknown {
  const errors = failures.map(({ error }) => error)
  const worst = errors.find((error) => !(error instanceof EtlError) || error.kind !== 'retryable') ?? errors[0]
  if (!(worst instanceof EtlError)) return worst
  const named = failures.slice(0, WINDOWS_NAMED).map(({ window }) => formatWindow(window))
  const rest = failures.length - named.length
  const which = `${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
  return new EtlError(`${failures.length} of ${plan.windows.length} windows failed (${which}): ${worst.message}`, {
    code: worst.code,
    kind: worst.kind,
    hint: worst.hint,
    retryAt: worst.retryAt,
    cause: worst,
  })
}

function summarize(
  plan: HistoryPlan,
  loaded: readonly LoadedWindow[],
  unsettled: readonly UnsettledWindow[],
): HistorySummary {
  const withStatus = (status: string): number => loaded.filter((window) => window.status === status).length
  return {
    windows: {
      planned: plan.windows.length,
      done: withStatus('done'),
      provisional: withStatus('provisional'),
      unstable: withStatus('unstable'),
      failed: plan.windows.length - loaded.length,
    },
    requests: loaded.reduce((sum, window) => sum + window.requests, 0),
    counts: {
      ...loaded.map((window) => window.counts).reduce(addLoadCounts, emptyLoadCounts()),
      emptiedWindows: loaded.filter(({ isEmptied }) => isEmptied).length,
    },
    unsettled,
  }
}

function describe(request: HistoryRequest): Record<string, unknown> {
  if (request.job !== 'backfill') return {}
  return { from: request.range.start.toISOString(), to: request.range.end.toISOString(), reload: request.reload }
}

function planRecord(plan: HistoryPlan): Record<string, unknown> {
  return {
    requests: plan.requests,
    minutes: Math.round(plan.minutes * 10) / 10,
    windows: plan.windows.map((window) => ({
      window: formatWindow(window),
      reason: window.reason,
      hits: window.hits,
      requests: window.requests,
    })),
  }
}

function keyOf({ start, end }: Interval): string {
  return `${+start}/${+end}`
}
