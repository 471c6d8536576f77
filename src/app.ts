/** Wires everything once. Commands ask for what they need; tests go through the same door. */
import { parseEnvironment, type Config, type Needs } from './config.ts'
import { createGenesysClient, type GenesysClient } from './genesys/client.ts'
import { createRateLimiter, type RateLimiter } from './genesys/rate-limiter.ts'
import type { HistoryDependencies } from './jobs/history.ts'
import { limitInFlight } from './jobs/in-flight.ts'
import { createLogger, type Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createProgress, silentProgress } from './progress.ts'
import { connect, type Warehouse } from './warehouse/connect.ts'
import { startEmbeddedPostgres } from './warehouse/embedded.ts'
import { migrateUp, requireCurrentSchema } from './warehouse/migrate.ts'

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
  genesys(): GenesysClient
  readonly metrics: Metrics
  /** What the rate limiter counts at the moment. */
  requestBudget(): ReturnType<RateLimiter['stats']>
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
  await using stack = new AsyncDisposableStack()

  const embedded = secrets.databaseUrl === 'embedded' ? await startEmbeddedPostgres({ persistent: true }) : null
  if (embedded) stack.defer(() => embedded.stop())
  const warehouse = connect(embedded?.url ?? secrets.databaseUrl ?? '', {
    onConnectionLost: (error) =>
      logger.warn(
        { code: (error as NodeJS.ErrnoException).code },
        'an idle database connection broke; it will be replaced',
      ),
    onLoaded: metrics.countLoad,
  })
  stack.use(warehouse)

  const limiter = createRateLimiter({ requestsPerMinute: config.genesys.requestsPerMinute })
  let client: GenesysClient | undefined
  stack.defer(() => client?.close())
  const genesys = (): GenesysClient => {
    if (!secrets.credentials) throw new Error('this command did not ask for a Genesys client')
    return (client ??= createGenesysClient({
      apiUrl: config.genesys.apiUrl,
      loginUrl: config.genesys.loginUrl,
      credentials: secrets.credentials,
      limiter,
      logger,
      metrics: metrics.genesysHooks,
      proxyEnv: env,
    }))
  }

  const resources = stack.move()
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
      const { requestsPerMinute } = config.genesys
      const { lookbackDays, start, filter } = config.history
      return {
        genesys: limitInFlight(genesys(), concurrency),
        warehouse,
        logger,
        progress: quiet ? silentProgress : createProgress({ stream: process.stderr, logger, requestsPerMinute }),
        history: { lookbackDays, start, filter, concurrency, requestsPerMinute },
      }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
