import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { loadBatch } from '../../src/loader/load.ts'
import { pruneRejected } from '../../src/loader/rejected.ts'
import { connect } from '../../src/postgres/connect.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

test('rejected records are deleted 30 days after they were resolved, and 180 days after they last came', async () => {
  const record = (name: string, cameDaysAgo: number, resolvedDaysAgo: number | null) =>
    sql`
    insert into etl.rejected_records (stream, reason, raw, raw_hash, rejected_at, last_rejected_at, resolved_at)
    values ('conversations', ${name}, '{}', ${name}, now() - interval '400 days', now() - make_interval(days => ${cameDaysAgo}),
      now() - make_interval(days => ${resolvedDaysAgo}::integer))`.execute(warehouse.db)
  await record('resolved long ago', 31, 31)
  await record('resolved of late', 200, 29)
  await record('unresolved, long gone', 181, null)
  await record('unresolved, came of late', 179, null)
  expect(await pruneRejected(warehouse.db)).toBe(2)
  const { rows } = await sql<{ reason: string }>`select reason from etl.rejected_records order by id`.execute(
    warehouse.db,
  )
  expect(rows.map(({ reason }) => reason)).toEqual(['resolved of late', 'unresolved, came of late'])
  expect(await pruneRejected(warehouse.db)).toBe(0)
})

test('a record is kept once, in whatever order its keys come, and also where an earlier release has kept it', async () => {
  const inOrder = { participants: [], conversationId: 'in-order', conversationStart: '?' }
  const sorted = { conversationId: 'in-order', conversationStart: '?', participants: [] }
  const reject = (conversation: object) =>
    loadBatch(warehouse, [{ conversation, fetchedAt: '2026-03-01T00:00:00Z' }], {
      source: 'query',
      runId: null,
      deliversAttributes: false,
    })
  const times = async () =>
    (
      await sql<{ times: number }>`
        select times from etl.rejected_records where conversation_id = 'in-order'`.execute(warehouse.db)
    ).rows.map((row) => row.times)
  await reject(inOrder)
  await sql`
    update etl.rejected_records set raw_hash = ${createHash('sha256').update(JSON.stringify(inOrder)).digest('hex')}
    where conversation_id = 'in-order'`.execute(warehouse.db)
  await reject(inOrder)
  expect(await times()).toEqual([2])
  await reject(sorted)
  expect(await times()).toEqual([3])
})

test('a record that is rejected by query and by jobs is kept once, with its attributes', async () => {
  const record = { conversationId: 'both', participants: [{ participantId: 'p', purpose: 'customer' }] }
  const withAttributes = { ...record, participants: [{ ...record.participants[0], attributes: { city: 'Pune' } }] }
  for (const raw of [record, withAttributes, record]) {
    const counts = await loadBatch(warehouse, [{ conversation: raw, fetchedAt: '2026-03-01T00:00:00Z' }], {
      source: raw === withAttributes ? 'jobs' : 'query',
      runId: null,
      deliversAttributes: raw === withAttributes,
    })
    expect(counts.rejected).toBe(1)
  }
  const { rows } = await sql`
    select times, raw from etl.rejected_records where raw ->> 'conversationId' = 'both'`.execute(warehouse.db)
  expect(rows).toEqual([{ times: 3, raw: withAttributes }])
})
