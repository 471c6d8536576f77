/** The composition root: builds what a command needs from the environment. service.ts runs it. */
import { parseEnvironment, type Config, type Needs, type Secrets } from './config.ts'
import { startEmbeddedPostgres } from './embedded-postgres/server.ts'
import { createGenesysClient, type GenesysClient, type GenesysClientOptions } from './genesys/client.ts'
import { createRateLimiter, type RateLimiter, type RateLimiterStats } from './genesys/rate-limiter.ts'
import { readClockAhead } from './history/clock-check.ts'
import { type HistoryDependencies } from './history/context.ts'
import { selectCovered } from './history/coverage.ts'
import { jobsAvailableUntil } from './history/jobs-context.ts'
import { type LiveDependencies } from './live/take-snapshot.ts'
import { type OnLoaded } from './loader/load.ts'
import { createLogger, type Logger } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type PersonalPolicy } from './model/personal.ts'
import { completeAfterRun } from './privacy/erase.ts'
import { dropPersonalAfterSync } from './privacy/personal-retention.ts'
import { type ReconcileDependencies } from './reporting/reconcile.ts'
import { deriveAfterRun } from './reporting/after-run.ts'
import { storeConfiguration } from './reporting/configure.ts'
import { addUpAfterRun } from './reporting/rollups.ts'
import { type DerivationDependencies } from './reporting/walk.ts'
import { readDatabaseClock } from './postgres/clock.ts'
import { connect, type Warehouse } from './postgres/connect.ts'
import { migrateUp, requireCurrentSchema } from './postgres/migrate.ts'
import { adoptPolicy } from './postgres/personal-policy.ts'
import { personalHasher } from './privacy/hasher.ts'
import { createProgress, silentProgress, type Progress } from './progress.ts'
import { readReference, type ReferenceDependencies } from './reference/read-reference.ts'
import { watchUnknownIds, type UnknownIds } from './reference/unknown-ids.ts'
import { settledParts } from './settled/parts.ts'
import { budgetKey, createSharedBudget } from './request-budget/shared-budget.ts'
import { dropMonthsAfterSync } from './retention/run-retention.ts'
import { createTerminal, type Terminal } from './terminal.ts'
import { DELIVERY_WAITS, type WebhookOptions } from './webhooks/delivery.ts'

/** A start does not wait longer for new columns to be filled; `migrate` fills the rest. */
const FILL_AT_START_MS = 60_000

export interface App extends AsyncDisposable {
  readonly config: Config
  /** What of the environment is accepted but probably wrong; it has been logged. */
  readonly warnings: readonly string[]
  readonly logger: Logger
  readonly warehouse: Warehouse
  readonly metrics: Metrics
  /** Guards HTTP; null: none is set. */
  readonly httpToken: string | null
  /**
   * Migrates where AUTO_MIGRATE allows it, and hands the settings of the environment to the views.
   * @param options.anyPolicy for the command that changes the policy for personal data; else that of the environment must be the stored one
   * @throws EtlError where it does not and the schema is old, with the command to run; PII_POLICY_CHANGED
   */
  readonly ensureSchema: (options?: { readonly anyPolicy: boolean }) => Promise<void>
  /** @throws Error where the command did not ask for a Genesys client */
  readonly genesys: () => GenesysClient
  /**
   * What the history job works with.
   * @throws Error where the command did not ask for a Genesys client
   */
  readonly historyDependencies: (overrides?: HistoryOverrides) => HistoryDependencies
  /**
   * What the live job works with; null: LIVE_SOURCE=off.
   * @throws Error where the command did not ask for a Genesys client
   */
  readonly liveDependencies: () => LiveDependencies | null
  /** What derives the reporting rows. */
  readonly derivationDependencies: () => DerivationDependencies
  /**
   * What compares our numbers with Genesys.
   * @throws Error where the command did not ask for a Genesys client
   */
  readonly reconcileDependencies: () => ReconcileDependencies
  /** A progress of work that sends no requests. @param unit what is counted, in the plural */
  readonly progress: (unit: string) => Progress
  /**
   * What the job that reads reference data works with.
   * @throws Error where the command did not ask for a Genesys client
   */
  readonly referenceDependencies: () => ReferenceDependencies
  /** Reads names that the loads of this process lack, in the background. */
  readonly unknownIds: UnknownIds
  /** What the delivery of webhooks works with; null: no WEBHOOK_URL. */
  readonly webhookOptions: () => Omit<WebhookOptions, 'signal'> | null
  /** The current counts of the rate limiter. */
  readonly requestBudget: () => RateLimiterStats
}

interface HistoryOverrides {
  /** Requests in flight; absent: HISTORY_CONCURRENCY. */
  readonly concurrency?: number | undefined
  /** Without a progress bar or lines. */
  readonly quiet?: boolean
}

/** What the builders below share. */
interface Parts {
  readonly env: NodeJS.ProcessEnv
  readonly config: Config
  readonly secrets: Secrets
  readonly terminal: Terminal | null
  readonly logger: Logger
  readonly metrics: Metrics
  readonly warehouse: Warehouse
  readonly clients: Clients
  readonly unknownIds: UnknownIds
}

/**
 * Reads the environment and opens what the command needs; connections are made at first use.
 * @throws ConfigError that lists every problem of the environment
 */
export async function openApp(env: NodeJS.ProcessEnv, needs: Needs): Promise<App> {
  const { config, secrets, warnings } = parseEnvironment(env, needs)
  const terminal = process.stderr.isTTY ? createTerminal(process.stderr) : null
  const logger = createLogger(config.logLevel, terminal ? terminal.logStream : process.stderr)
  for (const warning of warnings) logger.warn(warning)
  const metrics = createMetrics()
  const database = await openDatabase(secrets.databaseUrl, logger, {
    personalPolicy: personalPolicyOf(config, secrets),
    retentionMonths: config.history.retentionMonths,
  })
  const clients = createClients({ env, config, secrets, logger, metrics }, database.url)
  const { warehouse } = database
  const reference = (): ReferenceDependencies => ({ genesys: clients.ofOrganization(), warehouse, logger })
  const unknownIds = watchUnknownIds({
    db: warehouse.db,
    logger,
    read: (names, signal) => readReference(reference(), { names, trigger: 'load' }, signal),
  })
  const parts: Parts = { env, config, secrets, terminal, logger, metrics, warehouse, clients, unknownIds }
  return {
    config,
    warnings,
    logger,
    warehouse,
    metrics,
    httpToken: secrets.httpToken,
    ensureSchema: (options) => ensureSchema(parts, options),
    genesys: clients.ofOrganization,
    historyDependencies: (overrides = {}) => historyDependencies(parts, overrides),
    liveDependencies: () => liveDependencies(parts),
    derivationDependencies: () => derivationDependencies(parts),
    reconcileDependencies: () => reconcileDependencies(parts),
    progress: (unit) => createProgress({ terminal, logger, unit }),
    referenceDependencies: reference,
    unknownIds,
    webhookOptions: () => webhookOptions(parts),
    requestBudget: clients.requestBudget,
    async [Symbol.asyncDispose]() {
      await unknownIds.stop()
      await clients.close()
      await database.close()
    },
  }
}

interface Database {
  /** Null: the command needs none. */
  readonly url: string | null
  readonly warehouse: Warehouse
  readonly close: () => Promise<void>
}

/** Connects to the database, which `embedded` starts first. */
async function openDatabase(
  databaseUrl: string | null,
  logger: Logger,
  kept: { readonly personalPolicy: PersonalPolicy; readonly retentionMonths: number | null },
): Promise<Database> {
  const embedded = databaseUrl === 'embedded' ? await startEmbeddedPostgres({ persistent: true }) : null
  const url = embedded?.url ?? databaseUrl
  const warehouse = connect(url ?? 'postgres://', {
    ...kept,
    onConnectionLost: (error) =>
      logger.warn(
        { code: (error as NodeJS.ErrnoException).code },
        'an idle database connection broke; it will be replaced',
      ),
  })
  return {
    url,
    warehouse,
    async close() {
      try {
        await warehouse.close()
      } finally {
        await embedded?.stop()
      }
    },
  }
}

function personalPolicyOf({ personalData }: Config, { personalDataKey }: Secrets): PersonalPolicy {
  const { customers, employees } = personalData
  return { customers, employees, hasher: personalDataKey === null ? null : personalHasher(personalDataKey) }
}

interface Clients {
  readonly ofOrganization: () => GenesysClient
  /** For the conversations of one user: with the user's token where there is one beside the OAuth client; it has its own limit. */
  readonly ofUser: () => GenesysClient
  readonly requestBudget: () => RateLimiterStats
  readonly close: () => Promise<void>
}

/** The clients of Genesys Cloud, made at first use. */
function createClients(
  parts: Pick<Parts, 'env' | 'config' | 'secrets' | 'logger' | 'metrics'>,
  databaseUrl: string | null,
): Clients {
  const { env, config, secrets, logger, metrics } = parts
  const { apiUrl, loginUrl, requestsPerMinute } = config.genesys
  // A connection of its own: a lease that queued behind loads would come too late.
  const budgetStore =
    databaseUrl === null ? null : connect(databaseUrl, { applicationName: 'genesys-etl request budget', max: 1 })
  const limiterOf = (credentials: GenesysClientOptions['credentials']): RateLimiter => {
    const key = budgetKey(apiUrl, 'clientId' in credentials ? credentials.clientId : credentials.accessToken)
    const shared = budgetStore && createSharedBudget({ db: budgetStore.db, key, requestsPerMinute, logger })
    return createRateLimiter({ requestsPerMinute, shared })
  }
  const limiter = secrets.credentials ? limiterOf(secrets.credentials) : createRateLimiter({ requestsPerMinute })
  const open = (credentials: GenesysClientOptions['credentials'], itsLimiter: RateLimiter): GenesysClient =>
    createGenesysClient({
      apiUrl,
      loginUrl,
      credentials,
      limiter: itsLimiter,
      logger,
      metrics: metrics.genesysHooks,
      proxyEnv: env,
    })
  let client: GenesysClient | undefined
  let userClient: GenesysClient | undefined
  const ofOrganization = (): GenesysClient => {
    if (!secrets.credentials) throw new Error('this command did not ask for a Genesys client')
    return (client ??= open(secrets.credentials, limiter))
  }
  return {
    ofOrganization,
    ofUser() {
      const { accessToken, credentials } = secrets
      if (!accessToken || !credentials || 'accessToken' in credentials) return ofOrganization()
      return (userClient ??= open({ accessToken }, limiterOf({ accessToken })))
    },
    requestBudget: () => limiter.stats(),
    async close() {
      client?.close()
      userClient?.close()
      await budgetStore?.close()
    },
  }
}

async function ensureSchema(
  { config, warehouse, logger }: Parts,
  { anyPolicy }: { readonly anyPolicy: boolean } = { anyPolicy: false },
): Promise<void> {
  if (config.autoMigrate) {
    await migrateUp(warehouse.db, {
      budgetMs: FILL_AT_START_MS,
      onPartition: (progress) => logger.info(progress, 'filling new columns from _extra'),
    })
  } else {
    await requireCurrentSchema(warehouse.db)
  }
  await storeConfiguration(warehouse.db, {
    mediaTypes: config.history.filter.mediaTypes,
    settleDays: config.history.settleDays,
  })
  if (!anyPolicy) await adoptPolicy(warehouse.db, warehouse.personalPolicy)
}

function historyDependencies(parts: Parts, overrides: HistoryOverrides): HistoryDependencies {
  const { config, warehouse, logger, metrics, terminal } = parts
  const { requestsPerMinute } = config.genesys
  const { lookbackDays, deepLookbackDays, settleDays, start, filter, attributes, jobPageSize } = config.history
  const { concurrency = config.history.concurrency, quiet = false } = overrides
  return {
    genesys: parts.clients.ofOrganization(),
    warehouse,
    logger,
    progress: quiet
      ? silentProgress
      : createProgress({
          terminal,
          logger,
          requestsPerMinute,
          limitWaitMs: () => parts.clients.requestBudget().waitMs,
        }),
    history: {
      lookbackDays,
      deepLookbackDays,
      settleDays,
      start,
      personalMonths: config.personalData.retentionMonths,
      filter,
      concurrency,
      requestsPerMinute,
      jobs: { attributes, pageSize: jobPageSize },
    },
    onLoaded: onLoaded(parts),
    onEmptied: metrics.countEmptied,
    syncParts: settledParts(async (context) => (await jobsAvailableUntil(context, false, context.signal)) !== null),
    async afterRun(signal) {
      await completeAfterRun(parts, signal)
      await deriveAfterRun(derivationDependencies(parts), signal)
      await addUpAfterRun(parts, signal)
    },
    async afterSync(signal, observed) {
      const genesys = parts.clients.ofOrganization()
      const clockAhead = async (of: AbortSignal) => readClockAhead(genesys, await readDatabaseClock(warehouse.db), of)
      await dropMonthsAfterSync({ warehouse, logger, readClockAhead: clockAhead }, signal)
      const progress = quiet ? observed : createProgress({ terminal, logger, unit: 'conversations' })
      await dropPersonalAfterSync(
        {
          warehouse,
          logger,
          onPlan: (conversations) => progress.plan('pii-retention', conversations),
          onProgress: (conversations) => progress.advance(conversations),
        },
        signal,
      )
      progress.finish()
      await addUpAfterRun(parts, signal)
    },
  }
}

function reconcileDependencies(parts: Parts): ReconcileDependencies {
  const { warehouse, logger, terminal } = parts
  const { filter, concurrency } = parts.config.history
  return {
    genesys: parts.clients.ofOrganization(),
    warehouse,
    logger,
    progress: createProgress({ terminal, logger, unit: 'days' }),
    history: { filter, concurrency },
    readCovered: (now) => selectCovered(warehouse.db, { filter }, now),
  }
}

function derivationDependencies({ warehouse, logger }: Parts): DerivationDependencies {
  return { warehouse, logger: logger.child({ job: 'derive' }) }
}

function onLoaded({ metrics, unknownIds }: Parts): OnLoaded {
  return (counts, ids) => {
    metrics.countLoad(counts)
    unknownIds.note(ids)
  }
}

function liveDependencies(parts: Parts): LiveDependencies | null {
  const { config, warehouse, logger, metrics, clients, unknownIds } = parts
  const { source, retentionHours } = config.live
  if (source === 'off') return null
  return {
    genesys: source === 'analytics' ? clients.ofOrganization() : clients.ofUser(),
    warehouse,
    logger,
    live: {
      source,
      requestsPerMinute: config.genesys.requestsPerMinute,
      retentionHours,
      historyFilter: config.history.filter,
      events: config.webhook?.events ?? [],
    },
    elapsedMs: () => performance.now(),
    onLoaded: onLoaded(parts),
    onSnapshot: (ids) => unknownIds.note(ids),
    onEndedInAfterCallWork: metrics.countEndedInAfterCallWork,
  }
}

function webhookOptions({ env, config, secrets, warehouse, logger }: Parts): Omit<WebhookOptions, 'signal'> | null {
  if (!config.webhook || !secrets.webhookSecret) return null
  const { retentionHours } = config.live
  return {
    warehouse,
    logger,
    url: config.webhook.url,
    secret: secrets.webhookSecret,
    retentionHours,
    waits: DELIVERY_WAITS,
    proxyEnv: env,
  }
}
