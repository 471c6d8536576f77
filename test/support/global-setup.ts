import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { connect } from '../../src/postgres/connect.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded-postgres/server.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server that test databases are made on, and the migrated database that they are cloned from. */
    postgres: { readonly adminUrl: string; readonly template: string; readonly keepFailed: boolean }
    /** Folder in which processes of the command line keep their compiled code for the next one: it halves the time that one takes to start. */
    compileCache: string
  }
}

/**
 * Starts one Postgres for the whole run (or takes the server of TEST_DATABASE_URL, whose user must be allowed to create
 * databases) and migrates one database there, which every test file clones.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['TEST_DATABASE_URL']
  const embedded = given === undefined ? await startInMemory() : undefined
  const adminUrl = given ?? embedded?.url ?? ''
  const template = `genesys_etl_template_${randomBytes(6).toString('hex')}`
  const compileCache = mkdtempSync(path.join(tmpdir(), 'genesys-etl-compiled-'))
  const stop = async () => {
    rmSync(compileCache, { recursive: true, force: true })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, onSignal)
    if (given !== undefined) await dropTemplate(adminUrl, template)
    await embedded?.stop()
  }
  const onSignal = (signal: NodeJS.Signals) => {
    void stop().finally(() => process.kill(process.pid, signal))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  await createTemplate(adminUrl, template)
  project.provide('compileCache', compileCache)
  project.provide('postgres', { adminUrl, template, keepFailed: given !== undefined })
  return stop
}

/** What the databases of a run take at most, and room for more. */
const MEMORY_NEEDED = 4 * 2 ** 30

/**
 * Starts the server with its data in memory, where the system offers such a folder and it is large enough: creating a database there
 * takes a tenth of the time, and a run creates hundreds.
 */
async function startInMemory(): Promise<EmbeddedPostgres> {
  const before = process.env['TMPDIR']
  if (freeBytes('/dev/shm') >= MEMORY_NEEDED) process.env['TMPDIR'] = '/dev/shm'
  try {
    return await startEmbeddedPostgres({ persistent: false })
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return 0
  }
}

async function createTemplate(adminUrl: string, template: string): Promise<void> {
  await withAdmin(adminUrl, (admin) => admin.query(`create database ${template}`))
  const url = new URL(adminUrl)
  url.pathname = `/${template}`
  const warehouse = connect(url.href)
  try {
    await migrateUp(warehouse.db)
  } finally {
    await warehouse.close()
  }
  // nothing may be connected to a database that is cloned, autovacuum included
  await withAdmin(adminUrl, (admin) => admin.query(`alter database ${template} allow_connections false`))
}

async function dropTemplate(adminUrl: string, template: string): Promise<void> {
  await withAdmin(adminUrl, (admin) => admin.query(`drop database if exists ${template}`))
}

async function withAdmin(adminUrl: string, work: (admin: Client) => Promise<unknown>): Promise<void> {
  const admin = new Client({ connectionString: adminUrl })
  admin.on('error', () => {})
  await admin.connect().catch((cause: unknown) => {
    throw new Error('Tests need the Postgres of TEST_DATABASE_URL; unset it to let them start one of their own', {
      cause,
    })
  })
  try {
    await work(admin)
  } finally {
    await admin.end()
  }
}
