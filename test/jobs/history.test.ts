import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { addDays, startOfDay } from '../../src/core/window.ts'
import { Interrupted } from '../../src/errors.ts'
import { windowKey } from '../../src/jobs/history-context.ts'
import { planHistory, runHistory } from '../../src/jobs/history.ts'
import { readDatabaseClock } from '../../src/warehouse/database-clock.ts'
import { recordWindow, selectWindows } from '../../src/warehouse/ledger.ts'
import { ensurePartitions } from '../../src/warehouse/partitions.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { pagesAsked, startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

const signal = new AbortController().signal
let now = new Date()
let today = startOfDay(now)
stayClearOfMidnight()
beforeEach(() => {
  now = new Date()
  today = startOfDay(now)
})
const dayName = (age: number): string => addDays(today, -age).toISOString().slice(0, 10)

/** An organization of today, with a little history; its clock stands still. */
async function startSmallOrg(days = 3): Promise<TestOrg> {
  return await startTestOrg({ now, days, perDay: 20 })
}

async function plan(it: TestOrg, lookbackDays: number): Promise<string[]> {
  await using dependencies = it.dependencies({ settings: { lookbackDays } })
  const clock = await readDatabaseClock(it.warehouse.db)
  const { windows } = await planHistory(dependencies, { job: 'sync' }, { clock, cycleStart: clock.now(), signal })
  return windows.map(({ start, reason }) => `${start.toISOString().slice(0, 10)} ${reason}`)
}

async function mark(it: TestOrg, age: number, fields: { hits?: number; status?: 'done' | 'provisional' } = {}) {
  const { hits = 20, status = 'done' } = fields
  const key = windowKey({ filter: {} })
  const start = addDays(today, -age)
  await recordWindow(it.warehouse.db, { ...key, start, end: addDays(start, 1), status, hits, runId: null })
}

test('a nightly plan within the budget reads the whole lookback again, newest first', async () => {
  await using it = await startSmallOrg()
  for (let age = 1; age <= 5; age++) await mark(it, age)
  expect(await plan(it, 5)).toEqual([1, 2, 3, 4, 5].map((age) => `${dayName(age)} lookback`))
})

test('a nightly plan beyond the budget reads the ages 1, 2, 4 and 7, and whatever is owed', async () => {
  await using it = await startSmallOrg()
  for (const age of [1, 2, 4, 5, 6, 7]) await mark(it, age, { hits: 100_000 })
  expect(await plan(it, 7)).toEqual([
    `${dayName(1)} lookback`,
    `${dayName(2)} lookback`,
    `${dayName(3)} owed`,
    `${dayName(4)} lookback`,
    `${dayName(7)} lookback`,
  ])
})

test('a sync reads the lookback, and what is owed since the first day', async () => {
  await using it = await startSmallOrg(6)
  for (const age of [4, 6]) await mark(it, age)
  const settings = { lookbackDays: 2, start: addDays(today, -6) }
  const summary = await it.run({ job: 'sync' }, { settings })
  expect(new Set(pagesAsked(it.org.requests))).toEqual(new Set([1, 2, 3, 5].map(dayName)))
  expect(summary.windows).toMatchObject({ planned: 4, done: 4 })
  // nothing is owed any more, but the lookback is read every night
  it.org.control.set({})
  const asked = it.org.requests.length
  await it.run({ job: 'sync' }, { settings })
  expect(new Set(pagesAsked(it.org.requests.slice(asked)))).toEqual(new Set([1, 2].map(dayName)))
})

test('the current day is provisional, never done, and is owed again when it is over', async () => {
  await using it = await startSmallOrg()
  const { windows } = await it.run({ job: 'intraday' })
  expect(windows).toMatchObject({ planned: 1, provisional: 1, done: 0 })
  await it.expectEqual({ start: today, end: addDays(today, 1) })
  await mark(it, 1, { status: 'provisional' })
  expect(await plan(it, 1)).toEqual([`${dayName(1)} owed`])
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  expect(await it.doneDays()).toEqual([dayName(1)])
})

test('the same window read provisionally hour by hour leaves one row', async () => {
  await using it = await startSmallOrg()
  await it.run({ job: 'intraday' })
  await it.run({ job: 'intraday' })
  expect(await it.windows()).toMatchObject([{ status: 'provisional', start: today }])
})

test('an error that concerns every window ends the run, and leaves the rest unasked', async () => {
  await using it = await startTestOrg({ days: 12, perDay: 10 })
  const client = it.org.control.clients.get(it.org.clientId)!
  const range = { start: addDays(threeDays.end, -12), end: threeDays.end }
  // the estimates pass, and then the permission is gone
  it.org.control.faults.add({ on: 'details', kind: '503', nth: 13 })
  const running = it.backfill(range, { settings: { concurrency: 1 } })
  const outcome = expect(running).rejects.toMatchObject({ code: 'GENESYS_FORBIDDEN', kind: 'fatal' })
  await expect.poll(() => it.org.requests.some(({ fault }) => fault), patience).toBe(true)
  client.permissions.delete('analytics:conversationDetail:view')
  await outcome
  const windows = await it.windows()
  // no more than were being read at once
  expect(windows.filter(({ status }) => status === 'failed').length).toBeLessThanOrEqual(8)
  const { rows } = await sql`select status, error_code, hint from etl.runs`.execute(it.warehouse.db)
  expect(rows).toMatchObject([{ status: 'failed', error_code: 'GENESYS_FORBIDDEN' }])
  expect((rows[0] as { hint: string }).hint).toContain('analytics:conversationDetail:view')

  client.permissions.add('analytics:conversationDetail:view')
  await it.backfill(range)
  await it.expectEqual(range)
})

test('a run that was interrupted goes on where it stopped, and the next night reads everything again', async () => {
  await using it = await startTestOrg({ now, days: 4, perDay: 20 })
  const settings = { lookbackDays: 4, concurrency: 1 }
  it.org.control.faults.add({ on: 'details', kind: 'hang', nth: 7 })
  const stop = new AbortController()
  const running = it.run({ job: 'sync' }, { settings, signal: stop.signal, timeoutMs: 60_000 })
  const outcome = expect(running).rejects.toBeInstanceOf(Interrupted)
  await expect.poll(async () => (await it.doneDays()).length, patience).toBeGreaterThan(1)
  stop.abort(new Interrupted('SIGTERM'))
  await outcome
  const read = await it.doneDays()
  expect(read.length).toBeLessThan(4)

  it.org.control.faults.clear()
  let asked = it.org.requests.length
  await it.run({ job: 'sync' }, { settings })
  expect(pagesAsked(it.org.requests.slice(asked)).filter((day) => read.includes(day))).toEqual([])
  asked = it.org.requests.length
  await it.run({ job: 'sync' }, { settings })
  expect(new Set(pagesAsked(it.org.requests.slice(asked))).size).toBe(4)
  await it.expectEqual({ start: addDays(today, -4), end: today })
})

test('a stop loads what is being written, and does not mark the window', async () => {
  await using it = await startTestOrg({ days: 1, perDay: 720 })
  const range = { start: new Date('2025-06-12'), end: new Date('2025-06-13') }
  await ensurePartitions(it.warehouse, range)
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in exclusive mode')
  it.org.control.faults.add({ on: 'details', kind: 'hang', nth: 8 })
  const stop = new AbortController()
  let isOver = false
  const running = it.backfill(range, { signal: stop.signal, timeoutMs: 60_000 }).finally(() => (isOver = true))
  const outcome = expect(running).rejects.toBeInstanceOf(Interrupted)
  const blocked = async () =>
    (
      await it.warehouse.pool.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
    ).rowCount
  // one batch or already the second
  await expect.poll(blocked, patience).toBeGreaterThan(0)
  stop.abort(new Interrupted('SIGTERM'))
  // the run is not over, and its lock not given back, while a batch is being written
  const { rows } = await it.warehouse.pool.query<{ status: string }>('select status from etl.runs')
  expect({ isOver, rows }).toEqual({ isOver: false, rows: [{ status: 'running' }] })
  await blocker.query('rollback')
  await blocker.end()
  await outcome
  const { rows: loaded } = await it.warehouse.pool.query('select 1 from genesys.conversations')
  // a whole batch of 250, less what is rejected or repeated in it
  expect(loaded.length).toBeGreaterThan(200)
  expect(await it.windows()).toEqual([])
  it.org.control.faults.clear()
  await it.backfill(range)
  await it.expectEqual(range)
})

test('a filter reads part of the conversations, and its coverage is its own', async () => {
  await using it = await startTestOrg()
  const filter = { mediaTypes: ['voice'], direction: 'inbound', minDurationSeconds: 60 } as const
  const summary = await it.backfill(threeDays, { settings: { filter } })
  expect(summary.counts.inserted).toBeGreaterThan(10)
  expect(summary.counts.inserted).toBeLessThan(300)
  expect(await it.windows()).toEqual([])
  const filtered = await selectWindows(it.warehouse.db, windowKey({ filter }))
  expect(filtered.map(({ status }) => status)).toEqual(['done', 'done', 'done'])
  // the whole is still owed
  expect((await it.backfill()).windows).toMatchObject({ planned: 3, done: 3 })
  await it.expectEqual()
})

test('books every run with its trigger, plan and counts', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const { rows } = await sql`
    select job, trigger, status, parameters, plan, counts, finished_at is not null as finished, error from etl.runs`.execute(
    it.warehouse.db,
  )
  expect(rows).toMatchObject([
    {
      job: 'backfill',
      trigger: 'manual',
      status: 'done',
      parameters: { from: '2025-06-10T00:00:00.000Z', to: '2025-06-13T00:00:00.000Z', reload: false },
      plan: { requests: 6, windows: [{ window: '2025-06-10', reason: 'owed', requests: 2 }, {}, {}] },
      counts: { received: 360 },
      finished: true,
      error: null,
    },
  ])
})

test('refuses another organization than that of the first load', async () => {
  await using it = await startTestOrg({ perDay: 5 })
  await it.backfill()
  await using other = await startTestOrg({ perDay: 5, seed: 12 })
  await using foreign = other.dependencies()

  const request = { job: 'backfill', range: threeDays, reload: true } as const
  await expect(runHistory({ ...foreign, warehouse: it.warehouse }, request, 'manual', signal)).rejects.toMatchObject({
    code: 'FOREIGN_ORGANIZATION',
    kind: 'fatal',
  })
  await it.expectEqual()
})
