/** kill -9 of a real process at chosen and at seeded points; then the same command again must end as if nothing had been. */
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { environmentOf, startCli, type CliProcess } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { connectTestOrg, pagesAsked, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { connect } from '../../src/warehouse/connect.ts'
import { ensurePartitions } from '../../src/warehouse/partitions.ts'
import { expectTablesEqualTruth } from '../support/truth.ts'

const org = await startOrg({ latencyMs: 15 })
afterAll(() => org.close())
const command = ['backfill', '--from', '2025-06-10', '--to', '2025-06-13', '--concurrency', '2']
const days = ['2025-06-10', '2025-06-11', '2025-06-12']

function start(databaseUrl: string): CliProcess {
  return startCli(command, { env: environmentOf(org, databaseUrl) })
}

/** Resolves when the organization has been asked so many times more, or the process is over. */
async function requests(count: number, child: CliProcess): Promise<void> {
  const from = org.requests.length
  let isOver = false
  void child.result.then(() => (isOver = true))
  await expect.poll(() => isOver || org.requests.length - from >= count, patience).toBe(true)
}

async function kill(child: CliProcess): Promise<void> {
  child.kill('SIGKILL')
  await child.result
}

/** The same command again, to its end: nothing that was done is read again, and everything is there. */
async function expectResumed(it: TestOrg): Promise<void> {
  const done = await it.doneDays()
  const asked = org.requests.length
  const { code, stderr } = await start(it.databaseUrl).result
  expect(code, stderr).toBe(0)
  expect(pagesAsked(org.requests.slice(asked)).filter((day) => done.includes(day))).toEqual([])
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
}

// login, organization, 3 estimates and 6 pages are 11 requests; later points hit the loading and the end of the run
const seed = 'kill/1'
const points = Array.from({ length: 4 }, (_, index) => index)

test.each(points)('survives being killed five times at seeded points (series %i)', async (series) => {
  await using it = await connectTestOrg(org)
  for (let time = 0; time < 5; time++) {
    const done = await it.doneDays()
    const asked = org.requests.length
    const child = start(it.databaseUrl)
    const point = hashFraction(`${seed}/${series}/${time}`)
    await requests(1 + Math.floor(point * 12), child)
    // some way beyond the request, into the loading
    if (point > 0.5) await progressOf(it, Math.floor(point * 6) - 2)
    await kill(child)
    expect(pagesAsked(org.requests.slice(asked)).filter((day) => done.includes(day))).toEqual([])
  }
  await expectResumed(it)
})

/** Waits until so many batches more were committed, for a second at most. */
async function progressOf(it: TestOrg, batches: number): Promise<void> {
  const until = performance.now() + 1000
  const count = async (): Promise<number> =>
    (
      await sql<{
        days: number
      }>`select count(distinct date_trunc('day', conversation_start)) as days from etl.conversations`.execute(
        it.warehouse.db,
      )
    ).rows[0]?.days ?? 0
  const from = await count()
  while ((await count()) < from + batches && performance.now() < until);
}

test('survives being killed between the commit of a batch and the mark of its window', async () => {
  await using it = await connectTestOrg(org)
  const blocker = await it.warehouse.connectAlone('blocker')
  // reading the ledger goes on, writing it waits
  await blocker.query('begin; lock table etl.windows in exclusive mode')
  const child = start(it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'insert into etl.windows'), patience).toBeGreaterThan(0)
  const { rows } = await sql`select 1 from genesys.conversations limit 1`.execute(it.warehouse.db)
  expect(rows).toHaveLength(1)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expect.poll(() => waitingFor(it, 'insert into etl.windows'), patience).toBe(0)
  // the statement that was waiting may go through or not: its backend notices the loss of its client or it does not
  await expectResumed(it)
})

test.each([
  ['deciding what has changed', 'etl.conversations', 'insert into etl.conversations'],
  ['a COPY', 'genesys.segments', 'copy genesys.segments'],
  ['keeping what is rejected', 'etl.rejected_records', 'insert into etl.rejected_records'],
])('survives being killed in a transaction, at %s', async (_name, table, statement) => {
  await using it = await connectTestOrg(org)
  await ensurePartitions(it.warehouse, threeDays)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query(`begin; lock table ${table} in exclusive mode`)
  const child = start(it.databaseUrl)
  await expect.poll(() => waitingFor(it, statement), patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(it)
})

test('survives being killed while it makes partitions', async () => {
  await using it = await connectTestOrg(org)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.surveys in share mode')
  const child = start(it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'create table genesys.'), patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(it)
})

test('survives being killed while it migrates an empty database', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using warehouse = connect(database.url)
  const blocker = await warehouse.connectAlone('blocker')
  // whoever creates the schema too has to wait for this transaction
  await blocker.query('begin; create schema genesys')
  const child = start(database.url)
  const waiting = async () =>
    (
      await warehouse.pool.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
    ).rowCount
  await expect.poll(waiting, patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  expect(await start(database.url).result).toMatchObject({ code: 0 })
  await expectTablesEqualTruth(warehouse, org, threeDays)
})

test('finishes with 143 on SIGTERM during a window, and the same command again completes', async () => {
  await using it = await connectTestOrg(org)
  org.control.faults.add({ on: 'details', kind: 'hang', nth: 9 })
  const child = start(it.databaseUrl)
  await expect.poll(() => org.control.faults.happened(), patience).toBe(1)
  await expect.poll(async () => (await it.doneDays()).length, patience).toBeGreaterThan(0)
  org.control.faults.clear()
  child.kill('SIGTERM')
  const result = await child.result
  expect(result).toMatchObject({ code: 143, signal: null })
  expect(result.stderr).toContain('SIGTERM')
  const { rows } = await sql`select status, error_code from etl.runs`.execute(it.warehouse.db)
  expect(rows).toEqual([{ status: 'interrupted', error_code: 'INTERRUPTED' }])
  await expectResumed(it)
})

test('finishes with 130 on SIGINT', async () => {
  await using it = await connectTestOrg(org)
  const child = start(it.databaseUrl)
  await requests(5, child)
  child.kill('SIGINT')
  expect(await child.result).toMatchObject({ code: 130, signal: null })
  await expectResumed(it)
})

test('stops at once on a second SIGTERM, whatever it waits for', async () => {
  await using it = await connectTestOrg(org)
  await ensurePartitions(it.warehouse, threeDays)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in exclusive mode')
  const child = start(it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'copy genesys.segments'), patience).toBeGreaterThan(0)
  child.kill('SIGTERM')
  await expect.poll(() => child.stderr(), patience).toContain('once more to stop at once')
  expect(await Promise.race([child.result, Promise.resolve('still finishing')])).toBe('still finishing')
  child.kill('SIGTERM')
  expect(await child.result).toMatchObject({ code: 143 })
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(it)
})

/** How many backends wait for a lock in a statement that begins like this. */
async function waitingFor(it: TestOrg, statement: string): Promise<number> {
  const { rows } = await it.warehouse.pool.query<{ query: string }>(
    `select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows.filter(({ query }) => query.trim().toLowerCase().startsWith(statement)).length
}
