import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordWindow } from '../../src/history/ledger.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { markMissing } from '../../src/loader/missing.ts'
import { addDays } from '../../src/model/interval.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import type { WindowStatus } from '../../src/postgres/database.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { storeConfiguration } from '../../src/reporting/configure.ts'
import { load } from '../loader/conversations.ts'
import { call } from '../support/calls.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { loadBeforeCells } from '../support/loader-before-cells.ts'

const database = await createFileDatabase()
let warehouse: Warehouse
beforeAll(() => {
  warehouse = connect(database.url)
})
afterAll(() => warehouse.close())

interface FreshnessRow {
  readonly day: string
  readonly status: string
  readonly conversations: number
  readonly derived: boolean
  readonly complete_from: string | null
  readonly complete_until: string | null
}

async function freshness(from: Warehouse, filter: object = {}): Promise<FreshnessRow[]> {
  const { rows } = await sql<FreshnessRow>`
    select day::text, status, conversations, derived, complete_from::text, complete_until::text
    from reporting.freshness where filter = ${JSON.stringify(filter)}::jsonb order by day`.execute(from.db)
  return rows
}

async function record(
  { db }: Warehouse,
  [start, end]: readonly [string, string],
  status: WindowStatus,
  hits: number | null = 10,
  filter: object = {},
): Promise<void> {
  const key = { stream: 'conversations', filter }
  await recordWindow(db, { ...key, start: new Date(start), end: new Date(end), status, hits, runId: null })
}

const wholeDay = (day: string): [string, string] => [
  `${day}T00:00:00Z`,
  addDays(new Date(`${day}T00:00:00Z`), 1).toISOString(),
]

test('the columns are those of the contract', async () => {
  const { rows } = await sql<{ name: string; comment: string | null }>`
    select attname as name, col_description(attrelid, attnum) as comment from pg_attribute
    where attrelid = 'reporting.freshness'::regclass and attnum > 0 order by attnum`.execute(warehouse.db)
  expect(rows.map(({ name }) => name).join(', ')).toBe(
    'day, filter, filtered, status, loaded_at, conversations, derived, started_settled, emitted_settled, reconciled_at, ' +
      'differences, erased, complete_from, complete_until',
  )
  expect(rows.filter(({ comment }) => !comment)).toEqual([])
})

test('one row per UTC day and filter: status, conversations, and the days without a gap', async () => {
  const voice = { mediaTypes: ['voice'] }
  const filtered = { direction: 'inbound' }
  await record(warehouse, wholeDay('2026-03-01'), 'done', 11)
  // a day in two parts
  await record(warehouse, ['2026-03-02T00:00:00Z', '2026-03-02T12:00:00Z'], 'done', 5)
  await record(warehouse, ['2026-03-02T12:00:00Z', '2026-03-03T00:00:00Z'], 'done', 6)
  await record(warehouse, ['2026-03-03T12:00:00Z', '2026-03-04T00:00:00Z'], 'done', 7)
  await record(warehouse, wholeDay('2026-03-05'), 'done', 8)
  await record(warehouse, wholeDay('2026-03-06'), 'unstable', 9)
  // done stays done where a later read failed
  await record(warehouse, wholeDay('2026-03-07'), 'done', 3)
  await record(warehouse, wholeDay('2026-03-07'), 'failed', null)
  await record(warehouse, ['2026-03-08T00:00:00Z', '2026-03-08T10:20:00Z'], 'provisional', 2)
  await record(warehouse, wholeDay('2026-03-10'), 'failed', null)
  await record(warehouse, wholeDay('2026-03-01'), 'done', 4, voice)
  await record(warehouse, wholeDay('2026-03-01'), 'done', 4, filtered)
  const row = (
    day: string,
    status: string,
    conversations: number | null,
    from: string | null,
    until: string | null,
  ) => ({
    day,
    status,
    conversations,
    derived: true,
    complete_from: from,
    complete_until: until,
  })
  expect(await freshness(warehouse)).toEqual([
    row('2026-03-01', 'done', 11, '2026-03-01', '2026-03-02'),
    row('2026-03-02', 'done', 11, '2026-03-01', '2026-03-02'),
    row('2026-03-03', 'partial', 7, '2026-03-01', '2026-03-02'),
    row('2026-03-05', 'done', 8, '2026-03-05', '2026-03-05'),
    row('2026-03-06', 'unstable', 9, '2026-03-05', '2026-03-05'),
    row('2026-03-07', 'done', 3, '2026-03-07', '2026-03-07'),
    row('2026-03-08', 'provisional', 2, '2026-03-07', '2026-03-07'),
    row('2026-03-10', 'failed', null, null, null),
  ])
  const { rows } = await sql`select filter, filtered from reporting.freshness where filter <> '{}' order by 1`.execute(
    warehouse.db,
  )
  expect(rows).toEqual([
    { filter: filtered, filtered: true },
    { filter: voice, filtered: false },
  ])
})

test('with e-mail or messages the numbers are whole 40 days after the first day', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  await load(loaded, [call('a', { start: '2026-03-01T09:00:00Z', mediaType: 'message' })], 1)
  await recomputeDirtyHours(loaded)
  const email = { mediaTypes: ['email', 'voice'] }
  const voice = { mediaTypes: ['callback', 'voice'] }
  for (const filter of [{}, email, voice]) await record(loaded, wholeDay('2026-03-01'), 'done', 1, filter)
  expect(await freshness(loaded)).toMatchObject([{ complete_from: '2026-04-10', complete_until: '2026-03-01' }])
  expect(await freshness(loaded, email)).toMatchObject([{ complete_from: '2026-04-10' }])
  expect(await freshness(loaded, voice)).toMatchObject([{ complete_from: '2026-03-01' }])
})

test('a day is not derived while one of its conversations is stale', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  await load(
    loaded,
    [call('a', { start: '2026-03-01T23:59:59.999Z' }), call('b', { start: '2026-03-02T00:00:00Z' })],
    1,
  )
  for (const day of ['2026-03-01', '2026-03-02']) await record(loaded, wholeDay(day), 'done', 1)
  const derived = async () => (await freshness(loaded)).map((row) => row.derived)
  expect(await derived()).toEqual([true, true])
  await loadBeforeCells(loaded, [call('a', { start: '2026-03-01T23:59:59.999Z', handleMs: 5 })], '2026-04-01T00:01:00Z')
  expect(await derived()).toEqual([false, true])
})

test('the settings of the environment reach the views', async () => {
  await using own = await createTestDatabase()
  await using configured = connect(own.url)
  const stored = async () => {
    const { rows } = await sql`
      select media_types, settle_days, s.xmin::text as version from etl.derivation, reporting.settings s`.execute(
      configured.db,
    )
    return rows[0]
  }
  await storeConfiguration(configured.db, { mediaTypes: ['voice'], settleDays: 9 })
  const before = await stored()
  expect(before).toMatchObject({ media_types: ['voice'], settle_days: 9 })
  await storeConfiguration(configured.db, { mediaTypes: ['voice'], settleDays: 9 })
  expect(await stored()).toEqual(before)
  await storeConfiguration(configured.db, { settleDays: 4 })
  expect(await stored()).toMatchObject({ media_types: null, settle_days: 4 })
})

test('a day is settled when all that started on it, or counts in its intervals, is final', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  const days = ['2026-03-01', '2026-03-02', '2026-03-03', '2026-03-04', '2026-03-05']
  for (const day of days) await record(loaded, wholeDay(day), day === '2026-03-05' ? 'provisional' : 'done', 1)
  const settled = async (which: 'started' | 'emitted'): Promise<string[]> => {
    const { rows } = await sql<{ day: string }>`
      select day::text from reporting.freshness where ${sql.ref(`${which}_settled`)} order by day`.execute(loaded.db)
    return rows.map(({ day }) => day)
  }
  const at = async (fetchedAt: string, ...conversations: JsonObject[]) => {
    const records = conversations.map((conversation) => ({ conversation, fetchedAt }))
    await loadBatch(loaded, records, { source: 'query', runId: 1, deliversAttributes: false })
  }
  // a day that is done and had none is settled; one that is not done never is
  expect(await settled('started')).toEqual(days.slice(0, 4))
  expect(await settled('emitted')).toEqual(days.slice(0, 4))
  const short = call('short', { start: '2026-03-01T10:00:00Z' })
  const overMidnight = call('over midnight', { start: '2026-03-02T23:30:00Z', minutes: 60 })
  // has metrics on the day of its start and on the fourth, none in between, and is open again
  const { conversationEnd: _end, ...thread } = call('thread', { start: '2026-03-01T09:00:00Z', minutes: 3 * 24 * 60 })
  const surveyed = call('surveyed', { start: '2026-03-02T20:00:00Z', minutes: 5 * 60 })
  await at('2026-03-05T12:00:00Z', short, overMidnight)
  expect(await settled('started')).toEqual(['2026-03-01', '2026-03-03', '2026-03-04'])
  expect(await settled('emitted')).toEqual(['2026-03-01', '2026-03-04'])
  await at('2026-03-08T12:00:00Z', overMidnight, thread)
  expect(await settled('started')).toEqual(['2026-03-02', '2026-03-03', '2026-03-04'])
  expect(await settled('emitted')).toEqual(['2026-03-02', '2026-03-03'])
  // a metric that comes on the day after its conversation has ended
  const ended = { ...surveyed, conversationEnd: '2026-03-02T21:00:00.000Z' }
  await at('2026-03-06T12:00:00Z', ended)
  expect(await settled('started')).toEqual(['2026-03-03', '2026-03-04'])
  expect(await settled('emitted')).toEqual([])
  await markMissing(loaded.db, ['surveyed', 'thread'], new Date('2026-03-10'))
  expect(await settled('started')).toEqual(days.slice(0, 4))
  expect(await settled('emitted')).toEqual(days.slice(0, 4))
  // while the list is filled, only what the walk has passed is known
  await sql`update etl.settling set position_start = '2026-03-02T12:00Z'`.execute(loaded.db)
  expect(await settled('started')).toEqual(['2026-03-03', '2026-03-04'])
  expect(await settled('emitted')).toEqual([])
  // and after a change of the setting nothing is, until it is filled again
  await sql`update etl.settling set position_start = null`.execute(loaded.db)
  await sql`update reporting.settings set settle_days = 5`.execute(loaded.db)
  expect(await settled('started')).toEqual([])
})

test('the status of a conversation: open, final, or missing at Genesys', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  const { conversationEnd: _end, ...open } = call('open', { start: '2026-03-01T10:00:00Z' })
  const records = [
    open,
    call('final', { start: '2026-03-01T10:00:00Z' }),
    call('young', { start: '2026-03-28T10:00:00Z' }),
  ]
  await load(loaded, records, 1)
  await markMissing(loaded.db, ['young'], new Date('2026-04-02'))
  const { rows } = await sql`
    select conversation_id as id, is_open, is_final, missing_since from reporting.conversation_status order by 1`.execute(
    loaded.db,
  )
  expect(rows).toEqual([
    { id: 'final', is_open: false, is_final: true, missing_since: null },
    { id: 'open', is_open: true, is_final: false, missing_since: null },
    { id: 'young', is_open: false, is_final: false, missing_since: new Date('2026-04-02') },
  ])
})
