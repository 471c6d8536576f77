/** The command derive as a process: what it prints, how it ends, and that it may be killed anywhere. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DERIVED_VERSION } from '../../src/facts/derived.ts'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'
import { DERIVATION_LOCK } from '../../src/reporting/walk.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { load } from '../loader/conversations.ts'
import { call, countUnderived, storedDerived } from '../support/calls.ts'
import { runCli, startCli, type CliProcess } from '../support/cli.ts'
import { createFileDatabase } from '../support/database.ts'
import { databaseBeforeCells, freshlyDerived } from '../support/history-before-cells.ts'
import { patience } from '../support/patience.ts'

const database = await createFileDatabase()
const env = { DATABASE_URL: database.url, LOG_LEVEL: 'silent' }
const started = (n: number): string => new Date(Date.UTC(2026, 0, 1, 9, n)).toISOString()
const calls = Array.from({ length: 30 }, (_, n) => call(`c${n}`, { start: started(n * 60) }))
let warehouse: Warehouse
beforeAll(async () => {
  warehouse = connect(database.url)
  await load(warehouse, calls, 1)
})
afterAll(() => warehouse.close())

test('a range, or whatever is due, for people and as JSON; recorded as a run', async () => {
  const first = await runCli(['derive', '--from', '2026-01-01', '--to', '2026-01-02'], { env })
  expect(first).toMatchObject({ code: 0, stdout: 'Derived the reporting rows of 15 conversations.\n' })
  await sql`delete from genesys.conversations where conversation_id = 'c0'`.execute(warehouse.db)
  const range = ['--from', '2026-01-01T09:00:00Z', '--to', '2026-01-01T12:00:00+02:00']
  const second = await runCli(['derive', ...range, '--json'], { env })
  expect(second.code).toBe(0)
  expect(JSON.parse(second.stdout)).toEqual({ conversations: 1, withoutRows: 1 })
  await sql`update etl.conversations set derived_hash = 'older' where conversation_id in ('c3', 'c4')`.execute(
    warehouse.db,
  )
  const due = await runCli(['derive'], { env })
  expect(due).toMatchObject({ code: 0, stdout: 'Derived the reporting rows of 2 conversations.\n' })
  const { rows } = await sql`select job, trigger, status, counts from etl.runs order by id`.execute(warehouse.db)
  expect(rows.at(-1)).toEqual({
    job: 'derive',
    trigger: 'manual',
    status: 'done',
    counts: { conversations: 2, withoutRows: 0, isComplete: true },
  })
  expect((await sql`select from etl.dirty_hours`.execute(warehouse.db)).rows).toEqual([])
})

test.each([
  ['half a range', ['--from', '2026-01-01'], '--from and --to belong together'],
  ['no date', ['--from', 'yesterday', '--to', '2026-01-02'], '--from "yesterday"'],
  ['a day that does not exist', ['--from', '2026-02-30', '--to', '2026-03-02'], '2026-02-30'],
  ['a range that ends before it starts', ['--from', '2026-01-03', '--to', '2026-01-02'], 'not before'],
  ['a range of the future', ['--from', '2999-01-01', '--to', '2999-01-02'], 'future'],
])('%s: 78', async (_name, args, said) => {
  const { code, stderr } = await runCli(['derive', ...args], { env })
  expect(code).toBe(78)
  expect(stderr).toContain(said)
})

test('while another process fills: 75, and which', async () => {
  await withJobLock(warehouse, DERIVATION_LOCK, new AbortController().signal, async () => {
    const { code, stderr } = await runCli(['derive'], { env })
    expect(code).toBe(75)
    expect(stderr).toContain('already running on')
  })
})

test('status says that the reporting rows are complete', async () => {
  const { stdout } = await runCli(['status'], { env })
  expect(stdout).toMatch(/^Reporting rows {5}complete$/m)
})

async function blockedIn(it: Warehouse, statement: string): Promise<number> {
  const { rows } = await it.pool.query<{ query: string }>(
    `select query from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rows.filter(({ query }) => query.trim().toLowerCase().startsWith(statement)).length
}

async function kill(child: CliProcess): Promise<void> {
  child.kill('SIGKILL')
  await child.result
}

test('killed at chosen and at seeded points, the same command completes the walk', async () => {
  const history = Array.from({ length: 3500 }, (_, n) => call(`k${n}`, { start: started(n * 20) }))
  await using own = await databaseBeforeCells(history)
  await using it = connect(own.url)
  await migrateUp(it.db)
  const own_env = { DATABASE_URL: own.url, LOG_LEVEL: 'silent' }
  const start = () => startCli(['derive'], { env: own_env })
  const derived = async () => history.length - (await countUnderived(it))
  // their creation would wait for the locks below
  await ensureMonths(it, ['2026-01', '2026-02', '2026-03'])
  for (const [lock, statement] of [
    ['lock table etl.dirty_hours in exclusive mode', 'with deleted'],
    ['lock table etl.interval_cells in exclusive mode', 'with deleted'],
    ['select from etl.derivation for update', 'update etl.derivation'],
  ] as const) {
    const before = await derived()
    const blocker = await it.connectAlone('blocker')
    await blocker.query(`begin; ${lock}`)
    const child = start()
    await expect.poll(() => blockedIn(it, statement), { ...patience, message: lock }).toBeGreaterThan(0)
    await kill(child)
    await blocker.query('rollback')
    await blocker.end()
    await expect.poll(() => blockedIn(it, statement), patience).toBe(0)
    expect(await derived()).toBeLessThanOrEqual(before + 1000)
  }
  for (let round = 0; round < 3; round++) {
    const before = await derived()
    const child = start()
    await Promise.race([
      expect
        .poll(derived, patience)
        .toBeGreaterThan(before)
        .catch(() => {}),
      child.result,
    ])
    await sleep(hashFraction(`derive/kill/${round}`) * 300)
    await kill(child)
  }
  const child = start()
  expect(await child.result).toMatchObject({ code: 0 })
  expect(await countUnderived(it)).toBe(0)
  expect(await storedDerived(it)).toEqual(await freshlyDerived(history))
  const { rows } = await sql`select position_start, shown_from::text from etl.derivation`.execute(it.db)
  expect(rows).toEqual([{ position_start: null, shown_from: '-infinity' }])
})

test('SIGINT: 130, and the transaction that was under way is finished', async () => {
  const history = Array.from({ length: 1500 }, (_, n) => call(`k${n}`, { start: started(n * 20) }))
  await using own = await databaseBeforeCells(history)
  await using it = connect(own.url)
  await migrateUp(it.db)
  const cli = { env: { DATABASE_URL: own.url, LOG_LEVEL: 'silent' } }
  // else the walk would wait before its first transaction, in which it records that it goes by these rules
  await sql`update etl.derivation set version = ${DERIVED_VERSION}`.execute(it.db)
  const blocker = await it.connectAlone('blocker')
  await blocker.query('begin; select from etl.derivation for update')
  const child = startCli(['derive'], cli)
  await expect.poll(() => blockedIn(it, 'update etl.derivation'), patience).toBeGreaterThan(0)
  child.kill('SIGINT')
  await expect.poll(() => child.stderr(), patience).toContain('SIGINT')
  await blocker.query('rollback')
  await blocker.end()
  expect(await child.result).toMatchObject({ code: 130 })
  expect(await countUnderived(it)).toBe(500)
  const { rows } = await sql`select status, error_code from etl.runs`.execute(it.db)
  expect(rows).toEqual([{ status: 'interrupted', error_code: 'INTERRUPTED' }])
  const { stdout } = await runCli(['status', '--json'], cli)
  expect(JSON.parse(stdout)).toMatchObject({ reporting: { isFilled: false, staleConversations: 0 } })
  const text = await runCli(['status'], cli)
  expect(text.stdout).toMatch(/^Reporting rows {5}filled back to 2026-01-\d\d, \d+ %$/m)
})
