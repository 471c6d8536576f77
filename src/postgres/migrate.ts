import { promises as fs } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { sql, type Kysely } from 'kysely'
import { FileMigrationProvider, Migrator, type MigrationResultSet } from 'kysely/migration'
import { EtlError } from '../errors.ts'
import type { Database } from './database.ts'
import { toEtlError } from './errors.ts'
import { fillColumns, forgetDroppedColumns, pendingFills } from './fill-columns.ts'
import { applyRepeatables, dropRepeatables, readViewFiles } from './views.ts'

const migrationsFolder = path.join(import.meta.dirname, '..', '..', 'migrations')
const viewsFolder = path.join(migrationsFolder, 'views')

export interface MigrationState {
  readonly name: string
  /** null: the database lacks it. */
  readonly executedAt: Date | null
  /** false: the database has it, but this version of the code does not know it. */
  readonly known: boolean
}

/**
 * Brings schema, views and comments up to date; returns what was done, nothing when all was. Two processes may do so at
 * once. Columns that are new are filled from `_extra`, which can take minutes on a long history; it goes on where it ended. Throws SCHEMA_NEWER on a database that a later version has migrated.
 */
export async function migrateUp(db: Kysely<Database>): Promise<string[]> {
  refuseNewer(await migrationStatus(db))
  const migrated = outcome(await migrator(db).migrateToLatest(), 'up')
  return [...migrated, ...(await updateViews(db)), ...(await fill(db))]
}

async function updateViews(db: Kysely<Database>): Promise<string[]> {
  try {
    return await applyRepeatables(db, await readViewFiles(viewsFolder))
  } catch (error) {
    throw toEtlError(error, 'bringing the views up to date')
  }
}

async function fill(db: Kysely<Database>): Promise<string[]> {
  try {
    const filled = await fillColumns(db)
    return [...filled].map(([table, rows]) => `genesys.${table}: ${rows} rows filled from _extra`)
  } catch (error) {
    throw toEtlError(error, 'filling columns from _extra')
  }
}

/** Undoes the last migration. The first one's undoing drops all data. Returns what was undone. */
export async function migrateDown(db: Kysely<Database>): Promise<string[]> {
  const states = await migrationStatus(db)
  refuseNewer(states)
  if (states.every(({ executedAt }) => executedAt === null)) return []
  // views stand on the tables; the next migration up creates them again
  await dropRepeatables(db)
  const undone = outcome(await migrator(db).migrateDown(), 'down')
  await forgetDroppedColumns(db)
  return undone
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
    const known = Object.keys(await provider().getMigrations())
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

/** Throws SCHEMA_BEHIND or SCHEMA_NEWER, with what to run, unless the schema is the one that this code expects. */
export async function requireCurrentSchema(db: Kysely<Database>): Promise<void> {
  const states = await migrationStatus(db)
  refuseNewer(states)
  const pending = states.filter(({ executedAt }) => executedAt === null).map(({ name }) => name)
  if (pending.length === 0) return
  throw new EtlError(`The database lacks ${pending.length} migration(s): ${pending.join(', ')}`, {
    code: 'SCHEMA_BEHIND',
    kind: 'fatal',
    hint: 'Run: npm run etl -- migrate (or set AUTO_MIGRATE=true)',
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

function provider(): FileMigrationProvider {
  return new FileMigrationProvider({
    fs,
    path,
    migrationFolder: migrationsFolder,
    import: (file) => import(pathToFileURL(file).href),
  })
}

function migrator(db: Kysely<Database>): Migrator {
  return new Migrator({ db, provider: provider(), migrationTableSchema: 'etl' })
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

// Kysely never throws: it hands the error back
function outcome({ error, results = [] }: MigrationResultSet, direction: string): string[] {
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName
    throw toEtlError(error, `migrating ${direction}${failed ? ` (${failed})` : ''}`)
  }
  return results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName)
}
