import { sql } from 'kysely'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { applyRepeatables, type ViewFile } from '../../src/postgres/views.ts'
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

const base: ViewFile = {
  name: 'reporting.base',
  text: 'create or replace view reporting.base as select 1 as a, 2 as b',
}
const above: ViewFile = {
  name: 'reporting.above',
  text: 'create or replace view reporting.above as select a from reporting.base',
}
const narrowed: ViewFile = { ...base, text: 'create or replace view reporting.base as select 1 as a' }

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
