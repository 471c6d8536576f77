/** Everything that Prometheus is told, each metric by one typed function. Labels are few and never ids. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { StatusDocument } from './monitoring/status.ts'
import { secondsBetween } from './model/interval.ts'
import type { HttpHooks } from './genesys/http.ts'
import type { RateLimiter } from './genesys/rate-limiter.ts'
import type { JobState } from './schedule.ts'
import type { LoadCounts } from './loader/load-counts.ts'

/** What only the running process knows. */
export interface ProcessState {
  readonly jobs: readonly JobState[]
  /** What the rate limiter counts; null: no request has been sent yet. */
  readonly budget: ReturnType<RateLimiter['stats']> | null
}

export interface Metrics {
  /** Count requests to Genesys: for createGenesysClient. */
  readonly genesysHooks: HttpHooks
  /** Counts what became of a batch: for connect. */
  readonly countLoad: (counts: LoadCounts) => void
  /** Counts a window that had conversations and has none any more. */
  readonly countEmptied: () => void
  /** Sets what the scheduler and the rate limiter know. */
  setProcess(state: ProcessState): void
  /** Sets what the books and the live tables say; null: they could not be read, so nothing is said of them. */
  setStatus(status: StatusDocument | null): void
  /** Counts conversations that had ended with open after-call work: for the live job. */
  readonly countEndedInAfterCallWork: (conversations: number) => void
  /** Sets which alerts are being told. */
  readonly setAlerts: (conditions: readonly string[]) => void
  /** All of it in the text format of Prometheus. */
  text(): Promise<string>
  readonly contentType: string
}

const prefix = 'genesys_etl_'

/** Metrics on a registry of their own, with Node's own (event-loop lag, memory, garbage collection) among them. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = requestMetrics(registry)
  const loads = loadMetrics(registry)
  const processes = processMetrics(registry)
  const statuses = statusMetrics(registry)
  const endedInAfterCallWork = counter(
    registry,
    'live_ended_in_acw_total',
    'Conversations that had an end and an open segment of after-call work, counted every 15 minutes.',
    [],
  )
  const emptied = counter(
    registry,
    'windows_emptied_total',
    'Windows of the history that had conversations and had none when they were read again.',
    [],
  )
  const alerts = gauge(registry, 'alert_active', '1 while this alert is being told.', ['condition'])
  return {
    genesysHooks: requests,
    countLoad: loads,
    countEndedInAfterCallWork: (conversations) => endedInAfterCallWork.inc(conversations),
    countEmptied: () => emptied.inc(),
    setProcess: processes,
    setStatus: statuses,
    setAlerts(conditions) {
      alerts.reset()
      for (const condition of conditions) alerts.set({ condition }, 1)
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function requestMetrics(registry: Registry): Required<HttpHooks> {
  const requests = counter(registry, 'requests_total', 'Attempts at requests to Genesys Cloud.', [
    'endpoint',
    'status_class',
  ])
  const duration = new Histogram({
    name: `${prefix}request_duration_seconds`,
    help: 'Time from sending an attempt to its last byte.',
    labelNames: ['endpoint'],
    buckets: [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers: [registry],
  })
  const retries = counter(registry, 'request_retries_total', 'Attempts that were made again, by why.', [
    'endpoint',
    'reason',
  ])
  const limited = counter(registry, 'rate_limited_seconds_total', 'Time to wait that answers 429 imposed.', [
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
    'Records of conversations by what became of them; rows written to the tables below.',
    ['table', 'outcome'],
  )
  return (counts) => {
    for (const outcome of ['inserted', 'changed', 'unchanged', 'stale', 'rejected'] as const) {
      rows.inc({ table: 'conversations', outcome }, counts[outcome])
    }
    for (const [table, written] of Object.entries(counts.rows)) {
      if (table !== 'conversations') rows.inc({ table, outcome: 'written' }, written)
    }
  }
}

function processMetrics(registry: Registry): (state: ProcessState) => void {
  const skipped = gauge(registry, 'ticks_skipped', 'Ticks skipped since the start, the job being still running.', [
    'job',
  ])
  const next = gauge(registry, 'next_run_timestamp_seconds', 'When the job starts next, a retry included.', ['job'])
  const running = gauge(registry, 'job_running', '1 while the job runs in this process.', ['job'])
  const limit = gauge(registry, 'request_budget_limit', 'Requests a minute that we allow ourselves.')
  const used = gauge(registry, 'request_budget_used', 'Requests of the last minute, by who asked.', ['for'])
  const waiting = gauge(registry, 'requests_waiting', 'Requests that wait for the rate limit.')
  return ({ jobs, budget }) => {
    for (const metric of [skipped, next, running]) metric.reset()
    for (const job of jobs) {
      skipped.set({ job: job.name }, job.overlaps)
      running.set({ job: job.name }, Number(job.running))
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
  const up = gauge(registry, 'database_up', '1 when the books could be read for this answer.')
  const windows = gauge(registry, 'windows', 'Windows of the history by state.', ['state'])
  const owed = gauge(registry, 'history_owed_days', 'Closed days of the history that are not loaded whole.')
  const lag = gauge(
    registry,
    'watermark_lag_seconds',
    'Age of the instant up to which a stream is loaded without gap.',
    ['stream'],
  )
  const success = gauge(registry, 'last_success_timestamp_seconds', 'When the job last ended well.', ['job'])
  const failures = gauge(
    registry,
    'failures_in_a_row',
    'Failed runs, of live failed snapshots, since the job last ended well.',
    ['job'],
  )
  const rejected = gauge(registry, 'rejected_records', 'Records that could not be loaded and are not resolved.')
  const age = gauge(registry, 'live_snapshot_age_seconds', 'Age of the newest complete live snapshot.')
  const duration = gauge(registry, 'live_snapshot_duration_seconds', 'How long that snapshot took.')
  const snapshotRequests = gauge(registry, 'live_snapshot_requests', 'Requests that it took.')
  const stretched = gauge(registry, 'live_stretched', '1 while live skips ticks to stay within its share of the limit.')
  const open = gauge(registry, 'live_conversations', 'Open conversations by state.', ['state'])
  const pending = gauge(registry, 'webhook_messages_pending', 'Messages to WEBHOOK_URL that are not delivered yet.')
  const oldest = gauge(registry, 'webhook_oldest_pending_seconds', 'Age of the oldest of them; 0: there is none.')
  const givenUp = gauge(registry, 'webhook_messages_given_up', 'Messages given up during the last day.')
  const labelled = [windows, lag, success, failures, open]
  const plain = [owed, rejected, age, duration, snapshotRequests, stretched, pending, oldest, givenUp]
  return (status) => {
    up.set(status ? 1 : 0)
    for (const metric of labelled) metric.reset()
    // reset would set them to 0, which says something; nothing is known
    for (const metric of plain) metric.remove()
    if (!status) return
    for (const [state, count] of Object.entries(status.windows)) windows.set({ state }, count)
    owed.set(status.history.owed.reduce((sum, { start, end }) => sum + (+end - +start) / 86_400_000, 0))
    lag.set({ stream: 'conversations' }, status.history.lagSeconds)
    for (const { job, lastSuccessAt, failuresInARow } of status.jobs) {
      if (lastSuccessAt) success.set({ job }, +lastSuccessAt / 1000)
      failures.set({ job }, failuresInARow)
    }
    rejected.set(status.rejectedRecords)
    const { live, deliveries } = status
    pending.set(deliveries.pending)
    oldest.set(deliveries.oldestPendingAt ? secondsBetween(deliveries.oldestPendingAt, status.at) : 0)
    givenUp.set(deliveries.givenUp)
    if (!live) return
    failures.set({ job: 'live' }, live.failure ? (live.failure.inARow ?? 1) : 0)
    if (live.snapshotAt) success.set({ job: 'live' }, +live.snapshotAt / 1000)
    if (live.ageSeconds !== null) age.set(live.ageSeconds)
    if (live.durationMs !== null) duration.set(live.durationMs / 1000)
    if (live.requests !== null) snapshotRequests.set(live.requests)
    stretched.set(Number(live.stretched))
    for (const [state, count] of Object.entries(live.byState)) open.set({ state }, count)
  }
}

function gauge<Label extends string = never>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[] = [],
): Gauge<Label> {
  return new Gauge({ name: `${prefix}${name}`, help, labelNames, registers: [registry] })
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Counter<Label> {
  return new Counter({ name: `${prefix}${name}`, help, labelNames, registers: [registry] })
}
