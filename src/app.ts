/** Wires everything once. Commands ask for what they need; tests go through the same door. */
import { parseEnvironment, type Config, type Needs } from './config.ts'
import { createGenesysClient, type GenesysClient, type GenesysClientOptions } from './genesys/client.ts'
import { createRateLimiter, type RateLimiter, type RateLimiterStats } from './genesys/rate-limiter.ts'
import type { HistoryDependencies } from './history/context.ts'
import { limitInFlight } from './genesys/in-flight.ts'
import type { LiveDependencies } from './live/snapshot-job.ts'
import type { WebhookOptions } from './webhooks/delivery.ts'
import { createLogger, type Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createProgress, silentProgress } from './progress.ts'
import { budgetKey, createSharedBudget } from './request-budget/shared-budget.ts'
import { connect, type Warehouse } from './postgres/connect.ts'
import { startEmbeddedPostgres } from './embedded-postgres/server.ts'
import { migrateUp, requireCurrentSchema } from './postgres/migrate.ts'

export interface App extends AsyncDisposable {
  readonly config: Config
  readonly logger: Logger
  readonly warehouse: Warehouse
  /** Migrates where AUTO_MIGRATE allows it; otherwise refuses an old schema and names the command. */
  ensureSchema(): Promise<void>
  /** What the history job works with. Throws where no Genesys client is configured. */
  historyDependencies(overrides?: {
    readonly concurrency?: number | undefined
    readonly quiet?: boolean
  }): HistoryDependencies
  /** What the live job works with; null: LIVE_SOURCE=off. Throws where no Genesys client is configured. */
  liveDependencies(): LiveDependencies | null
  /** What the delivery of webhooks works with; null: no WEBHOOK_URL. */
  webhookOptions(): Omit<WebhookOptions, 'signal'> | null
  genesys(): GenesysClient
  readonly metrics: Metrics
  /** The current figures of the rate limiter. */
  requestBudget(): RateLimiterStats
  /** Guards HTTP; null: none is set. */
  readonly httpToken: string | null
}

/**
 * Reads the environment and opens what the command needs: the connections are made at first use.
 * @throws ConfigError that lists every problem of the environment
 */
export async function openApp(env: NodeJS.ProcessEnv, needs: Needs): Promise<App> {
  const { config, secrets } = parseEnvironment(env, needs)
  const logger = createLogger(config.logLevel)
  const metrics = createMetrics()
  /** What has to be closed, in the order in which it was opened. */
  const opened: (() => unknown)[] = []

  const embedded = secrets.databaseUrl === 'embedded' ? await startEmbeddedPostgres({ persistent: true }) : null
  if (embedded) opened.push(() => embedded.stop())
  const databaseUrl = embedded?.url ?? secrets.databaseUrl ?? ''
  const warehouse = connect(databaseUrl, {
    onConnectionLost: (error) =>
      logger.warn(
        { code: (error as NodeJS.ErrnoException).code },
        'an idle database connection broke; it will be replaced',
      ),
  })
  opened.push(() => warehouse.close())

  const { requestsPerMinute } = config.genesys
  // A connection of its own: a lease that queued behind loads would come too late.
  const budgetStore = connect(databaseUrl, { applicationName: 'genesys-etl request budget', max: 1 })
  opened.push(() => budgetStore.close())
  const limiterOf = (credentials: GenesysClientOptions['credentials']): RateLimiter => {
    const key = budgetKey(
      config.genesys.apiUrl,
      'clientId' in credentials ? credentials.clientId : credentials.accessToken,
    )
    const shared =
      databaseUrl === '' ? null : createSharedBudget({ db: budgetStore.db, key, requestsPerMinute, logger })
    return createRateLimiter({ requestsPerMinute, shared })
  }
  const limiter = secrets.credentials ? limiterOf(secrets.credentials) : createRateLimiter({ requestsPerMinute })
  let client: GenesysClient | undefined
  let userClient: GenesysClient | undefined
  opened.push(
    () => client?.close(),
    () => userClient?.close(),
  )
  const clientOf = (credentials: GenesysClientOptions['credentials'], limiter: RateLimiter): GenesysClient =>
    createGenesysClient({
      apiUrl: config.genesys.apiUrl,
      loginUrl: config.genesys.loginUrl,
      credentials,
      limiter,
      logger,
      metrics: metrics.genesysHooks,
      proxyEnv: env,
    })
  const genesys = (): GenesysClient => {
    if (!secrets.credentials) throw new Error('this command did not ask for a Genesys client')
    return (client ??= clientOf(secrets.credentials, limiter))
  }
  /** For the conversations of a user: with the user's token, where there is one beside the OAuth client; it counts apart. */
  const liveGenesys = (source: 'analytics' | 'conversations'): GenesysClient => {
    const { accessToken, credentials } = secrets
    if (source === 'analytics' || !accessToken || !credentials || 'accessToken' in credentials) return genesys()
    return (userClient ??= clientOf({ accessToken }, limiterOf({ accessToken })))
  }

  return {
    config,
    logger,
    warehouse,
    genesys,
    metrics,
    requestBudget: () => limiter.stats(),
    httpToken: secrets.httpToken,
    async ensureSchema() {
      if (config.autoMigrate) await migrateUp(warehouse.db)
      else await requireCurrentSchema(warehouse.db)
    },
    historyDependencies({ concurrency = config.history.concurrency, quiet = false } = {}) {
      const { lookbackDays, start, filter } = config.history
      return {
        genesys: limitInFlight(genesys(), concurrency),
        warehouse,
        logger,
        progress: quiet
          ? silentProgress
          : createProgress({
              stream: process.stderr,
              logger,
              requestsPerMinute,
              limitWaitMs: () => limiter.stats().waitMs,
            }),
        history: { lookbackDays, start, filter, concurrency, requestsPerMinute },
        onLoaded: metrics.countLoad,
        onEmptied: metrics.countEmptied,
      }
    },
    liveDependencies() {
      const { source, retentionHours } = config.live
      if (source === 'off') return null
      const events = config.webhook?.events ?? []
      const live = { source, requestsPerMinute, retentionHours, historyFilter: config.history.filter, events }
      const onEndedInAfterCallWork = metrics.countEndedInAfterCallWork
      return {
        genesys: liveGenesys(source),
        warehouse,
        logger,
        live,
        onLoaded: metrics.countLoad,
        onEndedInAfterCallWork,
      }
    },
    webhookOptions() {
      if (!config.webhook || !secrets.webhookSecret) return null
      const { retentionHours } = config.live
      return {
        warehouse,
        logger,
        url: config.webhook.url,
        secret: secrets.webhookSecret,
        retentionHours,
        proxyEnv: env,
      }
    },
    async [Symbol.asyncDispose]() {
      for (const close of opened.reverse()) await close()
    },
  }
}
