/** Erasing: nothing of a person stays anywhere, and nothing of it comes back. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { tables } from '../../src/model/columns.ts'
import { afterLoading } from '../../src/history/upkeep.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { createLogger } from '../../src/log.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { connect } from '../../src/postgres/connect.ts'
import { completeErasures, previewErasure } from '../../src/privacy/erase.ts'
import { findPerson } from '../../src/privacy/find-person.ts'
import { DERIVED_TABLES, expectDerived, selectCells } from '../support/derived.ts'
import { createFileDatabase } from '../support/database.ts'
import { findTraces } from '../support/traces.ts'
import { recomputeUnsettled, selectUnsettled } from '../support/unsettled.ts'
import { conversation, instant, load, stored, withAttributes } from '../loader/conversations.ts'
import { callOf, erasePerson } from './support.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
beforeEach(async () => {
  const all = [
    ...tables.map((table) => `genesys.${table}`),
    ...[
      'conversations',
      'unsettled',
      'deletions',
      'interval_cells',
      'dirty_hours',
      'rejected_records',
      'reconciliations',
    ].map((name) => `etl.${name}`),
    ...['webhook_outbox', 'rereads', 'erasures', 'tombstones', 'erased_records'].map((name) => `etl.${name}`),
    'genesys.live_conversations',
    ...DERIVED_TABLES,
  ].join(', ')
  await sql.raw(`truncate ${all}`).execute(warehouse.db)
})

const never = new AbortController().signal
const logger = createLogger('silent')
const ani = '+13175550100'
/** What may name an erased conversation. */
const KEPT = ['etl.deletions', 'etl.tombstones']

/** Puts the conversation `a` into every table that can name it. */
async function storeEverywhere(): Promise<void> {
  const whole = withAttributes(callOf('a', { ani }), { Phone: ani }, {}, {})
  await load(warehouse, [{ ...whole, unknownField: { reach: ani } }, callOf('b', { ani: '+49301234567' })], 1, {
    deliversAttributes: true,
  })
  await load(warehouse, [{ ...callOf('a', { ani }), conversationStart: '?' }], 2)
  await load(warehouse, [{ conversationStart: '2026-03-05T10:00:00Z', participants: [{ sessions: [{ ani }] }] }], 2)
  await sql`
    insert into genesys.live_conversations (conversation_id, conversation_start, state, participants, snapshot_at)
    values ('a', now(), 'waiting', 1, now()), ('b', now(), 'waiting', 1, now())`.execute(warehouse.db)
  await sql`insert into etl.rereads (conversation_id, due_at) values ('a', now()), ('b', now())`.execute(warehouse.db)
  await sql`
    insert into etl.webhook_outbox (message_id, conversation_id, event, payload)
    values ('m1', 'a', 'ended', '{"data": {"conversationId": "a"}}'), ('m2', 'b', 'ended', '{}')`.execute(warehouse.db)
  await sql`
    insert into etl.reconciliations (run_id, day, interval_start, metric, statistic, ours, theirs, class, conversations)
    values (1, '2026-03-05', '2026-03-05T10:00Z', 'tHandle', 'sum', 1, 2, 'changed', '{a,b}')`.execute(warehouse.db)
  await sql`
    insert into etl.meta (key, value) values ('walk', '{"position": {"id": "a", "start": "2026-03-05 10:00:00+00"}}')
    on conflict (key) do update set value = excluded.value`.execute(warehouse.db)
  await sql`update etl.settling set position_id = 'a', position_start = '2026-03-05T10:00Z'`.execute(warehouse.db)
}

test('no table of any schema has a trace, apart from the lists of what was erased', async () => {
  await storeEverywhere()
  const before = await findTraces(warehouse, ['"a"', ani])
  expect(Object.keys(before)).toEqual(
    expect.arrayContaining([
      'genesys.conversations',
      'genesys.participant_attributes',
      'etl.rejected_records',
      'etl.settling',
    ]),
  )
  const preview = await previewErasure(
    warehouse.db,
    await findPerson(warehouse, { conversationIds: [], externalContactIds: [], addresses: [ani] }, never),
  )
  expect(preview).toMatchObject({ conversationIds: ['a'], stored: 1, rejectedRecords: 2 })
  expect(preview.rows).toMatchObject({
    'genesys.participants': 3,
    'etl.webhook_outbox': 1,
    'etl.rejected_records': 2,
    'etl.reconciliations': 1,
  })
  expect(await findTraces(warehouse, ['"a"', ani])).toEqual(before)

  const erasure = await erasePerson(warehouse, { addresses: ['tel:+1 317 555 0100'] })
  expect(await findTraces(warehouse, [ani, 'contact +1317', 'a-customer'])).toEqual({})
  expect(Object.keys(await findTraces(warehouse, ['"a"']))).toEqual(KEPT)
  expect(erasure.deleted).toMatchObject(preview.rows)
  expect(await stored(warehouse, 'b')).toBeDefined()
  expect(await findTraces(warehouse, ['"b"'])).toMatchObject({
    'etl.reconciliations': 1,
    'etl.rereads': 1,
    'etl.webhook_outbox': 1,
    'genesys.live_conversations': 1,
  })
  const { rows } = await sql`select value from etl.meta where key = 'walk'`.execute(warehouse.db)
  expect(rows).toEqual([{ value: { position: { id: '', start: '2026-03-05 10:00:00.000001+00' } } }])
  await expectDerived(warehouse)
  expect(await selectUnsettled(warehouse)).toEqual(await recomputeUnsettled(warehouse))
})

test('the erasure is on record, without what was erased, and so is the deletion', async () => {
  await load(warehouse, [callOf('a', { ani })], 1)
  await erasePerson(warehouse, { addresses: [ani] })
  const { rows } = await sql<Record<string, unknown>>`
    select key_kind, keys, os_user, database_user = session_user as known, conversations, finished_at is not null as finished
    from etl.erasures`.execute(warehouse.db)
  expect(rows).toEqual([
    { key_kind: 'address', keys: 1, os_user: 'ada', known: true, conversations: 1, finished: true },
  ])
  const { rows: deletions } = await sql`
    select conversation_id, reason, conversation_start from reporting.deletions`.execute(warehouse.db)
  expect(deletions).toEqual([
    { conversation_id: 'a', reason: 'erased', conversation_start: new Date('2026-03-05T10:00:00Z') },
  ])
})

test('no load brings it back, nor its rejected records; later conversations of the person load', async () => {
  await storeEverywhere()
  await erasePerson(warehouse, { addresses: [ani] })
  const again = [callOf('a', { ani }), callOf('b', { ani: '+49301234567' })]
  expect(await load(warehouse, again, 10)).toMatchObject({ received: 2, erased: 1, unchanged: 1 })
  expect(await load(warehouse, [callOf('a', { ani })], 11, { deliversAttributes: true })).toMatchObject({ erased: 1 })
  expect(await load(warehouse, [{ ...callOf('a', { ani }), conversationStart: '?' }], 12)).toMatchObject({
    rejected: 1,
  })
  const unnamed = { conversationStart: '2026-03-05T10:00:00Z', participants: [{ sessions: [{ ani }] }] }
  await load(warehouse, [unnamed], 12)
  expect(await findTraces(warehouse, [ani])).toEqual({})
  expect(Object.keys(await findTraces(warehouse, ['"a"']))).toEqual(KEPT)
  expect(await load(warehouse, [callOf('later', { ani })], 13)).toMatchObject({ inserted: 1, erased: 0 })
})

test('a record that was rejected before the erasure is not loaded by a replay', async () => {
  await sql`alter table genesys.conversations add constraint wanted check (external_tag is distinct from 'bad')`.execute(
    warehouse.db,
  )
  try {
    await load(warehouse, [{ ...callOf('a', { ani }), externalTag: 'bad' }], 1)
  } finally {
    await sql`alter table genesys.conversations drop constraint wanted`.execute(warehouse.db)
  }
  await erasePerson(warehouse, { addresses: [ani] })
  expect(await replayRejected(warehouse, { runId: 1, signal: never })).toMatchObject({ records: 0 })
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

test('a conversation that is not stored yet is kept out, too', async () => {
  await erasePerson(warehouse, { conversationIds: ['future'] }, { kind: 'conversation_id' })
  expect(await load(warehouse, [conversation('future')], 1)).toMatchObject({ erased: 1, inserted: 0 })
  const { rows } = await sql`select from etl.deletions`.execute(warehouse.db)
  expect(rows).toEqual([])
})

test('the hours that it counted in are summed up again', async () => {
  await load(warehouse, [callOf('a', { ani }), callOf('b', { ani: '1' })], 1)
  await sql`delete from etl.dirty_hours`.execute(warehouse.db)
  await erasePerson(warehouse, { addresses: [ani] })
  const { rows } = await sql`select distinct hour from etl.dirty_hours`.execute(warehouse.db)
  expect(rows).toEqual([{ hour: new Date('2026-03-05T10:00:00Z') }])
})

test('--keep-statistics keeps the sums by queue, and names neither the conversation nor the user', async () => {
  await load(warehouse, [callOf('a', { ani }), callOf('b', { ani: '1' })], 1)
  const sums = sql`
    select queue_id, sum(offered)::integer as offered, sum(handle_ms)::integer as handled from reporting.queue_intervals
    where queue_id is not null group by 1`
  const before = (await sums.execute(warehouse.db)).rows
  await erasePerson(warehouse, { addresses: [ani] }, { keepStatistics: true })
  expect((await sums.execute(warehouse.db)).rows).toEqual(before)
  const cells = await selectCells(warehouse)
  expect(new Set(cells.map(([id]) => (id as string).slice(0, 7)))).toEqual(new Set(['b', 'erased-']))
  const { rows } = await sql`
    select count(*)::integer as cells, count(user_id)::integer as users, count(distinct conversation_start)::integer as starts
    from etl.interval_cells where conversation_id like 'erased-%' and conversation_start = '2026-03-05'`.execute(
    warehouse.db,
  )
  expect(rows).toMatchObject([{ users: 0, starts: 1 }])
  expect(Object.keys(await findTraces(warehouse, ['"a"']))).toEqual(KEPT)
})

test('it may be repeated', async () => {
  await load(warehouse, [callOf('a', { ani })], 1)
  await erasePerson(warehouse, { conversationIds: ['a'] })
  const { deleted } = await erasePerson(warehouse, { conversationIds: ['a'] })
  expect(deleted).toEqual({})
  const { rows } = await sql`select reason from etl.deletions`.execute(warehouse.db)
  expect(rows).toEqual([{ reason: 'erased' }])
})

test('an erasure that was interrupted between its tombstones and its deletes is completed by the next one', async () => {
  await load(warehouse, [callOf('a', { ani }), callOf('b', { ani: '1' })], 1)
  const blocker = await warehouse.connectAlone('blocker')
  await blocker.query(`begin; select from etl.conversations where conversation_id = 'a' for update`)
  const stopping = new AbortController()
  const interrupted = erasePerson(warehouse, { addresses: [ani] }, {}, stopping.signal)
  await expect.poll(async () => (await sql`select from etl.tombstones`.execute(warehouse.db)).rows.length).toBe(1)
  await expect.poll(waiting).toBeGreaterThan(0)
  await blocker.query(
    'select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = $1 and datname = current_database()',
    ['Lock'],
  )
  stopping.abort(new Error('stopped'))
  await expect(interrupted).rejects.toThrow('aborted')
  await blocker.query('rollback')
  await blocker.end()
  expect(await stored(warehouse, 'a')).toBeDefined()
  expect(await load(warehouse, [callOf('a', { ani })], 10)).toMatchObject({ erased: 1 })
  const unfinished = async () => (await readStatus(warehouse, { filter: {}, lookbackDays: 3, start: null })).erasures
  expect(await unfinished()).toMatchObject({ unfinished: 1, conversations: 1, oldestAt: expect.any(Date) as Date })
  expect(await completeErasures({ warehouse, logger }, never)).toEqual({ conversations: 1 })
  expect(await unfinished()).toEqual({ unfinished: 0, conversations: 0, oldestAt: null })
  expect(await findTraces(warehouse, [ani])).toEqual({})
  expect(await completeErasures({ warehouse, logger }, never)).toEqual({ conversations: 0 })
})

test('what a backup brings back goes with its tombstones', async () => {
  await erasePerson(warehouse, { conversationIds: ['a'] })
  const { rows: saved } = await sql<{ id: string }>`select conversation_id as id from etl.tombstones`.execute(
    warehouse.db,
  )
  // the backup is older than the erasure
  await sql`truncate etl.tombstones, etl.erasures, etl.deletions`.execute(warehouse.db)
  await load(warehouse, [callOf('a', { ani })], 1)
  await erasePerson(warehouse, { conversationIds: saved.map(({ id }) => id) }, { kind: 'conversation_id' })
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

async function waiting(): Promise<number> {
  const { rowCount } = await warehouse.pool.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

test.each(['new', 'stored'])(
  'a load of a %s conversation that is under way when the erasure begins leaves nothing',
  async (which) => {
    if (which === 'stored') await load(warehouse, [callOf('a', { ani })], 1)
    const blocker = await warehouse.connectAlone('blocker')
    // the load has decided, and waits for its COPY
    await blocker.query('begin; lock table genesys.segments in share mode')
    const newer: JsonObject = { ...callOf('a', { ani }), externalTag: 'new' }
    const loading = load(warehouse, [newer, callOf('b', { ani: '1' })], 5)
    await expect.poll(waiting).toBe(1)
    const erasing = erasePerson(warehouse, { conversationIds: ['a'] })
    await expect.poll(waiting).toBe(2)
    await blocker.query('rollback')
    await blocker.end()
    await Promise.all([loading, erasing])
    expect(await findTraces(warehouse, [ani])).toEqual({})
    expect(Object.keys(await findTraces(warehouse, ['"a"'])).filter((table) => !KEPT.includes(table))).toEqual([])
    expect(await stored(warehouse, 'b')).toBeDefined()
    await expectDerived(warehouse)
  },
)

test('a load that waits for the erasure leaves the conversation out', async () => {
  await load(warehouse, [callOf('a', { ani }), callOf('b', { ani: '1' })], 1)
  const blocker = await warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in share mode')
  const erasing = erasePerson(warehouse, { conversationIds: ['a'] })
  await expect.poll(waiting).toBe(1)
  // the tombstones have committed, so it does not even wait
  expect(await load(warehouse, [callOf('a', { ani })], 5)).toMatchObject({ erased: 1 })
  await blocker.query('rollback')
  await blocker.end()
  await erasing
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

test('a record without an id that an earlier release had kept stays away, too', async () => {
  const unnamed = { participants: [{ sessions: [{ ani }] }], conversationStart: '2026-03-05T10:00:00Z' }
  await load(warehouse, [unnamed], 1)
  const earlier = createHash('sha256').update(JSON.stringify(unnamed)).digest('hex')
  await sql`update etl.rejected_records set raw_hash = ${earlier}`.execute(warehouse.db)
  await erasePerson(warehouse, { addresses: [ani] })
  await load(warehouse, [unnamed], 2)
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

test('the ids that rejected records of older releases name are filled', async () => {
  await load(warehouse, [{ ...conversation('a'), conversationStart: '?' }, { conversationStart: instant(1) }], 1)
  await sql`update etl.rejected_records set conversation_id = null`.execute(warehouse.db)
  await findPerson(warehouse, { conversationIds: ['x'], externalContactIds: [], addresses: [] }, never)
  const { rows } = await sql<{ id: string | null }>`
    select conversation_id as id from etl.rejected_records order by id`.execute(warehouse.db)
  expect(rows.map(({ id }) => id)).toEqual(['a', null])
})

test('the nightly upkeep fills them, too, and deletes what an older release has kept of what was erased', async () => {
  await erasePerson(warehouse, { conversationIds: ['a'] })
  await load(warehouse, [{ ...callOf('b', { ani: '1' }), conversationStart: '?' }], 1)
  await sql`update etl.rejected_records set conversation_id = null`.execute(warehouse.db)
  await sql`
    insert into etl.rejected_records (stream, reason, raw, raw_hash)
    values ('conversations', 'x', ${JSON.stringify(callOf('a', { ani }))}::jsonb, 'hash')`.execute(warehouse.db)
  await afterLoading({ warehouse, logger }, 'sync', [])
  const { rows } = await sql`select conversation_id as id from etl.rejected_records`.execute(warehouse.db)
  expect(rows).toEqual([{ id: 'b' }])
})
