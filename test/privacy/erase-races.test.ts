/** Erasing while snapshots and loads are at work on the same conversations. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { countQueues } from '../../src/live/queue-counts.ts'
import { selectStoredSnapshot, writeSnapshot, type NewSnapshot } from '../../src/live/snapshot-store.ts'
import type { LiveConversation } from '../../src/live/state.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { load } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { expectDerived } from '../support/derived.ts'
import { patience } from '../support/patience.ts'
import { findTraces } from '../support/traces.ts'
import { callOf, erasePerson } from './support.ts'

const open = (conversationId: string): LiveConversation => ({
  conversationId,
  conversationStart: '2026-11-22T00:00:00.000Z',
  mediaType: 'voice',
  messageType: null,
  direction: null,
  state: 'waiting',
  stateSince: null,
  queueId: null,
  userId: null,
  userIds: null,
  agents: null,
  waitingSince: null,
  divisionIds: null,
  participants: 1,
  skillIds: null,
  languageId: null,
  scheduledAt: null,
})

const begun = Date.now()

function snapshotOf(second: number, ids: readonly string[]): NewSnapshot {
  return {
    at: new Date(begun + second * 1000),
    source: 'analytics',
    durationMs: 1,
    requests: 1,
    throttled: false,
    error: null,
    read: ids.map(open),
    leaving: [],
    ended: 0,
    queues: [],
    messages: ids.map((id) => ({
      messageId: `${second}-${id}`,
      conversationId: id,
      event: 'waiting',
      payload: { id },
    })),
    rereads: ids.map((conversationId) => ({ conversationId, endedAt: null, dueAt: new Date() })),
  }
}

async function waiting({ pool }: Warehouse): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

test('no snapshot brings an erased conversation back, nor a message about it', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await writeSnapshot(warehouse, snapshotOf(1, ['open-a', 'open-b']))
  await erasePerson(warehouse, { conversationIds: ['open-a'] })
  expect(await writeSnapshot(warehouse, snapshotOf(2, ['open-a', 'open-b']))).toMatchObject({
    writes: { inserted: 0, updated: 0 },
    messages: 1,
  })
  expect([...(await selectStoredSnapshot(warehouse.db)).conversations.keys()]).toEqual(['open-b'])
  expect(Object.keys(await findTraces(warehouse, ['open-a']))).toEqual(['etl.tombstones'])
})

test('an open conversation that was erased still counts in its queue, without being named', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await erasePerson(warehouse, { conversationIds: ['open-a'] })
  const both = ['open-a', 'open-b'].map((id) => ({ ...open(id), queueId: 'q' }))
  const snapshot = { ...snapshotOf(1, []), read: both, queues: countQueues(both, null, new Date()) }
  await writeSnapshot(warehouse, snapshot)
  const { rows } = await sql`select queue_id, waiting from genesys.live_queues`.execute(warehouse.db)
  expect(rows).toEqual([{ queue_id: 'q', waiting: 2 }])
  expect([...(await selectStoredSnapshot(warehouse.db)).conversations.keys()]).toEqual(['open-b'])
  expect(Object.keys(await findTraces(warehouse, ['open-a']))).toEqual(['etl.tombstones'])
})

test('a snapshot that is being written when the erasure begins leaves nothing', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const blocker = await warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table etl.webhook_outbox in share mode')
  const writing = writeSnapshot(warehouse, snapshotOf(1, ['open-a', 'open-b']))
  await expect.poll(() => waiting(warehouse), patience).toBe(1)
  const erasing = erasePerson(warehouse, { conversationIds: ['open-a'] })
  await expect.poll(() => waiting(warehouse), patience).toBe(2)
  await blocker.query('rollback')
  await blocker.end()
  await Promise.all([writing, erasing])
  expect(Object.keys(await findTraces(warehouse, ['open-a']))).toEqual(['etl.tombstones'])
  expect(Object.keys(await findTraces(warehouse, ['open-b']))).toHaveLength(3)
})

test('loads and snapshots go on while a thousand conversations are erased: no deadlock, and the numbers are exact', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const ids = Array.from({ length: 1500 }, (_, index) => `c-${String(index).padStart(4, '0')}`)
  const erased = ids.filter((_, index) => index % 3 !== 0)
  const call = (id: string, version: number) => ({ ...callOf(id, { ani: id }), externalTag: `v${version}` })
  await load(
    warehouse,
    ids.map((id) => call(id, 0)),
    1,
  )
  const before = await deadlocks(warehouse)
  const over = new AbortController()
  const loader = async (offset: number): Promise<void> => {
    for (let version = 1; !over.signal.aborted; version++) {
      const some = ids.filter((_, index) => (index + offset + version) % 5 === 0).reverse()
      await load(
        warehouse,
        some.map((id) => call(id, version)),
        1 + version * 2 + offset,
      )
    }
  }
  const live = async (): Promise<void> => {
    for (let second = 1; !over.signal.aborted; second++)
      await writeSnapshot(warehouse, snapshotOf(second, ids.slice(0, 100)))
  }
  const erasing = erasePerson(warehouse, { conversationIds: erased }).finally(() => over.abort())
  await Promise.all([erasing, loader(0), loader(1), live()])
  expect(await deadlocks(warehouse)).toBe(before)
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations order by 1`.execute(warehouse.db)
  expect(rows.map(({ id }) => id)).toEqual(ids.filter((id) => !erased.includes(id)))
  expect(Object.keys(await findTraces(warehouse, erased.slice(0, 30)))).toEqual(['etl.deletions', 'etl.tombstones'])
  await expectDerived(warehouse)
})

async function deadlocks({ pool }: Warehouse): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return rows[0]!.deadlocks
}
