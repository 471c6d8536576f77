import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { columnsOf, tables } from '../../src/model/columns.ts'
import { model } from '../../src/model/model.ts'
import { referenceColumnsOf, referenceEntity, referenceNames } from '../../src/model/reference.ts'
import { etlDescriptions, liveDescriptions } from '../../src/postgres/comments.ts'
import { connect } from '../../src/postgres/connect.ts'
import { migrateDown, migrateUp, migrationStatus, requireCurrentSchema } from '../../src/postgres/migrate.ts'
import { startEmbeddedPostgres } from '../../src/embedded-postgres/server.ts'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { selectMissingColumns } from '../../src/postgres/missing-columns.ts'
import { hashMigration, migrationHashes, REPEATABLE_FOLDERS } from '../../src/postgres/migration-files.ts'
import { readRepeatables } from '../../src/postgres/views.ts'
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
  '20261126T1100Z-index-runs-and-starts',
  '20261126T1110Z-hide-partitions',
  '20261126T1115Z-create-request-budget',
  '20261126T1120Z-summarize-after-runs',
  '20261126T1400Z-live-snapshot-totals',
  '20261126T1500Z-create-interval-cells',
  '20261126T1510Z-create-rollups',
  '20261126T1520Z-create-reference',
  '20261126T1530Z-create-reconciliations',
  '20261126T1535Z-create-live-today',
  '20261126T1540Z-index-stale-conversations',
  '20261126T1600Z-create-details-jobs',
  '20261126T1610Z-create-unsettled',
  '20261126T1611Z-create-deletions',
  '20261126T1700Z-create-facts',
  '20261126T1701Z-index-conversations-without-facts',
  '20261126T1730Z-create-erasures',
  '20261126T1750Z-record-error-kinds',
  '20261126T1751Z-create-restricted-readers',
  '20261126T2030Z-create-dropped-months',
  '20261126T2040Z-index-failed-runs',
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
  expect(found.filter(({ table }) => !/^(live|dim)_/.test(table))).toEqual(expected)
})

test('the tables of reference data are those of its list: names, order, types, keys and comments', async () => {
  const spelled = (type: string) => type.replace('timestamptz', 'timestamp with time zone')
  const expected = [...referenceNames].sort().flatMap((name) =>
    referenceColumnsOf(name).map((column) => ({
      table: `dim_${name}`,
      name: column.name,
      type: spelled(column.type),
      comment: column.description,
    })),
  )
  const found = (await selectColumns('genesys')).filter(({ table }) => table.startsWith('dim_'))
  expect(found.map(({ table, name, type, comment }) => ({ table, name, type, comment }))).toEqual(expected)
  const { rows: keys } = await sql<{ name: string; key: string; comment: string }>`
    select c.relname as name, pg_get_constraintdef(k.oid) as key, obj_description(c.oid) as comment
    from pg_class c join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    where c.relnamespace = 'genesys'::regnamespace and c.relname ~ '^dim_' order by 1`.execute(warehouse.db)
  expect(keys).toEqual(
    [...referenceNames].sort().map((name) => {
      const { key, description } = referenceEntity(name)
      const columns = [...key, ...(name === 'queue_service_levels' ? ['_valid_from'] : [])]
      return { name: `dim_${name}`, key: `PRIMARY KEY (${columns.join(', ')})`, comment: description }
    }),
  )
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

test('a database that was never migrated is called that; of another one the pending migrations are named', async () => {
  await using empty = await createTestDatabase({ empty: true })
  await using warehouse = connect(empty.url)
  await expect(requireCurrentSchema(warehouse.db)).rejects.toMatchObject({
    code: 'SCHEMA_BEHIND',
    message: 'The database has no schema of genesys-etl yet',
  })
  await migrateUp(warehouse.db)
  const [last] = await migrateDown(warehouse.db)
  await expect(requireCurrentSchema(warehouse.db)).rejects.toMatchObject({
    code: 'SCHEMA_BEHIND',
    message: `The database schema is not up to date; pending: ${last}`,
  })
})

test('migrates an empty database', async () => {
  await using own = await createTestDatabase({ empty: true })
  await using fresh = connect(own.url)
  const repeatables = (await readRepeatables(REPEATABLE_FOLDERS)).map(({ name }) => name)
  expect(await migrateUp(fresh.db)).toEqual([...migrations, ...repeatables, 'comments'])
})

test('refuses a database that a newer version has migrated', async () => {
  await using own = await createTestDatabase()
  await using newer = connect(own.url)
  await sql`insert into etl.kysely_migration (name, timestamp) values ('29991231T0000Z-later', '')`.execute(newer.db)
  for (const attempt of [migrateUp, migrateDown, requireCurrentSchema]) {
    await expect(attempt(newer.db)).rejects.toMatchObject({ code: 'SCHEMA_NEWER', kind: 'fatal' })
  }
})

test('costs a few small queries where nothing is pending, however many partitions there are', async () => {
  await using own = await createTestDatabase()
  await using current = connect(own.url)
  const statements: string[] = []
  const watched = current.db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      statements.push(`${result.rows.length} rows`)
      return result
    },
  })
  expect(await migrateUp(watched)).toEqual([])
  expect(statements.length).toBeLessThan(20)
  // the largest answer is the columns of the tables themselves; Kysely's migrator would ask for those of every partition
  const columns = await sql`
    select from information_schema.columns
    where table_schema in ('genesys', 'etl') or (table_schema, table_name) = ('reporting', 'settings')`.execute(
    current.db,
  )
  expect(Math.max(...statements.map((text) => Number.parseInt(text, 10)))).toBeLessThanOrEqual(columns.rows.length)
})

test('the columns of our tables are looked up by index, so that years of partitions cost nothing', async () => {
  await using own = await createTestDatabase()
  await using current = connect(own.url)
  for (const year of [2022, 2023, 2024]) {
    const months = Array.from({ length: 12 }, (_, month) => `${year}-${String(month + 1).padStart(2, '0')}`)
    await ensureMonths(current, months)
  }
  await sql`analyze`.execute(current.db)
  await current.db.transaction().execute(async (trx) => {
    expect(await selectMissingColumns(trx)).toEqual([])
    const { rows } = await sql<{ table: string; scans: number }>`
      select relname as table, seq_scan::int as scans from pg_stat_xact_sys_tables
      where relname in ('pg_attribute', 'pg_class') and seq_scan > 0`.execute(trx)
    expect(rows).toEqual([])
  })
})

test('failed and running runs of a job, recent runs and a range of conversations have an index', async () => {
  const { rows } = await sql<{ definition: string }>`
    select regexp_replace(indexdef, '^.* ON ', '') as definition from pg_indexes where schemaname = 'etl'`.execute(
    warehouse.db,
  )
  expect(rows.map(({ definition }) => definition)).toEqual(
    expect.arrayContaining([
      'etl.runs USING btree (started_at)',
      "etl.runs USING btree (job) WHERE (status = 'running'::text)",
      "etl.runs USING btree (job, id) WHERE (status = 'failed'::text)",
      'etl.conversations USING btree (conversation_start)',
    ]),
  )
})

test('waits for a loader that holds a lock instead of making others queue, and migrates then', async () => {
  await using own = await createTestDatabase()
  await using one = connect(own.url)
  const undone: string[] = []
  while (undone.at(-1) !== '20261126T1100Z-index-runs-and-starts') undone.push(...(await migrateDown(one.db)))
  const blocker = await one.connectAlone('blocker')
  await blocker.query('begin; lock table etl.conversations in row exclusive mode')
  const migrated = migrateUp(one.db)
  const waiting = `select from pg_stat_activity where datname = current_database() and query like 'create index%conversation_start%'
    and wait_event_type = 'Lock'`
  const isWaiting = async () => (await one.pool.query(waiting)).rowCount === 1
  const patience = { timeout: 40_000 }
  await expect.poll(isWaiting, patience).toBe(true)
  await expect.poll(isWaiting, patience).toBe(false)
  await blocker.query('rollback')
  await blocker.end()
  expect(await migrated).toEqual(expect.arrayContaining(undone))
})

test('undoes a history of many months on a server with few locks', async () => {
  const server = await startEmbeddedPostgres({
    persistent: false,
    settings: {
      shared_buffers: '64MB',
      max_locks_per_transaction: '10',
      max_connections: '15',
      max_worker_processes: '1',
      max_wal_senders: '0',
      autovacuum_worker_slots: '1',
    },
  })
  try {
    await using few = connect(server.url)
    await migrateUp(few.db)
    const months = Array.from({ length: 8 }, (_, i) => new Date(Date.UTC(2020, i, 1)).toISOString().slice(0, 7))
    await ensureMonths(few, months)
    for (const name of [...migrations].reverse()) expect(await migrateDown(few.db)).toEqual([name])
    expect(await selectColumns('genesys')).not.toEqual([])
    const left = await sql`select from pg_class where relname like 'sessions%'`.execute(few.db)
    expect(left.rows).toEqual([])
  } finally {
    await server.stop()
  }
}, 180_000)

test('a column that was dropped is named at the start, with the statement that adds it again', async () => {
  await using own = await createTestDatabase()
  await using changed = connect(own.url)
  await sql`alter table genesys.media_endpoint_stats drop column discarded_packets`.execute(changed.db)
  await sql`alter table etl.runs rename column hint to advice`.execute(changed.db)
  for (const attempt of [migrateUp, requireCurrentSchema]) {
    await expect(attempt(changed.db)).rejects.toMatchObject({
      code: 'SCHEMA_CHANGED',
      message: 'The database lacks the column genesys.media_endpoint_stats.discarded_packets, the column etl.runs.hint',
      hint: expect.stringContaining(
        'alter table genesys.media_endpoint_stats add column discarded_packets bigint;',
      ) as string,
    })
  }
  await sql`drop table etl.rereads`.execute(changed.db)
  await expect(requireCurrentSchema(changed.db)).rejects.toThrow('the table etl.rereads')
})

test('refuses a database whose encoding is not UTF-8, before anything is created', async () => {
  await using own = await createTestDatabase()
  const name = `${own.name}_latin1`
  await sql.raw(`create database ${name} encoding latin1 locale 'C' template template0`).execute(warehouse.db)
  try {
    const url = new URL(own.url)
    url.pathname = `/${name}`
    await using latin = connect(url.href)
    for (const attempt of [migrateUp, requireCurrentSchema]) {
      await expect(attempt(latin.db)).rejects.toMatchObject({
        code: 'DATABASE_ENCODING',
        kind: 'config',
        message: expect.stringContaining('LATIN1') as string,
      })
    }
  } finally {
    await sql.raw(`drop database ${name}`).execute(warehouse.db)
  }
})

test('a migration that was edited after it was executed is found', async () => {
  await using own = await createTestDatabase()
  await using edited = connect(own.url)
  await requireCurrentSchema(edited.db)
  await sql`update etl.meta set value = jsonb_set(value, array[${migrations[0]}], '"another"') where key = 'migrations'`.execute(
    edited.db,
  )
  for (const attempt of [migrateUp, requireCurrentSchema]) {
    await expect(attempt(edited.db)).rejects.toMatchObject({
      code: 'SCHEMA_EDITED',
      message: expect.stringContaining(migrations[0]!) as string,
    })
  }
})

test('the hash of a migration covers what it executes', async () => {
  const running = (text: string) => hashMigration({ up: async (db) => void (await sql.raw(text).execute(db)) })
  expect(await running('select 1')).toBe(await running('select 1'))
  expect(await running('select 1')).not.toBe(await running('select 2'))
  expect(new Set((await migrationHashes()).values()).size).toBe(migrations.length)
})

test('a view whose text has changed is pending until it is applied, without any migration', async () => {
  await using own = await createTestDatabase()
  await using stale = connect(own.url)
  const outdate = sql`
    update etl.meta set value = value || '{"reporting.conversations_daily": "older"}' where key = 'views'`
  await outdate.execute(stale.db)
  await expect(requireCurrentSchema(stale.db)).rejects.toMatchObject({
    code: 'SCHEMA_BEHIND',
    message: expect.stringContaining('reporting.conversations_daily') as string,
  })
  expect(await migrateUp(stale.db)).toEqual(['reporting.conversations_daily'])
  await requireCurrentSchema(stale.db)
})

test.each(['up', 'down'] as const)(
  'migrating %s waits for a long query of a report instead of making others queue behind it',
  async (direction) => {
    await using own = await createTestDatabase()
    await using stale = connect(own.url)
    await sql`
      update etl.meta set value = value || '{"reporting.conversations_daily": "older"}' where key = 'views'`.execute(
      stale.db,
    )
    const report = await stale.connectAlone('report')
    await report.query('begin; select from reporting.conversations_daily')
    const migrated = direction === 'up' ? migrateUp(stale.db) : migrateDown(stale.db)
    const isWaiting = async () => {
      const { rows } = await sql`
        select from pg_locks where not granted and relation = 'reporting.conversations_daily'::regclass
          and database = (select oid from pg_database where datname = current_database())`.execute(stale.db)
      return rows.length > 0
    }
    const patience = { timeout: 40_000 }
    await expect.poll(isWaiting, patience).toBe(true)
    await expect.poll(isWaiting, patience).toBe(false)
    await sql`select from reporting.conversations_daily`.execute(stale.db)
    await report.query('rollback')
    await report.end()
    expect(await migrated).toEqual([direction === 'up' ? 'reporting.conversations_daily' : migrations.at(-1)])
  },
)
