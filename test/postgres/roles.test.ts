import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ensureLivePartitions } from '../../src/live/snapshot-partitions.ts'
import { tables } from '../../src/model/columns.ts'
import { liveDescriptions } from '../../src/postgres/comments.ts'
import { referenceNames, referenceTable } from '../../src/model/reference.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { inspectDatabase } from '../../src/postgres/inspect.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'
import { REPEATABLE_FOLDERS } from '../../src/postgres/migration-files.ts'
import { readRepeatables } from '../../src/postgres/views.ts'
import { createFileDatabase } from '../support/database.ts'
import { conversation, load, stored } from '../loader/conversations.ts'

// roles belong to the whole server: these get names of their own
const database = await createFileDatabase({ empty: true })
const loaderName = `loader_${database.name}`
const readerName = `reader_${database.name}`
const script = readFileSync(path.join(import.meta.dirname, '..', '..', 'deploy', 'roles.sql'), 'utf8')
  .replaceAll('genesys_loader', loaderName)
  .replaceAll('genesys_reader', readerName)
const opened: Warehouse[] = []

function as(role: string): Warehouse {
  const url = new URL(database.url)
  url.username = role
  url.password = 'test'
  const warehouse = connect(url.href)
  opened.push(warehouse)
  return warehouse
}

async function administrate(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

beforeAll(async () => {
  // running it twice does no harm
  await administrate(database.url, script)
  await administrate(database.url, script)
  await administrate(database.url, `alter role ${loaderName} password 'test'; alter role ${readerName} password 'test'`)
})
afterAll(async () => {
  await Promise.all(opened.map((warehouse) => warehouse.close()))
  await database.drop()
  await administrate(inject('postgres').adminUrl, `drop role ${loaderName}; drop role ${readerName}`)
})

test('the loader migrates, makes partitions and loads without further rights', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await load(loader, [conversation('a')], 1)
  await load(loader, [conversation('a', { externalTag: 'x' })], 2)
  expect(await stored(loader, 'a')).toMatchObject({ externalTag: 'x' })
  expect((await inspectDatabase(loader)).filter(({ verdict }) => verdict !== 'ok')).toEqual([])
})

/** What tools that list the tables of a role show. */
async function listedTables(role: string): Promise<unknown> {
  const { rows } = await as(role).pool.query<{ name: string }>(
    `select distinct table_schema || '.' || table_name as name from information_schema.table_privileges
     where grantee = '${role}' order by 1`,
  )
  return rows.map(({ name }) => name)
}

test('the reader sees tables and views, but no partitions, whether they were created before, or an administrator grants again', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await load(loader, [conversation('early', { conversationStart: '2026-01-05T00:00:00.000Z' })], 1)
  await ensureLivePartitions(loader, new Date('2026-01-05T00:00:00Z'))
  const expected = [
    ...tables.map((name) => `genesys.${name}`),
    ...Object.keys(liveDescriptions).map((name) => `genesys.${name}`),
    ...referenceNames.map(referenceTable),
    'reporting.settings',
    ...(await readRepeatables(REPEATABLE_FOLDERS))
      .map(({ name }) => name)
      .filter((name) => /^reporting\.\w+$/.test(name)),
  ].sort()
  expect(await listedTables(readerName)).toEqual(expected)
  await administrate(database.url, script)
  expect(await listedTables(readerName)).toEqual(expected)
  // an earlier version granted on each partition
  await administrate(database.url, `grant select on all tables in schema genesys to ${readerName}`)
  const { up } = await import('../../migrations/20261126T1110Z-hide-partitions.ts')
  await up(loader.db as never)
  expect(await listedTables(readerName)).toEqual(expected)
})

test('the reader reads genesys and reporting, partitions that came later included, and nothing else', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await load(loader, [conversation('later', { conversationStart: '2026-02-01T00:00:00.000Z' })], 1)
  const { pool } = as(readerName)
  expect((await pool.query("select 1 from genesys.conversations where conversation_id = 'later'")).rowCount).toBe(1)
  expect((await pool.query('select * from reporting.conversations_daily')).rowCount).toBeGreaterThan(0)
  for (const forbidden of [
    'select * from etl.runs',
    'select * from genesys.conversations_2026_02',
    'delete from genesys.conversations',
    'create table genesys.mine ()',
    'create table reporting.mine ()',
    'drop view reporting.conversations_daily',
  ]) {
    await expect(pool.query(forbidden)).rejects.toMatchObject({ code: '42501' })
  }
})

test('doctor names the right that a user lacks, with the statement that grants it', async () => {
  const findings = await inspectDatabase(as(readerName))
  const rights = findings.find(({ name }) => name === 'rights')
  expect(rights).toMatchObject({
    verdict: 'failed',
    fix: expect.stringContaining('grant create on database') as string,
  })
  expect(rights?.fix).toContain(`the user that owns them (${loaderName})`)
})
