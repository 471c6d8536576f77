/** The service: HTTP server, alerts, webhooks and scheduler of one app, until a signal. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App } from './app.ts'
import { backoffMs } from './backoff.ts'
import { parseCronLine } from './cron.ts'
import { EtlError, Interrupted } from './errors.ts'
import { runHistory } from './history/sync.ts'
import { startHttpServer, type HttpServer } from './http/server.ts'
import { createSources } from './http/sources.ts'
import { createLiveJob } from './live/snapshot-job.ts'
import { createAlerts, startAlerting } from './monitoring/alert-webhook.ts'
import { LIVE_LATE_SECONDS } from './monitoring/alert-rules.ts'
import { LIVE_STALE_SECONDS } from './monitoring/live-status.ts'
import { readStatus } from './monitoring/read-status.ts'
import { type StatusDocument } from './monitoring/status.ts'
import { selectLastSettledStart } from './monitoring/status-queries.ts'
import { toEtlError } from './postgres/errors.ts'
import { applyGdprRequests } from './privacy/gdpr-requests.ts'
import { reconcileDueDays } from './reporting/reconcile-nightly.ts'
import { startRollups } from './reporting/rollups.ts'
import { deriveDue } from './reporting/walk.ts'
import { observeProgress } from './progress.ts'
import { readReference } from './reference/read-reference.ts'
import { selectFirstSync } from './runs/run-history.ts'
import { startScheduler, type JobState, type ScheduledJob, type Scheduler } from './schedule.ts'
import { startWebhookDelivery } from './webhooks/delivery.ts'

/** Waits between attempts to reach the database at the start. */
const DATABASE_BACKOFF = { baseMs: 1_000, ceilingMs: 30_000 }
/** A run of the history, or of reference data, reports each answer of Genesys; a snapshot takes seconds, and reports nothing in between. */
const HISTORY_STUCK_MS = 30 * 60_000
const LIVE_STUCK_MS = 10 * 60_000
const RECONCILE_STUCK_MS = 30 * 60_000
/** An erasure searches the whole history, and reports nothing in between. */
const GDPR_STUCK_MS = 6 * 3_600_000
const DERIVE_STUCK_MS = 30 * 60_000
/** Each pass of the derivation ends before the next tick, and leaves the rest to it. */
const DERIVE_BUDGET_MS = 45_000

/**
 * Runs the service of an app until the signal; also for `demo`. It binds its port first, so that a port that is taken ends it
 * before any job has started, and waits for a database that cannot be reached.
 * @param onStarted called with the URL of the HTTP server when everything runs
 * @throws EtlError of kind config where HTTP cannot listen; whatever `app.ensureSchema` throws that waiting does not resolve
 */
export async function runService(app: App, signal: AbortSignal, onStarted?: (url: string) => void): Promise<void> {
  const { logger } = app
  let scheduler: Scheduler | null = null
  const jobStates = (): JobState[] => scheduler?.states() ?? []
  const readDocument = statusReader(app)
  const server = await startHttp(app, readDocument, jobStates)
  const stopping = new AbortController()
  const ending = AbortSignal.any([signal, stopping.signal])
  const closers: (() => Promise<void>)[] = [() => server.close()]
  try {
    const alerting = startAlerts(app, readDocument, jobStates, ending)
    if (alerting) closers.push(() => alerting.stop())
    await waitForDatabase(app, ending)
    const webhooks = app.webhookOptions()
    const delivery = webhooks && startWebhookDelivery({ ...webhooks, signal: ending })
    if (delivery) closers.push(() => delivery.ended)
    const jobs = scheduledJobs(app, () => delivery?.wake())
    const started = await startScheduler(jobs, { timezone: app.config.cronTimezone, logger, signal: ending })
    scheduler = started
    closers.push(() => started.stop())
    const rollups = startRollups({ ...app, signal: ending, onBacklog: app.metrics.setRollups })
    closers.push(() => rollups.stop())
    closers.push(() => app.unknownIds.stop())
    onStarted?.(server.url)
    logger.info({ url: server.url }, 'service started')
    if (!signal.aborted) await once(signal, 'abort')
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    logger.info('stopping: no more ticks, finishing in-flight writes')
    // without an error in between, the signal has ended everything already
    stopping.abort(new Interrupted())
    await Promise.all(closers.map((close) => close()))
    logger.info('service stopped')
  }
}

/**
 * Brings the schema up to date, or checks it, as soon as the database answers.
 * @throws EtlError that waiting does not resolve; the signal's reason
 */
async function waitForDatabase({ logger, ensureSchema }: App, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      return await ensureSchema()
    } catch (error) {
      signal.throwIfAborted()
      const known = toEtlError(error, 'preparing the database')
      if (!(known instanceof EtlError) || known.kind !== 'retryable') throw known
      const waitMs = backoffMs(failures, DATABASE_BACKOFF)
      const { code, message } = known
      logger.warn({ code, reason: message, attempt: failures, waitMs }, 'the database is not available yet; waiting')
      await sleep(waitMs, undefined, { signal })
    }
  }
}

function statusReader({ config, warehouse }: App): () => Promise<StatusDocument> {
  const live = isLiveOn(config)
  const liveStaleSeconds = threeTicks(config, LIVE_STALE_SECONDS)
  return () => readStatus(warehouse, config.history, { live, liveStaleSeconds })
}

async function startHttp(
  app: App,
  readDocument: () => Promise<StatusDocument>,
  jobStates: () => JobState[],
): Promise<HttpServer> {
  const { config, logger, warehouse, metrics } = app
  return await startHttpServer({
    ...config.http,
    ...createSources({
      logger,
      token: app.httpToken,
      warehouse,
      metrics,
      readStatus: readDocument,
      process: () => ({ jobs: jobStates(), budget: app.requestBudget() }),
      isLiveOn: isLiveOn(config),
      liveStaleSeconds: threeTicks(config, LIVE_STALE_SECONDS),
    }),
  })
}

/** Checks once per minute whether a notification to ALERT_WEBHOOK_URL is due, independently of the jobs; null: no URL is set. */
function startAlerts(
  { config, logger, warehouse, metrics }: App,
  readDocument: () => Promise<StatusDocument>,
  jobStates: () => JobState[],
  signal: AbortSignal,
): { stop(): Promise<void> } | null {
  if (!config.alertUrl) return null
  const alerts = createAlerts({
    warehouse,
    logger: logger.child({ component: 'alerts' }),
    url: config.alertUrl,
    readStatus: readDocument,
    facts: () => ({
      isLiveOn: isLiveOn(config),
      liveLateSeconds: threeTicks(config, LIVE_LATE_SECONDS),
      fatalJobs: jobStates()
        .filter(({ failure }) => failure && failure.kind !== 'retryable')
        .map(({ name }) => name),
    }),
    onNotified: metrics.setAlerts,
  })
  return startAlerting(alerts, { logger, signal })
}

/** @param onSnapshot called after each snapshot, which may have put messages into the outbox of the webhooks */
function scheduledJobs(app: App, onSnapshot: () => void): ScheduledJob[] {
  const { cron, deepCron, intradayCron } = app.config.history
  const dependencies = app.historyDependencies({ quiet: true })
  const historyJob = (job: 'sync' | 'deep' | 'intraday', line: string): ScheduledJob => ({
    name: job,
    cron: line,
    stuckAfterMs: HISTORY_STUCK_MS,
    run: (signal, onProgress) =>
      runHistory({ ...dependencies, progress: observeProgress(onProgress) }, { job }, 'cron', signal),
    lastStartedAt: () => lastHistoryStart(app, job),
  })
  const jobs = [historyJob('sync', cron)]
  if (deepCron !== null) jobs.push(historyJob('deep', deepCron))
  if (intradayCron !== 'off') jobs.push(historyJob('intraday', intradayCron))
  jobs.push(derivationJob(app))
  if (app.config.reference.cron !== 'off') jobs.push(referenceJob(app, app.config.reference.cron))
  if (app.config.gdprCron !== null) jobs.push(gdprJob(app, app.config.gdprCron))
  if (app.config.reconcileCron !== null) jobs.push(reconcileJob(app, app.config.reconcileCron))
  const live = app.liveDependencies()
  if (live) {
    const job = createLiveJob(live)
    jobs.push({
      name: 'live',
      cron: app.config.live.cron,
      stuckAfterMs: LIVE_STUCK_MS,
      run: async (signal) => {
        await job.tick(signal)
        onSnapshot()
      },
      // What was open while the service was down matters less than what is open now: the first snapshot is taken at once.
      lastStartedAt: async () => null,
    })
  }
  return jobs
}

/** When a job of the history last ran; the first deep re-read is due at its first tick after the first sync. */
async function lastHistoryStart(
  { warehouse: { db }, config }: App,
  job: 'sync' | 'deep' | 'intraday',
): Promise<Date | null> {
  const lastStartedAt = await selectLastSettledStart(db, job)
  if (job !== 'deep' || lastStartedAt !== null) return lastStartedAt
  return (await selectFirstSync(db, config.history)) ?? new Date()
}

/** Every night: compares the numbers of the day that has settled with Genesys. */
function reconcileJob(app: App, cron: string): ScheduledJob {
  const dependencies = app.reconcileDependencies()
  return {
    name: 'reconcile',
    cron,
    stuckAfterMs: RECONCILE_STUCK_MS,
    run: (signal, onProgress) => reconcileDueDays({ ...dependencies, progress: observeProgress(onProgress) }, signal),
    lastStartedAt: () => selectLastSettledStart(app.warehouse.db, 'reconcile'),
  }
}

/** Erases here whose deletion Genesys has completed on request. */
function gdprJob(app: App, cron: string): ScheduledJob {
  const options = { dryRun: false, keepStatistics: false, evenMany: false, osUser: null }
  return {
    name: 'erase',
    cron,
    stuckAfterMs: GDPR_STUCK_MS,
    run: async (signal) => {
      await applyGdprRequests({ ...app, genesys: app.genesys() }, options, 'cron', signal)
    },
    lastStartedAt: () => selectLastSettledStart(app.warehouse.db, 'erase'),
  }
}

/** Every minute: derives what processes of an older release have loaded, and goes on with filling the reporting rows of the history. */
function derivationJob(app: App): ScheduledJob {
  return {
    name: 'derive',
    cron: '* * * * *',
    stuckAfterMs: DERIVE_STUCK_MS,
    run: (signal, onProgress) =>
      deriveDue({ ...app.derivationDependencies(), onDerived: onProgress }, { budgetMs: DERIVE_BUDGET_MS }, signal),
    // whatever is due is due at once
    lastStartedAt: async () => null,
  }
}

function referenceJob(app: App, cron: string): ScheduledJob {
  return {
    name: 'reference',
    cron,
    stuckAfterMs: HISTORY_STUCK_MS,
    run: (signal, onProgress) => readReference(app.referenceDependencies(), { trigger: 'cron' }, signal, onProgress),
    // at every start, since names may have changed while the service was down
    lastStartedAt: async () => null,
  }
}

function isLiveOn({ live }: App['config']): boolean {
  return live.source !== 'off'
}

/** How old live data may be, in seconds: three ticks, but not less than `usual`. */
function threeTicks({ live, cronTimezone }: App['config'], usual: number): number {
  const line = parseCronLine(live.cron, cronTimezone)
  const first = line.next(new Date())
  const second = first && line.next(first)
  return first && second ? Math.max(usual, (3 * (+second - +first)) / 1000) : usual
}
