import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { addDays, startOfDay } from '../../src/core/window.ts'
import { EtlError, Interrupted } from '../../src/errors.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { windowKey } from '../../src/jobs/history-context.ts'
import { planHistory, runHistory } from '../../src/jobs/history.ts'
import { readDatabaseClock } from '../../src/warehouse/database-clock.ts'
import { recordWindow, selectWindows } from '../../src/warehouse/ledger.ts'
import { ensurePartitions } from '../../src/warehouse/partitions.ts'
import { pagesAsked, startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

const signal = new AbortController().signal
const now = new Date()
const today = startOfDay(now)
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
  // none in the first minutes of a day
  if (windows.planned === 0) return
  expect(windows).toMatchObject({ planned: 1, provisional: 1, done: 0 })
  await it.expectEqual({ start: today, end: addDays(today, 1) })
  await mark(it, 1, { status: 'provisional' })
  expect(await plan(it, 1)).toEqual([`${dayName(1)} owed`])
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  expect(await it.doneDays()).toEqual([dayName(1)])
})

test('the same window read provisionally hour by hour leaves one row', async () => {
  await using it = await startSmallOrg()
  const first = await it.run({ job: 'intraday' })
  if (first.windows.planned === 0) return
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

/** The client, which fails with `failure` at the queries about a day that has one; what it is asked otherwise, it answers. */
function failing(client: GenesysClient, failure: (day: string) => EtlError | undefined): GenesysClient {
  return {
    async request(request) {
      const { interval, paging } = (request.body ?? {}) as { interval?: string; paging?: { pageSize: number } }
      const error = interval === undefined ? undefined : failure(interval.slice(0, 10))
      if (error && paging?.pageSize !== 1) throw error
      return await client.request(request)
    },
    close: () => client.close(),
  }
}
const transient = (): EtlError =>
  new EtlError('answers badly', { code: 'GENESYS_BAD_ANSWER', kind: 'retryable', hint: 'wait' })
const lasting = (): EtlError =>
  new EtlError('too large', { code: 'GENESYS_WINDOW_TOO_LARGE', kind: 'fatal', hint: 'filter' })
const backfillThreeDays = { job: 'backfill', range: threeDays, reload: false } as const

test.each([
  ['the first', transient, lasting],
  ['the last', lasting, transient],
])(
  'one failure that needs a human makes the run need one, also beside %s that passes',
  async (_name, first, second) => {
    await using it = await startTestOrg({ perDay: 10 })
    await using given = it.dependencies({ settings: { concurrency: 1 } })
    const genesys = failing(given.genesys, (day) => ({ '2025-06-10': first(), '2025-06-11': second() })[day])
    await expect(runHistory({ ...given, genesys }, backfillThreeDays, 'manual', signal)).rejects.toMatchObject({
      kind: 'fatal',
      code: 'GENESYS_WINDOW_TOO_LARGE',
      hint: 'filter',
      message: expect.stringMatching(/^2 of 3 windows failed \(2025-06-1[01], 2025-06-1[01]\): too large/),
    })
    expect(await it.doneDays()).toEqual(['2025-06-12'])
  },
)

test('many days that fail for ever leave the others alone', async () => {
  await using it = await startTestOrg({ days: 12, perDay: 10 })
  await using given = it.dependencies({ settings: { concurrency: 1 } })
  const range = { start: addDays(threeDays.end, -12), end: threeDays.end }
  // more than are read at once
  const bad = Array.from({ length: 9 }, (_, age) => addDays(range.start, age).toISOString().slice(0, 10))
  for (const code of ['GENESYS_TIMEOUT', 'GENESYS_BAD_ANSWER']) {
    const failure = (day: string) => (bad.includes(day) ? new EtlError('no', { code, kind: 'retryable' }) : undefined)
    const genesys = failing(given.genesys, failure)
    const request = { job: 'backfill', range, reload: true } as const
    await expect(runHistory({ ...given, genesys }, request, 'manual', signal)).rejects.toMatchObject({
      kind: 'retryable',
    })
    expect(await it.doneDays()).toHaveLength(3)
    expect((await it.windows()).filter(({ errorCode }) => errorCode === code)).toHaveLength(9)
  }
})

test('a day that had conversations and has none is a warning, and counted', async () => {
  await using it = await startTestOrg({ perDay: 10, nastyShare: 0 })
  await it.backfill()
  for (const day of ['2025-06-10', '2025-06-11'])
    for (const { conversationId } of it.org.truth(day)) it.org.control.changes.remove(String(conversationId))
  // of the second one, only the tables know that it had some
  await sql`update etl.windows set hits = 0 where start = '2025-06-11'`.execute(it.warehouse.db)
  let emptied = 0
  await using given = it.dependencies()
  const request = { ...backfillThreeDays, reload: true }
  const summary = await runHistory({ ...given, onEmptied: () => emptied++ }, request, 'manual', signal)
  expect(summary).toMatchObject({ windows: { done: 3 }, counts: { emptiedWindows: 2 } })
  expect(emptied).toBe(2)
  const warnings = it.log.filter((line) => line.includes('has none any more'))
  expect(warnings.map((line) => (JSON.parse(line) as { window: string }).window).sort()).toEqual([
    '2025-06-10',
    '2025-06-11',
  ])
  const { rows } = await sql`select counts from etl.runs order by id desc limit 1`.execute(it.warehouse.db)
  expect(rows).toMatchObject([{ counts: { emptiedWindows: 2 } }])
  // what the tables hold stays
  const { rows: held } = await sql`select 1 from genesys.conversations`.execute(it.warehouse.db)
  expect(held).toHaveLength(30)
})

test('a day that never had any is none that was emptied', async () => {
  await using it = await startTestOrg({ days: 0, perDay: 0 })
  expect((await it.backfill()).counts.emptiedWindows).toBe(0)
  expect((await it.backfill(threeDays, { reload: true })).counts.emptiedWindows).toBe(0)
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
