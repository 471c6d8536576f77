import { readFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ensureLivePartitions } from '../../src/live/snapshot-partitions.ts'
import { columnsOf, tables, type TableName } from '../../src/model/columns.ts'
import { referenceColumnsOf, referenceNames, referenceTable } from '../../src/model/reference.ts'
import { liveDescriptions } from '../../src/postgres/comments.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { inspectDatabase, inspectSchema } from '../../src/postgres/inspect.ts'
import { migrateUp, migrationStatus } from '../../src/postgres/migrate.ts'
import { REPEATABLE_FOLDERS } from '../../src/postgres/migration-files.ts'
import { selectExposedReaders } from '../../src/postgres/reader-rights.ts'
import { readRepeatables } from '../../src/postgres/views.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { conversation, load, stored } from '../loader/conversations.ts'

// roles belong to the whole server: these get names of their own
const database = await createFileDatabase({ empty: true })
const loaderName = `loader_${database.name}`
const readerName = `reader_${database.name}`
const personalName = `personal_${database.name}`
const ownName = `own_${database.name}`
const script = readFileSync(path.join(import.meta.dirname, '..', '..', 'deploy', 'roles.sql'), 'utf8')
  .replaceAll('genesys_loader', loaderName)
  .replaceAll('genesys_reader', readerName)
  .replaceAll('genesys_personal_reader', personalName)
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

const genesysTables = [
  ...tables.map((name) => `genesys.${name}`),
  ...Object.keys(liveDescriptions).map((name) => `genesys.${name}`),
  ...referenceNames.map(referenceTable),
]

/** The personal columns of a table by the model; none of a view. The table of attributes is personal as a whole. */
function personalColumns(name: string): readonly string[] {
  const bare = name.replace('genesys.', '')
  if (bare === 'participant_attributes') return columnsOf(bare).map((column) => column.name)
  const table = tables.find((each) => each === bare)
  const list = referenceNames.find((each) => referenceTable(each) === name)
  const columns = table ? columnsOf(table) : list ? referenceColumnsOf(list) : []
  // reports name agents, so that every reader sees their names
  const isShownToAll = (column: string): boolean => name === 'genesys.dim_users' && column === 'name'
  return columns.filter((column) => column.personal && !isShownToAll(column.name)).map((column) => column.name)
}

/** Views that show personal values to those who may see them. */
const PERSONAL_VIEWS = [
  'agent_sessions',
  'conversation_timeline',
  'conversations',
  'flows',
  'participant_attributes',
  'timeline',
  'wrap_ups',
]

async function reportingRelations(): Promise<string[]> {
  const repeatables = await readRepeatables(REPEATABLE_FOLDERS)
  return ['reporting.settings', ...repeatables.map(({ name }) => name).filter((name) => /^reporting\.\w+$/.test(name))]
}

beforeAll(async () => {
  // running it twice does no harm
  await administrate(database.url, script)
  await administrate(database.url, script)
  for (const role of [loaderName, readerName, personalName])
    await administrate(database.url, `alter role ${role} password 'test'`)
})
afterAll(async () => {
  await Promise.all(opened.map((warehouse) => warehouse.close()))
  await database.drop()
  await administrate(
    inject('postgres').adminUrl,
    `drop role ${loaderName}; drop role ${readerName}; drop role ${personalName}; drop role if exists ${ownName}`,
  )
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
  const everything = [...genesysTables, ...(await reportingRelations())].sort()
  // of the others it has columns
  const whole = everything.filter((name) => !name.startsWith('genesys.') || personalColumns(name).length === 0)
  expect(await listedTables(readerName)).toEqual(whole)
  expect(await listedTables(personalName)).toEqual(everything)
  await administrate(database.url, script)
  expect(await listedTables(readerName)).toEqual(whole)
  expect(await listedTables(personalName)).toEqual(everything)
  // an earlier version granted on each partition
  await administrate(database.url, `grant select on all tables in schema genesys to ${readerName}, ${personalName}`)
  const { up } = await import('../../migrations/20261126T1110Z-hide-partitions.ts')
  await up(loader.db as never)
  expect(await listedTables(personalName)).toEqual(everything)
  await migrateUp(loader.db)
  expect(await listedTables(readerName)).toEqual(whole)
})

/** Columns of every table and view of both schemas, by relation. */
async function selectColumns(warehouse: Warehouse): Promise<Map<string, string[]>> {
  const { rows } = await warehouse.pool.query<{ name: string; columns: string[] }>(
    `select format('%s.%s', c.relnamespace::regnamespace, c.relname) as name, array_agg(a.attname::text order by a.attnum) as columns
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace::regnamespace::text in ('genesys', 'reporting') and c.relkind in ('r', 'p', 'v') and not c.relispartition
     group by 1 order by 1`,
  )
  return new Map(rows.map(({ name, columns }) => [name, columns]))
}

/** Reads all columns that a role should be able to read, and tries each of the others. */
async function expectReadable(
  role: string,
  relations: ReadonlyMap<string, readonly string[]>,
  hidden: (name: string) => readonly string[],
): Promise<void> {
  const { pool } = as(role)
  for (const [name, columns] of relations) {
    const readable = columns.filter((column) => !hidden(name).includes(column))
    if (readable.length > 0)
      await pool.query(`select ${readable.map((column) => `"${column}"`).join(', ')} from ${name} limit 0`)
    for (const column of hidden(name))
      await expect(pool.query(`select "${column}" from ${name} limit 0`), `${name}.${column}`).rejects.toMatchObject({
        code: '42501',
      })
  }
}

test('each role reads exactly the columns of every table and view that the model gives it', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await administrate(
    database.url,
    `create role ${ownName} login password 'test'; grant usage on schema genesys, reporting to ${ownName};
     grant select on all tables in schema genesys, reporting to ${ownName}`,
  )
  expect(await migrateUp(loader.db), 'nothing is left to do').toEqual([])
  const relations = await selectColumns(loader)
  expect(personalColumns('genesys.dim_users')).toContain('email')
  expect(personalColumns('genesys.segments')).toContain('wrap_up_note')
  expect(personalColumns('genesys.sessions')).toContain('address_from')
  const nothing = () => []
  await expectReadable(readerName, relations, personalColumns)
  await expectReadable(personalName, relations, nothing)
  await expectReadable(ownName, relations, nothing)
})

test('rights that changed since are put right by migrate, and doctor reports a reader that sees too much', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await load(loader, [conversation('may', { conversationStart: '2026-05-05T00:00:00.000Z' })], 1)
  const readers = async () =>
    (await inspectSchema(loader.db, await migrationStatus(loader.db))).filter(({ name }) => name.includes('reader'))
  expect(await readers()).toEqual([])
  // as a migration leaves a table that gets its first personal column, and as one leaves new columns and tables
  await loader.pool.query(`grant select on genesys.sessions, genesys.conversations_2026_05 to ${readerName}`)
  await loader.pool.query(`grant select on genesys.dim_users to public`)
  await loader.pool.query(`revoke select on genesys.live_queues, genesys.flows from ${readerName}`)
  expect(await readers()).toEqual([
    expect.objectContaining({
      name: `schema: reader ${readerName}`,
      verdict: 'warning',
      detail: expect.stringMatching(
        /genesys\.conversations, genesys\.dim_users, genesys\.sessions, although/,
      ) as string,
      fix: expect.stringContaining('from public') as string,
    }),
  ])
  expect(await migrateUp(loader.db)).toEqual([
    `rights of ${readerName}: 4 tables of schema genesys, without personal columns`,
  ])
  expect((await readers()).map(({ detail }) => detail)).toEqual([expect.stringContaining('genesys.dim_users,')])
  await loader.pool.query(`revoke select on genesys.dim_users from public`)
  expect(await readers()).toEqual([])
  expect(await migrateUp(loader.db)).toEqual([])
  await expectReadable(readerName, await selectColumns(loader), personalColumns)
})

test('an installation whose reader sees everything: nothing is taken without roles.sql, and migrate takes it after that', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await loader.pool.query(
    `delete from etl.restricted_readers; grant select on all tables in schema genesys to ${readerName}`,
  )
  const readNote = () => as(readerName).pool.query('select wrap_up_note from genesys.segments limit 0')
  expect(await migrateUp(loader.db)).toEqual([])
  await readNote()
  await administrate(database.url, script)
  await readNote()
  expect(await migrateUp(loader.db)).toEqual([expect.stringContaining(`rights of ${readerName}`)])
  await expect(readNote()).rejects.toMatchObject({ code: '42501' })
  // and it may be a personal reader on purpose
  await administrate(database.url, `delete from etl.restricted_readers; grant ${personalName} to ${readerName}`)
  await administrate(database.url, script)
  expect(await migrateUp(loader.db)).toEqual([])
  await readNote()
  await administrate(database.url, `revoke ${personalName} from ${readerName}`)
  await administrate(database.url, script)
})

test('roles.sql after a migration, by another owner than genesys_loader: the next migrate gives the reader its columns', async () => {
  await using migrated = await createTestDatabase()
  await administrate(migrated.url, script)
  await using owner = connect(migrated.url)
  expect(await migrateUp(owner.db)).toEqual([expect.stringContaining(`rights of ${readerName}`)])
  const url = new URL(migrated.url)
  Object.assign(url, { username: readerName, password: 'test' })
  await using reader = connect(url.href)
  await reader.pool.query('select queue_id from genesys.segments limit 0')
  await reader.pool.query('select * from reporting.wrap_ups limit 0')
  await expect(reader.pool.query('select wrap_up_note from genesys.segments limit 0')).rejects.toMatchObject({
    code: '42501',
  })
})

test('doctor reports the reader of an older release until it is decided what it may see', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await using administrator = connect(database.url)
  class Undo extends Error {}
  const exposed: unknown[] = []
  const work = administrator.db.transaction().execute(async (trx) => {
    const look = async () =>
      exposed.push((await selectExposedReaders(trx)).map(({ role, isRestricted }) => ({ role, isRestricted })))
    await sql`create role genesys_reader; grant usage on schema genesys to genesys_reader`.execute(trx)
    await look()
    await sql`grant select on genesys.sessions to genesys_reader`.execute(trx)
    await look()
    await sql`create role genesys_personal_reader; grant genesys_personal_reader to genesys_reader`.execute(trx)
    await look()
    throw new Undo()
  })
  await expect(work).rejects.toBeInstanceOf(Undo)
  expect(exposed).toEqual([[], [{ role: 'genesys_reader', isRestricted: false }], []])
})

/** Every personal text of this conversation begins with this word. */
const SENTINEL = 'PERSONAL'

/** A conversation with a value in every personal field that the model has. */
function personalConversation() {
  const personalFields = (table: TableName) =>
    Object.fromEntries(
      columnsOf(table)
        .filter(({ personal, api }) => personal && api !== null)
        .map(({ api, type }) => {
          const value = `${SENTINEL}-${api}`
          return [api!, type === 'text[]' ? [value] : type === 'jsonb' ? { name: value } : value]
        }),
    )
  const at = '2026-05-06T10:00:00.000Z'
  const party = (purpose: string, more: object) => ({
    ...personalFields('participants'),
    participantId: purpose,
    purpose,
    ...personalFields('participant_attributes'),
    sessions: [
      {
        ...personalFields('sessions'),
        sessionId: purpose,
        mediaType: 'voice',
        direction: 'inbound',
        flow: { ...personalFields('flows'), flowId: 'f' },
        segments: [
          { ...personalFields('segments'), queueId: 'q', segmentType: 'interact', segmentStart: at, segmentEnd: at },
          {
            ...personalFields('segments'),
            queueId: 'q',
            segmentType: 'wrapup',
            segmentStart: at,
            segmentEnd: at,
            wrapUpCode: 'w',
          },
        ],
        metrics: [
          { name: 'nOffered', value: 1, emitDate: at },
          { name: 'tAcd', value: 400_000, emitDate: at },
          { name: 'tHandle', value: 1000, emitDate: at },
        ],
      },
    ],
    ...more,
  })
  return conversation('sentinels', {
    conversationStart: at,
    conversationEnd: at,
    participants: [party('customer', {}), party('acd', {}), party('agent', { userId: 'u' })],
  })
}

test('no view of the reports shows a personal value to the reader, and the personal reader sees them', async () => {
  const loader = as(loaderName)
  await migrateUp(loader.db)
  await load(loader, [personalConversation()], 5)
  const views = [
    ...(await reportingRelations()),
    `reporting.timeline('sentinels')`,
    `reporting.waits_over(1, '2026-05-01', '2026-06-01')`,
  ]
  const shown = async (role: string) => {
    const { pool } = as(role)
    const found: string[] = []
    for (const view of views) {
      const { rows } = await pool.query<{ row: string }>(`select v::text as row from ${view} v`)
      if (rows.some(({ row }) => row.toUpperCase().includes(SENTINEL))) found.push(view)
    }
    return found
  }
  expect(await shown(readerName)).toEqual([])
  expect(await shown(personalName)).toEqual(
    views.filter((view) => PERSONAL_VIEWS.includes(/\.(\w+)/.exec(view)?.[1] ?? '')),
  )
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
