import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { tables } from '../../src/model/columns.ts'
import { connect } from '../../src/postgres/connect.ts'
import { ensureMonths, ensurePartitions } from '../../src/loader/partitions.ts'
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

test('makes partitions anew that were dropped behind its back', async () => {
  const raw = conversation('dropped', { conversationStart: '2023-02-01T00:00:00.000Z' })
  await load(warehouse, [raw], 1)
  await sql.raw(tables.map((table) => `drop table genesys.${table}_2023_02`).join(';')).execute(warehouse.db)
  const again = { ...raw, externalTag: 'again' }
  await expect(load(warehouse, [again], 2)).resolves.toMatchObject({ changed: 1 })
  expect(await stored(warehouse, 'dropped')).toMatchObject({ externalTag: 'again' })
})

test('says so when partitions have been detached', async () => {
  await ensureMonths(warehouse, ['2022-01'])
  await sql`alter table genesys.flows detach partition genesys.flows_2022_01`.execute(warehouse.db)
  await using other = connect(database.url)
  await expect(ensureMonths(other, ['2022-01'])).rejects.toMatchObject({ code: 'PARTITION_DETACHED', kind: 'fatal' })
})
