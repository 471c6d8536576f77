/** The service: scheduler, HTTP server, alerts and webhooks of one app, until a signal. */
import { once } from 'node:events'
import type { App } from './app.ts'
import { LIVE_LATE_SECONDS } from './monitoring/alert-rules.ts'
import { LIVE_STALE_SECONDS } from './monitoring/live-status.ts'
import type { StatusDocument } from './monitoring/status.ts'
import { Interrupted } from './errors.ts'
import { startHttpServer } from './http/server.ts'
import { createSources } from './http/sources.ts'
import { createAlerts, startAlerting } from './monitoring/alert-webhook.ts'
import { runHistory } from './history/sync.ts'
import { createLiveJob } from './live/snapshot-job.ts'
import { readStatus } from './monitoring/read-status.ts'
import { startWebhookDelivery } from './webhooks/delivery.ts'
import { startScheduler, type ScheduledJob, type Scheduler } from './schedule.ts'
import { selectLastSettledStart } from './monitoring/status-queries.ts'

/** Runs the service of an app until the signal; `demo` runs the same. `started` is told where it listens. */
export async function runService(app: App, signal: AbortSignal, started?: (url: string) => void): Promise<void> {
  const { config, logger, warehouse, metrics } = app
  const failed = new AbortController()
  const ending = AbortSignal.any([signal, failed.signal])
  const webhooks = app.webhookOptions()
  const delivery = webhooks && startWebhookDelivery({ ...webhooks, signal: ending })
  const jobs = scheduledJobs(app, () => delivery?.wake())
  const scheduler = await startScheduler(jobs, { timezone: config.cronTimezone, logger, signal: ending })
  const isLiveOn = config.live.source !== 'off'
  const liveStaleSeconds = threeTicks(scheduler, LIVE_STALE_SECONDS)
  const readDocument = () => readStatus(warehouse, config.history, { live: isLiveOn, liveStaleSeconds })
  const alerting = startAlerts(app, scheduler, readDocument, signal)
  const server = await startHttpServer({
    ...config.http,
    ...createSources({
      logger,
      token: app.httpToken,
      warehouse,
      metrics,
      readStatus: readDocument,
      process: () => ({ jobs: scheduler.states(), budget: app.requestBudget() }),
      isLiveOn,
      liveStaleSeconds,
    }),
  }).catch(async (error: unknown) => {
    // without HTTP there is no service: what the scheduler has begun must not keep the process alive
    failed.abort(new Interrupted())
    await Promise.all([scheduler.stop(), delivery?.ended])
    throw error
  })
  started?.(server.url)
  logger.info({ url: server.url }, 'service started')
  if (!signal.aborted) await once(signal, 'abort')
  logger.info('stopping: no more ticks, what is in flight ends')
  await Promise.all([scheduler.stop(), server.close(), delivery?.ended, alerting?.stop()])
  logger.info('service stopped')
}

/** How old live data may be: three ticks, though not less than is usual. In seconds. */
function threeTicks(scheduler: Scheduler, usual: number): number {
  const intervalMs = scheduler.states().find(({ name }) => name === 'live')?.intervalMs ?? 0
  return Math.max(usual, (3 * intervalMs) / 1000)
}

/** Looks every minute whether something is to be told to ALERT_WEBHOOK_URL, beside the jobs and whatever becomes of them. */
function startAlerts(
  { config, logger, warehouse, metrics }: App,
  scheduler: Scheduler,
  readDocument: () => Promise<StatusDocument>,
  signal: AbortSignal,
): { stop(): Promise<void> } | null {
  if (!config.alertUrl) return null
  const alerts = createAlerts({
    warehouse,
    logger: logger.child({ component: 'alerts' }),
    url: config.alertUrl,
    readStatus: readDocument,
    facts: () => ({
      isLiveOn: config.live.source !== 'off',
      liveLateSeconds: threeTicks(scheduler, LIVE_LATE_SECONDS),
      fatalJobs: scheduler
        .states()
        .filter(({ failure }) => failure && failure.kind !== 'retryable')
        .map(({ name }) => name),
    }),
    onNotified: metrics.setAlerts,
  })
  return startAlerting(alerts, { logger, signal })
}

/** @param onSnapshot called when a snapshot may have brought news for the webhooks */
function scheduledJobs(app: App, onSnapshot: () => void): ScheduledJob[] {
  const { cron, intradayCron } = app.config.history
  const dependencies = app.historyDependencies({ quiet: true })
  const jobs: ScheduledJob[] = [
    {
      name: 'sync',
      cron,
      run: (signal) => runHistory(dependencies, { job: 'sync' }, 'cron', signal),
      lastStartedAt: () => selectLastSettledStart(app.warehouse.db, 'sync'),
    },
  ]
  if (intradayCron !== 'off') {
    jobs.push({
      name: 'intraday',
      cron: intradayCron,
      run: (signal) => runHistory(dependencies, { job: 'intraday' }, 'cron', signal),
      lastStartedAt: () => selectLastSettledStart(app.warehouse.db, 'intraday'),
    })
  }
  const live = app.liveDependencies()
  if (live) {
    const job = createLiveJob(live)
    jobs.push({
      name: 'live',
      cron: app.config.live.cron,
      run: async (signal) => {
        await job.tick(signal)
        onSnapshot()
      },
      // What was open while the service was down matters less than what is now: the first snapshot comes at once.
      lastStartedAt: async () => null,
    })
  }
  return jobs
}
