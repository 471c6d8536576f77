import { sql } from 'kysely'
import { beforeEach, expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { EtlError, Interrupted } from '../../src/errors.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { windowKey } from '../../src/history/context.ts'
import { planHistory } from '../../src/history/plan-history.ts'
import { runHistory } from '../../src/history/sync.ts'
import { tables } from '../../src/model/columns.ts'
import { loadWindow } from '../../src/history/load-window.ts'
import PQueue from 'p-queue'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { verifyRange } from '../../src/history/verify.ts'
import { readDatabaseClock } from '../../src/postgres/clock.ts'
import { recordWindow, selectWindows } from '../../src/history/ledger.ts'
import { startRun } from '../../src/runs/run-history.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
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

test('a nightly plan within the budget reads the entire lookback again, newest first', async () => {
  await using it = await startSmallOrg()
  for (let age = 1; age <= 5; age++) await mark(it, age)
  expect(await plan(it, 5)).toEqual([1, 2, 3, 4, 5].map((age) => `${dayName(age)} lookback`))
})

test('a nightly plan beyond the budget reads the ages 1, 2, 5 and 7, and whatever was never loaded', async () => {
  await using it = await startSmallOrg()
  for (const age of [1, 2, 4, 5, 6, 7]) await mark(it, age, { hits: 100_000 })
  expect(await plan(it, 7)).toEqual([
    `${dayName(1)} lookback`,
    `${dayName(2)} lookback`,
    `${dayName(3)} owed`,
    `${dayName(5)} lookback`,
    `${dayName(7)} lookback`,
  ])
})

test('a sync reads the lookback, and what was never loaded since the first due day', async () => {
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

test('the current day is provisional, never done, and is due again when it is over', async () => {
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

test('many days that always fail do not hold up the others', async () => {
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
  await using it = await startTestOrg({ perDay: 10, malformedShare: 0 })
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
  const warnings = it.log.filter((line) => line.includes('now has none'))
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

test('records every run with its trigger, plan and counts', async () => {
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

/** As many days as given, loaded by a sync whose lookback is two days, an outage ago. */
async function loadLongAgo(it: TestOrg, firstDay: Date): Promise<void> {
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 2, start: firstDay } })
  await sql`update etl.windows set read_at = start + interval '1 day 2 hours'`.execute(it.warehouse.db)
}

test('an outage longer than the lookback is caught up: late changes of all days that were missed arrive', async () => {
  await using it = await startTestOrg({ now, days: 8, perDay: 20 })
  const start = addDays(today, -8)
  await loadLongAgo(it, start)
  const late = await it.warehouse.pool.query<{ id: string }>(
    `select conversation_id as id from genesys.conversations where conversation_start < $1`,
    [addDays(today, -3)],
  )
  await sql`update etl.conversations set content_hash = 'of an answer before the late change'
    where conversation_start < ${addDays(today, -3)}`.execute(it.warehouse.db)
  const history = { filter: {}, lookbackDays: 2, start }
  const before = await readStatus(it.warehouse, history, { live: false })
  expect(before).toMatchObject({
    state: 'behind',
    history: { owed: [], due: [{ start, end: addDays(today, -2) }] },
  })
  const summary = await it.run({ job: 'sync' }, { settings: { lookbackDays: 2, start } })
  expect(summary.windows).toMatchObject({ planned: 8, done: 8 })
  expect(summary.counts.changed).toBe(late.rows.length)
  expect(await readStatus(it.warehouse, history, { live: false })).toMatchObject({ state: 'ok', history: { due: [] } })
  expect(await plan(it, 2)).toEqual([1, 2].map((age) => `${dayName(age)} lookback`))
})

test('without a first day set, the days that passed during an outage are due', async () => {
  await using it = await startTestOrg({ now, days: 8, perDay: 5 })
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  const back = sql`interval '6 days'`
  await sql`update etl.runs set started_at = started_at - ${back}, finished_at = finished_at - ${back}`.execute(
    it.warehouse.db,
  )
  await sql`update etl.windows set start = start - ${back}, "end" = "end" - ${back}, read_at = read_at - ${back}`.execute(
    it.warehouse.db,
  )
  expect(await plan(it, 1)).toEqual([1, 2, 3, 4, 5, 6].map((age) => `${dayName(age)} owed`))
  const { history } = await readStatus(it.warehouse, { filter: {}, lookbackDays: 1, start: null }, { live: false })
  expect(history.firstDay).toEqual(addDays(today, -7))
  // another filter has a history of its own
  const filtered = { filter: { mediaTypes: ['voice'] as const }, lookbackDays: 1, start: null }
  expect((await readStatus(it.warehouse, filtered, { live: false })).history.firstDay).toEqual(addDays(today, -1))
})

test('a month that was dropped is reported, and comes back with a backfill that reloads', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const history = { filter: {}, lookbackDays: 1, start: threeDays.start }
  const emptyMonths = async () => (await readStatus(it.warehouse, history, { live: false })).history.emptyMonths
  expect(await emptyMonths()).toEqual([])
  await sql.raw(tables.map((table) => `drop table genesys.${table}_2025_06`).join(';')).execute(it.warehouse.db)
  expect(await emptyMonths()).toMatchObject([{ month: '2025-06', conversations: expect.any(Number) as number }])
  await it.backfill(threeDays, { reload: true })
  await it.expectEqual()
  expect(await emptyMonths()).toEqual([])
  await sql`truncate genesys.segments`.execute(it.warehouse.db)
  expect(await emptyMonths()).toMatchObject([{ month: '2025-06', tables: ['segments'] }])
  // a load alone can't see it, but verify finds it, and then the load writes it again
  await using dependencies = it.dependencies()
  expect((await verifyRange(dependencies, threeDays, signal)).mismatches.length).toBeGreaterThan(100)
  await it.backfill(threeDays, { reload: true })
  await it.expectEqual()
})

test('the schema genesys restored without schema etl, or the other way round: a reload brings all back', async () => {
  await using it = await startTestOrg({ perDay: 40 })
  await it.backfill()
  const reload = { reload: true }
  await sql`delete from genesys.conversations where conversation_start < '2025-06-11'`.execute(it.warehouse.db)
  await sql`delete from genesys.segments where conversation_start < '2025-06-11'`.execute(it.warehouse.db)
  await it.backfill(threeDays, reload)
  await it.expectEqual()
  await sql.raw(`truncate ${tables.map((table) => `genesys.${table}`).join(', ')}`).execute(it.warehouse.db)
  await it.backfill(threeDays, reload)
  await it.expectEqual()
  await sql`truncate etl.conversations`.execute(it.warehouse.db)
  await it.backfill(threeDays, reload)
  await it.expectEqual()
})

test('a clock of the database that was ahead and was corrected: it is reported, and everything arrives again', async () => {
  await using it = await startTestOrg({ now, days: 4, perDay: 20 })
  const settings = { lookbackDays: 2, start: addDays(today, -4) }
  await it.run({ job: 'sync' }, { settings })
  const ahead = sql`interval '3 days'`
  const { db } = it.warehouse
  // everything as a clock that was three days ahead would have written it
  await sql`update etl.conversations set fetched_at = fetched_at + ${ahead}, content_hash = 'of an older answer'`.execute(
    db,
  )
  await sql`update genesys.conversations set _loaded_at = _loaded_at + ${ahead}`.execute(db)
  await sql`update etl.windows set read_at = read_at + ${ahead}`.execute(db)
  await sql`update etl.runs set started_at = started_at + ${ahead}, finished_at = finished_at + ${ahead},
    cycle_started_at = cycle_started_at + ${ahead}, status = 'failed'`.execute(db)
  await mark(it, 0)
  await mark(it, -1)
  const status = async () => await readStatus(it.warehouse, { filter: {}, ...settings }, { live: false })
  const wrong = await status()
  expect(wrong).toMatchObject({ state: 'failing', windows: { done: 0 }, history: { coveredUntil: null } })
  expect(wrong.problems.find(({ title }) => title.startsWith('Dated in the future'))?.detail).toMatch(/ledger.*loaded/)
  expect(await plan(it, 2)).toHaveLength(2)
  const summary = await it.run({ job: 'sync' }, { settings })
  expect(summary.windows).toMatchObject({ planned: 4, done: 4 })
  expect(summary.counts).toMatchObject({ stale: 0, unchanged: 0 })
  expect(summary.counts.changed).toBeGreaterThan(50)
  await it.expectEqual({ start: settings.start, end: today })
  expect(await status()).toMatchObject({ history: { owed: [], coveredUntil: today } })
  const { rows } = await sql`select count(*) from etl.conversations where fetched_at > now()`.execute(db)
  expect(rows).toEqual([{ count: 0 }])
})

test('days that a clock ahead has marked done are planned when they come', async () => {
  await using it = await startSmallOrg()
  for (const age of [-1, 0]) await mark(it, age)
  await mark(it, 1)
  await sql`update etl.windows set read_at = now() + interval '2 days'`.execute(it.warehouse.db)
  expect(await plan(it, 1)).toEqual([`${dayName(1)} owed`])
})

test('a clock of the database that differs from that of Genesys is logged when a run starts', async () => {
  await using it = await startTestOrg({ perDay: 5, now })
  it.org.control.set({ dateSkewMs: -3_600_000 })
  await it.backfill({ start: addDays(today, -1), end: today })
  const warning = it.log.find((line) => line.includes('the clock of the database differs'))
  expect(JSON.parse(warning ?? '{}')).toMatchObject({ aheadSeconds: expect.any(Number) as number })
})

test('a clock of the database that is set while a window is read: the window is read again by the next run', async () => {
  await using it = await startTestOrg({ perDay: 5 })
  await using given = it.dependencies()
  const clock = await readDatabaseClock(it.warehouse.db)
  const early = { ...clock, now: () => new Date(+clock.now() - 600_000) }
  const window = {
    start: threeDays.start,
    end: addDays(threeDays.start, 1),
    reason: 'owed',
    hits: 5,
    requests: 1,
    isCounted: true,
  } as const
  const run = await startRun(it.warehouse.db, { job: 'backfill', trigger: 'manual', parameters: {} })
  const context = {
    ...given,
    key: windowKey(given.history),
    run,
    clock: early,
    writes: new PQueue({ concurrency: 1 }),
    signal,
  }
  await expect(loadWindow(context, window)).rejects.toMatchObject({ code: 'DATABASE_CLOCK_CHANGED', kind: 'retryable' })
  expect(await it.doneDays()).toEqual([])
  await it.backfill()
  await it.expectEqual()
})

test('a run of which every record was refused as stale fails', async () => {
  await using it = await startTestOrg({ perDay: 5, malformedShare: 0 })
  await it.backfill()
  // as if another run had read them all at the end of this one
  await sql`create function later() returns trigger language plpgsql as $$
    begin new.fetched_at := new.fetched_at - interval '1 day'; return new; end $$`.execute(it.warehouse.db)
  await sql`create trigger later before insert on etl.conversations for each row execute function later()`.execute(
    it.warehouse.db,
  )
  await expect(it.backfill(threeDays, { reload: true })).rejects.toMatchObject({
    code: 'LOAD_ALL_STALE',
    kind: 'retryable',
  })
})
