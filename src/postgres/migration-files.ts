import { createHash } from 'node:crypto'
import { promises as fs } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type KyselyConfig,
} from 'kysely'
import { FileMigrationProvider, type Migration } from 'kysely/migration'

const MIGRATIONS_FOLDER = path.join(import.meta.dirname, '..', '..', 'migrations')

/** Where the files of functions and views are, in the order in which they are applied. */
export const REPEATABLE_FOLDERS = ['functions', 'views'].map((folder) => path.join(MIGRATIONS_FOLDER, folder))

/** Reads the migrations of this version from their folder. */
export const migrationFiles = new FileMigrationProvider({
  fs,
  path,
  migrationFolder: MIGRATIONS_FOLDER,
  import: (file) => import(pathToFileURL(file).href),
})

/**
 * A hash of what a migration executes, not of its file: that is TypeScript in a checkout and JavaScript in the package, and comments
 * may change.
 */
export async function hashMigration(migration: Migration): Promise<string> {
  const statements: unknown[] = []
  const config: KyselyConfig = {
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
    log: ({ query }) => void statements.push([query.sql, query.parameters]),
  }
  await migration.up(new Kysely<unknown>(config))
  return createHash('sha256').update(JSON.stringify(statements)).digest('hex')
}

let hashes: Promise<ReadonlyMap<string, string>> | undefined

/** The hashes of all migrations of this version, by name; computed once per process. */
export function migrationHashes(): Promise<ReadonlyMap<string, string>> {
  return (hashes ??= computeHashes())
}

async function computeHashes(): Promise<ReadonlyMap<string, string>> {
  const migrations = Object.entries(await migrationFiles.getMigrations())
  return new Map(
    await Promise.all(migrations.map(async ([name, migration]) => [name, await hashMigration(migration)] as const)),
  )
}
