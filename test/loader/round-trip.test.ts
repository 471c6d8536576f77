import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import * as fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { conversationKey } from '../../src/model/transform.ts'
import { connect } from '../../src/postgres/connect.ts'
import { readBack } from '../../src/loader/read-back.ts'
import { arbitraryConversation } from '../support/arbitrary-conversation.ts'
import { createFileDatabase } from '../support/database.ts'
import { load } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
let seconds = 0

// few months, since every month costs twelve partitions; the rest of a start is as nasty as any time
const conversations = arbitraryConversation({
  conversationStart: fc.constantFrom(
    '2026-03-31T23:59:59.999999Z',
    '2026-03-31T23:59:59.9999999Z',
    '2026-04-01T00:00:00.000Z',
    '2026-04-01 02:00:00.123456+02:00',
    '2026-04-30T23:59:60Z',
    '2026-02-28T24:00Z',
    '2011-12-31T23:59:59.999Z',
  ),
})

async function expectRoundTrip(conversations: readonly JsonObject[]): Promise<void> {
  const last = new Map<string, JsonObject>()
  for (const raw of conversations) {
    const key = conversationKey(raw)
    if (!('rejected' in key)) last.set(key.conversationId, raw)
  }
  const counts = await load(warehouse, [...last.values()], ++seconds, { deliversAttributes: true })
  const rows = await readBack(warehouse.db, [...last.keys()])
  const outOfRange = [...last.keys()].filter((id) => !rows.has(id))
  expect(counts.rejected).toBe(outOfRange.length)
  for (const [id, raw] of last) {
    const found = rows.get(id)
    if (found) expect(differences(raw, reassemble(found))).toEqual([])
  }
}

test('whatever is loaded comes back equal', async () => {
  await fc.assert(fc.asyncProperty(fc.array(conversations, { minLength: 1, maxLength: 20 }), expectRoundTrip), {
    numRuns: 40,
  })
}, 120_000)

const samples = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'samples')

test.skipIf(!existsSync(samples))('real answers come back equal (skipped where the samples are absent)', async () => {
  const conversations = readdirSync(samples, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => conversationsIn(parseJson(readFileSync(path.join(samples, file), 'utf8'))))
  expect(conversations.length).toBeGreaterThan(0)
  await expectRoundTrip(conversations)
})

function conversationsIn(value: JsonValue): JsonObject[] {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).flatMap(conversationsIn)
  if (!isJsonObject(value)) return []
  if ('conversationId' in value && 'conversationStart' in value) return [value]
  return Object.values(value).flatMap(conversationsIn)
}
