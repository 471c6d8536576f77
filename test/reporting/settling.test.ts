/** The list of conversations that may still change, of what was stored before loads kept it. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { migrateDown, migrateUp } from '../../src/postgres/migrate.ts'
import { deriveDue } from '../../src/reporting/walk.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { conversation } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseBeforeCells } from '../support/history-before-cells.ts'
import { recomputeUnsettled, selectUnsettled } from '../support/unsettled.ts'

const logger = createLogger('silent')
const signal = new AbortController().signal
const due = (warehouse: Warehouse, budgetMs?: number) =>
  deriveDue({ warehouse, logger }, { ...(budgetMs !== undefined && { budgetMs }) }, signal)

const HOUR_MS = 3_600_000
const FIRST = Date.UTC(2026, 1, 20)

/** Conversations over three weeks of two months, a tenth of them open, and all read within ten days of their end. */
function conversations(number: number): { raw: JsonObject; fetchedAt: string }[] {
  return Array.from({ length: number }, (_, index) => {
    const fraction = (name: string): number => hashFraction(`settling/${name}/${index}`)
    const start = FIRST + fraction('start') * 21 * 24 * HOUR_MS
    const end = start + fraction('duration') * 30 * HOUR_MS
    const raw = conversation(`c${index}`, {
      conversationStart: new Date(start).toISOString(),
      ...(fraction('open') > 0.1 && { conversationEnd: new Date(end).toISOString() }),
    })
    return { raw, fetchedAt: new Date(end + fraction('read') * 240 * HOUR_MS).toISOString() }
  })
}

async function loadAll(warehouse: Warehouse, all: readonly { raw: JsonObject; fetchedAt: string }[]): Promise<void> {
  const records = all.map(({ raw, fetchedAt }) => ({ conversation: raw, fetchedAt }))
  await loadBatch(warehouse, records, { source: 'query', runId: 1, deliversAttributes: false })
}

async function position(warehouse: Warehouse): Promise<unknown> {
  const { rows } = await sql`select position_start::text as start, settle_days from etl.settling`.execute(warehouse.db)
  return rows[0]
}

async function expectFilled(warehouse: Warehouse): Promise<void> {
  const expected = await recomputeUnsettled(warehouse)
  expect(expected.length).toBeGreaterThan(0)
  expect(await selectUnsettled(warehouse)).toEqual(expected)
}

test('a database of an earlier release is filled, and a new one has nothing to fill', async () => {
  const all = conversations(200)
  await using database = await databaseBeforeCells(
    all.map(({ raw }) => raw),
    '2026-03-12T00:00:00Z',
  )
  await using warehouse = connect(database.url)
  await migrateUp(warehouse.db)
  expect(await position(warehouse)).toEqual({ start: 'infinity', settle_days: 4 })
  expect(await selectUnsettled(warehouse)).toEqual([])
  expect(await due(warehouse)).toMatchObject({ isComplete: true })
  await expectFilled(warehouse)
  expect(await position(warehouse)).toEqual({ start: null, settle_days: 4 })
  await using empty = await createTestDatabase()
  await using fresh = connect(empty.url)
  expect(await position(fresh)).toEqual({ start: null, settle_days: 4 })
})

test('a walk that was interrupted goes on, loads meanwhile included, and writes only what is wrong', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await loadAll(warehouse, conversations(300))
  await sql`delete from etl.unsettled where hashtext(conversation_id) % 2 = 0`.execute(warehouse.db)
  await sql`update etl.settling set position_start = 'infinity'`.execute(warehouse.db)
  // no time at all
  expect(await due(warehouse, 0)).toMatchObject({ isComplete: false })
  expect(await position(warehouse)).toMatchObject({ start: 'infinity' })
  await sql`update etl.settling set position_start = '2026-03-05T00:00Z', position_id = ''`.execute(warehouse.db)
  const rows = () =>
    sql<{ id: string; xmin: string }>`select conversation_id as id, xmin::text from etl.unsettled`.execute(warehouse.db)
  const before = new Map((await rows()).rows.map(({ id, xmin }) => [id, xmin]))
  expect(await due(warehouse)).toMatchObject({ isComplete: true })
  // what starts later was passed before
  const { rows: older } = await sql`
    select from etl.unsettled where conversation_start < '2026-03-05' and not conversation_id = any(${[...before.keys()]}::text[])`.execute(
    warehouse.db,
  )
  expect(older.length).toBeGreaterThan(0)
  const after = await rows()
  expect(after.rows.filter(({ id, xmin }) => before.has(id) && before.get(id) !== xmin)).toEqual([])
  await loadAll(
    warehouse,
    conversations(300).map(({ raw }) => ({ raw, fetchedAt: '2026-03-25T00:00:00Z' })),
  )
  await expectFilled(warehouse)
})

test('settle_days is followed at once by the status, and by the list after the next pass, in both directions', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await loadAll(warehouse, conversations(300))
  const countFinal = async (): Promise<number> => {
    const { rows } = await sql<{ final: number }>`
      select count(*)::integer as final from reporting.conversation_status where is_final`.execute(warehouse.db)
    return rows[0]!.final
  }
  let before = await countFinal()
  for (const days of [8, 2, 4]) {
    await sql`update reporting.settings set settle_days = ${days}`.execute(warehouse.db)
    const finals = await countFinal()
    expect(finals).not.toBe(before)
    before = finals
    expect(await due(warehouse)).toMatchObject({ isComplete: true })
    await expectFilled(warehouse)
    expect(await selectUnsettled(warehouse)).toHaveLength(300 - finals)
  }
})

test('a change of settle_days waits for the load that has read the old value', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await loadAll(warehouse, conversations(50))
  const loader = await warehouse.connectAlone('loader')
  await loader.query(`begin; delete from etl.unsettled where conversation_id = 'none'`)
  await sql`update reporting.settings set settle_days = 9`.execute(warehouse.db)
  const passing = due(warehouse)
  const waiting = async (): Promise<number> => {
    const { rows } = await sql`
      select from pg_locks where not granted and relation = 'etl.unsettled'::regclass
        and database = (select oid from pg_database where datname = current_database())`.execute(warehouse.db)
    return rows.length
  }
  await expect.poll(waiting).toBe(1)
  expect(await position(warehouse)).toMatchObject({ settle_days: 4 })
  await loader.query('commit')
  await loader.end()
  expect(await passing).toMatchObject({ isComplete: true })
  await expectFilled(warehouse)
})

test('conversations that are known no more leave the list at the end of a walk', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await loadAll(warehouse, conversations(20))
  await sql`insert into etl.unsettled values ('erased', '2026-03-01', null, null)`.execute(warehouse.db)
  // a month that was dropped: only etl.conversations has it
  await sql`delete from genesys.conversations where conversation_start < '2026-03-01'`.execute(warehouse.db)
  await sql`update etl.settling set position_start = 'infinity'`.execute(warehouse.db)
  await due(warehouse)
  await expectFilled(warehouse)
})

test('down and up again leave the conversations as they were', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await loadAll(warehouse, conversations(20))
  const expected = await selectUnsettled(warehouse)
  for (;;) if ((await migrateDown(warehouse.db)).includes('20261126T1610Z-create-unsettled')) break
  await migrateUp(warehouse.db)
  await due(warehouse)
  expect(await selectUnsettled(warehouse)).toEqual(expected)
})
