/** What of personal data gets into the tables under each policy, and what happens when the policy changes. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { verifyRange } from '../../src/history/verify.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { createLogger } from '../../src/log.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { KEEP_ALL, type PersonalPolicy } from '../../src/model/personal.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { adoptPolicy } from '../../src/postgres/personal-policy.ts'
import { applyPolicyToStored, isApplicationPending } from '../../src/privacy/apply-policy.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { readReference } from '../../src/reference/read-reference.ts'
import { conversation, load, stored, withAttributes } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { findValues, personalValuesOf } from '../support/personal-values.ts'
import { connectTestOrg, startOrg, threeDays } from '../support/simulated-org.ts'
import { erasePerson } from './support.ts'

const hasher = personalHasher('a key of at least thirty-two characters')
const HASH: PersonalPolicy = { customers: 'hash', employees: 'hash', hasher }
const DROP: PersonalPolicy = { customers: 'drop', employees: 'hash', hasher }
const signal = new AbortController().signal

/** A new database with a warehouse for each policy. */
async function openDatabase() {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await createTestDatabase())
  const open = (policy: PersonalPolicy): Warehouse => stack.use(connect(database.url, { personalPolicy: policy }))
  const warehouses = { url: database.url, keep: open(KEEP_ALL), hash: open(HASH), drop: open(DROP) }
  const resources = stack.move()
  return { ...warehouses, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

const call = (id: string, ani = 'tel:+13175550100'): JsonObject =>
  conversation(id, {
    participants: [
      {
        participantId: 'p0',
        purpose: 'customer',
        participantName: 'Ada Lovelace',
        sessions: [{ sessionId: 's0', mediaType: 'voice', ani, nickname: 'Countess' }],
      },
      { participantId: 'p1', purpose: 'agent', userId: 'u1', participantName: 'Charles Babbage' },
    ],
  })

const apply = (warehouse: Warehouse, acceptMix = false, rewrite = true) =>
  applyPolicyToStored({ warehouse, logger: createLogger('silent') }, { rewrite, acceptMix, floor: null }, signal)

async function seedTables(warehouse: Warehouse): Promise<void> {
  await load(warehouse, [withAttributes(call('a'), { phone: '+13175550100' }), call('b'), conversation('plain')], 1, {
    deliversAttributes: true,
  })
  await load(warehouse, [{ ...call('rejected'), conversationStart: 'never' }, 'Ada Lovelace'], 1)
  await sql`
    insert into genesys.dim_users (id, name, email, _extra)
    values ('u1', 'Charles Babbage', 'charles@example.org', '{"chat": {"jabberId": "charles@example.org"}, "version": 3}')`.execute(
    warehouse.db,
  )
}

const PERSONAL = ['Ada Lovelace', '+13175550100', 'Countess', 'Charles Babbage', 'charles@example.org']

test('another policy makes a read write, and the same one does not', async () => {
  await using it = await openDatabase()
  await load(it.keep, [call('a')], 1)
  expect(await load(it.keep, [call('a')], 2)).toMatchObject({ unchanged: 1 })
  expect(await load(it.hash, [call('a')], 3)).toMatchObject({ changed: 1 })
  expect(await load(it.hash, [call('a', '+1 317 555 0100')], 4)).toMatchObject({ unchanged: 1 })
  expect(await findValues(it.keep, PERSONAL)).toEqual({})
  expect(await load(it.drop, [call('a')], 5)).toMatchObject({ changed: 1 })
  expect(await stored(it.drop, 'a')).toMatchObject({
    participants: [
      { purpose: 'customer', sessions: [{ mediaType: 'voice' }] },
      { participantName: hasher.address('Charles Babbage') },
    ],
  })
})

test('attributes that are carried along with a new version follow the policy', async () => {
  await using it = await openDatabase()
  await load(it.keep, [withAttributes(call('a'), { phone: '+13175550100' })], 1, { deliversAttributes: true })
  await load(it.hash, [call('a')], 2)
  const attributes = () =>
    sql`select attributes from genesys.participant_attributes`.execute(it.keep.db).then(({ rows }) => rows)
  expect(await attributes()).toEqual([{ attributes: { phone: hasher.address('+13175550100') } }])
  await load(it.drop, [call('a')], 3)
  expect(await attributes()).toEqual([])
})

test('a rejected record is kept under the policy, and can be replayed', async () => {
  await using it = await openDatabase()
  await sql`alter table genesys.conversations add constraint wanted check (conversation_id <> 'a')`.execute(it.hash.db)
  await load(it.hash, [call('a'), { ...call('b'), conversationStart: 'never' }, 'Ada Lovelace'], 1)
  expect(await findValues(it.hash, PERSONAL)).toEqual({})
  await sql`alter table genesys.conversations drop constraint wanted`.execute(it.hash.db)
  expect(await replayRejected(it.hash, { runId: 1, signal })).toMatchObject({ records: 3, inserted: 1, rejected: 2 })
  expect(await load(it.hash, [call('a')], 2)).toMatchObject({ unchanged: 1 })
})

test('a process with another policy or key stores nothing', async () => {
  await using it = await openDatabase()
  await using otherKey = connect(it.url, {
    personalPolicy: { ...HASH, hasher: personalHasher('another key of at least thirty-two characters') },
  })
  await adoptPolicy(it.keep.db, HASH)
  await load(it.hash, [call('a')], 1)
  for (const warehouse of [it.keep, it.drop, otherKey]) {
    for (const record of [call('b'), { ...call('c'), conversationStart: 'never' }])
      await expect(load(warehouse, [record], 2)).rejects.toMatchObject({ code: 'PII_POLICY_CHANGED', kind: 'config' })
    await expect(adoptPolicy(it.keep.db, warehouse.personalPolicy)).rejects.toMatchObject({
      code: 'PII_POLICY_CHANGED',
      hint: expect.stringContaining(warehouse === otherKey ? 'PII_KEY' : '--apply-policy') as string,
    })
  }
  await adoptPolicy(it.keep.db, HASH)
  const { rows } = await sql`select conversation_id as id from etl.conversations`.execute(it.keep.db)
  expect(rows).toEqual([{ id: 'a' }])
  const { rows: meta } = await sql<{ text: string }>`select string_agg(value::text, '') as text from etl.meta`.execute(
    it.keep.db,
  )
  expect(meta[0]?.text).not.toContain('thirty-two')
})

test('a database that was filled before policies were recorded counts as kept', async () => {
  await using it = await openDatabase()
  await load(it.keep, [call('a')], 1)
  await expect(adoptPolicy(it.keep.db, DROP)).rejects.toMatchObject({ code: 'PII_POLICY_CHANGED' })
  await adoptPolicy(it.keep.db, KEEP_ALL)
})

test.each(['hash', 'drop'] as const)('applying the policy %s changes everything that is stored', async (name) => {
  await using it = await openDatabase()
  await seedTables(it.keep)
  await sql`update genesys.conversations set _missing_since = '2026-03-06' where conversation_id = 'b'`.execute(
    it.keep.db,
  )
  await sql`delete from etl.interval_cells where conversation_id = 'b'`.execute(it.keep.db)
  const loadedAt = () =>
    sql<{ id: string; at: Date; missing: Date | null; source: string }>`
      select conversation_id as id, _loaded_at as at, _missing_since as missing, _source as source
      from genesys.conversations order by 1`.execute(it.keep.db)
  const { rows: before } = await loadedAt()
  expect(await apply(it[name])).toEqual({ conversations: 3, rewritten: 2, rejectedRecords: 2, referenceRows: 1 })
  expect(await isApplicationPending(it.keep.db)).toBe(false)
  expect(await findValues(it.keep, PERSONAL)).toEqual({})
  const { rows: after } = await loadedAt()
  expect(after.map(({ missing, source }) => ({ missing, source }))).toEqual(
    before.map(({ missing, source }) => ({ missing, source })),
  )
  expect(after[2]).toEqual(before[2])
  expect(+after[0]!.at).toBeGreaterThan(+before[0]!.at)
  const { rows: cells } = await sql`
    select distinct conversation_id as id from etl.interval_cells order by 1`.execute(it.keep.db)
  expect(cells).not.toContainEqual({ id: 'b' })
  // what is stored is what a load would have stored
  const records = [withAttributes(call('a'), { phone: '+13175550100' }), conversation('plain')]
  expect(await load(it[name], records, 2, { deliversAttributes: true })).toMatchObject({ unchanged: 2 })
  expect(await apply(it[name])).toMatchObject({ rewritten: 0, rejectedRecords: 0, referenceRows: 0 })
})

test('an erased record without an id stays away after the policy has changed', async () => {
  await using it = await openDatabase()
  const unnamed = (ani: string): JsonObject => ({ ...call('x', ani), conversationId: null })
  const kept = async (): Promise<number> =>
    (await sql`select from etl.rejected_records`.execute(it.keep.db)).rows.length
  await load(it.keep, [unnamed('+13175550100'), unnamed('+13175550101'), unnamed('+13175550102')], 1)
  await erasePerson(it.keep, { addresses: ['+13175550100'] })
  await apply(it.hash)
  expect(await kept()).toBe(2)
  await load(it.hash, [unnamed('+13175550100')], 2)
  expect(await kept()).toBe(2)
  await erasePerson(it.hash, { addresses: ['+13175550101'] })
  await load(it.hash, [unnamed('+13175550100'), unnamed('+13175550101')], 3)
  expect(await kept()).toBe(1)
  await load(it.hash, [unnamed('+13175550102'), unnamed('+13175550103')], 4)
  expect(await kept()).toBe(2)
})

test('a record that was erased under the new policy goes when a restored database follows that policy', async () => {
  await using it = await openDatabase()
  const unnamed: JsonObject = { ...call('x'), conversationId: null }
  await using erased = await openDatabase()
  await load(erased.hash, [unnamed], 1)
  await erasePerson(erased.hash, { addresses: ['+13175550100'] })
  await load(it.keep, [unnamed], 1)
  const { rows } = await sql<{ hash: string }>`select raw_hash as hash from etl.erased_records`.execute(erased.hash.db)
  await erasePerson(it.keep, {}, { recordHashes: rows.map(({ hash }) => hash) })
  await apply(it.hash)
  expect((await sql`select from etl.rejected_records`.execute(it.keep.db)).rows).toEqual([])
})

test('hashes can be dropped, but neither they nor what was dropped come back', async () => {
  await using it = await openDatabase()
  await seedTables(it.keep)
  await apply(it.hash)
  await expect(apply(it.keep)).rejects.toMatchObject({ code: 'PII_IRREVERSIBLE', kind: 'config' })
  expect(await apply(it.drop)).toMatchObject({ rewritten: 2 })
  expect(await stored(it.keep, 'a')).not.toHaveProperty('participants[0].participantName')
  for (const warehouse of [it.hash, it.keep])
    await expect(apply(warehouse)).rejects.toMatchObject({ code: 'PII_IRREVERSIBLE' })
  await apply(it.keep, true)
  expect(await load(it.keep, [call('a')], 2)).toMatchObject({ changed: 1 })
  expect(await stored(it.keep, 'a')).toHaveProperty('participants[0].participantName', 'Ada Lovelace')
})

test('a mix is accepted without changing anything', async () => {
  await using it = await openDatabase()
  await seedTables(it.keep)
  await adoptPolicy(it.keep.db, KEEP_ALL)
  await apply(it.hash, true, false)
  await adoptPolicy(it.keep.db, HASH)
  expect(await stored(it.keep, 'a')).toHaveProperty('participants[0].participantName', 'Ada Lovelace')
  expect(await load(it.hash, [call('a')], 2)).toMatchObject({ changed: 1 })
})

test('an interrupted application is completed by the next one', async () => {
  await using it = await openDatabase()
  await seedTables(it.keep)
  const stop = new AbortController()
  const dependencies = {
    warehouse: it.hash,
    logger: createLogger('silent'),
    onProgress: () => stop.abort(new Error('stop')),
  }
  await expect(
    applyPolicyToStored(dependencies, { rewrite: true, acceptMix: false, floor: null }, stop.signal),
  ).rejects.toThrow()
  expect(await isApplicationPending(it.keep.db)).toBe(true)
  expect(await apply(it.hash)).toEqual({ conversations: 0, rewritten: 0, rejectedRecords: 2, referenceRows: 1 })
  expect(await isApplicationPending(it.keep.db)).toBe(false)
  expect(await findValues(it.keep, PERSONAL)).toEqual({})
})

test.each([
  ['hash', HASH],
  ['drop', DROP],
] as const)('%s: history and reference data of an organization, malformed records included', async (_name, policy) => {
  await using org = await startOrg({ perDay: 40 })
  await using it = await connectTestOrg(org, undefined, policy)
  await it.backfill()
  const jobs = { attributes: 'true', timing: { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 } } as const
  await it.run({ job: 'backfill', range: threeDays, reload: true, source: 'jobs' }, { settings: { jobs } })
  await using dependencies = it.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, signal)
  const values = personalValuesOf(org)
  expect(values.length).toBeGreaterThan(300)
  expect(await findValues(it.warehouse, values)).toEqual({})
  const verified = await verifyRange(dependencies, threeDays, signal)
  expect(verified).toMatchObject({ mismatches: [] })
  expect(verified.compared).toBeGreaterThan(100)
  expect(it.log.join('')).not.toContain('@example.com')
})

test('names and addresses of employees alone are hashed', async () => {
  await using org = await startOrg({ perDay: 40 })
  await using it = await connectTestOrg(org, undefined, { customers: 'keep', employees: 'hash', hasher })
  await it.backfill()
  await using dependencies = it.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, signal)
  const emails = org.org.users.map(({ email }) => email)
  expect(await findValues(it.warehouse, emails)).toEqual({})
  const { rows } = await sql<{ purpose: string; hashed: boolean }>`
    select distinct purpose, participant_name like 'hmac:%' as hashed from genesys.participants
    where participant_name is not null and purpose in ('agent', 'customer', 'acd') order by 1`.execute(it.warehouse.db)
  expect(rows).toEqual([
    { purpose: 'acd', hashed: false },
    { purpose: 'agent', hashed: true },
    { purpose: 'customer', hashed: false },
  ])
  const { rows: users } = await sql<{ name: string; email: string; title: string }>`
    select name, email, title from genesys.dim_users`.execute(it.warehouse.db)
  expect(new Set(users.map(({ name }) => name))).toEqual(new Set(org.org.users.map(({ name }) => hasher.address(name))))
  expect(users[0]).toMatchObject({ title: 'Agent' })
})
