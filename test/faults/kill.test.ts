/** Kills a real process with kill -9 at chosen and at seeded points; running the same command again must complete the load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { createTestDatabase } from '../support/database.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { connect } from '../../src/postgres/connect.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
import { expectTablesEqualTruth } from '../support/truth.ts'
import { expectResumed, kill, requests, startBackfill, expectSurvivesKills } from './killed-backfill.ts'

const org = await startOrg({ latencyMs: 15 })
afterAll(() => org.close())

// twelve longer series: test/sim/kill.test.ts
test('survives being killed three times at seeded points', () => expectSurvivesKills(org, 0, 3))

test('survives being killed between the commit of a batch and the mark of its window', async () => {
  await using it = await connectTestOrg(org)
  const blocker = await it.warehouse.connectAlone('blocker')
  // reading the ledger continues, writing it waits
  await blocker.query('begin; lock table etl.windows in exclusive mode')
  const child = startBackfill(org, it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'insert into etl.windows'), patience).toBeGreaterThan(0)
  const { rows } = await sql`select 1 from genesys.conversations limit 1`.execute(it.warehouse.db)
  expect(rows).toHaveLength(1)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expect.poll(() => waitingFor(it, 'insert into etl.windows'), patience).toBe(0)
  // the waiting statement may commit or not: its backend notices the loss of its client or it does not
  await expectResumed(org, it)
})

test.each([
  ['deciding what has changed', 'etl.conversations', 'insert into etl.conversations'],
  ['a COPY', 'genesys.segments', 'copy genesys.segments'],
  ['a COPY of cells', 'etl.interval_cells', 'copy etl.interval_cells'],
  ['a COPY of facts', 'etl.agent_sessions', 'copy etl.agent_sessions'],
  ['marking hours', 'etl.dirty_hours', 'insert into etl.dirty_hours'],
  ['storing a rejected record', 'etl.rejected_records', 'update etl.rejected_records'],
])('survives being killed in a transaction, at %s', async (_name, table, statement) => {
  await using it = await connectTestOrg(org)
  await ensurePartitions(it.warehouse, threeDays)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query(`begin; lock table ${table} in exclusive mode`)
  const child = startBackfill(org, it.databaseUrl)
  await expect.poll(() => waitingFor(it, statement), patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(org, it)
})

test('survives being killed while it creates partitions', async () => {
  await using it = await connectTestOrg(org)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.surveys in share mode')
  const child = startBackfill(org, it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'create table genesys.'), patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(org, it)
})

test('survives being killed while it migrates an empty database', async () => {
  await using database = await createTestDatabase({ empty: true })
  await using warehouse = connect(database.url)
  const blocker = await warehouse.connectAlone('blocker')
  // another transaction that creates the schema has to wait for this one
  await blocker.query('begin; create schema genesys')
  const child = startBackfill(org, database.url)
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
  expect(await startBackfill(org, database.url).result).toMatchObject({ code: 0 })
  await expectTablesEqualTruth(warehouse, org, threeDays)
})

test('finishes with 143 on SIGTERM during a window, and the same command again completes', async () => {
  await using it = await connectTestOrg(org)
  org.control.faults.add({ on: 'details', kind: 'hang', nth: 9 })
  const child = startBackfill(org, it.databaseUrl)
  await expect.poll(() => org.control.faults.happened(), patience).toBe(1)
  await expect.poll(async () => (await it.doneDays()).length, patience).toBeGreaterThan(0)
  org.control.faults.clear()
  child.kill('SIGTERM')
  const result = await child.result
  expect(result).toMatchObject({ code: 143, signal: null })
  expect(result.stderr).toContain('SIGTERM')
  const { rows } = await sql`select status, error_code from etl.runs where job = 'backfill'`.execute(it.warehouse.db)
  expect(rows).toEqual([{ status: 'interrupted', error_code: 'INTERRUPTED' }])
  await expectResumed(org, it)
})

test('finishes with 130 on SIGINT', async () => {
  await using it = await connectTestOrg(org)
  const child = startBackfill(org, it.databaseUrl)
  await requests(org, 5, child)
  child.kill('SIGINT')
  expect(await child.result).toMatchObject({ code: 130, signal: null })
  await expectResumed(org, it)
})

test('exits at once on a second SIGTERM, even while it waits for a lock', async () => {
  await using it = await connectTestOrg(org)
  await ensurePartitions(it.warehouse, threeDays)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in exclusive mode')
  const child = startBackfill(org, it.databaseUrl)
  await expect.poll(() => waitingFor(it, 'copy genesys.segments'), patience).toBeGreaterThan(0)
  child.kill('SIGTERM')
  await expect.poll(() => child.stderr(), patience).toContain('send the signal again to exit immediately')
  expect(await Promise.race([child.result, Promise.resolve('still finishing')])).toBe('still finishing')
  // a second signal within half a second is npm's copy of the first
  await sleep(1000)
  child.kill('SIGTERM')
  expect(await child.result).toMatchObject({ code: 143 })
  await blocker.query('rollback')
  await blocker.end()
  await expectResumed(org, it)
})

/** How many backends wait for a lock in a statement that begins like this. */
async function waitingFor(it: TestOrg, statement: string): Promise<number> {
  const { rows } = await it.warehouse.pool.query<{ query: string }>(
    `select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows.filter(({ query }) => query.trim().toLowerCase().startsWith(statement)).length
}
