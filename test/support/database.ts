import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, inject } from 'vitest'

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
  readonly name: string
  drop(): Promise<void>
}

/**
 * A database of its own with the migrated schema, cloned from the run's template. Made in a test file's body or hooks, it
 * is dropped after the file, unless a test failed on a server that outlives the run; then its name is printed. With
 * `await using` it is dropped at the end of the block. `empty`: without any schema. `copyOf`: with everything that another one holds, to which
 * nobody is connected.
 */
export async function createTestDatabase(
  options: { empty?: boolean; copyOf?: TestDatabase } = {},
): Promise<TestDatabase> {
  const { adminUrl, template } = inject('postgres')
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`
  await withAdmin(adminUrl, (admin) =>
    retryWhileBusy(() =>
      admin.query(
        options.empty
          ? `create database ${name} template template0`
          : `create database ${name} template ${options.copyOf?.name ?? template} strategy file_copy`,
      ),
    ),
  )
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  let dropped: Promise<void> | undefined
  const drop = () => (dropped ??= dropDatabase(adminUrl, name))
  return { url: url.href, name, drop, [Symbol.asyncDispose]: drop }
}

/** Registers the file's database for removal after its tests; keeps and names it if one failed on a lasting server. */
export async function createFileDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const database = await createTestDatabase(options)
  // vitest wants the first argument destructured
  // oxlint-disable-next-line no-empty-pattern
  afterAll(async ({}, suite) => {
    if (inject('postgres').keepFailed && hasFailed(suite)) {
      process.stderr.write(`kept the database ${database.name}, since a test of this file failed\n`)
      return
    }
    await database.drop()
  })
  return database
}

function hasFailed(task: { result?: { state?: string } | undefined; tasks?: readonly unknown[] }): boolean {
  if (task.result?.state === 'fail') return true
  return (task.tasks ?? []).some((child) => hasFailed(child as Parameters<typeof hasFailed>[0]))
}

async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  // without FORCE, which would kill connections that are just being closed; so wait for them
  await withAdmin(adminUrl, (admin) => retryWhileBusy(() => admin.query(`drop database if exists ${name}`)))
}

async function retryWhileBusy(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work()
      return
    } catch (error) {
      // 55006: object in use
      if ((error as { code?: string }).code !== '55006' || attempt === 5) throw error
      await sleep(200 * attempt)
    }
  }
}

async function withAdmin(adminUrl: string, work: (admin: Client) => Promise<void>): Promise<void> {
  const admin = new Client({ connectionString: adminUrl })
  admin.on('error', () => {})
  await admin.connect()
  try {
    await work(admin)
  } finally {
    await admin.end()
  }
}
