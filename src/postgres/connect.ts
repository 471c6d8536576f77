import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import { Client, Pool, types, type ClientBase, type ClientConfig, type CustomTypesConfig, type PoolClient } from 'pg'
import type { Database } from './database.ts'

export interface ConnectOptions {
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
  /** Most connections of the pool. */
  readonly max?: number
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onConnectionLost?: (error: Error) => void
}

/** The warehouse's connections. `db` and `pool` share them. */
export interface Warehouse extends AsyncDisposable {
  readonly db: Kysely<Database>
  readonly pool: Pool
  /** Opens a connection of its own beside the pool, for session-level locks. The caller ends it. */
  connectAlone(purpose: string): Promise<Client>
  close(): Promise<void>
}

const int8 = 20
const int8Array = 1016
const defaultApplicationName = 'genesys-etl'

/** bigint as a number where that is exact, else as a BigInt. */
export function parseBigint(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

/** bigint[] with parseBigint; its elements may be null. */
export function parseBigintArray(text: string): (number | bigint | null)[] {
  const elements = text.slice(1, -1).split(',').filter(Boolean)
  return elements.map((element) => (element === 'NULL' ? null : parseBigint(element)))
}

// the types know only the ids of scalars
const defaultParser = types.getTypeParser as unknown as (oid: number, format?: 'text' | 'binary') => unknown

const parsers: CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === int8 && format !== 'binary') return parseBigint
    if (oid === int8Array && format !== 'binary') return parseBigintArray
    return defaultParser(oid, format)
  },
}

// Not as startup parameters, which poolers refuse. The server's own limits are meant for interactive users; ours wait
// for nothing but locks, and those not for ever. A host that vanished is noticed within a minute, not after the two hours of
// most systems, since its job locks would stand that long. JIT costs more than it gains on statements over many partitions.
const sessionSettings = `set statement_timeout = 0; set lock_timeout = '2min';
  set idle_in_transaction_session_timeout = '5min'; set timezone = 'UTC'; set datestyle = 'ISO';
  set intervalstyle = 'postgres'; set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;
  set jit = off; set extra_float_digits = 1`

// the pool waits for it before it hands the connection out, though its types don't say so
const prepareSession = (client: ClientBase): unknown => client.query(sessionSettings)

/**
 * Opens the warehouse; connections are made when needed, so a wrong address shows at the first query. The URL's sslmode
 * is honoured with node-postgres' meaning of it (require and stronger verify the certificate; no-verify does not).
 */
export function connect(databaseUrl: string, options: ConnectOptions = {}): Warehouse {
  const applicationName = options.applicationName ?? defaultApplicationName
  const config: ClientConfig = {
    connectionString: withPlainSslMode(databaseUrl),
    application_name: applicationName,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: parsers,
  }
  const pool = new Pool({
    ...config,
    max: options.max ?? 8,
    idleTimeoutMillis: 60_000,
    onConnect: prepareSession,
  })
  pool.on('error', (error) => options.onConnectionLost?.(error))
  // a connection that breaks while it is checked out emits an error beside failing its query
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  let closed: Promise<void> | undefined
  const close = () => (closed ??= end(db, pool))
  return {
    db,
    pool,
    close,
    [Symbol.asyncDispose]: close,
    async connectAlone(purpose) {
      const client = new Client({ ...config, application_name: `${applicationName} ${purpose}`.slice(0, 63) })
      client.on('error', () => {})
      await client.connect()
      await client.query(sessionSettings)
      return client
    },
  }
}

/** node-postgres takes these for verify-full, and prints a warning of many lines that another version will not. */
const verifyingModes = new Set(['prefer', 'require', 'verify-ca'])

function withPlainSslMode(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return databaseUrl
  const url = new URL(databaseUrl)
  const mode = url.searchParams.get('sslmode')
  if (mode === null || !verifyingModes.has(mode) || url.searchParams.has('uselibpqcompat')) return databaseUrl
  url.searchParams.set('sslmode', 'verify-full')
  return url.href
}

/**
 * Runs `work` in one transaction whose connection is given both as Kysely's and as pg's own, which COPY needs. Rolls back
 * and rethrows on any error; a connection in doubt is closed instead of returned to the pool.
 */
export async function withTransaction<Result>(
  warehouse: Warehouse,
  work: (trx: Transaction<Database>, client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await warehouse.pool.connect()
  let broken: Error | undefined
  try {
    return await boundTo(client)
      .transaction()
      .execute((trx) => work(trx, client))
  } catch (error) {
    // a rolled-back connection is sound; only one that the server has left is not
    broken = isServerError(error) ? undefined : (error as Error)
    throw error
  } finally {
    client.release(broken)
  }
}

// Kysely ends the pool only if it has used it
async function end(db: Kysely<Database>, pool: Pool): Promise<void> {
  await db.destroy()
  if (!pool.ended && !pool.ending) await pool.end()
}

function boundTo(client: PoolClient): Kysely<Database> {
  const pool = {
    // Kysely reads `options` of the pool and releases the connection when the transaction is over; we release it ourselves
    options: {},
    connect: async () =>
      new Proxy(client, {
        get(target, property) {
          if (property === 'release') return () => {}
          const value: unknown = Reflect.get(target, property, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
    end: async () => {},
  }
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

function isServerError(error: unknown): boolean {
  const { code, severity } = error as { code?: string; severity?: string }
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && severity === 'ERROR'
}
