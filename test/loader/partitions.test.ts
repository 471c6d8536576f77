import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { tables } from '../../src/model/columns.ts'
import { connect } from '../../src/postgres/connect.ts'
import { ensureMonths, ensurePartitions, summarizeMonths } from '../../src/loader/partitions.ts'
import { LockKey } from '../../src/postgres/lock-keys.ts'
import { createFileDatabase } from '../support/database.ts'
import { conversation, load, stored } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

async function selectMonths(): Promise<string[]> {
  const { rows } = await sql<{ month: string; tables: number }>`
    select right(c.relname, 7) as month, count(*) as tables from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where c.relnamespace = 'genesys'::regnamespace and c.relkind = 'r' group by 1 order by 1`.execute(warehouse.db)
  expect(rows.every((row) => row.tables === tables.length)).toBe(true)
  return rows.map(({ month }) => month)
}

test('makes the partitions of every month that a window touches, with the indexes of their table', async () => {
  await ensurePartitions(warehouse, {
    start: new Date('2025-11-30T23:59:59.999Z'),
    end: new Date('2026-01-01T00:00:00Z'),
  })
  expect(await selectMonths()).toEqual(['2025_11', '2025_12'])
  const { rows } = await sql`
    select count(*) as indexes from pg_index i where i.indrelid = 'genesys.conversations_2025_11'::regclass
      and exists (select from pg_inherits h where h.inhrelid = i.indexrelid)`.execute(warehouse.db)
  expect(rows).toEqual([{ indexes: 3 }])
})

test('several processes may make the same month at once', async () => {
  const others = Array.from({ length: 6 }, () => connect(database.url))
  await Promise.all(others.map((other) => ensureMonths(other, ['2024-01', '2024-02'])))
  await Promise.all(others.map((other) => other.close()))
  expect(await selectMonths()).toEqual(expect.arrayContaining(['2024_01', '2024_02']))
})

test('makes a partition while a reader and a writer of the table keep their transactions open', async () => {
  const reader = await warehouse.connectAlone('reader')
  const writer = await warehouse.connectAlone('writer')
  try {
    await load(warehouse, [conversation('held')], 1)
    await reader.query('begin; select * from genesys.conversations')
    await writer.query('begin; delete from genesys.sessions')
    const later = conversation('new', { conversationStart: '2026-08-01T00:00:00.000Z' })
    await expect(load(warehouse, [later], 1)).resolves.toMatchObject({ inserted: 1 })
    expect(await selectMonths()).toContain('2026_08')
  } finally {
    await Promise.all([reader.end(), writer.end()])
  }
})

test('recreates partitions that were dropped without its knowledge', async () => {
  const raw = conversation('dropped', { conversationStart: '2023-02-01T00:00:00.000Z' })
  await load(warehouse, [raw], 1)
  await sql.raw(tables.map((table) => `drop table genesys.${table}_2023_02`).join(';')).execute(warehouse.db)
  const again = { ...raw, externalTag: 'again' }
  await expect(load(warehouse, [again], 2)).resolves.toMatchObject({ changed: 1 })
  expect(await stored(warehouse, 'dropped')).toMatchObject({ externalTag: 'again' })
})

test('windows that are loaded at once wait for one maker of their month', async () => {
  const holder = await warehouse.connectAlone('holder')
  await using loader = connect(database.url)
  try {
    await holder.query(`select pg_advisory_lock(${LockKey.partitions})`)
    const making = Promise.all(Array.from({ length: 5 }, () => ensureMonths(loader, ['2021-01'])))
    const waiting = `select count(*)::integer as waiting from pg_locks where locktype = 'advisory' and not granted
      and database = (select oid from pg_database where datname = current_database())`
    const count = async () => (await holder.query<{ waiting: number }>(waiting)).rows[0]?.waiting
    await expect.poll(count, { timeout: 10_000 }).toBe(1)
    await holder.query('select pg_advisory_unlock_all()')
    await making
  } finally {
    await holder.end()
  }
  expect(await selectMonths()).toContain('2021_01')
})

test('a process that starts finds the months that are there without waiting for a maker', async () => {
  await ensureMonths(warehouse, ['2021-02'])
  const holder = await warehouse.connectAlone('holder')
  await using other = connect(database.url)
  try {
    await holder.query(`select pg_advisory_lock(${LockKey.partitions})`)
    await ensureMonths(other, ['2021-02'])
  } finally {
    await holder.end()
  }
})

test('a month that could not be made is tried again', async () => {
  await sql`create table genesys.flows_2021_03 ()`.execute(warehouse.db)
  await expect(ensureMonths(warehouse, ['2021-03'])).rejects.toMatchObject({ code: 'PARTITION_DETACHED' })
  await sql`drop table genesys.flows_2021_03`.execute(warehouse.db)
  await ensureMonths(warehouse, ['2021-03'])
  expect(await selectMonths()).toContain('2021_03')
})

/** Heap blocks of a month's session_metrics that a query of one day reads through the BRIN index. */
async function blocksOfDay(day: string): Promise<number> {
  return await warehouse.db.transaction().execute(async (trx) => {
    await sql`set local enable_seqscan = off`.execute(trx)
    await sql`set local enable_indexscan = off`.execute(trx)
    await sql`set local enable_indexonlyscan = off`.execute(trx)
    const { rows } = await sql<{ 'QUERY PLAN': unknown }>`
      explain (analyze, buffers, format json) select * from genesys.session_metrics
      where conversation_start >= ${sql.lit(`${day}T00:00:00Z`)}::timestamptz
        and conversation_start < ${sql.lit(`${day}T00:00:00Z`)}::timestamptz + interval '1 day'`.execute(trx)
    const found = /"Lossy Heap Blocks": (\d+)/.exec(JSON.stringify(rows[0]?.['QUERY PLAN'], null, 1))
    return Number(found?.[1] ?? Number.NaN)
  })
}

test('once the month is summarized, the query of a day skips the blocks of the other days', async () => {
  await ensureMonths(warehouse, ['2021-04'])
  await sql`
    insert into genesys.session_metrics (conversation_id, conversation_start, _index, _session_index, name)
    select 'c' || n, timestamptz '2021-04-01T00:00:00Z' + n * interval '40 seconds', 0, 0, 'tHandle'
    from generate_series(1, 60000) n`.execute(warehouse.db)
  const before = await blocksOfDay('2021-04-10')
  await summarizeMonths(warehouse.db, ['2021-04'])
  const after = await blocksOfDay('2021-04-10')
  expect(before).toBeGreaterThan(300)
  expect(after).toBeLessThan(before / 5)
})

test('the BRIN indexes of partitions are left to the end of a run: autosummarize floods the log of the server', async () => {
  await ensureMonths(warehouse, ['2021-05'])
  const { rows } = await sql<{ on: number; brin: number }>`
    select count(*) as brin, count(*) filter (where x.reloptions @> '{autosummarize=on}') as on
    from pg_class x join pg_am a on a.oid = x.relam
    where a.amname = 'brin' and x.relkind = 'i' and x.relnamespace = 'genesys'::regnamespace`.execute(warehouse.db)
  expect(rows[0]?.brin).toBeGreaterThanOrEqual(tables.length)
  expect(rows[0]?.on).toBe(0)
})

test('fails with a named error when partitions have been detached (last, for it leaves a table behind)', async () => {
  await ensureMonths(warehouse, ['2022-01'])
  await sql`alter table genesys.flows detach partition genesys.flows_2022_01`.execute(warehouse.db)
  await using other = connect(database.url)
  await expect(ensureMonths(other, ['2022-01'])).rejects.toMatchObject({ code: 'PARTITION_DETACHED', kind: 'fatal' })
})
