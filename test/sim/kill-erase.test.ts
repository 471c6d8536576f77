/** Kills erasures, and applications of a changed policy, at 25 seeded points each; `KILLS` for another number. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { afterAll, expect, test, vi } from 'vitest'
import { chunks } from '../../src/chunks.ts'
import { findMisplacedRows } from '../../src/loader/integrity.ts'
import { readBack } from '../../src/loader/read-back.ts'
import { addDays } from '../../src/model/interval.ts'
import { KEEP_ALL, type PersonalPolicy } from '../../src/model/personal.ts'
import { storableJson } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { adoptPolicy } from '../../src/postgres/personal-policy.ts'
import { isApplicationPending } from '../../src/privacy/apply-policy.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { readReference } from '../../src/reference/read-reference.ts'
import { emptyFolder, environmentOf } from '../support/cli.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { expectDerived } from '../support/derived.ts'
import { findValues, personalValuesOf, valuesOnlyOf } from '../support/personal-values.ts'
import { expectReportsWithout } from '../support/same-reports.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { findTraces } from '../support/traces.ts'
import { KILLS, killWithin, timeOf, type KilledCommand } from '../faults/kill-points.ts'

// a hundred processes, one after the other
vi.setConfig({ testTimeout: 1_800_000 })

const org = await startOrg({ perDay: 180, dataLagMs: 0 })
afterAll(() => org.close())

const PII_KEY = 'a key of at least thirty-two characters'
const hasher = personalHasher(PII_KEY)
const POLICIES = {
  keep: KEEP_ALL,
  hash: { customers: 'hash', employees: 'hash', hasher },
  drop: { customers: 'drop', employees: 'hash', hasher },
} as const satisfies Record<string, PersonalPolicy>
type PolicyName = keyof typeof POLICIES

const never = new AbortController().signal
const jobs = { attributes: 'true', timing: { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 } } as const

function environment(database: TestDatabase, policy: PolicyName): Record<string, string> {
  const { customers, employees } = POLICIES[policy]
  return { ...environmentOf(org, database.url), PII: customers, PII_AGENTS: employees, PII_KEY }
}

const connectTo = (database: TestDatabase, policy: PolicyName): Promise<TestOrg> =>
  connectTestOrg(org, database, POLICIES[policy])

/** Reads the three days by query and by jobs. */
async function readAll(it: TestOrg): Promise<Record<'inserted' | 'changed' | 'erased', number>> {
  const byQuery = await it.backfill(threeDays, { reload: true })
  const byJobs = await it.run(
    { job: 'backfill', range: threeDays, reload: true, source: 'jobs' },
    { settings: { jobs } },
  )
  const of = (name: 'inserted' | 'changed' | 'erased') => byQuery.counts[name] + byJobs.counts[name]
  return { inserted: of('inserted'), changed: of('changed'), erased: of('erased') }
}

/** A database with the history, attributes and reference data under a policy, to which nobody is connected. */
async function fill(database: TestDatabase, policy: PolicyName): Promise<void> {
  await using it = await connectTo(database, policy)
  await adoptPolicy(it.warehouse.db, POLICIES[policy])
  await readAll(it)
  await using dependencies = it.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, never)
}

/** No conversation is there in parts, and what is derived follows from it. */
async function expectNothingHalf(warehouse: Warehouse): Promise<void> {
  const range = { start: addDays(threeDays.start, -40), end: addDays(threeDays.end, 1) }
  expect(await findMisplacedRows(warehouse.db, range)).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
  await expectDerived(warehouse)
}

/** All conversations as they are stored, by id. */
async function contents({ db }: Warehouse): Promise<Map<string, string>> {
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations order by 1`.execute(db)
  const ids = rows.map(({ id }) => id)
  return new Map([...(await readBack(db, ids))].map(([id, stored]) => [id, storableJson(reassemble(stored))]))
}

test.each(['keep', 'hash'] as const)('%s: erasures that are killed at every point are completed', async (policy) => {
  await using database = await createTestDatabase()
  await fill(database, policy)
  await using it = await connectTo(database, policy)
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.conversations order by md5(conversation_id) limit 250`.execute(
    it.warehouse.db,
  )
  const ids = rows.map(({ id }) => id)
  const [first = [], ...parts] = [...chunks(ids, Math.floor(ids.length / (KILLS + 2)))]
  const erasing = (of: readonly string[]): KilledCommand => {
    const file = path.join(emptyFolder(), 'ids.txt')
    writeFileSync(file, of.join('\n'))
    const args = ['erase', '--conversation-file', file]
    return { warehouse: it.warehouse, job: 'erase', args, env: environment(database, policy) }
  }
  const { code, stderr, ms } = await timeOf(erasing(first))
  expect(code, stderr).toBe(0)
  let unfinished = 0
  for (let point = 0; point < KILLS; point++) {
    await killWithin(erasing(parts[point]!), `erase/${policy}/${point}`, 1.2 * ms)
    await expectNothingHalf(it.warehouse)
    const pending = await sql`select from etl.tombstones where pending limit 1`.execute(it.warehouse.db)
    unfinished += pending.rows.length
  }
  // the points are spread over the work: some erasures had begun and were not complete
  expect(unfinished).toBeGreaterThan(KILLS / 8)

  const last = await timeOf(erasing(ids))
  expect(last.code, last.stderr).toBe(0)
  await expectNothingHalf(it.warehouse)
  for (const isReadAgain of [false, true]) {
    if (isReadAgain) expect(await readAll(it)).toMatchObject({ inserted: 0, changed: 0, erased: 2 * ids.length })
    expect(Object.keys(await findTraces(it.warehouse, ids))).toEqual(['etl.deletions', 'etl.tombstones'])
    const values = policy === 'keep' ? valuesOnlyOf(org, ids) : personalValuesOf(org)
    expect(values.length).toBeGreaterThan(100)
    expect(await findValues(it.warehouse, values)).toEqual({})
  }
  expect((await sql`select from etl.erasures where finished_at is null`.execute(it.warehouse.db)).rows).toEqual([])
  await expectReportsWithout(it.warehouse, org, { range: threeDays, gone: ids, policy: POLICIES[policy] })
})

const CHAINS = 5

/** A database that nobody has applied the policy to, and the command that applies it. */
async function unapplied(original: TestDatabase, to: PolicyName) {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await createTestDatabase({ copyOf: original }))
  const it = stack.use(await connectTo(database, to))
  const { warehouse } = it
  const command = { warehouse, job: 'apply-policy', args: ['erase', '--apply-policy'], env: environment(database, to) }
  const resources = stack.move()
  return { it, warehouse, command, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

async function expectApplied(command: KilledCommand): Promise<number> {
  const { code, stderr, ms } = await timeOf(command)
  expect(code, stderr).toBe(0)
  expect(await isApplicationPending(command.warehouse.db)).toBe(false)
  await expectNothingHalf(command.warehouse)
  return ms
}

test.each([
  ['keep', 'hash'],
  ['hash', 'drop'],
] as const)(
  'an application of the policy from %s to %s that is killed at every point is completed',
  async (from, to) => {
    await using original = await createTestDatabase()
    await fill(original, from)
    const values = personalValuesOf(org)
    await using undisturbed = await unapplied(original, to)
    const before = await contents(undisturbed.warehouse)
    const duration = await expectApplied(undisturbed.command)
    const wanted = await contents(undisturbed.warehouse)
    expect(await findValues(undisturbed.warehouse, values)).toEqual({})

    let unfinished = 0
    for (let chain = 0; chain < CHAINS; chain++) {
      await using interrupted = await unapplied(original, to)
      const { it, warehouse, command } = interrupted
      for (let time = 0; time < KILLS / CHAINS; time++) {
        await killWithin(command, `apply-policy/${to}/${chain}/${time}`, duration)
        unfinished += Number(await isApplicationPending(warehouse.db))
        // each conversation is as it was, or as it is to be
        for (const [id, content] of await contents(warehouse))
          expect([before.get(id), wanted.get(id)]).toContain(content)
        await expectNothingHalf(warehouse)
      }
      await expectApplied(command)
      expect(await contents(warehouse)).toEqual(wanted)
      if (chain < CHAINS - 1) continue
      const read = await readAll(it)
      // the hash of what Genesys sends differs only where Postgres cannot hold a character of it
      const unstorable = org.malformed().filter(({ kind }) => ['lone-surrogates', 'nul-characters'].includes(kind))
      expect(read.inserted).toBe(0)
      expect(read.changed).toBeLessThanOrEqual(2 * unstorable.length)
      expect(await findValues(warehouse, values)).toEqual({})
      await expectReportsWithout(warehouse, org, { range: threeDays, gone: [], policy: POLICIES[to] })
    }
    expect(unfinished).toBeGreaterThan(KILLS / 4)
  },
)
