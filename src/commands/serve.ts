import { once } from 'node:events'
import { openApp, type App } from '../app.ts'
import type { CommandContext } from '../cli.ts'
import { startHttpServer } from '../http/server.ts'
import { runHistory } from '../jobs/history.ts'
import { readStatus } from '../jobs/read-status.ts'
import { startScheduler, type ScheduledJob } from '../schedule.ts'
import { selectLastStart } from '../warehouse/ledger.ts'
import { requireCurrentSchema } from '../warehouse/migrate.ts'

/** `serve`: the scheduler and the HTTP server until a signal; what is in flight ends first. */
export async function serve(_options: object, { env, signal }: CommandContext): Promise<void> {
  await using app = await openApp(env, { genesys: true, database: true, http: true })
  await app.ensureSchema()
  await runService(app, signal)
}

/** Runs the service of an app until the signal; `demo` runs the same. */
export async function runService(app: App, signal: AbortSignal): Promise<void> {
  const { config, logger } = app
  const jobs = scheduledJobs(app)
  const scheduler = await startScheduler(jobs, { timezone: config.cronTimezone, logger, signal })
  const server = await startHttpServer({
    ...config.http,
    ready: () => requireCurrentSchema(app.warehouse.db),
    status: async () => ({
      ...(await readStatus(app.warehouse, config.history)),
      nextRuns: Object.fromEntries(jobs.map(({ name }) => [name, scheduler.nextRun(name)])),
    }),
  })
  logger.info({ url: server.url }, 'service started')
  if (!signal.aborted) await once(signal, 'abort')
  logger.info('stopping: no more ticks, what is in flight ends')
  await Promise.all([scheduler.stop(), server.close()])
  logger.info('service stopped')
}

function scheduledJobs(app: App): ScheduledJob[] {
  const { cron, intradayCron } = app.config.history
  const dependencies = app.historyDependencies({ quiet: true })
  const jobs: ScheduledJob[] = [
    {
      name: 'sync',
      cron,
      run: (signal) => runHistory(dependencies, { job: 'sync' }, 'cron', signal),
      lastStartedAt: () => selectLastStart(app.warehouse.db, 'sync'),
    },
  ]
  if (intradayCron !== 'off') {
    jobs.push({
      name: 'intraday',
      cron: intradayCron,
      run: (signal) => runHistory(dependencies, { job: 'intraday' }, 'cron', signal),
      lastStartedAt: () => selectLastStart(app.warehouse.db, 'intraday'),
    })
  }
  return jobs
}
