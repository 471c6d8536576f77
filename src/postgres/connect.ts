import { AsyncResource } from 'node:async_hooks'
import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import { Pool, types, type Client, type ClientBase, type CustomTypesConfig, type PoolClient } from 'pg'
import { KEEP_ALL, type PersonalPolicy } from '../model/personal.ts'
import { isUnusable, WarehouseClient } from './client.ts'
import { parseConnectionUrl } from './connection-url.ts'
import { type Database } from './database.ts'

export interface ConnectOptions {
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
  /** Maximum number of connections of the pool. */
  readonly max?: number
  /** What may be stored of personal data. Default: everything. */
  readonly personalPolicy?: PersonalPolicy
  /** How many months before the current one are kept. Default: null, all of them. */
  readonly retentionMonths?: number | null
  /** Called when an idle connection breaks; the pool replaces it by itself. */
  readonly onConnectionLost?: (error: Error) => void
}

/** The warehouse's connections. `db` and `pool` share them. */
export interface Warehouse extends AsyncDisposable {
  readonly db: Kysely<Database>
  readonly pool: Pool
  /** What may be stored of personal data: to be applied by whatever stores any. */
  readonly personalPolicy: PersonalPolicy
  /** How many months before the current one are kept; null: all of them. See loader/dropped-months.ts. */
  readonly retentionMonths: number | null
  /** Opens a connection of its own beside the pool, for session-level locks. The caller ends it. */
  connectAlone(purpose: string): Promise<Client>
  close(): Promise<void>
}

const INT8_OID = 20
const INT8_ARRAY_OID = 1016
const DEFAULT_APPLICATION_NAME = 'genesys-etl'

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
    if (oid === INT8_OID && format !== 'binary') return parseBigint
    if (oid === INT8_ARRAY_OID && format !== 'binary') return parseBigintArray
    return defaultParser(oid, format)
  },
}

// Not as startup parameters, which poolers refuse. Server, database and role can have defaults that are meant for interactive users;
// everything that our statements depend on is set here. They wait for nothing but locks, and for those not forever. A host that vanished
// is noticed within a minute, not after the two hours of most systems, since its job locks would last that long. Under another
// isolation than read committed, a loader that has waited for another one would not see what it committed. JIT costs more than it gains
// on statements over many partitions. A backend whose client has gone ends its statement. `default_transaction_read_only` is left alone: an administrator sets it to protect the database.
const SESSION_SETTINGS = `set statement_timeout = 0; set lock_timeout = '2min';
  set idle_in_transaction_session_timeout = '5min'; set default_transaction_isolation = 'read committed';
  set default_transaction_deferrable = off; set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres';
  set extra_float_digits = 1; set bytea_output = 'hex'; set standard_conforming_strings = on; set array_nulls = on;
  set transform_null_equals = off; set enable_partition_pruning = on; set jit = off;
  set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3;
  select set_config('idle_session_timeout', '0', false) where current_setting('server_version_num')::integer >= 140000;
  select set_config('transaction_timeout', '0', false) where current_setting('server_version_num')::integer >= 170000;
  do $$ begin
    perform set_config('client_connection_check_interval', '2s', false);
  exception when others then null; -- the server's version or operating system does not support it
  end $$`

// the pool waits for it before it hands the connection out, though its types don't say so
const prepareSession = (client: ClientBase): unknown => client.query(SESSION_SETTINGS)

/** A pool whose callbacks run in the context of their caller, not of whichever query has just released its connection. */
class WarehousePool extends Pool {
  override connect: Pool['connect'] = ((callback?: (...args: unknown[]) => void) =>
    callback ? super.connect(AsyncResource.bind(callback)) : super.connect()) as Pool['connect']
}

/**
 * Opens the warehouse; connections are made when needed, so a wrong address shows at the first query. The parameters of the URL mean
 * what libpq documents.
 * @throws ConfigError where the URL, or a file that it names, can't be read
 */
export function connect(databaseUrl: string, options: ConnectOptions = {}): Warehouse {
  const applicationName = options.applicationName ?? DEFAULT_APPLICATION_NAME
  const config = {
    ...parseConnectionUrl(databaseUrl),
    application_name: applicationName,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: parsers,
  }
  const pool = new WarehousePool({
    ...config,
    Client: WarehouseClient,
    max: options.max ?? 8,
    idleTimeoutMillis: 60_000,
    onConnect: prepareSession,
  })
  pool.on('error', (error) => options.onConnectionLost?.(error))
  // a connection that breaks while it is checked out emits an error beside failing its query
  pool.on('connect', (client) => client.on('error', () => {}))
  // a client that has ended is not returned to the pool
  pool.on('release', (_error, client) => {
    if (isUnusable(client)) client.end().catch(() => {})
  })
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  let closed: Promise<void> | undefined
  const close = () => (closed ??= end(db, pool))
  return {
    db,
    pool,
    personalPolicy: options.personalPolicy ?? KEEP_ALL,
    retentionMonths: options.retentionMonths ?? null,
    close,
    [Symbol.asyncDispose]: close,
    async connectAlone(purpose) {
      const client = new WarehouseClient({ ...config, application_name: `${applicationName} ${purpose}`.slice(0, 63) })
      client.on('error', () => {})
      await client.connect()
      await prepareSession(client)
      return client
    },
  }
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
