import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { tables } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { createFileDatabase } from '../support/database.ts'
import { DERIVED_TABLES } from '../support/derived.ts'
import { conversation, load, stored, withAttributes } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
beforeEach(() =>
  sql
    .raw(`truncate etl.conversations, ${[...DERIVED_TABLES, ...tables.map((table) => `genesys.${table}`)].join(', ')}`)
    .execute(warehouse.db),
)

const byJob = { source: 'jobs', deliversAttributes: true }

async function attributesOf(id: string): Promise<unknown[]> {
  const { participants } = (await stored(warehouse, id)) as { participants: JsonObject[] }
  return participants.map(({ attributes }) => attributes)
}

test('attributes of an answer that is older than the stored content are stored, its content is not', async () => {
  const newer = conversation('a', { externalTag: 'new' })
  await load(warehouse, [newer], 20)
  const counts = await load(warehouse, [withAttributes(conversation('a'), { vip: 'yes' })], 10, byJob)
  expect(counts).toMatchObject({ received: 1, changed: 1, stale: 0, rows: { participant_attributes: 1, segments: 0 } })
  expect(await stored(warehouse, 'a')).toMatchObject({ externalTag: 'new' })
  expect(await attributesOf('a')).toEqual([{ vip: 'yes' }, undefined])
  // the same again, by either source, is no change
  expect(await load(warehouse, [newer], 30)).toMatchObject({ unchanged: 1 })
  expect(await load(warehouse, [withAttributes(conversation('a'), { vip: 'yes' })], 15, byJob)).toMatchObject({
    changed: 0,
    stale: 1,
    rows: { participant_attributes: 0 },
  })
})

test('of the attributes of two jobs those as of the later time count, whichever is loaded last', async () => {
  await load(warehouse, [conversation('a')], 50)
  await load(warehouse, [withAttributes(conversation('a'), { step: '2' })], 20, byJob)
  await load(warehouse, [withAttributes(conversation('a'), { step: '1' })], 10, byJob)
  expect(await attributesOf('a')).toEqual([{ step: '2' }, undefined])
  await load(warehouse, [withAttributes(conversation('a'), { step: '3' })], 30, byJob)
  expect(await attributesOf('a')).toEqual([{ step: '3' }, undefined])
  // gone from the source, gone from the table
  expect(await load(warehouse, [conversation('a')], 40, byJob)).toMatchObject({ changed: 1, stale: 0 })
  expect(await attributesOf('a')).toEqual([undefined, undefined])
})

test('they are stored under the start, and with the participants, that the newer content has', async () => {
  const older = withAttributes(conversation('a'), { who: 'customer' }, { who: 'agent' })
  const [customer, agent] = conversation('a')['participants'] as JsonObject[]
  const newer = conversation('a', {
    conversationStart: '2026-04-02T10:00:00.000Z',
    participants: [{ participantId: 'a-p9', purpose: 'ivr' }, agent!, customer!],
  })
  await load(warehouse, [newer], 20)
  await load(warehouse, [older], 10, byJob)
  expect(await attributesOf('a')).toEqual([undefined, { who: 'agent' }, { who: 'customer' }])
  const { rows } = await sql`select distinct conversation_start from genesys.participant_attributes`.execute(
    warehouse.db,
  )
  expect(rows).toEqual([{ conversation_start: new Date('2026-04-02T10:00:00Z') }])
})

test('they show in the change feed, and move no cell', async () => {
  await load(warehouse, [conversation('a')], 20)
  const feed = async () =>
    (await sql<{ at: Date }>`select _loaded_at as at from genesys.conversations`.execute(warehouse.db)).rows[0]!.at
  const hours = async () => (await sql`select * from etl.dirty_hours`.execute(warehouse.db)).rows.length
  const [before, dirty] = [await feed(), await hours()]
  await load(warehouse, [withAttributes(conversation('a'), { vip: 'yes' })], 10, byJob)
  const after = await feed()
  expect(+after).toBeGreaterThan(+before)
  await load(warehouse, [withAttributes(conversation('a'), { vip: 'yes' })], 11, byJob)
  expect(await feed()).toEqual(after)
  expect(await hours()).toBe(dirty)
})

test('many conversations at once, of several months, by several loaders', async () => {
  const starts = ['2026-02-27T10:00:00.000Z', '2026-03-01T10:00:00.000Z', '2026-04-01T10:00:00.000Z']
  const all = starts.flatMap((conversationStart, month) =>
    Array.from({ length: 20 }, (_, index) => conversation(`c${month}-${index}`, { conversationStart })),
  )
  await load(warehouse, all, 50)
  const delivered = (step: string) => all.map((raw) => withAttributes(raw, { step }))
  await Promise.all([1, 2, 3, 4].map((step) => load(warehouse, delivered(String(step)), step, byJob)))
  const { rows } =
    await sql`select attributes ->> 'step' as step, count(*)::int from genesys.participant_attributes group by 1`.execute(
      warehouse.db,
    )
  expect(rows).toEqual([{ step: '4', count: 60 }])
})
