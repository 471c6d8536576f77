import { once } from 'node:events'
import { openApp, type App } from '../app.ts'
import type { CommandContext } from './context.ts'
import { LIVE_STALE_SECONDS } from '../core/status.ts'
import { startHttpServer } from '../http/server.ts'
import { createSources } from '../http/sources.ts'
import { runHistory } from '../jobs/history.ts'
import { createLiveJob } from '../jobs/live.ts'
import { readStatus } from '../jobs/read-status.ts'
import { startWebhookDelivery } from '../jobs/webhooks.ts'
import { startScheduler, type ScheduledJob } from '../schedule.ts'
import { selectLastSettledStart } from '../warehouse/status-queries.ts'

/** `serve`: the scheduler and the HTTP server until a signal; what is in flight ends first. */
export async function serve(_options: object, { env, signal }: CommandContext): Promise<void> {
  await using app = await openApp(env, { genesys: true, database: true, http: true })
  await app.ensureSchema()
  await runService(app, signal)
}

/** Runs the service of an app until the signal; `demo` runs the same. `started` is told where it listens. */
export async function runService(app: App, signal: AbortSignal, started?: (url: string) => void): Promise<void> {
  const { config, logger, warehouse, metrics } = app
  const webhooks = app.webhookOptions()
  const delivery = webhooks && startWebhookDelivery({ ...webhooks, signal })
  const jobs = scheduledJobs(app, () => delivery?.wake())
  const scheduler = await startScheduler(jobs, { timezone: config.cronTimezone, logger, signal })
  const isLiveOn = config.live.source !== 'off'
  const liveStaleSeconds = staleAfter(scheduler.states().find(({ name }) => name === 'live')?.intervalMs)
  const server = await startHttpServer({
    ...config.http,
    ...createSources({
      logger,
      token: app.httpToken,
      warehouse,
      metrics,
      readStatus: () => readStatus(warehouse, config.history, { live: isLiveOn, liveStaleSeconds }),
      process: () => ({ jobs: scheduler.states(), budget: app.requestBudget() }),
      isLiveOn,
      liveStaleSeconds,
    }),
  })
  started?.(server.url)
  logger.info({ url: server.url }, 'service started')
  if (!signal.aborted) await once(signal, 'abort')
  logger.info('stopping: no more ticks, what is in flight ends')
  await Promise.all([scheduler.stop(), server.close(), delivery?.ended])
  logger.info('service stopped')
}

/** Live data is stale after three ticks, though not sooner than usual. */
function staleAfter(intervalMs: number | null | undefined): number {
  return Math.max(LIVE_STALE_SECONDS, (3 * (intervalMs ?? 0)) / 1000)
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
