import { afterAll, expect, test } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import { readAnalytics } from '../../src/live/from-analytics.ts'
import { textOfDeep, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { fakeGenesys, request } from '../genesys/support.ts'
import { createFileDatabase } from '../support/database.ts'
import { conversation, load, stored } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

/** More levels than JSON.parse with a reviver, JSON.stringify or Postgres can take. */
const deep = `${'[{"a":'.repeat(10_000)}9007199254740993${'}]'.repeat(10_000)}`

/** A record as JSON text, with DEEP and BIG replaced by what their names say. */
function textOf(record: JsonObject): string {
  return JSON.stringify(record).replaceAll('"DEEP"', deep).replaceAll('"BIG"', '9007199254740993')
}

test('a page with deep nesting and large numbers arrives, and its records are loaded, compared and kept aside', async () => {
  const segment = { segmentStart: '2026-03-05T10:00:00.000Z', queueId: 'DEEP', unknown: 'DEEP', properties: 'DEEP' }
  const participants = [{ sessions: [{ segments: [segment], metrics: [{ name: 'tTalk', value: 'BIG' }] }] }]
  const page = [
    textOf(conversation('c0', { unknown: 'DEEP', participants })),
    textOf(conversation('c1', { originatingDirection: 'DEEP', evaluations: 'DEEP' })),
    textOf({ conversationId: 'DEEP', conversationStart: 'BIG' }),
  ]
  await using genesys = await fakeGenesys(({ response }) => {
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end(`{"conversations":[${page.join()}],"totalHits":3}`)
  })
  const { data } = await genesys.client.request<{ conversations: JsonValue[] }>(request())
  const records = data.conversations
  expect(records.map(textOfDeep)).toEqual(page)

  expect(await load(warehouse, records, 1)).toMatchObject({ inserted: 2, rejected: 1 })
  for (const [i, id] of ['c0', 'c1'].entries()) {
    expect(differences(records[i]!, (await stored(warehouse, id))!)).toEqual([])
  }
  expect(await load(warehouse, records, 2)).toMatchObject({ unchanged: 2, changed: 0, rejected: 1 })
  const kept = await warehouse.pool.query('select reason, times from etl.rejected_records')
  expect(kept.rows).toEqual([{ reason: 'no conversationId', times: 2 }])
  expect(records.map((record) => readAnalytics(record, new Date('2026-03-05T10:01:00Z')).kind)).toEqual([
    'open',
    'open',
    'rejected',
  ])
})

test('lists with nulls and with elements of another type are read by SQL as far as they fit', async () => {
  const participants = [{ sessions: [{ segments: [{ q850ResponseCodes: [16, null, 'x'] }] }] }]
  await load(warehouse, [conversation('c2', { divisionIds: ['NULL', null, 7, '"'], participants })], 3)
  const { rows } = await warehouse.pool.query(`
    select c.division_ids, 'NULL' = any(c.division_ids) as has, c._extra, s.q850_response_codes, s._extra as segment
    from genesys.conversations c join genesys.segments s using (conversation_id) where conversation_id = 'c2'`)
  expect(rows).toEqual([
    {
      division_ids: ['NULL', null, null, '"'],
      has: true,
      _extra: { divisionIds: ['NULL', null, 7, '"'] },
      q850_response_codes: [16, null, null],
      segment: { q850ResponseCodes: [16, null, 'x'] },
    },
  ])
})
