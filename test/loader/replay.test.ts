import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { JsonValue } from '../../src/model/json.ts'
import { parseJson } from '../../src/model/json.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { connect } from '../../src/postgres/connect.ts'
import { createFileDatabase } from '../support/database.ts'
import { DERIVED_TABLES } from '../support/derived.ts'
import { conversation, instant, load, stored } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

const refuse = sql`alter table genesys.conversations add constraint wanted check (external_tag is distinct from 'bad')`
const allow = sql`alter table genesys.conversations drop constraint if exists wanted`

beforeEach(async () => {
  await allow.execute(warehouse.db)
  await sql
    .raw(`truncate genesys.conversations, etl.conversations, etl.rejected_records, ${DERIVED_TABLES.join(', ')}`)
    .execute(warehouse.db)
  await refuse.execute(warehouse.db)
})

const replay = (runId = 7) => replayRejected(warehouse, { runId, signal: new AbortController().signal })

async function kept() {
  const { rows } = await sql<{ id: string; reason: string; resolved: boolean; times: number; run_id: number }>`
    select conversation_id as id, reason, resolved_at is not null as resolved, times, run_id from etl.rejected_records
    order by id`.execute(warehouse.db)
  return rows
}

const bad = (id: string, more: Record<string, JsonValue> = {}) => conversation(id, { externalTag: 'bad', ...more })

test('what was refused is loaded when the reason is gone, and marked', async () => {
  await load(warehouse, [bad('a'), bad('b'), conversation('c')], 1)
  expect(await kept()).toMatchObject([
    { id: 'a', resolved: false },
    { id: 'b', resolved: false },
  ])
  await allow.execute(warehouse.db)
  expect(await replay()).toMatchObject({ records: 2, received: 2, inserted: 2, rejected: 0 })
  expect(await stored(warehouse, 'a')).toMatchObject({ externalTag: 'bad' })
  expect(await kept()).toMatchObject([{ resolved: true }, { resolved: true }])
  const { rows } = await sql`
    select distinct c._source, c._run_id, e.fetched_at from genesys.conversations c join etl.conversations e using (conversation_id)
    where conversation_id <> 'c'`.execute(warehouse.db)
  expect(rows).toEqual([{ _source: 'replay', _run_id: 7, fetched_at: new Date(instant(1)) }])
  expect(await replay()).toMatchObject({ records: 0, received: 0 })
})

test('what is rejected again is not stored twice: its reason and its time are new', async () => {
  const precise = parseJson('{"conversationId": "big", "conversationStart": "?", "n": [1.50, 123456789012345678901]}')
  await load(warehouse, [bad('a'), precise], 1)
  await allow.execute(warehouse.db)
  await sql`
    alter table genesys.conversations add constraint other check (external_tag is distinct from 'bad')`.execute(
    warehouse.db,
  )
  const before = await sql<{ at: Date }>`select max(last_rejected_at) as at from etl.rejected_records`.execute(
    warehouse.db,
  )
  expect(await replay(8)).toMatchObject({ records: 2, inserted: 0, rejected: 2 })
  await sql`alter table genesys.conversations drop constraint other`.execute(warehouse.db)
  expect(await kept()).toEqual([
    {
      id: 'a',
      reason: expect.stringContaining('the constraint other') as string,
      resolved: false,
      times: 1,
      run_id: 8,
    },
    { id: 'big', reason: 'no valid conversationStart', resolved: false, times: 1, run_id: 8 },
  ])
  const { rows } = await sql`
    select from etl.rejected_records where last_rejected_at > ${before.rows[0]!.at}`.execute(warehouse.db)
  expect(rows).toHaveLength(2)
})

test('the newest version of a conversation is loaded first, and older ones with it', async () => {
  await load(warehouse, [bad('a', { evaluations: [{ evaluationId: 'old' }] })], 1)
  await load(warehouse, [bad('a', { evaluations: [{ evaluationId: 'new' }] })], 3)
  await allow.execute(warehouse.db)
  expect(await replay()).toMatchObject({ records: 2, inserted: 1, rejected: 0 })
  expect(await stored(warehouse, 'a')).toMatchObject({ evaluations: [{ evaluationId: 'new' }] })
  expect(await kept()).toMatchObject([{ resolved: true }, { resolved: true }])
})

test('a newer version that was rejected is not resolved by an older one that is loaded', async () => {
  await load(warehouse, [bad('a')], 5)
  await load(warehouse, [conversation('a')], 3)
  expect(await kept()).toMatchObject([{ resolved: false }])
  await allow.execute(warehouse.db)
  expect(await replay()).toMatchObject({ records: 1, changed: 1 })
  expect(await stored(warehouse, 'a')).toMatchObject({ externalTag: 'bad' })
})

test('nothing newer is replaced: what was loaded since stays, and the record counts as resolved', async () => {
  await load(warehouse, [bad('a')], 1)
  await load(warehouse, [conversation('a')], 2)
  await sql`update etl.rejected_records set resolved_at = null`.execute(warehouse.db)
  await allow.execute(warehouse.db)
  expect(await replay()).toMatchObject({ records: 1, stale: 1, rejected: 0 })
  expect(await stored(warehouse, 'a')).not.toHaveProperty('externalTag')
  expect(await kept()).toMatchObject([{ resolved: true }])
})

test('a record from before fetched_at was recorded counts as a day older than when it came', async () => {
  await load(warehouse, [bad('a')], 1)
  await sql`update etl.rejected_records set fetched_at = null, rejected_at = '2026-03-20T00:00Z'`.execute(warehouse.db)
  await allow.execute(warehouse.db)
  await replay()
  const { rows } = await sql`select fetched_at from etl.conversations`.execute(warehouse.db)
  expect(rows).toEqual([{ fetched_at: new Date('2026-03-19T00:00Z') }])
})
