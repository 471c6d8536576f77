/** What happens to personal data when its retention is over: in loads, in rejected records, and in what is stored already. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { advanceRetention } from '../../src/history/upkeep.ts'
import { replaceAttributes } from '../../src/loader/attributes.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { createLogger } from '../../src/log.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { KEEP_ALL, type PersonalPolicy } from '../../src/model/personal.ts'
import { retentionFloor } from '../../src/model/retention.ts'
import { readDatabaseClock } from '../../src/postgres/clock.ts'
import { connect, withTransaction, type Warehouse } from '../../src/postgres/connect.ts'
import { adoptPolicy, advanceFloor, selectFloor } from '../../src/postgres/personal-policy.ts'
import { applyPolicyToStored } from '../../src/privacy/apply-policy.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { dropPersonalAfterSync, selectRetention } from '../../src/privacy/personal-retention.ts'
import { load, stored } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { expectDerived } from '../support/derived.ts'
import { patience } from '../support/patience.ts'
import { findValues } from '../support/personal-values.ts'

const hasher = personalHasher('a key of at least thirty-two characters')
const HASH: PersonalPolicy = { customers: 'hash', employees: 'hash', hasher }
const never = new AbortController().signal
const logger = createLogger('silent')
const FEBRUARY = '2026-02-01T00:00:00.000Z'
const MARCH = '2026-03-01T00:00:00.000Z'
const OLD = '2026-02-28T23:59:59.999Z'

/** A call whose personal values all contain the name of its customer. */
function call(id: string, start: string, customer = `Ada-${id}`): JsonObject {
  return {
    conversationId: id,
    conversationStart: start,
    participants: [
      {
        participantId: `${id}-p0`,
        purpose: 'customer',
        participantName: customer,
        externalContactId: `contact of ${customer}`,
        sessions: [
          {
            sessionId: `${id}-s0`,
            mediaType: 'voice',
            ani: `${customer}@example.org`,
            nickname: `nick of ${customer}`,
            segments: [{ segmentStart: start, segmentType: 'interact', wrapUpNote: `note of ${customer}` }],
            metrics: [{ name: 'nConnected', value: 1, emitDate: start }],
          },
        ],
      },
      { participantId: `${id}-p1`, purpose: 'agent', userId: 'u1', participantName: `agent of ${customer}` },
    ],
  }
}

/** The same call with attributes of its customer. */
function attributed(raw: JsonObject): JsonObject {
  const [customer, ...others] = raw['participants'] as JsonObject[]
  const attributes = { phone: `attribute of ${raw['conversationId'] as string}` }
  return { ...raw, participants: [{ ...customer, attributes }, ...others] }
}

async function openDatabase(policy: PersonalPolicy = KEEP_ALL) {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await createTestDatabase())
  const warehouse = stack.use(connect(database.url, { personalPolicy: policy }))
  await adoptPolicy(warehouse.db, policy)
  const resources = stack.move()
  return { url: database.url, warehouse, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

const retain = (warehouse: Warehouse, signal = never) => dropPersonalAfterSync({ warehouse, logger }, signal)

/** Counts of the runs of the job, oldest first. */
async function runs(warehouse: Warehouse): Promise<unknown[]> {
  const { rows } = await sql<{ counts: unknown }>`
    select counts from etl.runs where job = 'pii-retention' order by id`.execute(warehouse.db)
  return rows.map(({ counts }) => counts)
}

async function written({ db }: Warehouse): Promise<number> {
  const { rows } = await sql<{ tuples: number }>`
    select sum(n_tup_ins + n_tup_upd + n_tup_del)::int8 as tuples from pg_stat_user_tables
    where schemaname = 'genesys' or relname ~ '^(interval_cells|conversation_facts|queue_entries|agent_sessions|rejected_records)'`.execute(
    db,
  )
  return rows[0]!.tuples
}

test('a load drops what is personal in conversations from before the floor, and no read brings it back or writes again', async () => {
  await using it = await openDatabase()
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  const [old, recent] = [attributed(call('old', OLD)), attributed(call('new', MARCH))]
  await load(it.warehouse, [old, recent], 1, { deliversAttributes: true })
  expect(await findValues(it.warehouse, ['Ada-old', 'attribute of old'])).toEqual({})
  expect(await stored(it.warehouse, 'new')).toEqual(recent)
  expect(await stored(it.warehouse, 'old')).toMatchObject({
    participants: [{ purpose: 'customer', sessions: [{ mediaType: 'voice' }] }, { userId: 'u1' }],
  })
  await sql`select pg_stat_force_next_flush()`.execute(it.warehouse.db)
  const before = await written(it.warehouse)
  for (const [seconds, deliversAttributes] of [
    [2, true],
    [3, false],
  ] as const)
    // prettier-ignore
    expect(await load(it.warehouse, [old, recent], seconds, { deliversAttributes })).toMatchObject({ unchanged: 2 })
  // a load that writes shows that the statistics of those before are in
  await load(it.warehouse, [{ ...call('other', MARCH) }], 4)
  await sql`select pg_stat_force_next_flush()`.execute(it.warehouse.db)
  const rowsOfOther = await written(it.warehouse)
  await load(it.warehouse, [{ ...call('another', MARCH) }], 5)
  await sql`select pg_stat_force_next_flush()`.execute(it.warehouse.db)
  expect(rowsOfOther - before).toBe((await written(it.warehouse)) - rowsOfOther)
  expect(await load(it.warehouse, [{ ...old, externalTag: 'x' }], 6)).toMatchObject({ changed: 1 })
  expect(await findValues(it.warehouse, ['Ada-old', 'attribute of old'])).toEqual({})
})

test('rejected records are kept without personal data, also those without a start, and a replay brings none', async () => {
  await using it = await openDatabase()
  await sql`alter table genesys.conversations add constraint wanted check (conversation_id <> 'old')`.execute(
    it.warehouse.db,
  )
  await sql`alter table genesys.conversations add constraint too check (conversation_id <> 'new')`.execute(
    it.warehouse.db,
  )
  const records = [call('old', OLD), call('new', MARCH), { ...call('bad', 'never') }, 'Ada-text', call('older', OLD)]
  expect(await load(it.warehouse, records, 1)).toMatchObject({ rejected: 4, inserted: 1 })
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await retain(it.warehouse)
  expect(await runs(it.warehouse)).toEqual([{ floor: MARCH, conversations: 1, rewritten: 1, rejectedRecords: 3 }])
  const gone = ['Ada-old', 'Ada-bad', 'Ada-text', 'Ada-older']
  expect(await findValues(it.warehouse, [...gone, 'Ada-new'])).toEqual({ 'etl.rejected_records': ['Ada-new'] })
  expect(await load(it.warehouse, records, 2)).toMatchObject({ rejected: 4 })
  expect(await findValues(it.warehouse, gone)).toEqual({})
  await sql`alter table genesys.conversations drop constraint wanted, drop constraint too`.execute(it.warehouse.db)
  expect(await replayRejected(it.warehouse, { runId: 1, signal: never })).toMatchObject({ inserted: 2 })
  expect(await findValues(it.warehouse, gone)).toEqual({})
  expect(await stored(it.warehouse, 'new')).toEqual(call('new', MARCH))
})

test('the job drops what is stored once, month by month as the floor moves on, and nothing else', async () => {
  await using it = await openDatabase()
  const january = attributed(call('january', '2026-01-15T10:00:00.000Z'))
  const february = attributed(call('february', FEBRUARY))
  const recent = attributed(call('new', MARCH))
  const plain = { conversationId: 'plain', conversationStart: FEBRUARY, participants: [] }
  await load(it.warehouse, [january, february, recent, plain], 1, { deliversAttributes: true })
  await sql`update genesys.conversations set _missing_since = '2026-03-06' where conversation_id = 'january'`.execute(
    it.warehouse.db,
  )
  const loadedAt = async () =>
    (
      await sql<{ id: string; at: Date; missing: boolean }>`
        select conversation_id as id, _loaded_at as at, _missing_since is not null as missing
        from genesys.conversations order by 1`.execute(it.warehouse.db)
    ).rows
  await retain(it.warehouse)
  expect(await runs(it.warehouse)).toEqual([])

  const before = await loadedAt()
  await advanceFloor(it.warehouse.db, KEEP_ALL, FEBRUARY)
  expect(await selectRetention(it.warehouse.db)).toEqual({ floor: FEBRUARY, isApplied: false })
  await retain(it.warehouse)
  expect(await selectRetention(it.warehouse.db)).toEqual({ floor: FEBRUARY, isApplied: true })
  const after = await loadedAt()
  expect(after.filter(({ at }, index) => +at > +before[index]!.at)).toEqual([
    { id: 'january', at: expect.any(Date) as Date, missing: true },
  ])
  expect(await findValues(it.warehouse, ['Ada-january', 'attribute of january'])).toEqual({})
  expect(await stored(it.warehouse, 'february')).toEqual(february)

  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await retain(it.warehouse)
  await retain(it.warehouse)
  expect(await runs(it.warehouse)).toEqual([
    { floor: FEBRUARY, conversations: 1, rewritten: 1, rejectedRecords: 0 },
    { floor: MARCH, conversations: 2, rewritten: 1, rejectedRecords: 0 },
  ])
  expect(await findValues(it.warehouse, ['Ada-february', 'attribute of february'])).toEqual({})
  expect(await stored(it.warehouse, 'new')).toEqual(recent)
  // what is stored is what a load stores
  const again = await load(it.warehouse, [february, recent, plain], 2, { deliversAttributes: true })
  expect(again).toMatchObject({ unchanged: 3 })
})

test('employees lose their names and addresses with the customers, and the list of users keeps them', async () => {
  await using it = await openDatabase({ customers: 'drop', employees: 'keep', hasher: null })
  await load(it.warehouse, [call('old', OLD), call('new', MARCH)], 1)
  await sql`insert into genesys.dim_users (id, name) values ('u1', 'agent of Ada-old')`.execute(it.warehouse.db)
  await advanceFloor(it.warehouse.db, it.warehouse.personalPolicy, MARCH)
  await retain(it.warehouse)
  expect(await findValues(it.warehouse, ['agent of Ada-old', 'agent of Ada-new'])).toEqual({
    'genesys.dim_users': ['agent of Ada-old'],
    'genesys.participants': ['agent of Ada-new'],
  })
})

test('a switch of the policy leaves what is before the floor without personal data, and hashes the rest', async () => {
  await using it = await openDatabase()
  await using hashing = connect(it.url, { personalPolicy: HASH })
  await load(it.warehouse, [call('old', OLD), call('new', MARCH)], 1)
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  const request = { rewrite: true, acceptMix: false, floor: null }
  expect(await applyPolicyToStored({ warehouse: hashing, logger }, request, never)).toMatchObject({ rewritten: 2 })
  expect(await selectFloor(it.warehouse.db)).toBe(MARCH)
  expect(await stored(hashing, 'old')).not.toHaveProperty('participants[0].participantName')
  expect(await stored(hashing, 'new')).toHaveProperty('participants[0].participantName', hasher.address('Ada-new'))
  await retain(hashing)
  expect(await runs(hashing)).toEqual([{ floor: MARCH, conversations: 1, rewritten: 0, rejectedRecords: 0 }])
  expect(await load(hashing, [call('old', OLD), call('new', MARCH)], 2)).toMatchObject({ unchanged: 2 })
})

test('what a version that knows no floor has loaded goes when the policy is applied once more', async () => {
  await using it = await openDatabase()
  await load(it.warehouse, [call('old', OLD)], 1)
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await retain(it.warehouse)
  await sql`update etl.meta set value = value - 'floor' where key = 'personal_data_policy'`.execute(it.warehouse.db)
  await load(it.warehouse, [call('old', OLD), call('late', OLD)], 2)
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  const request = { rewrite: true, acceptMix: false, floor: MARCH }
  const dependencies = { warehouse: it.warehouse, logger }
  expect(await applyPolicyToStored(dependencies, request, never)).toMatchObject({ rewritten: 2 })
  expect(await findValues(it.warehouse, ['Ada-old', 'Ada-late'])).toEqual({})
})

test('attributes of an older answer, which has another start, do not get into what is stored before the floor', async () => {
  await using it = await openDatabase()
  const inForce = { policy: KEEP_ALL, floor: MARCH }
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await load(it.warehouse, [call('moved', OLD)], 5)
  await load(it.warehouse, [attributed(call('moved', MARCH))], 1, { deliversAttributes: true })
  expect(await findValues(it.warehouse, ['attribute of moved'])).toEqual({})
  const delivered = { conversationId: 'moved', fetchedAt: '2026-04-02T00:00:00.000Z', attributesHash: 'x' }
  await withTransaction(it.warehouse, (trx, client) =>
    replaceAttributes(trx, client, [{ ...delivered, raw: attributed(call('moved', MARCH)) }], inForce),
  )
  expect(await findValues(it.warehouse, ['attribute of moved'])).toEqual({})
})

test('the floor moves forward only, and not by a clock that is ahead of Genesys', async () => {
  await using it = await openDatabase()
  const clock = await readDatabaseClock(it.warehouse.db)
  const advance = async (personalMonths: number | null, aheadMs: number | null): Promise<string | null> => {
    const history = { personalMonths } as Parameters<typeof advanceRetention>[0]['history']
    await advanceRetention({ warehouse: it.warehouse, logger, history }, clock, aheadMs)
    return await selectFloor(it.warehouse.db)
  }
  expect(await advance(null, 0)).toBeNull()
  expect(await advance(6, 40 * 86_400_000)).toBeNull()
  const sixMonths = retentionFloor(clock.now(), 6).toISOString()
  expect(await advance(6, null)).toBe(sixMonths)
  expect(await advance(12, 0)).toBe(sixMonths)
  expect(await advance(null, 0)).toBe(sixMonths)
  expect(await advance(2, -60_000)).toBe(retentionFloor(clock.now(), 2).toISOString())
})

test('a mix that is accepted lifts the retention, and the next floor drops everything again', async () => {
  await using it = await openDatabase()
  await load(it.warehouse, [call('old', OLD), call('new', MARCH)], 1)
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await retain(it.warehouse)
  const lift = (floor: string | null) =>
    applyPolicyToStored({ warehouse: it.warehouse, logger }, { rewrite: false, acceptMix: true, floor }, never)
  await lift(FEBRUARY)
  expect(await selectRetention(it.warehouse.db)).toEqual({ floor: FEBRUARY, isApplied: true })
  await lift(null)
  expect(await selectRetention(it.warehouse.db)).toEqual({ floor: null, isApplied: true })
  expect(await load(it.warehouse, [call('old', OLD)], 2)).toMatchObject({ changed: 1 })
  expect(await stored(it.warehouse, 'old')).toEqual(call('old', OLD))
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  await retain(it.warehouse)
  expect(await findValues(it.warehouse, ['Ada-old'])).toEqual({})
})

test('an interrupted job goes on where it was', async () => {
  await using it = await openDatabase()
  const ids = Array.from({ length: 600 }, (_, index) => `c-${String(index).padStart(4, '0')}`)
  await load(
    it.warehouse,
    ids.map((id) => call(id, OLD)),
    1,
  )
  await advanceFloor(it.warehouse.db, KEEP_ALL, MARCH)
  const stop = new AbortController()
  const onProgress = () => stop.abort(new Error('stop'))
  await dropPersonalAfterSync({ warehouse: it.warehouse, logger, onProgress }, stop.signal)
  expect(await selectRetention(it.warehouse.db)).toMatchObject({ isApplied: false })
  const values = ids.map((id) => `Ada-${id}`)
  expect((await findValues(it.warehouse, values))['genesys.participants']).toHaveLength(100)
  await retain(it.warehouse)
  expect((await runs(it.warehouse)).at(-1)).toEqual({
    floor: MARCH,
    conversations: 100,
    rewritten: 100,
    rejectedRecords: 0,
  })
  expect(await findValues(it.warehouse, values)).toEqual({})
})

test('a load that began before the floor moved is waited for, and then followed', async () => {
  await using it = await openDatabase()
  await load(it.warehouse, [call('known', OLD)], 1)
  await advanceFloor(it.warehouse.db, KEEP_ALL, FEBRUARY)
  const blocker = await it.warehouse.connectAlone('blocker')
  const waiting = async () =>
    (
      await it.warehouse.pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
    ).rowCount
  await blocker.query('begin; lock table genesys.conversations in share mode')
  const loading = load(it.warehouse, [{ ...call('known', OLD), externalTag: 'x' }, call('racing', OLD)], 2)
  await expect.poll(waiting, patience).toBe(1)
  const dropping = advanceFloor(it.warehouse.db, KEEP_ALL, MARCH).then(() => retain(it.warehouse))
  await expect.poll(waiting, patience).toBe(2)
  await blocker.query('rollback')
  await blocker.end()
  expect(await loading).toMatchObject({ changed: 1, inserted: 1 })
  await dropping
  expect(await findValues(it.warehouse, ['Ada-known', 'Ada-racing'])).toEqual({})
})

test('loaders that race with a moving floor leave nothing behind, and the numbers are exact', async () => {
  await using it = await openDatabase()
  const startOf = (index: number): string => new Date(Date.UTC(2026, index % 6, 15, 10, index % 60)).toISOString()
  const ids = Array.from({ length: 240 }, (_, index) => `c-${String(index).padStart(4, '0')}`)
  const records = (version: number) =>
    ids.map((id, index) => ({ ...call(id, startOf(index)), externalTag: `v${version}` }))
  await load(it.warehouse, records(0), 1)
  const over = new AbortController()
  const loader = async (offset: number): Promise<void> => {
    for (let version = 1; !over.signal.aborted; version++) {
      const some = records(version).filter((_, index) => (index + offset + version) % 4 === 0)
      await load(it.warehouse, some.reverse(), 1 + version * 2 + offset)
    }
  }
  const floors = async (): Promise<void> => {
    for (let month = 1; month <= 4; month++) {
      await advanceFloor(it.warehouse.db, KEEP_ALL, new Date(Date.UTC(2026, month, 1)).toISOString())
      await retain(it.warehouse)
    }
  }
  await Promise.all([floors().finally(() => over.abort()), loader(0), loader(1)])
  const isOld = (_: string, index: number): boolean => index % 6 < 4
  const values = ids.map((id) => `Ada-${id}`)
  expect(await findValues(it.warehouse, values.filter(isOld))).toEqual({})
  const kept = (await findValues(it.warehouse, values))['genesys.participants']
  expect(kept).toHaveLength(80)
  await expectDerived(it.warehouse)
})
