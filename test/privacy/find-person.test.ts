/** Finding a person by whatever field holds an address, however it is spelled. */
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { isMostOfHistory } from '../../src/privacy/find-person.ts'
import { adoptPolicy } from '../../src/postgres/personal-policy.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { conversation, load } from '../loader/conversations.ts'
import { found } from './support.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

const start = '2026-03-05T10:00:00.000Z'
/** A conversation whose only session, participant or segment has the fields. */
function withFields(
  id: string,
  fields: { participant?: JsonObject; session?: JsonObject; segment?: JsonObject; conversation?: JsonObject },
  conversationStart = start,
): JsonObject {
  const session = {
    mediaType: 'voice',
    ...fields.session,
    segments: [{ segmentStart: start, segmentType: 'interact', ...fields.segment }],
  }
  return conversation(id, {
    conversationStart,
    participants: [{ purpose: 'customer', ...fields.participant, sessions: [session] }],
    ...fields.conversation,
  })
}

const records: readonly JsonObject[] = [
  withFields('number', { session: { ani: 'tel:+13175550100' } }),
  withFields('other spelling', { session: { dnis: '+1 (317) 555-0100' } }, '2026-01-05T10:00:00.000Z'),
  withFields('sip', { session: { addressFrom: 'sip:+13175550100@10.0.0.1;user=phone' } }),
  withFields('list', { session: { callbackNumbers: ['+49301234567', '+1 317 555 0100'] } }),
  withFields('full width', { session: { ani: '＋１３１７５５５０１００' } }),
  withFields('extra', { conversation: { newField: { deep: [{ reach: '+13175550100' }] } } }),
  withFields('misfit', { session: { ani: ['+13175550100'] } }),
  withFields('attribute', { participant: { attributes: { phone: '+1-317-555-0100' } } }),
  withFields('longer', { session: { ani: '+131755501001' } }),
  withFields('note', { segment: { wrapUpNote: 'call +13175550100 back' } }),
  withFields('mail', { session: { addressFrom: 'Jürgen.Groß@Example.org' } }),
  withFields('ascii mail', { session: { addressTo: 'Ada <ada@example.org>', addressFrom: 'MAILTO:Ada@Example.ORG' } }),
  withFields('contact', { participant: { externalContactId: 'c-1' } }, '2025-12-31T23:59:59.000Z'),
]
await load(warehouse, records, 1, { deliversAttributes: true })
await load(
  warehouse,
  [
    { conversationId: 'rejected', conversationStart: '?', participants: [{ sessions: [{ ani: 'tel:+13175550100' }] }] },
    { conversationId: 'of contact', conversationStart: '?', participants: [{ externalContactId: 'c-1' }] },
    { conversationId: 'else', conversationStart: '?', participants: [{ participantName: 'c-1' }] },
  ],
  1,
)

test('an address is found in columns, lists, misfits, attributes and rejected records, in any spelling', async () => {
  expect(await found(warehouse, { addresses: ['+1 317-555-0100'] })).toEqual(
    ['attribute', 'extra', 'full width', 'list', 'misfit', 'number', 'other spelling', 'rejected', 'sip'].sort(),
  )
})

test('a mail address is found whatever its case, with letters beyond ASCII, too', async () => {
  expect(await found(warehouse, { addresses: ['jürgen.groß@example.org'] })).toEqual(['mail'])
  expect(await found(warehouse, { addresses: ['ADA@example.org'] })).toEqual(['ascii mail'])
})

test('several addresses are looked for at once', async () => {
  expect(await found(warehouse, { addresses: ['ada@example.org', 'jürgen.groß@example.org'] })).toEqual([
    'ascii mail',
    'mail',
  ])
  expect(await found(warehouse, { addresses: ['nobody@example.org'] })).toEqual([])
})

test('a contact is found by its id in every month, and in rejected records', async () => {
  expect(await found(warehouse, { externalContactIds: ['c-1'] })).toEqual(['contact', 'of contact'])
})

test('a search reads on where a month has more matches than a page', async () => {
  const many = Array.from({ length: 2100 }, (_, index) =>
    withFields(`many-${index}`, { session: { ani: '+4930999' } }, '2024-05-05T10:00:00.000Z'),
  )
  await load(warehouse, many, 1)
  expect(await found(warehouse, { addresses: ['+4930999'] })).toHaveLength(2100)
  // without a key by which the database could leave texts out
  expect(await found(warehouse, { addresses: ['jürgen.groß@example.org'] })).toEqual(['mail'])
  expect(await isMostOfHistory(warehouse.db, 2100)).toBe(true)
  expect(await isMostOfHistory(warehouse.db, 900)).toBe(false)
  await sql`delete from genesys.sessions where conversation_id like 'many-%'`.execute(warehouse.db)
})

test('hashes are found by what they stand for; what was dropped is not, and the reason is given', async () => {
  await using hashed = await createTestDatabase()
  const hasher = personalHasher('a key for tests')
  await using filled = connect(hashed.url, { personalPolicy: { customers: 'hash', employees: 'hash', hasher } })
  await adoptPolicy(filled.db, filled.personalPolicy)
  await load(filled, records, 1, { deliversAttributes: true })
  await load(
    filled,
    [
      {
        conversationId: 'rejected',
        conversationStart: '?',
        participants: [{ sessions: [{ ani: 'tel:+13175550100' }] }],
      },
    ],
    1,
  )
  expect(await found(filled, { addresses: ['+1 317-555-0100'] })).toEqual(
    expect.arrayContaining(['attribute', 'list', 'number', 'other spelling', 'rejected', 'sip']),
  )
  expect(await found(filled, { addresses: ['+1 317-555-0100'] })).not.toContain('longer')
  expect(await found(filled, { externalContactIds: ['c-1'] })).toEqual(['contact'])
  await using dropped = connect(hashed.url, { personalPolicy: { customers: 'drop', employees: 'keep', hasher: null } })
  await expect(found(dropped, { addresses: ['+13175550100'] })).rejects.toMatchObject({ code: 'CONFIG' })
  expect(await found(dropped, { conversationIds: ['x'] })).toEqual(['x'])
})
