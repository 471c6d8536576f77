import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { LiveConversation } from '../../src/live/state.ts'
import { connect } from '../../src/postgres/connect.ts'
import { selectStoredSnapshot, writeSnapshot, type NewSnapshot } from '../../src/live/snapshot-store.ts'
import type { Reread } from '../../src/live/rereads.ts'
import { createTestDatabase } from '../support/database.ts'

const conversation = (fields: Partial<LiveConversation> = {}): LiveConversation => ({
  conversationId: 'c',
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
  ...fields,
})
const started = Date.now()
const snapshot = (second: number, read: LiveConversation, fields: Partial<NewSnapshot> = {}): NewSnapshot => ({
  at: new Date(started + second * 1000),
  source: 'analytics',
  durationMs: 1,
  requests: 1,
  throttled: false,
  error: null,
  read: [read],
  leaving: [],
  ended: 0,
  queues: [],
  messages: [],
  rereads: [],
  ...fields,
})

test('null replaced by a value, and a value replaced by null, are changes, even in a row with other nulls', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const rows = [conversation(), conversation({ queueId: 'q1' }), conversation({ queueId: 'q1' }), conversation()]
  const writes: object[] = []
  for (const [second, row] of rows.entries())
    writes.push((await writeSnapshot(warehouse, snapshot(second, row))).writes)
  const none = { inserted: 0, updated: 0, deleted: 0 }
  expect(writes).toEqual([{ ...none, inserted: 1 }, { ...none, updated: 1 }, none, { ...none, updated: 1 }])
  expect((await selectStoredSnapshot(warehouse.db)).conversations.get('c')).toEqual(conversation())
})

test('re-reads are written with the snapshot or not at all; a conversation that ended again gets its new due time', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const reread = (endedAt: string | null, dueAt: string): Reread[] => [
    { conversationId: 'c', endedAt, dueAt: new Date(dueAt) },
  ]
  const stored = async () => await warehouse.db.selectFrom('etl.rereads').selectAll().execute()
  const first = snapshot(0, conversation(), { rereads: reread(null, '2026-11-22T00:06:00.000Z') })
  await writeSnapshot(warehouse, first)
  expect(await stored()).toEqual([
    { conversation_id: 'c', ended_at: null, due_at: new Date('2026-11-22T00:06:00.000Z') },
  ])
  const second = reread('2026-11-22T01:00:00.000Z', '2026-11-22T01:06:00.000Z')
  await writeSnapshot(warehouse, snapshot(1, conversation(), { rereads: second }))
  const both = { ended_at: new Date('2026-11-22T01:00:00.000Z'), due_at: new Date('2026-11-22T01:06:00.000Z') }
  expect(await stored()).toEqual([{ conversation_id: 'c', ...both }])
  // Written again, because its commit got no answer, a snapshot changes nothing.
  await writeSnapshot(warehouse, first)
  expect(await stored()).toEqual([{ conversation_id: 'c', ...both }])
  await sql`alter table etl.rereads rename to hidden`.execute(warehouse.db)
  const failing = snapshot(2, conversation({ state: 'hold' }), { rereads: second })
  await expect(writeSnapshot(warehouse, failing)).rejects.toThrow()
  expect((await selectStoredSnapshot(warehouse.db)).conversations.get('c')?.state).toBe('waiting')
})
