import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { connect as connectWarehouse } from '../../src/postgres/connect.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

const days = ['2025-06-10', '2025-06-11', '2025-06-12']

const org = await startOrg()
afterAll(() => org.close())

/** A new database for the organization of this file. */
async function connect(latencyMs = 0): Promise<TestOrg> {
  org.control.set({ latencyMs })
  return await connectTestOrg(org)
}

test('completes although Postgres backends are terminated in the middle of transactions', async () => {
  await using it = await connect()
  await ensurePartitions(it.warehouse, threeDays)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in exclusive mode')
  const loading = it.backfill()
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like 'copy genesys.segments%'`
  for (let round = 0; round < 3; round++) {
    // not by the blocker: within a transaction the view of activity stands still
    await expect.poll(async () => (await it.warehouse.pool.query(kill)).rowCount, patience).toBeGreaterThan(0)
  }
  await blocker.query('rollback')
  await blocker.end()
  expect((await loading).windows.done).toBe(3)
  await it.expectEqual()
})

test('completes although every connection but that of the lock is terminated repeatedly', async () => {
  await using it = await connect(20)
  await using other = connectWarehouse(it.databaseUrl)
  const progress = { isDone: false }
  const loading = it.backfill().finally(() => (progress.isDone = true))
  let killed = 0
  while (!progress.isDone) {
    const { rows } = await sql<{ pid: number }>`
      select pid, pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
        and application_name = 'genesys-etl' and query ilike '%genesys.%'`.execute(other.db)
    killed += rows.length
    if (killed >= 6) break
  }
  expect((await loading).windows.done).toBe(3)
  expect(killed).toBeGreaterThan(0)
  await it.expectEqual()
})

test('stops with a retryable error when the connection that holds the lock is lost, and resumes', async () => {
  await using it = await connect(50)
  await using other = connectWarehouse(it.databaseUrl)
  const before = org.requests.length
  const loading = it.backfill(threeDays, { settings: { concurrency: 1 } })
  const outcome = expect(loading).rejects.toMatchObject({ code: 'JOB_LOCK_LOST', kind: 'retryable' })
  await expect.poll(() => org.requests.length - before, patience).toBeGreaterThan(3)
  await expect
    .poll(
      async () =>
        (
          await sql`select pg_terminate_backend(pid) from pg_locks
            where locktype = 'advisory' and granted and objsubid = 2
              and database = (select oid from pg_database where datname = current_database())`.execute(other.db)
        ).rows.length,
      patience,
    )
    .toBeGreaterThan(0)
  await outcome
  await it.backfill()
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
})

test('waits while the disk of the database is full, and completes', async () => {
  await using it = await connect()
  await failWrites(it, 'genesys.session_metrics', '53100')
  const loading = it.backfill()
  await expect.poll(() => failures(it), patience).toBeGreaterThan(2)
  await sql`drop trigger fail on genesys.session_metrics`.execute(it.warehouse.db)
  expect((await loading).windows.done).toBe(3)
  await it.expectEqual()
})

test('reports a disk that stays full, marks nothing done, and resumes', async () => {
  await using it = await connect()
  const range = { start: new Date('2025-06-12'), end: new Date('2025-06-13') }
  await failWrites(it, 'genesys.session_metrics', '53100')
  await expect(it.backfill(range)).rejects.toMatchObject({ code: 'DATABASE_DISK_FULL', kind: 'retryable' })
  expect(await it.doneDays()).toEqual([])
  const { rows } = await sql`select status, error_code from etl.runs`.execute(it.warehouse.db)
  expect(rows).toEqual([{ status: 'failed', error_code: 'DATABASE_DISK_FULL' }])
  await sql`drop trigger fail on genesys.session_metrics`.execute(it.warehouse.db)
  await it.backfill(range)
  await it.expectEqual(range)
})

test('marks nothing done when a batch cannot be written', async () => {
  await using it = await connect()
  await failWrites(it, 'genesys.participants', '42501')
  await expect(it.backfill()).rejects.toMatchObject({ code: 'DATABASE_FORBIDDEN', kind: 'fatal' })
  expect(await it.doneDays()).toEqual([])
  await sql`drop trigger fail on genesys.participants`.execute(it.warehouse.db)
  await it.backfill()
  await it.expectEqual()
})

async function failWrites(it: TestOrg, table: string, state: string): Promise<void> {
  await sql
    .raw(
      `create sequence public.failures;
       create function public.fail() returns trigger language plpgsql as $$ begin
         perform nextval('public.failures'); raise sqlstate '${state}' using message = 'made up'; end $$;
       create trigger fail before insert on ${table} for each row execute function public.fail()`,
    )
    .execute(it.warehouse.db)
}

async function failures(it: TestOrg): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select case when is_called then last_value else 0 end as count from public.failures`.execute(it.warehouse.db)
  return rows[0]?.count ?? 0
}
