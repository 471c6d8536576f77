import { type Kysely } from 'kysely'
import { escapeIdentifier } from 'pg'
import { commandLine } from '../command-line.ts'
import { type Warehouse } from './connect.ts'
import { type Database } from './database.ts'
import { toEtlError } from './errors.ts'
import { editedMigrations, staleRepeatables, type MigrationState } from './migrate.ts'
import { adviseMissing, nameMissing, selectMissingColumns } from './missing-columns.ts'
import { isBehindPooler } from './pooler.ts'
import { selectExposedReaders, type ExposedReader } from './reader-rights.ts'

/** The result of one check of the doctor. */
export interface Check {
  readonly name: string
  readonly verdict: 'ok' | 'warning' | 'failed'
  readonly detail: string
  /** What to do, unless it is ok; so named in the output of --json. */
  readonly fix?: string | undefined
}

interface Facts {
  version: string
  version_number: number
  database: string
  user: string
  encoding: string
  can_create: boolean
  read_only: boolean
  clock: Date
  foreign_tables: string[]
  /** The owners of foreign_tables. */
  owners: string[]
  /** Partitions of schema genesys and their indexes: what a query of every table without a range of time locks. */
  partition_relations: number
  max_locks_per_transaction: number
  /** Connections and prepared transactions, which share the table of locks. */
  max_sessions: number
}

/** server_version_num of the oldest Postgres that is supported. */
const OLDEST_VERSION = 140_000
const CLOCK_TOLERANCE_MS = 30_000

/** There must be locks for this many queries at once that look into every partition of every table. */
const WIDE_QUERIES = 4

/**
 * Checks the database for what a load needs: version, encoding, rights, no pooler in transaction mode, clock, locks.
 * @throws EtlError that says what to fix if it can't be reached
 */
export async function inspectDatabase(warehouse: Warehouse): Promise<Check[]> {
  try {
    await warehouse.pool.query('select 1')
    const sent = Date.now()
    const { rows } = await warehouse.pool.query<Facts>(`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as version_number,
        current_database()::text as database, current_user::text as user, current_setting('server_encoding') as encoding,
        has_database_privilege(current_database(), 'create') as can_create,
        pg_is_in_recovery() or current_setting('default_transaction_read_only')::bool as read_only,
        clock_timestamp() as clock,
        array(select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('genesys', 'etl', 'reporting') and c.relkind in ('r', 'p', 'v') and not c.relispartition
            and not pg_has_role(c.relowner, 'usage') order by 1) as foreign_tables,
        array(select distinct pg_get_userbyid(c.relowner)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('genesys', 'etl', 'reporting') and not pg_has_role(c.relowner, 'usage') order by 1) as owners,
        (select count(*)::int from pg_class c where c.relnamespace in (to_regnamespace('genesys'), to_regnamespace('etl')) and c.relispartition) as partition_relations,
        current_setting('max_locks_per_transaction')::int as max_locks_per_transaction,
        current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int as max_sessions`)
    const middle = (sent + Date.now()) / 2
    const facts = rows[0]!
    return [
      versionCheck(facts),
      encodingCheck(facts),
      rightsCheck(facts),
      await poolerCheck(warehouse),
      clockCheck(middle - facts.clock.getTime()),
      locksCheck(facts),
    ]
  } catch (error) {
    throw toEtlError(error, 'checking it')
  }
}

function versionCheck({ version, version_number }: Facts): Check {
  const name = 'version'
  if (version_number >= OLDEST_VERSION) return { name, verdict: 'ok', detail: `Postgres ${version}` }
  return { name, verdict: 'failed', detail: `Postgres ${version} is too old`, fix: 'Upgrade it to 14 or newer.' }
}

function encodingCheck({ encoding }: Facts): Check {
  const name = 'encoding'
  if (encoding === 'UTF8') return { name, verdict: 'ok', detail: encoding }
  const fix = "Use a database created with: create database … encoding 'UTF8' template template0"
  return { name, verdict: 'failed', detail: `${encoding} cannot hold every character`, fix }
}

function rightsCheck({ database, user, can_create, read_only, foreign_tables, owners }: Facts): Check {
  const name = 'rights'
  if (read_only) {
    return { name, verdict: 'failed', detail: 'it is read-only', fix: 'Let DATABASE_URL name the primary server.' }
  }
  const grants = foreign_tables.map((table) => `alter table ${table} owner to ${escapeIdentifier(user)};`)
  if (!can_create)
    grants.unshift(`grant create on database ${escapeIdentifier(database)} to ${escapeIdentifier(user)};`)
  if (grants.length === 0) return { name, verdict: 'ok', detail: `${user} may migrate and load` }
  const statements = grants.join(' ')
  return {
    name,
    verdict: 'failed',
    detail: `${user} ${can_create ? 'does not own all tables' : 'may not create schemas'}`,
    fix:
      owners.length > 0
        ? // this user may be the reader, say, which must not be given the tables
          `Let DATABASE_URL name the user that owns them (${owners.join(', ')}). Or, if that user is no longer to load, as an administrator run: ${statements}`
        : `As an administrator run: ${statements}`,
  }
}

async function poolerCheck(warehouse: Warehouse): Promise<Check> {
  const name = 'connection'
  if (!(await isBehindPooler(warehouse))) return { name, verdict: 'ok', detail: 'session-level advisory locks work' }
  return {
    name,
    verdict: 'failed',
    detail: 'a pooler in transaction mode is in between, where session-level advisory locks do not work',
    fix: 'Point DATABASE_URL at Postgres itself, or at the pooler’s session mode.',
  }
}

function clockCheck(aheadMs: number): Check {
  const name = 'clock'
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return { name, verdict: 'ok', detail: "agrees with this machine's" }
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  return {
    name,
    verdict: 'warning',
    detail: `this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} it`,
    fix: 'Synchronise both with a time server (NTP); the days that are due go by the clock of the database.',
  }
}

/**
 * Whether the server's table of locks holds WIDE_QUERIES queries over everything (a partition and each of its indexes take one each).
 * @internal
 */
export function locksCheck({
  partition_relations,
  max_locks_per_transaction,
  max_sessions,
}: Pick<Facts, 'partition_relations' | 'max_locks_per_transaction' | 'max_sessions'>): Check {
  const name = 'locks'
  const needed = WIDE_QUERIES * partition_relations
  const available = max_locks_per_transaction * max_sessions
  if (needed <= available)
    return { name, verdict: 'ok', detail: `${available} for ${partition_relations} partitions and indexes` }
  const wanted = 2 ** Math.ceil(Math.log2(needed / max_sessions))
  return {
    name,
    verdict: 'warning',
    detail: `${available} for ${partition_relations} partitions and indexes: a few queries over all months at once run out of shared memory, and loads fail with them`,
    fix: `Set max_locks_per_transaction = ${wanted} in postgresql.conf and restart the server.`,
  }
}

/**
 * Checks a schema without pending migrations: whether migrations were edited since, views and comments are up to date, no table or
 * column was dropped or renamed, and no reader sees personal data that it should not. Empty when all is well.
 * @throws EtlError if it can't be read
 */
export async function inspectSchema(db: Kysely<Database>, states: readonly MigrationState[]): Promise<Check[]> {
  if (states.some(({ executedAt, known }) => executedAt === null || !known)) return []
  try {
    return [
      ...editedChecks(await editedMigrations(db, states)),
      ...missingChecks(await selectMissingColumns(db)),
      ...staleChecks(await staleRepeatables(db)),
      ...readerChecks(await selectExposedReaders(db)),
    ]
  } catch (error) {
    throw toEtlError(error, 'checking its schema')
  }
}

function editedChecks(names: readonly string[]): Check[] {
  if (names.length === 0) return []
  const fix = 'Restore the released files, and put the change into a new migration.'
  const detail = `edited after the database had executed them: ${names.join(', ')}`
  return [{ name: 'schema: migrations', verdict: 'failed', detail, fix }]
}

function missingChecks(missing: Awaited<ReturnType<typeof selectMissingColumns>>): Check[] {
  if (missing.length === 0) return []
  const detail = `the database lacks ${missing.map(nameMissing).join(', ')}`
  return [{ name: 'schema: columns', verdict: 'failed', detail, fix: adviseMissing(missing) }]
}

function staleChecks(names: readonly string[]): Check[] {
  if (names.length === 0) return []
  const detail = `not those of this version: ${names.join(', ')}`
  const fix = `Run: ${commandLine('migrate')} (serve, sync and backfill do it themselves unless AUTO_MIGRATE is false)`
  return [{ name: 'schema: views', verdict: 'warning', detail, fix }]
}

/** More names would hide the rest of the report. */
const TABLES_NAMED = 3

function readerChecks(readers: readonly ExposedReader[]): Check[] {
  return readers.map(({ role, isRestricted, tables }) => {
    const named = tables.slice(0, TABLES_NAMED).join(', ')
    const others = tables.length - TABLES_NAMED
    const quoted = escapeIdentifier(role)
    return {
      name: `schema: reader ${role}`,
      verdict: 'warning',
      detail: `it can read the personal columns of ${named}${others > 0 ? ` and ${others} more tables` : ''}, although it ${isRestricted ? 'is in etl.restricted_readers' : 'is the reader without personal data since this version'}`,
      fix: isRestricted
        ? `Run: ${commandLine('migrate')}. If it stays, the role has the right from another role, from public or from somebody else than the owner: revoke it there.`
        : `As an administrator run deploy/roles.sql again, then ${commandLine('migrate')}, so that it sees them no more. Or let it see them: create role genesys_personal_reader; grant genesys_personal_reader to ${quoted};`,
    }
  })
}
