import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { exportPerson, type ExportedPart } from '../../src/privacy/export-person.ts'
import { findPerson } from '../../src/privacy/find-person.ts'
import { load, withAttributes } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { callOf } from './support.ts'

const never = new AbortController().signal

test('each conversation comes whole, with attributes, then rejected records and what is open', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const ani = '+13175550100'
  const mine = { ...withAttributes(callOf('a', { ani }), { Phone: ani }, {}, {}), newField: [{ of: 'Genesys' }] }
  const rejected = { ...callOf('r', { ani }), conversationStart: '?' }
  await load(warehouse, [mine, callOf('b', { ani: '+4930' })], 1, { deliversAttributes: true })
  await load(warehouse, [rejected], 1)
  await sql`
    insert into genesys.live_conversations (conversation_id, conversation_start, state, participants, snapshot_at)
    values ('a', now(), 'waiting', 1, now()), ('b', now(), 'waiting', 1, now())`.execute(warehouse.db)
  const keys = { conversationIds: [], externalContactIds: [`contact ${ani}`], addresses: [] }
  const traces = await findPerson(warehouse, keys, never)
  const parts: ExportedPart[] = []
  for await (const part of exportPerson(warehouse.db, traces, never)) parts.push(part)
  expect(parts.map(({ kind, conversationId }) => [kind, conversationId])).toEqual([
    ['conversation', 'a'],
    ['rejected record', 'r'],
    ['open conversation', 'a'],
  ])
  expect(parts[0]!.content).toMatchObject({
    conversationId: 'a',
    newField: [{ of: 'Genesys' }],
    participants: [{ attributes: { Phone: ani }, sessions: [{ ani }] }, {}, {}],
  })
  expect(parts[1]!.content).toEqual(rejected)
  expect(JSON.stringify(parts)).not.toContain('+4930')
})
