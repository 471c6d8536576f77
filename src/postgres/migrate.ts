import { sql, type Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { commandLine } from '../command-line.ts'
import { EtlError } from '../errors.ts'
import { tables } from '../model/columns.ts'
import { type Database } from './database.ts'
import { retryTransient, toEtlError } from './errors.ts'
import { fillColumns, forgetDroppedColumns, pendingFills, type FillOptions } from './fill-columns.ts'
import { selectMeta, upsertMeta } from './meta.ts'
import { migrationFiles, migrationHashes, REPEATABLE_FOLDERS } from './migration-files.ts'
import { adviseMissing, nameMissing, selectMissingColumns } from './missing-columns.ts'
import { updateReaderRights } from './reader-rights.ts'
import { applyRepeatables, dropRepeatables, readRepeatables, selectStaleRepeatables } from './views.ts'

/** In etl.meta: by name, the hash of each migration that the database has executed. */
const HASHES_KEY = 'migrations'

export interface MigrationState {
  readonly name: string
  /** null: the database lacks it. */
  readonly executedAt: Date | null
  /** false: the database has it, but this version of the code does not know it. */
  readonly known: boolean
}

/**
 * Brings schema, views, comments and the rights of restricted readers up to date. Two processes may do so at once. Columns that are new are filled from `_extra`,
 * which can take minutes on a long history: `options` limit that; the next call continues it.
 * @returns what was done; nothing when everything was up to date, which costs a few small queries
 * @throws EtlError SCHEMA_NEWER on a database that a later version has migrated, SCHEMA_EDITED, SCHEMA_CHANGED, VIEW_IN_USE
 */
export async function migrateUp(db: Kysely<Database>, options: FillOptions = {}): Promise<string[]> {
  await requireUtf8(db)
  const states = await migrationStatus(db)
  refuseNewer(states)
  await refuseEdited(db, states)
  const isPending = states.some(({ executedAt }) => executedAt === null)
  // Kysely's migrator reads the columns of every partition only to learn that nothing is pending
  const migrated = isPending ? await execute(db, 'up') : []
  await recordHashes(db)
  await refuseChanged(db)
  return [...migrated, ...(await updateViews(db)), ...(await updateRights(db)), ...(await fill(db, options))]
}

async function updateViews(db: Kysely<Database>): Promise<string[]> {
  try {
    const repeatables = await readRepeatables(REPEATABLE_FOLDERS)
    return await retryTransient(() => applyRepeatables(db, repeatables))
  } catch (error) {
    throw toEtlError(error, 'bringing the views up to date')
  }
}

async function updateRights(db: Kysely<Database>): Promise<string[]> {
  try {
    return await retryTransient(() => updateReaderRights(db))
  } catch (error) {
    throw toEtlError(error, 'bringing the rights of readers up to date')
  }
}

async function fill(db: Kysely<Database>, options: FillOptions): Promise<string[]> {
  try {
    const filled = await fillColumns(db, options)
    return [...filled].map(([table, rows]) => `genesys.${table}: ${rows} rows filled from _extra`)
  } catch (error) {
    throw toEtlError(error, 'filling columns from _extra')
  }
}

/** Undoes the last migration. The first one's undoing drops all data. Returns what was undone. */
export async function migrateDown(db: Kysely<Database>): Promise<string[]> {
  const states = await migrationStatus(db)
  refuseNewer(states)
  const last = states.findLast(({ executedAt }) => executedAt !== null)
  if (last === undefined) return []
  // the views depend on the tables; the next migration up creates them again
  await dropViews(db)
  await dropPartitions(db, PARTITIONED_TABLES[last.name] ?? [])
  const undone = await execute(db, 'down')
  await forgetDroppedColumns(db)
  return undone
}

async function dropViews(db: Kysely<Database>): Promise<void> {
  try {
    await retryTransient(() => dropRepeatables(db))
  } catch (error) {
    throw toEtlError(error, 'dropping the views')
  }
}

/** The partitioned tables that a migration creates, and that its undoing drops. */
const PARTITIONED_TABLES: Readonly<Record<string, readonly string[]>> = {
  '20261122T1600Z-create-history': tables.map((table) => `genesys.${table}`),
  '20261122T1700Z-create-live': ['genesys.live_snapshots', 'genesys.live_queues'],
  '20261126T1500Z-create-interval-cells': ['etl.interval_cells'],
  '20261126T1700Z-create-facts': ['etl.conversation_facts', 'etl.queue_entries', 'etl.agent_sessions'],
}
/** A partition, its indexes and its TOAST table take about five locks until the transaction ends; a server has some thousand. */
const PARTITIONS_PER_TRANSACTION = 16

/** Drops partitions in small transactions, since one that drops them all may need more locks than the server has. */
async function dropPartitions(db: Kysely<Database>, parents: readonly string[]): Promise<void> {
  try {
    for (;;) {
      const { rows } = await sql<{ name: string }>`
        select i.inhrelid::regclass::text as name from pg_inherits i
        where i.inhparent in (select to_regclass(parent) from unnest(${parents}::text[]) parent)
        order by 1 limit ${PARTITIONS_PER_TRANSACTION}`.execute(db)
      if (rows.length === 0) return
      const names = rows.map(({ name }) => name).join(', ')
      await retryTransient(() =>
        db.transaction().execute(async (trx) => {
          // as the migrations themselves: loads must not queue behind it
          await sql`set local lock_timeout = '3s'`.execute(trx)
          await sql.raw(`drop table ${names}`).execute(trx)
        }),
      )
    }
  } catch (error) {
    throw toEtlError(error, 'dropping partitions')
  }
}

/** Whether undoing the last migration would drop conversations: it is the first one, and some are loaded. */
export async function wouldDropHistory(db: Kysely<Database>): Promise<boolean> {
  const executed = (await migrationStatus(db)).filter(({ executedAt }) => executedAt !== null)
  if (executed.length !== 1) return false
  const row = await db.selectFrom('genesys.conversations').select('conversation_id').limit(1).executeTakeFirst()
  return row !== undefined
}

/** Every migration that the code or the database knows, by name. */
export async function migrationStatus(db: Kysely<Database>): Promise<MigrationState[]> {
  try {
    const known = [...(await migrationHashes()).keys()]
    const executed = await selectExecuted(db)
    return [...new Set([...known, ...executed.keys()])].sort().map((name) => ({
      name,
      executedAt: executed.get(name) ?? null,
      known: known.includes(name),
    }))
  } catch (error) {
    throw toEtlError(error, 'reading which migrations it has')
  }
}

/** The columns that have yet to be filled from `_extra`, as `table.column type`; none where migrations are pending, too. */
export async function unfilledColumns(db: Kysely<Database>, states: readonly MigrationState[]): Promise<string[]> {
  if (states.some(({ executedAt, known }) => executedAt === null || !known)) return []
  try {
    return await pendingFills(db)
  } catch (error) {
    throw toEtlError(error, 'reading which columns are filled')
  }
}

/**
 * Requires that the schema is the one that this version expects.
 * @throws EtlError DATABASE_ENCODING, SCHEMA_BEHIND, SCHEMA_NEWER, SCHEMA_EDITED or SCHEMA_CHANGED, with what to do
 */
export async function requireCurrentSchema(db: Kysely<Database>): Promise<void> {
  await requireUtf8(db)
  const states = await migrationStatus(db)
  refuseNewer(states)
  const pending = states.filter(({ executedAt }) => executedAt === null).map(({ name }) => name)
  if (pending.length === 0) pending.push(...(await staleRepeatables(db)))
  if (pending.length > 0) {
    const isEmpty = states.every(({ executedAt }) => executedAt === null)
    const behind = `The database schema is not up to date; pending: ${pending.join(', ')}`
    throw new EtlError(isEmpty ? 'The database has no schema of genesys-etl yet' : behind, {
      code: 'SCHEMA_BEHIND',
      kind: 'fatal',
      hint: `Run: ${commandLine('migrate')} (or set AUTO_MIGRATE=true)`,
    })
  }
  await refuseEdited(db, states)
  await refuseChanged(db)
}

/** The views and functions, and `comments`, whose text in this version is not the one that was last applied; none where the schema is missing. */
export async function staleRepeatables(db: Kysely<Database>): Promise<string[]> {
  try {
    return await selectStaleRepeatables(db, await readRepeatables(REPEATABLE_FOLDERS))
  } catch (error) {
    throw toEtlError(error, 'reading which views it has')
  }
}

/** The migrations whose statements are no longer those that the database has executed. */
export async function editedMigrations(db: Kysely<Database>, states: readonly MigrationState[]): Promise<string[]> {
  const executed = states.filter(({ executedAt, known }) => executedAt !== null && known)
  if (executed.length === 0) return []
  const stored = (await selectMeta<Readonly<Record<string, string>>>(db, HASHES_KEY)) ?? {}
  const hashes = await migrationHashes()
  return executed.map(({ name }) => name).filter((name) => (stored[name] ?? hashes.get(name)) !== hashes.get(name))
}

async function refuseEdited(db: Kysely<Database>, states: readonly MigrationState[]): Promise<void> {
  const edited = await editedMigrations(db, states)
  if (edited.length === 0) return
  throw new EtlError(`A migration was edited after this database had executed it: ${edited.join(', ')}`, {
    code: 'SCHEMA_EDITED',
    kind: 'fatal',
    hint: 'Restore the released file, and put the change into a new migration.',
  })
}

/** Versions before this one stored no hashes: what they executed is taken for unedited. */
async function recordHashes(db: Kysely<Database>): Promise<void> {
  const hashes = await migrationHashes()
  const executed = [...(await selectExecuted(db)).keys()].filter((name) => hashes.has(name)).sort()
  const current = Object.fromEntries(executed.map((name) => [name, hashes.get(name)!]))
  const stored = await selectMeta<Readonly<Record<string, string>>>(db, HASHES_KEY)
  if (executed.every((name) => stored?.[name] === current[name])) return
  await upsertMeta(db, HASHES_KEY, current)
}

async function refuseChanged(db: Kysely<Database>): Promise<void> {
  const missing = await selectMissingColumns(db)
  if (missing.length === 0) return
  throw new EtlError(`The database lacks ${missing.map(nameMissing).join(', ')}`, {
    code: 'SCHEMA_CHANGED',
    kind: 'fatal',
    hint: adviseMissing(missing),
  })
}

async function requireUtf8(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ encoding: string }>`select current_setting('server_encoding') as encoding`
    .execute(db)
    .catch((error: unknown) => {
      throw toEtlError(error, 'reading its encoding')
    })
  const encoding = rows[0]?.encoding
  if (encoding === 'UTF8') return
  throw new EtlError(`The encoding of the database is ${encoding}, which cannot hold every character`, {
    code: 'DATABASE_ENCODING',
    kind: 'config',
    hint: "Use a database created with: create database … encoding 'UTF8' template template0",
  })
}

async function selectExecuted(db: Kysely<Database>): Promise<Map<string, Date>> {
  const { rows } = await sql<{ present: boolean }>`
    select to_regclass('etl.kysely_migration') is not null as present`.execute(db)
  if (!rows[0]?.present) return new Map()
  const executed = await sql<{ name: string; timestamp: string }>`
    select name, timestamp from etl.kysely_migration`.execute(db)
  return new Map(executed.rows.map(({ name, timestamp }) => [name, new Date(timestamp)]))
}

/**
 * Runs the migrations that are pending, or undoes the last one; all in one transaction, so that a lock that was not to be had, or a lost
 * connection, leaves nothing behind and is tried again.
 */
async function execute(db: Kysely<Database>, direction: 'up' | 'down'): Promise<string[]> {
  let failed: string | undefined
  try {
    return await retryTransient(async () => {
      const migrator = new Migrator({ db, provider: migrationFiles, migrationTableSchema: 'etl' })
      const { error, results = [] } =
        direction === 'up' ? await migrator.migrateToLatest() : await migrator.migrateDown()
      // Kysely never throws: it returns the error
      failed = results.find(({ status }) => status === 'Error')?.migrationName
      if (error !== undefined) throw error as Error
      return results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName)
    })
  } catch (error) {
    throw toEtlError(error, `migrating ${direction}${failed ? ` (${failed})` : ''}`)
  }
}

function refuseNewer(states: readonly MigrationState[]): void {
  const unknown = states.filter(({ known }) => !known).map(({ name }) => name)
  if (unknown.length === 0) return
  throw new EtlError(`The database was migrated by a newer version of genesys-etl (${unknown.join(', ')})`, {
    code: 'SCHEMA_NEWER',
    kind: 'fatal',
    hint: 'Run that version or a later one; this one could damage what it does not know.',
  })
}
