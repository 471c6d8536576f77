/**
 * The history: asks the planner which windows are due, reads them from Genesys, loads what has changed, and marks each
 * window done strictly after all its batches have committed. The nightly sync, the weekly deep re-read, the intraday tick and a backfill
 * differ only in their plan; a sync also runs its parts.
 */
import PQueue from 'p-queue'
import { EtlError } from '../errors.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { KEPT_AFTER_RESTORE_DAYS, readRetention, restoreMonths } from '../loader/dropped-months.ts'
import { claimForOrganization, refuseForeignOrganization } from '../loader/organization.ts'
import { formatWindow, type Interval } from '../model/interval.ts'
import { outside } from '../model/retention.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { recordPlan, type RunTrigger } from '../runs/run-history.ts'
import { runJob } from '../runs/run-job.ts'
import { loadActivity, NO_ACTIVITY, reachOf, type ActivitySummary, type LoadedActivity } from './activity-days.ts'
import { refuseAllStale, warnOfWrongClock } from './clock-check.ts'
import { windowKey, type HistoryDependencies, type HistoryRequest, type PartCounts } from './context.ts'
import { jobsOf } from './jobs-context.ts'
import { selectWindows } from './ledger.ts'
import { withBackpressure } from './load-queue.ts'
import {
  loadWindow,
  recordFailedWindow,
  type LoadedWindow,
  type WindowContext,
  type WindowFailure,
} from './load-window.ts'
import { type EstimatedWindow } from './plan.ts'
import { planHistory, scopeOf, timesLeftOut, type HistoryPlan } from './plan-history.ts'
import { runParts, type PartFailure } from './sync-parts.ts'
import { advanceRetention, afterLoading } from './upkeep.ts'
import { unsettledIn, type UnsettledWindow } from './unsettled.ts'

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
  /** Windows within the request's scope that are not known to be complete, those that wait for their next attempt included. */
  readonly unsettled: readonly UnsettledWindow[]
  /** What of a backfill's range was left out, since it is not kept any more. */
  readonly dropped: readonly Interval[]
  /** The days of activity of a nightly run; null where it has read none, since it did without jobs. */
  readonly activity: ActivitySummary | null
}

interface HistoryCounts extends LoadCounts {
  /** Windows that had conversations and now have none. */
  readonly emptiedWindows: number
  /** What each part of a sync has read and loaded beside the windows, by name. */
  readonly parts?: Readonly<Record<string, PartCounts>>
}

/** Windows read at the same time, so that the rate limit is used up while some wait for their first page or their last batch. */
const WINDOWS_AT_ONCE = 8
/** Batches written at the same time: enough to keep Postgres busy while the next batch is encoded. */
const BATCHES_AT_ONCE = 3

/**
 * Runs a history job to its end.
 * @throws EtlError when a window or a part failed (retryable only if every failure was), Interrupted when stopped
 */
export async function runHistory(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  trigger: RunTrigger,
  signal: AbortSignal,
): Promise<HistorySummary> {
  let summary: HistorySummary
  try {
    summary = await runOnce(dependencies, request, trigger, signal)
  } catch (error) {
    // what is stored does not wait for Genesys
    if (request.job === 'sync' && !signal.aborted && hasRun(error))
      await dependencies.afterSync?.(signal, dependencies.progress)
    throw error
  }
  await dependencies.afterRun?.(signal)
  if (request.job === 'sync') await dependencies.afterSync?.(signal, dependencies.progress)
  return summary
}

/** Whether a run that failed has run here at all: not where another process runs it, or the settings fit neither Genesys nor the database. */
function hasRun(error: unknown): boolean {
  return !(error instanceof EtlError) || (error.kind !== 'config' && error.code !== 'JOB_ALREADY_RUNNING')
}

/** Has months stored again that a backfill is to bring back. */
async function restore({ warehouse, logger }: HistoryDependencies, request: HistoryRequest): Promise<void> {
  if (request.job !== 'backfill' || !request.reload) return
  const months = await restoreMonths(warehouse, request.range)
  if (months.length === 0) return
  logger.info(
    { months: months.map(({ start }) => start.toISOString().slice(0, 7)), days: KEPT_AFTER_RESTORE_DAYS },
    'bringing back months that are not kept any more; what is loaded of them stays for some weeks',
  )
}

async function runOnce(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  trigger: RunTrigger,
  signal: AbortSignal,
): Promise<HistorySummary> {
  const { warehouse, history } = dependencies
  const parameters = { filter: history.filter, ...describe(request) }
  return await runJob(dependencies, { job: request.job, trigger, parameters }, signal, async (run, jobSignal) => {
    const writes = new PQueue({ concurrency: BATCHES_AT_ONCE })
    // A request asks whether the loader keeps up when its turn has come: asked earlier, the answer would be stale.
    const genesys = limitInFlight(withBackpressure(dependencies.genesys, writes), history.concurrency)
    const limited = { ...dependencies, genesys }
    await claimForOrganization(genesys, warehouse, jobSignal)
    const clock = await readDatabaseClock(warehouse.db)
    await advanceRetention(limited, clock, await warnOfWrongClock(limited, clock, jobSignal))
    await restore(limited, request)
    const plan = await planHistory(limited, request, { clock, cycleStart: run.cycleStartedAt, signal: jobSignal })
    await recordPlan(warehouse.db, run, planRecord(plan))
    const key = windowKey(history)
    const jobs = await jobsOf(limited, request, plan.availableUntil, jobSignal)
    const context = { ...limited, key, run, clock, writes, jobs, signal: jobSignal }
    const { loaded, failures } = await loadPlan(context, plan)
    const activity =
      request.job === 'sync' && failures.every(isOfOneWindow) ? await loadActivity(context, loadPlan) : NO_ACTIVITY
    const parts = request.job === 'sync' ? await runParts(context) : null
    await afterLoading(dependencies, request.job, [...loaded, ...reachOf(activity.loaded)])
    const failed = [...failures, ...activity.failures, ...(parts?.failures ?? [])]
    if (activity.error !== undefined && failed.length === 0) throw activity.error
    const planned = plan.windows.length + (activity.summary?.planned ?? 0)
    if (failed.length > 0) throw failureOf(failed, planned)
    // what jobs deliver is usually older than what queries have read since, and refused as such
    const queried = loaded.filter(({ source }) => source === 'query')
    refuseAllStale(queried.map(({ counts }) => counts).reduce(addLoadCounts, emptyLoadCounts()))
    const scope = scopeOf(request, history, clock.now())
    const unsettled = outside(
      unsettledIn(scope, await selectWindows(warehouse.db, key, scope), loaded),
      timesLeftOut(request, await readRetention(warehouse)),
    )
    return summarize(plan, loaded, [...unsettled, ...plan.unsettled.filter(({ waitsForData }) => waitsForData)], {
      activity,
      parts: parts?.counts,
    })
  })
}

/**
 * What `runHistory` would read, estimated but not read.
 * @throws EtlError FOREIGN_ORGANIZATION, a GenesysError or a database error
 */
export async function dryRunHistory(
  dependencies: HistoryDependencies,
  request: HistoryRequest,
  signal: AbortSignal,
): Promise<HistoryPlan> {
  const { genesys, warehouse, history } = dependencies
  const limited = { ...dependencies, genesys: limitInFlight(genesys, history.concurrency) }
  await refuseForeignOrganization(limited.genesys, warehouse, signal)
  const clock = await readDatabaseClock(warehouse.db)
  return await planHistory(limited, request, { clock, cycleStart: clock.now(), signal })
}

/**
 * Reads and loads the windows of a plan, a few at once, in the order of the plan. Each failure that concerns more than its window
 * (an unreachable API, a lost database) lets one fewer be read at once, so that a single one costs little and an outage ends the run.
 */
async function loadPlan(
  context: WindowContext,
  plan: Pick<HistoryPlan, 'windows' | 'requests'>,
): Promise<{ loaded: LoadedWindow[]; failures: WindowFailure[] }> {
  const { progress, run, signal } = context
  const loaded: LoadedWindow[] = []
  const failures: WindowFailure[] = []
  const queue = new PQueue({ concurrency: WINDOWS_AT_ONCE })
  const load = async (window: EstimatedWindow): Promise<void> => {
    if (signal.aborted) return
    try {
      loaded.push(await loadWindow(context, window))
    } catch (error) {
      if (signal.aborted) return
      failures.push({ window, error })
      const isRecorded = await reportFailure(context, window, error)
      if (isRecorded && concernsOneWindow(error)) return
      if (queue.concurrency > 1) queue.concurrency -= 1
      else queue.clear()
    }
  }
  progress.plan(run.job, plan.requests)
  try {
    for (const window of plan.windows) void queue.add(() => load(window))
    await queue.onIdle()
  } finally {
    progress.finish()
  }
  signal.throwIfAborted()
  return { loaded, failures }
}

/** Marks a window failed in the ledger and in the log; false where the database does not take the mark either. */
async function reportFailure(context: WindowContext, window: EstimatedWindow, error: unknown): Promise<boolean> {
  const { logger } = context
  logger.warn({ window: formatWindow(window), err: error }, 'window failed')
  try {
    await recordFailedWindow(context, window, error)
    return true
  } catch (recordingError) {
    logger.warn(
      { window: formatWindow(window), err: recordingError },
      'the failure of the window could not be recorded',
    )
    return false
  }
}

/** Whether other windows may still succeed: an unreachable API, a refused login or a lost database concerns them all. */
function concernsOneWindow(error: unknown): boolean {
  return error instanceof EtlError && CODES_OF_ONE_WINDOW.includes(error.code)
}

const CODES_OF_ONE_WINDOW: readonly string[] = [
  'GENESYS_WINDOW_TOO_LARGE',
  'GENESYS_TIMEOUT',
  'GENESYS_BAD_REQUEST',
  'GENESYS_BAD_ANSWER',
  'GENESYS_JOB_FAILED',
  'GENESYS_JOB_LATE',
  'GENESYS_JOB_INCOMPLETE',
]

function isOfOneWindow({ error }: WindowFailure): boolean {
  return concernsOneWindow(error)
}

/** Failed windows that an error names. */
const WINDOWS_NAMED = 5

/** The error of a run with failed windows or parts: the worst of theirs, since one that needs a human makes the run need one. */
function failureOf(failures: readonly (WindowFailure | PartFailure)[], planned: number): unknown {
  const errors = failures.map(({ error }) => error)
  const worst = errors.find((error) => !(error instanceof EtlError) || error.kind !== 'retryable') ?? errors[0]
  if (!(worst instanceof EtlError)) return worst
  const windows = failures.flatMap((failure) => ('window' in failure ? [formatWindow(failure.window)] : []))
  const parts = failures.flatMap((failure) => ('part' in failure ? [`its part ${failure.part} failed`] : []))
  const rest = windows.length - WINDOWS_NAMED
  const which = `${windows.slice(0, WINDOWS_NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
  const what = windows.length > 0 ? [`${windows.length} of ${planned} windows failed (${which})`] : []
  return new EtlError(`${[...what, ...parts].join('; ')}: ${worst.message}`, {
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
  { activity, parts }: { readonly activity: LoadedActivity; readonly parts: HistoryCounts['parts'] },
): HistorySummary {
  const all = [...loaded, ...activity.loaded]
  const withStatus = (status: string): number => loaded.filter((window) => window.status === status).length
  return {
    windows: {
      planned: plan.windows.length,
      done: withStatus('done'),
      provisional: withStatus('provisional'),
      unstable: withStatus('unstable'),
      failed: plan.windows.length - loaded.length,
    },
    requests: all.reduce((sum, window) => sum + window.requests, 0),
    counts: {
      ...all.map((window) => window.counts).reduce(addLoadCounts, emptyLoadCounts()),
      emptiedWindows: loaded.filter(({ isEmptied }) => isEmptied).length,
      ...(parts && { parts }),
    },
    unsettled,
    dropped: plan.dropped,
    activity: activity.summary,
  }
}

function describe(request: HistoryRequest): Record<string, unknown> {
  if (request.job !== 'backfill') return {}
  const { range, reload, source } = request
  return { from: range.start.toISOString(), to: range.end.toISOString(), reload, ...(source && { source }) }
}

function planRecord(plan: HistoryPlan): Record<string, unknown> {
  return {
    requests: plan.requests,
    minutes: Math.round(plan.minutes * 10) / 10,
    windows: plan.windows.map((window) => ({
      window: formatWindow(window),
      reason: window.reason,
      ...(window.source && { source: window.source }),
      hits: window.hits,
      requests: window.requests,
    })),
  }
}
