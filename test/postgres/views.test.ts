import { sql } from 'kysely'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { REPEATABLE_FOLDERS } from '../../src/postgres/migration-files.ts'
import { applyRepeatables, readRepeatables, type Repeatable } from '../../src/postgres/views.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { conversation, load } from '../loader/conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
const role = `reader_${database.name}`
await sql`create role ${sql.id(role)}`.execute(warehouse.db)

beforeEach(() => applyRepeatables(warehouse.db, [base, above]))
afterEach(async () => {
  await sql`drop schema if exists customer cascade`.execute(warehouse.db)
})
afterAll(async () => {
  await applyRepeatables(warehouse.db, [])
  await sql`drop role ${sql.id(role)}`.execute(warehouse.db)
  await warehouse.close()
})

const base: Repeatable = {
  name: 'reporting.base',
  text: 'create or replace view reporting.base as select 1 as a, 2 as b',
}
const above: Repeatable = {
  name: 'reporting.above',
  text: 'create or replace view reporting.above as select a from reporting.base',
}
const narrowed: Repeatable = { ...base, text: 'create or replace view reporting.base as select 1 as a' }

async function rows(query: string): Promise<unknown[]> {
  return (await sql.raw(query).execute(warehouse.db)).rows
}

test('applies only what changed', async () => {
  expect(await applyRepeatables(warehouse.db, [base, above])).toEqual([])
  const appended = { ...base, text: 'create or replace view reporting.base as select 1 as a, 2 as b, 3 as c' }
  expect(await applyRepeatables(warehouse.db, [appended, above])).toEqual(['reporting.base'])
  expect(await rows('select * from reporting.base')).toEqual([{ a: 1, b: 2, c: 3 }])
})

test('drops a view whose file is gone', async () => {
  expect(await applyRepeatables(warehouse.db, [base])).toEqual(['reporting.above'])
  expect(await rows("select to_regclass('reporting.above') as found")).toEqual([{ found: null }])
})

test('creates a view again that cannot be replaced, with the grants on it and on those above it', async () => {
  await sql`grant select on reporting.base to ${sql.id(role)} with grant option`.execute(warehouse.db)
  await sql`grant select (a) on reporting.above to ${sql.id(role)}`.execute(warehouse.db)
  await applyRepeatables(warehouse.db, [narrowed, above])
  expect(await rows('select * from reporting.base')).toEqual([{ a: 1 }])
  expect(
    await rows(`select has_table_privilege('${role}', 'reporting.base', 'select with grant option') as base,
      has_column_privilege('${role}', 'reporting.above', 'a', 'select') as above`),
  ).toEqual([{ base: true, above: true }])
})

test("stops and names a customer's view that depends on one that must be created again, and changes nothing", async () => {
  await rows('create schema customer; create view customer.kpi as select b from reporting.base')
  await expect(applyRepeatables(warehouse.db, [narrowed, above])).rejects.toMatchObject({
    code: 'VIEW_IN_USE',
    message: expect.stringContaining('customer.kpi') as string,
  })
  expect(await rows('select * from customer.kpi')).toEqual([{ b: 2 }])
  expect(await rows('select * from reporting.above')).toEqual([{ a: 1 }])
})

const twice: Repeatable = {
  name: 'reporting.twice()',
  text: 'create or replace function reporting.twice(n integer) returns integer language sql immutable as $$ select 2 * n $$',
}
const onTwice: Repeatable = {
  name: 'reporting.on_twice',
  text: 'create or replace view reporting.on_twice as select reporting.twice(a) as double from reporting.base',
}
const rowsOfBase: Repeatable = {
  name: 'reporting.rows_of_base()',
  text: `create or replace function reporting.rows_of_base() returns setof reporting.base language plpgsql stable as
    $$ begin return query select * from reporting.base; end $$`,
}

test('reads the files of functions before those of views, each in order, and names what they define', async () => {
  const names = (await readRepeatables(REPEATABLE_FOLDERS)).map(({ name }) => name)
  expect(names.indexOf('reporting.ratio()')).toBeLessThan(names.indexOf('reporting.conversations_daily'))
  // the rows of a function are a view's
  expect(names.indexOf('reporting.queue_performance_rows')).toBeLessThan(names.indexOf('reporting.queue_performance()'))
  expect(names).toContain('etl.total()')
})

test('replaces a function under the views that use it', async () => {
  await applyRepeatables(warehouse.db, [twice, base, onTwice])
  const changed = { ...twice, text: twice.text.replace('2 * n', 'n + n + 1') }
  expect(await applyRepeatables(warehouse.db, [changed, base, onTwice])).toEqual(['reporting.twice()'])
  expect(await rows('select * from reporting.on_twice')).toEqual([{ double: 3 }])
})

test.each([
  [
    'its result',
    'returns integer language sql immutable as $$ select 2 * n $$',
    'returns bigint language sql as $$ select 2::bigint * n $$',
  ],
  ['its parameters', '(n integer)', '(n integer, times integer default 1)'],
])('creates a function again when %s changed, with its rights and the views on it', async (_name, from, to) => {
  await applyRepeatables(warehouse.db, [twice, base, onTwice])
  await sql`revoke all on routine reporting.twice from public`.execute(warehouse.db)
  await sql`grant execute on routine reporting.twice to ${sql.id(role)} with grant option`.execute(warehouse.db)
  await sql`grant select on reporting.on_twice to ${sql.id(role)}`.execute(warehouse.db)
  const before = await rows("select proacl::text from pg_proc where proname = 'twice'")
  await applyRepeatables(warehouse.db, [{ ...twice, text: twice.text.replace(from, () => to) }, base, onTwice])
  expect(await rows("select proacl::text from pg_proc where proname = 'twice'")).toEqual(before)
  expect(await rows('select double::integer from reporting.on_twice')).toEqual([{ double: 2 }])
  expect(await rows(`select has_table_privilege('${role}', 'reporting.on_twice', 'select') as granted`)).toEqual([
    { granted: true },
  ])
})

test('a column is appended to the rows of a function', async () => {
  await applyRepeatables(warehouse.db, [base, rowsOfBase])
  await rows('create schema customer; create view customer.kpi as select b from reporting.base')
  const appended = { ...base, text: 'create or replace view reporting.base as select 1 as a, 2 as b, 3 as c' }
  await applyRepeatables(warehouse.db, [appended, rowsOfBase])
  expect(await rows('select * from reporting.rows_of_base()')).toEqual([{ a: 1, b: 2, c: 3 }])
})

test('drops the function whose rows are those of a view that must be created again, and restores it', async () => {
  await applyRepeatables(warehouse.db, [base, rowsOfBase])
  await applyRepeatables(warehouse.db, [narrowed, rowsOfBase])
  expect(await rows('select * from reporting.rows_of_base()')).toEqual([{ a: 1 }])
})

test("names a customer's view on a function that must be created again, and changes nothing", async () => {
  await applyRepeatables(warehouse.db, [twice, base])
  await rows('create schema customer; create view customer.kpi as select reporting.twice(2) as four')
  const changed = { ...twice, text: twice.text.replace('(n integer)', '(m integer)').replace('2 * n', '2 * m') }
  await expect(applyRepeatables(warehouse.db, [changed, base])).rejects.toMatchObject({
    code: 'VIEW_IN_USE',
    message: expect.stringContaining('customer.kpi') as string,
  })
  expect(await rows('select * from customer.kpi')).toEqual([{ four: 4 }])
})

test('conversations_daily counts a conversation under the session that began first', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  const at = (minute: number) => `2026-03-05T10:0${minute}:00.000Z`
  const session = (mediaType: string, ...starts: (string | null)[]) => ({
    mediaType,
    segments: starts.map((segmentStart) => ({ segmentStart })),
  })
  const conversations = [
    [session('chat', at(5)), session('voice', at(7), at(2))],
    [session('chat'), session('chat', null), session('voice', at(9))],
    [session('voice', at(2)), session('chat', at(2))],
    [session('voice'), session('chat')],
    [],
  ].map((sessions, i) => conversation(`c${i}`, { participants: sessions.map((each) => ({ sessions: [each] })) }))
  await load(loaded, conversations, 1)
  const { rows } = await sql`
    select media_type, conversations from reporting.conversations_daily order by 1`.execute(loaded.db)
  expect(rows).toEqual([
    { media_type: 'voice', conversations: 4 },
    { media_type: null, conversations: 1 },
  ])
})

test('conversations_daily has the numbers of each UTC day, and reads the facts of the days that are asked for alone', async () => {
  await using own = await createTestDatabase()
  await using loaded = connect(own.url)
  const handled = (id: string, conversationStart: string, ...values: (number | null)[]) => {
    const metrics = values.map((value) => ({ name: 'tHandle', value, emitDate: conversationStart }))
    const participants = [{ purpose: 'agent', sessions: [{ mediaType: 'voice', segments: [], metrics }] }]
    return conversation(id, { conversationStart, originatingDirection: 'inbound', participants })
  }
  await load(
    loaded,
    [
      handled('a', '2026-01-31T23:59:59.999Z', 10_000),
      // (60 + 90 + 30) / 3 seconds; a metric without a value does not count
      handled('b', '2026-02-01T00:00:00.000Z', 60_000, 90_000),
      handled('c', '2026-02-01T12:00:00.000Z', 30_000, null),
      handled('d', '2026-02-01T12:00:00.000Z', null),
      handled('e', '2026-02-01T23:59:59.999Z'),
      handled('f', '2026-03-07T00:00:00.000Z'),
      conversation('g', {
        conversationStart: '2026-03-07T00:00:00.000Z',
        participants: ['voice', 'callback'].map((mediaType, index) => ({
          sessions: [{ mediaType, segments: [{ segmentStart: `2026-03-07T00:0${9 - index}:00.000Z` }] }],
        })),
      }),
    ],
    1,
  )
  const { rows: all } =
    await sql`select to_char(day, 'YYYY-MM-DD') as date, media_type, direction, conversations, handled, average_handle_seconds
    from reporting.conversations_daily order by day, media_type desc`.execute(loaded.db)
  const voice = { media_type: 'voice', direction: 'inbound' }
  expect(all).toEqual([
    { date: '2026-01-31', ...voice, conversations: 1, handled: 1, average_handle_seconds: '10.0' },
    { date: '2026-02-01', ...voice, conversations: 4, handled: 2, average_handle_seconds: '60.0' },
    { date: '2026-03-07', ...voice, conversations: 1, handled: 0, average_handle_seconds: null },
    {
      date: '2026-03-07',
      ...voice,
      media_type: 'callback',
      conversations: 1,
      handled: 0,
      average_handle_seconds: null,
    },
  ])
  const { rows: plan } = await sql<{ 'QUERY PLAN': string }>`
    explain (analyze, verbose, costs off, timing off, summary off, buffers off)
    select * from reporting.conversations_daily where day = '2026-02-01'`.execute(loaded.db)
  const scans = plan.map((row) => row['QUERY PLAN']).filter((line) => / on \w+\.\w+/.test(line))
  const executed = scans.filter((line) => /conversation_facts|genesys\./.test(line) && !line.includes('never executed'))
  expect(executed).toEqual([expect.stringContaining('conversation_facts_2026_02')])
})
