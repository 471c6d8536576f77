/** All Prometheus metrics. Labels have few values and are never ids. Names are a contract: a wrong one is deprecated, not removed. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import manifest from '../package.json' with { type: 'json' }
import { type HttpHooks } from './genesys/http.ts'
import { type RateLimiter } from './genesys/rate-limiter.ts'
import { type LoadCounts } from './loader/load-counts.ts'
import { secondsBetween } from './model/interval.ts'
import { type StatusDocument } from './monitoring/status.ts'
import { type RollupBacklog } from './reporting/rollups.ts'
import { type JobState } from './schedule.ts'

/** What only the running process knows. */
export interface ProcessState {
  readonly jobs: readonly JobState[]
  /** The counts of the rate limiter; null: no request has been sent yet. */
  readonly budget: ReturnType<RateLimiter['stats']> | null
}

export interface Metrics {
  /** Count requests to Genesys: for createGenesysClient. */
  readonly genesysHooks: HttpHooks
  /** Counts the outcomes of a batch: for the loader. */
  readonly countLoad: (counts: LoadCounts) => void
  /** Counts a window that had conversations and was empty when it was read again. */
  readonly countEmptied: () => void
  /** Sets the state of the scheduler and of the rate limiter. */
  setProcess(state: ProcessState): void
  /** Sets the state of the history and of live; null: the database could not be read, so those metrics are absent. */
  setStatus(status: StatusDocument | null): void
  /** Counts conversations that had ended with open after-call work: for the live job. */
  readonly countEndedInAfterCallWork: (conversations: number) => void
  /** Sets how much the intervals of the reports lag behind their cells; null: unknown, so that the values are absent. */
  readonly setRollups: (backlog: RollupBacklog | null) => void
  /** Sets which alerts are firing. */
  readonly setAlerts: (conditions: readonly string[]) => void
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>
  readonly contentType: string
}

const PREFIX = 'genesys_etl_'

/** Creates the metrics in a new registry, together with the default metrics of Node.js (event-loop lag, memory, garbage collection). */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const build = gauge(registry, 'build_info', 'Always 1; the labels name the version of genesys-etl and of Node.js.', [
    'version',
    'node_version',
  ])
  build.set({ version: manifest.version, node_version: process.version }, 1)
  const requests = requestMetrics(registry)
  const loads = loadMetrics(registry)
  const processes = processMetrics(registry)
  const statuses = statusMetrics(registry)
  const endedInAfterCallWork = counter(
    registry,
    'live_ended_in_acw_total',
    'Conversations with an end time whose after-call work was still open, counted every 15 minutes.',
    [],
  )
  const emptied = counter(
    registry,
    'windows_emptied_total',
    'Windows that had conversations and were empty when they were read again.',
    [],
  )
  const rollups = rollupMetrics(registry)
  const alerts = gauge(registry, 'alert_active', '1 while the alert is firing.', ['condition'])
  return {
    genesysHooks: requests,
    countLoad: loads,
    countEndedInAfterCallWork: (conversations) => endedInAfterCallWork.inc(conversations),
    countEmptied: () => emptied.inc(),
    setProcess: processes,
    setStatus: statuses,
    setRollups: rollups,
    setAlerts(conditions) {
      alerts.reset()
      for (const condition of conditions) alerts.set({ condition }, 1)
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function requestMetrics(registry: Registry): Required<HttpHooks> {
  const requests = counter(registry, 'requests_total', 'Request attempts sent to Genesys Cloud.', [
    'endpoint',
    'status_class',
  ])
  const duration = new Histogram({
    name: `${PREFIX}request_duration_seconds`,
    help: 'Time from sending a request attempt to the last byte of its response.',
    labelNames: ['endpoint'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers: [registry],
  })
  const retries = counter(registry, 'request_retries_total', 'Request attempts that were retried, by reason.', [
    'endpoint',
    'reason',
  ])
  const limited = counter(registry, 'rate_limited_seconds_total', 'Waiting time imposed by 429 responses.', [
    'endpoint',
  ])
  return {
    onRequest({ endpoint, statusClass, durationMs }) {
      requests.inc({ endpoint, status_class: statusClass })
      duration.observe({ endpoint }, durationMs / 1000)
    },
    onRetry({ endpoint, reason, waitMs }) {
      retries.inc({ endpoint, reason })
      if (reason === 'rate-limited') limited.inc({ endpoint }, waitMs / 1000)
    },
  }
}

function loadMetrics(registry: Registry): (counts: LoadCounts) => void {
  const rows = counter(
    registry,
    'rows_total',
    'Conversation records by outcome, and rows written to the child tables.',
    ['table', 'outcome'],
  )
  const reopened = counter(
    registry,
    'conversations_reopened_total',
    'Conversations that had ended and have gone on since; they are among the changed ones.',
    [],
  )
  const missing = counter(
    registry,
    'conversations_missing_total',
    'Conversations that were found to be missing at Genesys.',
    [],
  )
  return (counts) => {
    for (const outcome of ['inserted', 'changed', 'unchanged', 'stale', 'rejected', 'erased', 'expired'] as const) {
      rows.inc({ table: 'conversations', outcome }, counts[outcome])
    }
    reopened.inc(counts.reopened)
    missing.inc(counts.missing)
    for (const [table, written] of Object.entries(counts.rows)) {
      if (table !== 'conversations') rows.inc({ table, outcome: 'written' }, written)
    }
  }
}

function processMetrics(registry: Registry): (state: ProcessState) => void {
  const skipped = counter(registry, 'ticks_skipped_total', 'Ticks skipped because the job was still running.', ['job'])
  const oldSkipped = gauge(registry, 'ticks_skipped', 'Deprecated: use genesys_etl_ticks_skipped_total.', ['job'])
  const next = gauge(registry, 'next_run_timestamp_seconds', 'Time of the next start of the job, including retries.', [
    'job',
  ])
  const running = gauge(registry, 'job_running', '1 while the job is running in this process.', ['job'])
  const stuck = gauge(registry, 'job_stuck', '1 if a run of the job has shown no progress for too long.', ['job'])
  const limit = gauge(registry, 'request_budget_limit', 'Requests per minute that this process allows itself.')
  const used = gauge(registry, 'request_budget_used', 'Requests sent during the last minute, by purpose.', ['for'])
  const waiting = gauge(registry, 'requests_waiting', 'Requests waiting for the rate limit.')
  return ({ jobs, budget }) => {
    for (const metric of [skipped, oldSkipped, next, running, stuck]) metric.reset()
    for (const job of jobs) {
      skipped.inc({ job: job.name }, job.overlaps)
      oldSkipped.set({ job: job.name }, job.overlaps)
      running.set({ job: job.name }, Number(job.running))
      stuck.set({ job: job.name }, Number(Boolean(job.stuckSince)))
      if (job.nextRun) next.set({ job: job.name }, +job.nextRun / 1000)
    }
    if (!budget) return
    limit.set(budget.limit)
    used.set({ for: 'live' }, budget.live)
    used.set({ for: 'rest' }, budget.sent - budget.live)
    waiting.set(budget.waiting)
  }
}

function statusMetrics(registry: Registry): (status: StatusDocument | null) => void {
  const up = gauge(registry, 'database_up', '1 if the database answered this scrape.')
  const setters = [
    historyMetrics(registry),
    liveMetrics(registry),
    deliveryMetrics(registry),
    reportingMetrics(registry),
    referenceMetrics(registry),
    reconciliationMetrics(registry),
    settlingMetrics(registry),
    erasureMetrics(registry),
    retentionMetrics(registry),
  ]
  return (status) => {
    up.set(status ? 1 : 0)
    for (const set of setters) set(status)
  }
}

/** A setter of metrics; null: the database did not answer, so that the values are unknown. */
type StatusSetter = (status: StatusDocument | null) => void

/** Removes values rather than resetting them: a reset would publish 0. */
function forget(labeled: readonly Gauge[], unlabeled: readonly Gauge[]): void {
  for (const metric of labeled) metric.reset()
  for (const metric of unlabeled) metric.remove()
}

function historyMetrics(registry: Registry): StatusSetter {
  const windows = gauge(registry, 'windows', 'Windows in the ledger by status.', ['state'])
  const missingHelp = 'Time within the closed days of the history that is not loaded.'
  const missing = gauge(registry, 'history_missing_seconds', missingHelp)
  const oldMissing = gauge(registry, 'history_owed_days', 'Deprecated: use genesys_etl_history_missing_seconds.')
  const lagHelp = 'Age of the watermark: the instant up to which the stream is loaded without a gap.'
  const lag = gauge(registry, 'watermark_lag_seconds', lagHelp, ['stream'])
  const successHelp = 'Time of the last successful run of the job.'
  const success = gauge(registry, 'last_success_timestamp_seconds', successHelp, ['job'])
  const failuresHelp = 'Failed runs (for live: failed snapshots) since the last success of the job.'
  const failures = gauge(registry, 'failures_in_a_row', failuresHelp, ['job'])
  const rejected = gauge(registry, 'rejected_records', 'Unresolved rejected records.')
  return (status) => {
    forget([windows, lag, success, failures], [missing, oldMissing, rejected])
    if (!status) return
    for (const [state, count] of Object.entries(status.windows)) windows.set({ state }, count)
    const missingSeconds = status.history.owed.reduce((sum, { start, end }) => sum + secondsBetween(start, end), 0)
    missing.set(missingSeconds)
    oldMissing.set(missingSeconds / 86_400)
    lag.set({ stream: 'conversations' }, status.history.lagSeconds)
    for (const { job, lastSuccessAt, failuresInARow } of status.jobs) {
      if (lastSuccessAt) success.set({ job }, +lastSuccessAt / 1000)
      failures.set({ job }, failuresInARow)
    }
    rejected.set(status.rejectedRecords)
    if (!status.live) return
    failures.set({ job: 'live' }, status.live.failure ? (status.live.failure.inARow ?? 1) : 0)
    if (status.live.snapshotAt) success.set({ job: 'live' }, +status.live.snapshotAt / 1000)
  }
}

function liveMetrics(registry: Registry): StatusSetter {
  const age = gauge(registry, 'live_snapshot_age_seconds', 'Age of the newest complete live snapshot.')
  const duration = gauge(registry, 'live_snapshot_duration_seconds', 'Duration of the newest complete live snapshot.')
  const requestsHelp = 'Requests sent for the newest complete live snapshot.'
  const requests = gauge(registry, 'live_snapshot_requests', requestsHelp)
  const throttledHelp = '1 while live snapshots are throttled to stay within their share of the request limit.'
  const throttled = gauge(registry, 'live_stretched', throttledHelp)
  const open = gauge(registry, 'live_conversations', 'Open conversations by state.', ['state'])
  return (status) => {
    forget([open], [age, duration, requests, throttled])
    const live = status?.live
    if (!live) return
    if (live.ageSeconds !== null) age.set(live.ageSeconds)
    if (live.durationMs !== null) duration.set(live.durationMs / 1000)
    if (live.requests !== null) requests.set(live.requests)
    throttled.set(Number(live.stretched))
    for (const [state, count] of Object.entries(live.byState)) open.set({ state }, count)
  }
}

function deliveryMetrics(registry: Registry): StatusSetter {
  const pending = gauge(registry, 'webhook_messages_pending', 'Messages to WEBHOOK_URL that are not delivered yet.')
  const oldestHelp = 'Age of the oldest pending message to WEBHOOK_URL; 0 if there is none.'
  const oldest = gauge(registry, 'webhook_oldest_pending_seconds', oldestHelp)
  const givenUpHelp = 'Messages to WEBHOOK_URL whose delivery was abandoned during the last day.'
  const givenUp = gauge(registry, 'webhook_messages_given_up', givenUpHelp)
  return (status) => {
    forget([], [pending, oldest, givenUp])
    if (!status) return
    const { deliveries, at } = status
    pending.set(deliveries.pending)
    oldest.set(deliveries.oldestPendingAt ? secondsBetween(deliveries.oldestPendingAt, at) : 0)
    givenUp.set(deliveries.givenUp)
  }
}

function reportingMetrics(registry: Registry): StatusSetter {
  const filledHelp = 'Part of the loaded conversations whose reporting rows are derived, 0 to 1.'
  const filled = gauge(registry, 'reporting_filled_ratio', filledHelp)
  const staleHelp = 'Conversations whose reporting rows have to be derived again, where they had been derived.'
  const stale = gauge(registry, 'reporting_stale_conversations', staleHelp)
  return (status) => {
    forget([], [filled, stale])
    if (!status) return
    const { filledShare, staleConversations } = status.reporting
    filled.set(filledShare)
    if (staleConversations !== null) stale.set(staleConversations)
  }
}

function reconciliationMetrics(registry: Registry): StatusSetter {
  const differencesHelp =
    "Figures of the days compared during the last quarter that differ from Genesys' aggregates, by whether that is expected."
  const differences = gauge(registry, 'reconciliation_differences', differencesHelp, ['cause'])
  const newestHelp = "Start of the newest day whose numbers were compared with Genesys' aggregates."
  const newest = gauge(registry, 'reconciliation_newest_day_timestamp_seconds', newestHelp)
  const switchesHelp = 'Columns of reporting.settings about the service level that are not as Genesys has them.'
  const switches = gauge(registry, 'reconciliation_differing_settings', switchesHelp)
  return (status) => {
    forget([differences], [newest, switches])
    if (!status) return
    const { reconciliation } = status
    switches.set(Object.keys(reconciliation.differingSwitches).length)
    if (reconciliation.newestDay === null) return
    differences.set({ cause: 'unexpected' }, reconciliation.differences)
    differences.set({ cause: 'expected' }, reconciliation.expected)
    newest.set(+reconciliation.newestDay / 1000)
  }
}

function settlingMetrics(registry: Registry): StatusSetter {
  const open = gauge(registry, 'history_open_conversations', 'Conversations that are open as far as the history knows.')
  const stuckHelp = 'Open conversations that are too old to be read again.'
  const stuck = gauge(registry, 'history_stuck_conversations', stuckHelp)
  const overdueHelp = 'Ended conversations that should have been read once more by now to be final.'
  const overdue = gauge(registry, 'history_settle_overdue_conversations', overdueHelp)
  return (status) => {
    forget([], [open, stuck, overdue])
    if (!status) return
    open.set(status.settling.open)
    stuck.set(status.settling.stuck)
    overdue.set(status.settling.overdue)
  }
}

function erasureMetrics(registry: Registry): StatusSetter {
  const unfinished = gauge(registry, 'erasures_unfinished', 'Erasures that have begun and are not complete.')
  const oldestHelp = 'Age of the oldest erasure that is not complete; 0 if there is none.'
  const oldest = gauge(registry, 'erasures_oldest_unfinished_seconds', oldestHelp)
  return (status) => {
    forget([], [unfinished, oldest])
    if (!status) return
    const { erasures, at } = status
    unfinished.set(erasures.unfinished)
    oldest.set(erasures.oldestAt ? secondsBetween(erasures.oldestAt, at) : 0)
  }
}

function retentionMetrics(registry: Registry): StatusSetter {
  const dropped = gauge(registry, 'history_dropped_months', 'Months of the history that are not kept any more.')
  return (status) => {
    forget([], [dropped])
    if (status) dropped.set(status.retention.dropped)
  }
}

function rollupMetrics(registry: Registry): (backlog: RollupBacklog | null) => void {
  const hours = gauge(registry, 'reporting_dirty_hours', 'Hours whose intervals are yet to be added up from cells.')
  const oldestHelp = 'Age of the oldest mark of such an hour; 0 if there is none.'
  const oldest = gauge(registry, 'reporting_oldest_dirty_hour_seconds', oldestHelp)
  return (backlog) => {
    forget([], [hours, oldest])
    if (!backlog) return
    hours.set(backlog.dirtyHours)
    oldest.set(backlog.oldestSeconds)
  }
}

function referenceMetrics(registry: Registry): StatusSetter {
  const readHelp = 'Time of the last complete read of a list of reference data.'
  const read = gauge(registry, 'reference_read_timestamp_seconds', readHelp, ['list'])
  const rows = gauge(registry, 'reference_rows', 'Rows of a list of reference data after that read.', ['list'])
  const failedHelp = '1 if the latest attempt to read a list of reference data failed, e.g. for want of a permission.'
  const failed = gauge(registry, 'reference_read_failed', failedHelp, ['list'])
  return (status) => {
    forget([read, rows, failed], [])
    for (const { list, readAt, rows: count, error } of status?.reference ?? []) {
      if (readAt) read.set({ list }, +readAt / 1000)
      if (count !== null) rows.set({ list }, count)
      failed.set({ list }, Number(error !== null))
    }
  }
}

function gauge<Label extends string = never>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[] = [],
): Gauge<Label> {
  return new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers: [registry] })
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Counter<Label> {
  return new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [registry] })
}
