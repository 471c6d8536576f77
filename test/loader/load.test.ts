import { sql } from 'kysely'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import { tables } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { findMisplacedRows } from '../../src/loader/integrity.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { countRejected } from '../../src/loader/rejected.ts'
import { createFileDatabase } from '../support/database.ts'
import { DERIVED_TABLES } from '../support/derived.ts'
import { conversation, instant, load, stored, withAttributes } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

beforeEach(async () => {
  const all = [
    ...tables.map((table) => `genesys.${table}`),
    'etl.conversations',
    ...DERIVED_TABLES,
    'etl.rejected_records',
  ]
  await sql.raw(`truncate ${all.join(', ')}`).execute(warehouse.db)
})

const everything = { start: new Date('2012-01-01'), end: new Date('2100-01-01') }

async function rows<Row>(query: string): Promise<Row[]> {
  return (await sql.raw<Row>(query).execute(warehouse.db)).rows
}

async function expectStored(...expected: JsonObject[]): Promise<void> {
  for (const raw of expected) {
    expect(differences(raw, (await stored(warehouse, raw['conversationId'] as string)) ?? null)).toEqual([])
  }
  expect(await rows('select count(*) from genesys.conversations')).toEqual([{ count: expected.length }])
  expect(await findMisplacedRows(warehouse.db, everything)).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
}

/** Tuples written in schema genesys so far, by the server's statistics. */
async function tuplesWritten(): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(warehouse.db)
  const [row] = await rows<{ tuples: number }>(
    `select sum(n_tup_ins + n_tup_upd + n_tup_del)::int8 as tuples from pg_stat_user_tables where schemaname = 'genesys'`,
  )
  return row?.tuples ?? 0
}

test('loads new conversations, counts their rows and stores where they came from', async () => {
  const batch = [conversation('b'), conversation('a', { conversationStart: '2026-04-01T00:00:00.000Z' })]
  const counts = await load(warehouse, batch, 1, { source: 'query', runId: 7 })
  expect(counts).toMatchObject({ received: 2, inserted: 2, changed: 0, unchanged: 0, stale: 0, rejected: 0 })
  expect(counts.rows).toMatchObject({
    conversations: 2,
    participants: 4,
    sessions: 2,
    session_metrics: 4,
    evaluations: 2,
  })
  await expectStored(...batch)
  expect(await rows('select distinct _source, _run_id from genesys.conversations')).toEqual([
    { _source: 'query', _run_id: 7 },
  ])
})

test('writes no row in genesys when unchanged conversations come again, in whatever order', async () => {
  await load(warehouse, [conversation('a'), conversation('b')], 1)
  const before = await tuplesWritten()
  const reordered = conversation('a')
  const again = Object.fromEntries(Object.entries(reordered).reverse())
  expect(await load(warehouse, [again, conversation('b')], 2)).toMatchObject({ received: 2, unchanged: 2 })
  // the statistics of the second load would be in by now if it had written: those of a third, changed one are
  await load(warehouse, [conversation('b', { externalTag: 'x' })], 3)
  expect(before).toBeGreaterThan(0)
  const rewritten = 2 * (1 + 2 + 1 + 1 + 2 + 1)
  await expect.poll(tuplesWritten).toBe(before + rewritten)
})

test('replaces a changed conversation whole', async () => {
  await load(warehouse, [conversation('a'), conversation('b')], 1)
  const shrunk = conversation('a', { participants: [], externalTag: 'tag' })
  expect(await load(warehouse, [shrunk, conversation('b')], 2)).toMatchObject({ changed: 1, unchanged: 1 })
  await expectStored(shrunk, conversation('b'))
})

test('never lets an older answer overwrite a newer one', async () => {
  const newer = conversation('a', { externalTag: 'newer' })
  await load(warehouse, [newer], 10)
  expect(await load(warehouse, [conversation('a', { externalTag: 'older' })], 9)).toMatchObject({
    received: 1,
    stale: 1,
  })
  expect(await load(warehouse, [conversation('a', { externalTag: 'same instant' })], 10)).toMatchObject({ stale: 1 })
  await expectStored(newer)
})

test('an unchanged answer still bars older ones', async () => {
  await load(warehouse, [conversation('a')], 1)
  await load(warehouse, [conversation('a')], 5)
  expect(await load(warehouse, [conversation('a', { externalTag: 'older' })], 3)).toMatchObject({ stale: 1 })
  await expectStored(conversation('a'))
})

test('takes the newest of several answers for one conversation in a batch', async () => {
  const answers = [
    { conversation: conversation('a', { externalTag: 'newest' }), fetchedAt: instant(3) },
    { conversation: conversation('a', { externalTag: 'oldest' }), fetchedAt: instant(1) },
    { conversation: conversation('a', { externalTag: 'middle' }), fetchedAt: instant(2) },
  ]
  const counts = await loadBatch(warehouse, answers, { source: 'query', runId: null, deliversAttributes: false })
  expect(counts).toMatchObject({ received: 3, inserted: 1, stale: 2 })
  await expectStored(conversation('a', { externalTag: 'newest' }))
})

test('compares instants, not their spelling', async () => {
  const late = conversation('a', { externalTag: 'late' })
  const options = { source: 'query', runId: null, deliversAttributes: false }
  await loadBatch(warehouse, [{ conversation: late, fetchedAt: '2026-04-01T02:00:00.000100Z' }], options)
  const early = { conversation: conversation('a'), fetchedAt: '2026-04-01T02:00:00.000099Z' }
  expect(await loadBatch(warehouse, [early], options)).toMatchObject({ stale: 1 })
  await expectStored(late)
})

test('leaves no duplicate when a start is corrected, even into another month', async () => {
  await load(warehouse, [conversation('a', { conversationStart: '2026-03-31T23:59:59.999Z' })], 1)
  const corrected = conversation('a', { conversationStart: '2026-04-01T00:00:00.000Z' })
  expect(await load(warehouse, [corrected], 2)).toMatchObject({ changed: 1 })
  await expectStored(corrected)
})

test('keeps attributes that another source delivered, and moves them with a corrected start', async () => {
  const raw = conversation('a')
  await load(warehouse, [withAttributes(raw, { language: 'en' }, { score: 1 })], 1, { deliversAttributes: true })
  expect(await load(warehouse, [raw], 2)).toMatchObject({ unchanged: 1 })
  const corrected = conversation('a', { conversationStart: '2026-05-01T00:00:00.000Z' })
  const moved = {
    ...corrected,
    participants: [...(corrected['participants'] as JsonObject[])].reverse(),
    externalTag: 'x',
  }
  expect(await load(warehouse, [moved], 3)).toMatchObject({ changed: 1 })
  await expectStored(withAttributes(moved, { score: 1 }, { language: 'en' }))
})

test('replaces attributes where they are delivered, and deletes them where they are gone', async () => {
  const raw = conversation('a')
  const first = withAttributes(raw, { language: 'en' })
  await load(warehouse, [first], 1, { deliversAttributes: true })
  expect(await load(warehouse, [first], 2, { deliversAttributes: true })).toMatchObject({ unchanged: 1 })
  const second = withAttributes(raw, { language: 'de' }, { score: 2 })
  expect(await load(warehouse, [second], 3, { deliversAttributes: true })).toMatchObject({ changed: 1 })
  await expectStored(second)
  expect(await load(warehouse, [raw], 4, { deliversAttributes: true })).toMatchObject({ changed: 1 })
  await expectStored(raw)
})

test('keeps records without a usable key aside, once per content', async () => {
  const unusable = [
    null,
    'text',
    { conversationStart: '2026-03-05T10:00:00.000Z', note: 'a\u0000b' },
    { conversationId: 'a', conversationStart: 'yesterday' },
    conversation('old', { conversationStart: '2011-12-31T23:59:59.999Z' }),
    conversation('ahead', { conversationStart: new Date(Date.now() + 2 * 86_400_000).toISOString() }),
  ]
  expect(await load(warehouse, [...unusable, conversation('fine')], 1)).toMatchObject({ rejected: 6, inserted: 1 })
  expect(await load(warehouse, unusable, 2)).toMatchObject({ rejected: 6 })
  const kept = await rows('select reason, times, stream from etl.rejected_records order by reason collate "C"')
  expect(kept).toEqual([
    { reason: 'conversationStart before 2012', times: 2, stream: 'conversations' },
    { reason: 'conversationStart more than a day ahead', times: 2, stream: 'conversations' },
    { reason: 'no conversationId', times: 2, stream: 'conversations' },
    { reason: 'no valid conversationStart', times: 2, stream: 'conversations' },
    { reason: 'not an object', times: 2, stream: 'conversations' },
    { reason: 'not an object', times: 2, stream: 'conversations' },
  ])
  await expectStored(conversation('fine'))
})

test('loads the rest of a batch when Postgres refuses one record, and keeps that one aside until it fits', async () => {
  await rows(`create function pg_temp_refuse() returns trigger language plpgsql as
    $$ begin if new.external_tag = 'poison' then raise sqlstate '22P02'; end if; return new; end $$`)
  await rows(
    'create trigger refuse before insert on genesys.conversations for each row execute function pg_temp_refuse()',
  )
  try {
    const healthy = Array.from({ length: 20 }, (_, index) => conversation(`c${index}`))
    const poisoned = conversation('p', { externalTag: 'poison' })
    expect(await load(warehouse, [...healthy.slice(0, 9), poisoned, ...healthy.slice(9)], 1)).toMatchObject({
      received: 21,
      inserted: 20,
      rejected: 1,
    })
    await expectStored(...healthy)
    const kept = 'select conversation_id, reason, resolved_at is not null as resolved from etl.rejected_records'
    expect(await rows(kept)).toMatchObject([
      { conversation_id: 'p', reason: expect.stringContaining('22P02') as string, resolved: false },
    ])
    await load(warehouse, [conversation('p')], 2)
    expect(await rows(kept)).toMatchObject([{ conversation_id: 'p', resolved: true }])
  } finally {
    await rows('drop trigger refuse on genesys.conversations; drop function pg_temp_refuse')
  }
})

test.each([
  ['a backslash', '\\'],
  ['a line feed', '\n'],
  ['a carriage return', '\r'],
  ['a tab', '\t'],
  ['a quotation mark', '"'],
  ['a brace', '}'],
  ['a comma', ','],
  ["COPY's null", '\\N'],
  ["COPY's end of data", '\\.'],
])('stores a text, an element of a list and an id whose only special part is %s', async (_name, special) => {
  const text = `a${special}b`
  const raw = conversation(text, { externalTag: text, divisionIds: [text, special], unknownField: { note: text } })
  expect(await load(warehouse, [raw, conversation('other')], 1)).toMatchObject({ inserted: 2, rejected: 0 })
  expect(await rows('select reason from etl.rejected_records')).toEqual([])
  await expectStored(raw, conversation('other'))
})

test('heals rows that etl.conversations does not know', async () => {
  await load(warehouse, [conversation('a'), conversation('b')], 1)
  await rows('truncate etl.conversations')
  const newer = conversation('a', { externalTag: 'x' })
  expect(await load(warehouse, [newer, conversation('b')], 2)).toMatchObject({ inserted: 2 })
  await expectStored(newer, conversation('b'))
})

test('a record that is rejected again after it had fitted is unresolved again', async () => {
  await rows(`create function refuse_poison() returns trigger language plpgsql as
    $$ begin if new.external_tag = 'poison' then raise sqlstate '22P02'; end if; return new; end $$`)
  await rows(
    'create trigger refuse before insert on genesys.conversations for each row execute function refuse_poison()',
  )
  try {
    for (const [seconds, externalTag] of ['poison', 'fine', 'poison'].entries()) {
      await load(warehouse, [conversation('p', { externalTag })], seconds + 1)
    }
    expect(await rows('select times, resolved_at from etl.rejected_records')).toEqual([{ times: 2, resolved_at: null }])
    expect(await countRejected(warehouse.db)).toBe(1)
  } finally {
    await rows('drop trigger refuse on genesys.conversations; drop function refuse_poison')
  }
})

describe('unchanged means that the row is there', () => {
  const march = conversation('march')
  const april = conversation('april', { conversationStart: '2026-04-02T00:00:00.000Z' })

  test('a month whose partitions were dropped comes back when it is read again', async () => {
    await load(warehouse, [march, april], 1)
    await rows(tables.map((table) => `drop table genesys.${table}_2026_03`).join(';'))
    expect(await load(warehouse, [march, april], 2)).toMatchObject({ changed: 1, unchanged: 1 })
    await expectStored(march, april)
    expect(await load(warehouse, [march, april], 3)).toMatchObject({ unchanged: 2 })
  })

  test('rows that are missing one by one come back, with their children', async () => {
    await load(warehouse, [march, conversation('b')], 1)
    await rows(`delete from genesys.conversations where conversation_id = 'march'`)
    expect(await load(warehouse, [march, conversation('b')], 2)).toMatchObject({ changed: 1, unchanged: 1 })
    await expectStored(march, conversation('b'))
  })

  test('a table of children whose month was dropped is filled again, by a process that creates its partition again', async () => {
    await load(warehouse, [march, april], 1)
    await rows('drop table genesys.segments_2026_03')
    await using later = connect(database.url)
    expect(await load(later, [march, april], 2)).toMatchObject({ changed: 1, unchanged: 1 })
    await expectStored(march, april)
    await using again = connect(database.url)
    expect(await load(again, [march, april], 3)).toMatchObject({ unchanged: 2 })
  })

  test('rows that a restored table has under an earlier start leave no duplicate', async () => {
    const earlier = conversation('march', { conversationStart: '2026-02-28T23:59:59.000Z' })
    await load(warehouse, [earlier], 1)
    await rows('create table kept as select * from genesys.conversations')
    await load(warehouse, [march], 2)
    // the backup of schema genesys is older than the correction
    await rows('truncate genesys.conversations; insert into genesys.conversations select * from kept; drop table kept')
    expect(await load(warehouse, [march], 3)).toMatchObject({ changed: 1 })
    await expectStored(march)
  })

  test('rows that etl.conversations does not know under their start leave no duplicate', async () => {
    await load(warehouse, [conversation('a', { conversationStart: '2026-02-28T23:59:59.000Z' }), march], 1)
    await rows('truncate etl.conversations')
    const corrected = conversation('a')
    expect(await load(warehouse, [corrected, march], 2)).toMatchObject({ inserted: 2 })
    await expectStored(corrected, march)
  })

  test('attributes that are gone with their row are written again when they are delivered', async () => {
    const whole = withAttributes(march, { language: 'en' })
    await load(warehouse, [whole], 1, { deliversAttributes: true })
    await rows(tables.map((table) => `drop table genesys.${table}_2026_03`).join(';'))
    expect(await load(warehouse, [march], 2)).toMatchObject({ changed: 1 })
    expect(await load(warehouse, [whole], 3, { deliversAttributes: true })).toMatchObject({ changed: 1 })
    await expectStored(whole)
    expect(await load(warehouse, [whole], 4, { deliversAttributes: true })).toMatchObject({ unchanged: 1 })
  })

  test('to know it costs one statement per batch, which searches only the months of the batch', async () => {
    const batch = [march, april, conversation('b')]
    await load(warehouse, batch, 1)
    const statements = async (seconds: number, raws: JsonObject[]): Promise<string[]> => {
      const seen: string[] = []
      await using watched = connect(database.url)
      watched.pool.on('connect', (client) => {
        const query = client.query.bind(client) as (...given: unknown[]) => unknown
        client.query = ((...given: unknown[]) => {
          const [text] = given as [string | { text?: string }]
          seen.push(typeof text === 'string' ? text : (text.text ?? ''))
          return query(...given)
        }) as typeof client.query
      })
      await load(watched, raws, seconds)
      return seen.filter((text) => text.includes('from genesys.conversations'))
    }
    expect(await statements(2, batch)).toHaveLength(1)
    expect(await statements(3, [conversation('new')])).toHaveLength(0)
  })
})

describe('a clock of the database that was ahead', () => {
  const ahead = `now() + interval '3 days'`

  test('an answer read now wins over one that was dated in the future', async () => {
    await load(warehouse, [conversation('a')], 1)
    await rows(`update etl.conversations set fetched_at = ${ahead}`)
    const newer = conversation('a', { externalTag: 'newer' })
    expect(await load(warehouse, [newer], 2)).toMatchObject({ changed: 1, stale: 0 })
    // and from then on the newer of two readers wins again
    expect(await load(warehouse, [conversation('a', { externalTag: 'older' })], 1)).toMatchObject({ stale: 1 })
    await expectStored(newer)
  })

  test('no answer is stored as fetched later than now', async () => {
    const fetchedAt = new Date(Date.now() + 3 * 86_400_000).toISOString()
    const options = { source: 'query', runId: null, deliversAttributes: false }
    await loadBatch(warehouse, [{ conversation: conversation('a'), fetchedAt }], options)
    expect(await rows('select fetched_at <= clock_timestamp() as honest from etl.conversations')).toEqual([
      { honest: true },
    ])
  })

  test('a row that was loaded in the future is written again, so that readers by _loaded_at see it', async () => {
    await load(warehouse, [conversation('a'), conversation('b')], 1)
    await rows(`update genesys.conversations set _loaded_at = ${ahead} where conversation_id = 'a'`)
    expect(await load(warehouse, [conversation('a'), conversation('b')], 2)).toMatchObject({ changed: 1, unchanged: 1 })
    expect(await rows(`select count(*) from genesys.conversations where _loaded_at > now()`)).toEqual([{ count: 0 }])
  })
})
