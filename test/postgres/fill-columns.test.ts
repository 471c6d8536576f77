import * as fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import { dataColumnsOf, tables, type TableName } from '../../src/model/columns.ts'
import { contentHash } from '../../src/model/content-hash.ts'
import { parseJson, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { conversationKey } from '../../src/model/transform.ts'
import { connect } from '../../src/postgres/connect.ts'
import { fillColumns, forgetDroppedColumns, pendingFills, type FillProgress } from '../../src/postgres/fill-columns.ts'
import { selectMeta } from '../../src/postgres/meta.ts'
import { migrateDown, migrateUp } from '../../src/postgres/migrate.ts'
import { dropRepeatables } from '../../src/postgres/views.ts'
import { readBack } from '../../src/loader/read-back.ts'
import { arbitraryConversation } from '../support/arbitrary-conversation.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { DERIVED_TABLES } from '../support/derived.ts'
import { versionWithout } from '../support/older-version.ts'
import { conversation, instant, load } from '../loader/conversations.ts'

/** Fields of every type, on several levels, that the older version of these tests does not know; it can't do without those that rows are derived from. */
const newFields = {
  conversations: ['externalTag', 'knowledgeBaseIds', 'conferenceStart', 'mediaStatsMinConversationMos', 'selfServed'],
  participants: ['teamId', 'screenRecording'],
  sessions: [
    'addressOther',
    'mediaCount',
    'eligibleAgentCounts',
    'agentGroups',
    'callbackScheduledTime',
    'detectedSpeechEnd',
  ],
  segments: ['groupId', 'q850ResponseCodes', 'properties', 'conference'],
  media_endpoint_stats: ['eventTime'],
  flow_outcomes: ['flowOutcomeId'],
} as const satisfies Partial<Record<TableName, readonly string[]>>
const newColumns = Object.entries(newFields).flatMap(([table, fields]) =>
  fields.map((api) => {
    const { name, type } = dataColumnsOf(table as TableName).find((column) => column.api === api)!
    return { table: table as TableName, name, type }
  }),
)

const [grownDatabase, freshDatabase] = [await createFileDatabase(), await createFileDatabase()]
const [grown, fresh] = [connect(grownDatabase.url), connect(freshDatabase.url)]
const older = await versionWithout(newFields)
afterAll(async () => {
  older[Symbol.dispose]()
  await Promise.all([grown.close(), fresh.close()])
})

/** Empties both databases, and takes the first one back to before the new columns. */
beforeEach(async () => {
  for (const { db } of [grown, fresh]) {
    await sql
      .raw(`truncate etl.conversations, ${[...DERIVED_TABLES, ...tables.map((table) => `genesys.${table}`)].join()}`)
      .execute(db)
  }
  // views read some of the columns
  await dropRepeatables(grown.db)
  for (const { table, name } of newColumns) {
    await sql.raw(`alter table genesys.${table} drop column if exists ${name}`).execute(grown.db)
  }
  await forgetDroppedColumns(grown.db)
})

/** What a migration would do. */
async function addColumns(): Promise<void> {
  for (const { table, name, type } of newColumns) {
    await sql.raw(`alter table genesys.${table} add column ${name} ${type}`).execute(grown.db)
  }
}

async function loadOlder(conversations: readonly JsonObject[]): Promise<void> {
  await using warehouse = older.connect(grownDatabase.url)
  const records = conversations.map((raw) => ({ conversation: raw, fetchedAt: instant(1) }))
  await older.loadBatch(warehouse, records, { source: 'query', runId: 1, deliversAttributes: true })
}

async function expectEqual(conversations: readonly JsonObject[]): Promise<void> {
  const ids = conversations
    .flatMap((raw) => conversationKey(raw) as { conversationId: string })
    .map((key) => key.conversationId)
  const [filled, loaded] = [await readBack(grown.db, ids), await readBack(fresh.db, ids)]
  expect([...filled.keys()]).toEqual([...loaded.keys()])
  for (const raw of conversations) {
    const { conversationId } = conversationKey(raw) as { conversationId: string }
    const rows = filled.get(conversationId)
    expect(rows).toEqual(loaded.get(conversationId))
    if (rows) expect(differences(raw, reassemble(rows))).toEqual([])
  }
}

/** A conversation with a value in every new column. */
function rich(id: string, start: string, members: Record<string, JsonValue> = {}): JsonObject {
  return {
    conversationId: id,
    conversationStart: start,
    unknown: { still: ['unknown'] },
    externalTag: `tag "${id}", \\N {NULL}\t\n`,
    knowledgeBaseIds: ['a', null, 'NULL', '"', '\\'],
    conferenceStart: '2026-03-05T10:00:00.123456Z',
    mediaStatsMinConversationMos: 4.882592870967742,
    selfServed: false,
    participants: [
      {
        teamId: 't',
        screenRecording: true,
        sessions: [
          {
            addressOther: '',
            detectedSpeechEnd: 'no time',
            mediaCount: parseJson('9223372036854775807'),
            eligibleAgentCounts: [1, null, parseJson('9007199254740993')],
            agentGroups: [{ agentGroupId: 'g', number: parseJson('1e400') }],
            callbackScheduledTime: '2026-03-05T10:00:00+02:00',
            segments: [
              { groupId: 'q', q850ResponseCodes: [16], properties: [{ a: { b: null } }], conference: true },
              { q850ResponseCodes: ['none'], groupId: 7, conference: 'yes' },
              { q850ResponseCodes: [16, 'x', 1.5] },
              {},
            ],
            mediaEndpointStats: [{ eventTime: '2026-03-05T10:00:00Z' }, { eventTime: 5 }, { eventTime: '24:00' }],
            flow: { outcomes: [{ flowOutcomeId: 'o' }] },
          },
        ],
      },
    ],
    ...members,
  }
}

const months = ['2026-03-05T10:00:00.000Z', '2026-04-05T10:00:00.000Z', '2026-04-06T10:00:00.123456Z']

describe('columns that a version adds', () => {
  test('hold what a fresh load would have put into them, and nothing was read or marked as changed for it', async () => {
    const conversations = months.map((start, i) => rich(`c${i}`, start))
    await loadOlder(conversations)
    const decisions = sql`select * from etl.conversations order by 1`
    const loadedAt = sql`select conversation_id, _loaded_at, _run_id from genesys.conversations order by 1`
    const [decided, loaded] = [await decisions.execute(grown.db), await loadedAt.execute(grown.db)]
    await addColumns()
    const names = newColumns.map(({ table, name, type }) => `${table}.${name} ${type}`)
    expect((await pendingFills(grown.db)).sort()).toEqual(names.sort())
    expect(Object.fromEntries(await fillColumns(grown.db))).toEqual({
      conversations: 3,
      participants: 3,
      sessions: 3,
      segments: 6,
      media_endpoint_stats: 3,
      flow_outcomes: 3,
    })
    await load(fresh, conversations, 1, { deliversAttributes: true })
    await expectEqual(conversations)
    expect((await decisions.execute(grown.db)).rows).toEqual(decided.rows)
    expect((await loadedAt.execute(grown.db)).rows).toEqual(loaded.rows)
    expect(await load(grown, conversations, 2, { deliversAttributes: true })).toMatchObject({
      unchanged: 3,
      changed: 0,
    })
  })

  test('hold it whatever the conversations are', async () => {
    const generated = fc.array(arbitraryConversation({ conversationStart: fc.constantFrom(...months) }), {
      minLength: 20,
      maxLength: 30,
    })
    const conversations = [
      ...new Map(
        fc
          .sample(generated, { numRuns: 3, seed: 7 })
          .flat()
          .map((raw) => [raw['conversationId'], raw]),
      ).values(),
    ]
    await loadOlder(conversations)
    await addColumns()
    await fillColumns(grown.db, { batchSize: 7 })
    const ids = conversations.map((raw) => raw['conversationId'] as string)
    const stored = await readBack(grown.db, ids)
    expect(stored.size).toBe(ids.length)
    for (const raw of conversations) {
      expect(differences(raw, reassemble(stored.get(raw['conversationId'] as string)!))).toEqual([])
    }
    await load(fresh, conversations, 1, { deliversAttributes: true })
    await expectEqual(conversations)
  })

  test('are filled once: what is remembered as filled is not looked at again', async () => {
    await loadOlder([rich('c', months[0]!)])
    await addColumns()
    await fillColumns(grown.db)
    expect(await pendingFills(grown.db)).toEqual([])
    await sql`update genesys.segments set group_id = null, _extra = '{"groupId":"q"}'`.execute(grown.db)
    expect(await fillColumns(grown.db)).toEqual(new Map())
    const { rows } = await sql`select distinct group_id from genesys.segments`.execute(grown.db)
    expect(rows).toEqual([{ group_id: null }])
  })

  test('are filled on after an end in the middle, without the partitions that were done', async () => {
    const conversations = months.map((start, i) => rich(`c${i}`, start))
    await loadOlder(conversations)
    await addColumns()
    await sql
      .raw(`
      create function pg_temp_fail() returns trigger language plpgsql as $$ begin raise exception 'stop'; end $$;
      create trigger stop before update on genesys.sessions_2026_03 for each row execute function pg_temp_fail();`)
      .execute(grown.db)
    await expect(fillColumns(grown.db)).rejects.toThrow('stop')
    await sql.raw('drop function pg_temp_fail() cascade').execute(grown.db)
    expect(await pendingFills(grown.db)).toHaveLength(newColumns.length)
    const progress = await selectMeta<{ partitions: string[] }>(grown.db, 'filling_columns')
    expect(progress?.partitions).toEqual(expect.arrayContaining(['genesys.sessions_2026_04']))
    expect(progress?.partitions).not.toContain('genesys.sessions_2026_03')
    expect(Object.fromEntries(await fillColumns(grown.db))).toMatchObject({ sessions: 1, segments: 2 })
    expect(await selectMeta(grown.db, 'filling_columns')).toBeUndefined()
    await load(fresh, conversations, 1, { deliversAttributes: true })
    await expectEqual(conversations)
  })

  test('are filled within the time that a start may take, the newest month first, and every partition is reported', async () => {
    const conversations = months.map((start, i) => rich(`c${i}`, start))
    await loadOlder(conversations)
    await addColumns()
    expect(await fillColumns(grown.db, { budgetMs: 0 })).toEqual(new Map())
    expect(await pendingFills(grown.db)).toHaveLength(newColumns.length)
    const seen: FillProgress[] = []
    await fillColumns(grown.db, { onPartition: (progress) => seen.push(progress) })
    expect(seen.length).toBeGreaterThan(months.length)
    expect(seen.map(({ done, total }) => [done, total])).toEqual(seen.map((_, i) => [i, seen.length]))
    const monthsSeen = seen.map(({ partition }) => partition.slice(-7))
    expect(monthsSeen).toEqual(monthsSeen.toSorted().reverse())
    expect(await pendingFills(grown.db)).toEqual([])
  })

  test('are filled while others load and fill', async () => {
    const conversations = Array.from({ length: 60 }, (_, i) => rich(`c${i}`, months[i % 3]!))
    await loadOlder(conversations)
    await addColumns()
    const changed = conversations.map((raw) => ({ ...raw, externalTag: 'changed' }))
    await Promise.all([
      fillColumns(grown.db, { batchSize: 5 }),
      fillColumns(grown.db, { batchSize: 3 }),
      ...[0, 20, 40].map((from) => load(grown, changed.slice(from, from + 20), 2, { deliversAttributes: true })),
    ])
    await fillColumns(grown.db)
    expect(await pendingFills(grown.db)).toEqual([])
    await load(fresh, changed, 1, { deliversAttributes: true })
    await expectEqual(changed)
  })

  test('are due again after a migration that dropped them was undone', async () => {
    await addColumns()
    await fillColumns(grown.db)
    expect(await pendingFills(grown.db)).toEqual([])
    await sql`alter table genesys.segments drop column group_id`.execute(grown.db)
    await forgetDroppedColumns(grown.db)
    expect(await pendingFills(grown.db)).toEqual(['segments.group_id text'])
  })
})

test('migrate fills lists that earlier versions left empty because of a null among their elements', async () => {
  await addColumns()
  await load(grown, [conversation('c', { divisionIds: ['d1', null] })], 1)
  await sql`update genesys.conversations set division_ids = null, _extra = '{"divisionIds": ["d1", null]}'`.execute(
    grown.db,
  )
  while (!(await migrateDown(grown.db)).includes('20261126T1000Z-record-filled-columns'));
  expect(await migrateUp(grown.db)).toContain('genesys.conversations: 1 rows filled from _extra')
  const { rows } = await sql`select division_ids, _extra from genesys.conversations`.execute(grown.db)
  expect(rows).toEqual([{ division_ids: ['d1', null], _extra: null }])
})

test('the migration that begins to keep record leaves only lists to be filled', async () => {
  await using own = await createTestDatabase({ empty: true })
  await using empty = connect(own.url)
  await migrateUp(empty.db)
  await sql.raw(`delete from etl.meta where key = 'filled_columns'`).execute(empty.db)
  const { up } = await import('../../migrations/20261126T1000Z-record-filled-columns.ts')
  await up(empty.db as never)
  const pending = await pendingFills(empty.db)
  expect(pending.length).toBeGreaterThan(10)
  expect(pending.filter((name) => !name.endsWith('[]'))).toEqual([])
})

test('a hash is the same whether or not the model knows a key', () => {
  fc.assert(
    fc.property(arbitraryConversation(), (raw) => {
      expect(older.contentHash(raw)).toBe(contentHash(raw))
    }),
    { numRuns: 100 },
  )
  const known = Object.fromEntries(
    Object.values(newFields)
      .flat()
      .map((api) => [api, 1]),
  )
  expect(older.contentHash(known)).toBe(contentHash(known))
})
