import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, tables } from '../../src/model/columns.ts'
import { model } from '../../src/model/model.ts'
import { etlDescriptions, liveDescriptions } from '../../src/postgres/comments.ts'
import { connect } from '../../src/postgres/connect.ts'
import { migrateDown, migrateUp, migrationStatus, requireCurrentSchema } from '../../src/postgres/migrate.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

const migrations = [
  '20261122T1600Z-create-history',
  '20261122T1700Z-create-live',
  '20261122T1800Z-live-agents',
  '20261126T0900Z-create-rereads',
  '20261126T1000Z-record-filled-columns',
  '20261126T1100Z-create-request-budget',
]

interface ColumnRow {
  table: string
  name: string
  type: string
  required: boolean
  comment: string | null
}

async function selectColumns(schema: string): Promise<ColumnRow[]> {
  const { rows } = await sql<ColumnRow>`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
      col_description(c.oid, a.attnum) as comment
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${schema} and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
      and c.relname !~ '^kysely'
    order by c.relname, a.attnum`.execute(warehouse.db)
  return rows
}

test('the migrated schema is the model: names, order, types, nullability and comments', async () => {
  const spelled = (type: string) => type.replace('timestamptz', 'timestamp with time zone')
  const required = /^(conversation_id|conversation_start|_index|_participant_index|_session_index|_loaded_at|_source)$/
  const expected = tables
    .flatMap((table) =>
      columnsOf(table).map(({ name, type, description }) => ({
        table: table as string,
        name,
        type: spelled(type),
        required: required.test(name),
        comment: description || null,
      })),
    )
    .sort((a, b) => (a.table < b.table ? -1 : a.table > b.table ? 1 : 0))
  const found = await selectColumns('genesys')
  expect(found.filter(({ table }) => !table.startsWith('live_'))).toEqual(expected)
})

test('the live tables and their columns have their descriptions', async () => {
  const found = (await selectColumns('genesys')).filter(({ table }) => table.startsWith('live_'))
  const expected = Object.entries(liveDescriptions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([table, { columns }]) => Object.entries(columns).map(([name, comment]) => ({ table, name, comment })))
  expect(found.map(({ table, name, comment }) => ({ table, name, comment }))).toEqual(expected)
})

test('every table is partitioned by conversation_start and keyed as the design says', async () => {
  const { rows } = await sql<{ name: string; partitioning: string; key: string; comment: string }>`
    select c.relname as name, pg_get_partkeydef(c.oid) as partitioning, pg_get_constraintdef(k.oid) as key,
      obj_description(c.oid) as comment
    from pg_class c join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    where c.relnamespace = 'genesys'::regnamespace and c.relkind = 'p' and c.relname !~ '^live_' order by 1`.execute(
    warehouse.db,
  )
  expect(rows).toEqual(
    [...tables].sort().map((name) => ({
      name,
      partitioning: 'RANGE (conversation_start)',
      key: `PRIMARY KEY (conversation_id, conversation_start${name === 'conversations' ? '' : ', _index'})`,
      comment: model[name].description || null,
    })),
  )
})

test('every table and column of schema etl has its description', async () => {
  const found = (await selectColumns('etl')).map(({ table, name, comment }) => ({ table, name, comment }))
  const expected = Object.entries(etlDescriptions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([table, { columns }]) => Object.entries(columns).map(([name, comment]) => ({ table, name, comment })))
  expect(found).toEqual(expected)
})

test('goes down and up again, by several processes at once', async () => {
  await using own = await createTestDatabase()
  await using first = connect(own.url)
  await using second = connect(own.url)
  for (const name of [...migrations].reverse()) expect(await migrateDown(first.db)).toEqual([name])
  expect(await migrationStatus(first.db)).toEqual(migrations.map((name) => ({ name, executedAt: null, known: true })))
  await expect(requireCurrentSchema(first.db)).rejects.toMatchObject({ code: 'SCHEMA_BEHIND' })
  await Promise.all([migrateUp(first.db), migrateUp(second.db), migrateUp(first.db)])
  await requireCurrentSchema(second.db)
  expect(await migrateUp(second.db)).toEqual([])
  const { rows } = await sql`select * from reporting.conversations_daily`.execute(second.db)
  expect(rows).toEqual([])
})

test('migrates an empty database', async () => {
  await using own = await createTestDatabase({ empty: true })
  await using fresh = connect(own.url)
  expect(await migrateUp(fresh.db)).toEqual([...migrations, 'reporting.conversations_daily', 'comments'])
})

test('refuses a database that a newer version has migrated', async () => {
  await using own = await createTestDatabase()
  await using newer = connect(own.url)
  await sql`insert into etl.kysely_migration (name, timestamp) values ('29991231T0000Z-later', '')`.execute(newer.db)
  for (const attempt of [migrateUp, migrateDown, requireCurrentSchema]) {
    await expect(attempt(newer.db)).rejects.toMatchObject({ code: 'SCHEMA_NEWER', kind: 'fatal' })
  }
})
