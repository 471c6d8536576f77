import { promises as fs } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { sql, type Kysely } from 'kysely'
import { FileMigrationProvider, Migrator, type MigrationResultSet } from 'kysely/migration'
import { EtlError } from '../errors.ts'
import type { Database } from './database.ts'
import { toEtlError } from './database-error.ts'
import { applyRepeatables, dropRepeatables, readViewFiles } from './views.ts'

const migrationsFolder = path.join(import.meta.dirname, '..', '..', 'migrations')
const viewsFolder = path.join(migrationsFolder, 'views')

export interface MigrationStatus {
  readonly executed: readonly string[]
  readonly pending: readonly string[]
  /** Executed on this database, but unknown to this version of the code. */
  readonly unknown: readonly string[]
}

/**
 * Brings schema, views and comments up to date; returns what was done, nothing when all was. Two processes may do so at
 * once. Throws SCHEMA_NEWER on a database that a later version has migrated.
 */
export async function migrateUp(db: Kysely<Database>): Promise<string[]> {
  refuseNewer(await migrationStatus(db))
  const migrated = outcome(await migrator(db).migrateToLatest(), 'up')
  try {
    return [...migrated, ...(await applyRepeatables(db, await readViewFiles(viewsFolder)))]
  } catch (error) {
    throw toEtlError(error, 'bringing the views up to date')
  }
}

/** Undoes the last migration. The first one's undoing drops all data. Returns what was undone. */
export async function migrateDown(db: Kysely<Database>): Promise<string[]> {
  const status = await migrationStatus(db)
  refuseNewer(status)
  if (status.executed.length === 0) return []
  // views stand on the tables; the next migration up creates them again
  await dropRepeatables(db)
  return outcome(await migrator(db).migrateDown(), 'down')
}

/** Which migrations the database has, and which it lacks. */
export async function migrationStatus(db: Kysely<Database>): Promise<MigrationStatus> {
  try {
    const known = Object.keys(await provider().getMigrations()).sort()
    const executed = await selectExecuted(db)
    return {
      executed,
      pending: known.filter((name) => !executed.includes(name)),
      unknown: executed.filter((name) => !known.includes(name)),
    }
  } catch (error) {
    throw toEtlError(error, 'reading which migrations it has')
  }
}

/** Throws SCHEMA_BEHIND or SCHEMA_NEWER, with what to run, unless the schema is the one that this code expects. */
export async function requireCurrentSchema(db: Kysely<Database>): Promise<void> {
  const status = await migrationStatus(db)
  refuseNewer(status)
  if (status.pending.length === 0) return
  throw new EtlError(`The database lacks ${status.pending.length} migration(s): ${status.pending.join(', ')}`, {
    code: 'SCHEMA_BEHIND',
    kind: 'fatal',
    hint: 'Run: npm run etl -- migrate (or set AUTO_MIGRATE=true)',
  })
}

async function selectExecuted(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ present: boolean }>`
    select to_regclass('etl.kysely_migration') is not null as present`.execute(db)
  if (!rows[0]?.present) return []
  const executed = await sql<{ name: string }>`select name from etl.kysely_migration order by name`.execute(db)
  return executed.rows.map((row) => row.name)
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

function refuseNewer({ unknown }: MigrationStatus): void {
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
