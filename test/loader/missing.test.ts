/** Conversations that Genesys has no more, and what has left the tables. */
import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { tables } from '../../src/model/columns.ts'
import { createLogger } from '../../src/log.ts'
import { markMissing } from '../../src/loader/missing.ts'
import { connect } from '../../src/postgres/connect.ts'
import { deriveRange } from '../../src/reporting/derive-range.ts'
import { call } from '../support/calls.ts'
import { DERIVED_TABLES, expectDerived, selectCells } from '../support/derived.ts'
import { createFileDatabase } from '../support/database.ts'
import { selectUnsettled } from '../support/unsettled.ts'
import { conversation, instant, load, stored, withAttributes } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
beforeEach(async () => {
  const all = [...tables.map((table) => `genesys.${table}`), ...DERIVED_TABLES].join(', ')
  await sql
    .raw(`truncate ${all}, etl.conversations, etl.unsettled, etl.deletions, etl.dirty_hours`)
    .execute(warehouse.db)
})

const start = '2026-03-05T10:00:00.000Z'
const mark = (ids: readonly string[], seconds: number) => markMissing(warehouse.db, ids, new Date(instant(seconds)))

async function marks(): Promise<Record<string, string | null>> {
  const { rows } = await sql<{ id: string; since: Date | null }>`
    select conversation_id as id, _missing_since as since from genesys.conversations order by 1`.execute(warehouse.db)
  return Object.fromEntries(rows.map(({ id, since }) => [id, since?.toISOString() ?? null]))
}

async function deletions(): Promise<{ conversation_id: string; reason: string; start: string }[]> {
  const { rows } = await sql<{ conversation_id: string; reason: string; start: string }>`
    select conversation_id, reason, conversation_start::text as start from reporting.deletions order by at, 1`.execute(
    warehouse.db,
  )
  return rows
}

test('a mark moves _loaded_at, takes the cells away and keeps the rows; it is set once', async () => {
  await load(warehouse, [call('a', { start }), call('b', { start })], 1)
  const before = await stored(warehouse, 'a')
  const { rows: loaded } = await sql<{
    at: string
  }>`select max(_loaded_at)::text as at from genesys.conversations`.execute(warehouse.db)
  await sql`delete from etl.dirty_hours`.execute(warehouse.db)
  expect(await mark(['a', 'unknown'], 5)).toBe(1)
  expect(await marks()).toEqual({ a: instant(5), b: null })
  expect(await stored(warehouse, 'a')).toEqual(before)
  const { rows: fed } = await sql`
    select conversation_id as id from genesys.conversations where _loaded_at > ${loaded[0]!.at}::timestamptz`.execute(
    warehouse.db,
  )
  expect(fed).toEqual([{ id: 'a' }])
  expect(new Set((await selectCells(warehouse)).map(([id]) => id))).toEqual(new Set(['b']))
  const { rows: dirty } = await sql`select hour from etl.dirty_hours`.execute(warehouse.db)
  expect(dirty).toEqual([{ hour: new Date(start) }])
  expect(await mark(['a', 'b'], 6)).toBe(1)
  expect(await marks()).toEqual({ a: instant(5), b: instant(6) })
  expect(await deletions()).toEqual([
    { conversation_id: 'a', reason: 'missing', start: '2026-03-05 10:00:00+00' },
    { conversation_id: 'b', reason: 'missing', start: '2026-03-05 10:00:00+00' },
  ])
})

test('what was delivered since is not marked', async () => {
  await load(warehouse, [conversation('a')], 10)
  expect(await mark(['a'], 10)).toBe(0)
  expect(await mark(['a'], 9)).toBe(0)
  expect(await marks()).toEqual({ a: null })
})

test('neither deriving again nor the views count it', async () => {
  await load(warehouse, [call('a', { start }), call('b', { start })], 1)
  await mark(['a'], 5)
  const range = { start: new Date('2026-03-05'), end: new Date('2026-03-06') }
  const logger = createLogger('silent')
  expect(await deriveRange({ warehouse, logger }, range, new AbortController().signal)).toEqual({
    conversations: 2,
    withoutRows: 1,
  })
  await expectDerived(warehouse)
  const { rows } = await sql`
    select (select count(*) from reporting.conversations_daily)::integer as days,
      (select sum(conversations) from reporting.conversations_daily)::integer as conversations,
      (select array_agg(distinct conversation_id) from reporting.metric_events) as counted`.execute(warehouse.db)
  expect(rows).toEqual([{ days: 1, conversations: 1, counted: ['b'] }])
})

test('a read that brings it again takes the mark away, changed or not, and it counts again', async () => {
  const raw = withAttributes(call('a', { start }), { key: 'value' }, {})
  await load(warehouse, [raw, call('b', { start })], 1, { deliversAttributes: true })
  const whole = await selectCells(warehouse)
  const before = await stored(warehouse, 'a')
  await mark(['a', 'b'], 5)
  expect(await load(warehouse, [call('a', { start })], 6)).toMatchObject({ changed: 1, unchanged: 0, inserted: 0 })
  expect(await load(warehouse, [call('b', { start, handleMs: 1 })], 6)).toMatchObject({ changed: 1, inserted: 0 })
  expect(await marks()).toEqual({ a: null, b: null })
  expect(await stored(warehouse, 'a')).toEqual(before)
  await expectDerived(warehouse)
  expect((await selectCells(warehouse)).length).toBe(whole.length)
  expect(await load(warehouse, [call('a', { start })], 7)).toMatchObject({ changed: 0, unchanged: 1 })
})

test('it may no longer change: it leaves the list, and is back with the next read that brings it', async () => {
  await load(warehouse, [conversation('a')], 1)
  expect(await selectUnsettled(warehouse)).toHaveLength(1)
  await mark(['a'], 5)
  expect(await selectUnsettled(warehouse)).toEqual([])
  await load(warehouse, [conversation('a')], 6)
  expect(await selectUnsettled(warehouse)).toHaveLength(1)
})

test('a corrected start is a deletion of the row under the old one, older than the row under the new one', async () => {
  await load(warehouse, [conversation('a'), conversation('b')], 1)
  await load(warehouse, [conversation('a', { conversationStart: '2026-02-05T10:00:00.000Z' })], 2)
  expect(await deletions()).toEqual([{ conversation_id: 'a', reason: 'moved', start: '2026-03-05 10:00:00+00' }])
  const { rows } = await sql`
    select d.at <= c._loaded_at as older from reporting.deletions d join genesys.conversations c using (conversation_id)`.execute(
    warehouse.db,
  )
  expect(rows).toEqual([{ older: true }])
})

test('a conversation that goes on after its end is counted as reopened', async () => {
  const segmentAt = (segmentStart: string) => [
    { purpose: 'customer', sessions: [{ mediaType: 'email', segments: [{ segmentStart, segmentType: 'interact' }] }] },
  ]
  const version = (id: string, conversationEnd: string | null, segmentStart: string) =>
    conversation(id, { conversationEnd, participants: segmentAt(segmentStart) })
  const first = '2026-03-05T10:00:00.000Z'
  const end = '2026-03-05T11:00:00.000Z'
  const ids = ['open', 'later', 'corrected', 'never ended', 'same']
  expect(
    await load(
      warehouse,
      ids.map((id) => version(id, id === 'never ended' ? null : end, first)),
      1,
    ),
  ).toMatchObject({ inserted: 5, reopened: 0 })
  const again = [
    version('open', null, first),
    version('later', '2026-03-07T11:00:00.000Z', '2026-03-07T10:00:00.000Z'),
    version('corrected', '2026-03-05T11:00:02.000Z', first),
    version('never ended', end, first),
    version('same', end, first),
  ]
  expect(await load(warehouse, again, 2)).toMatchObject({ changed: 4, unchanged: 1, reopened: 2 })
})
