import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { recordWindow, selectWindows, type WindowMark } from '../../src/history/ledger.ts'
import { finishRun, recordPlan, selectRuns, startRun } from '../../src/runs/run-history.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
const { db } = warehouse
afterAll(() => warehouse.close())
beforeEach(() => sql`truncate etl.runs, etl.windows`.execute(db))

const key = { stream: 'conversations', filter: {} }
const sync = { job: 'sync', trigger: 'cron', parameters: {} } as const

function day(number: number): Date {
  return new Date(Date.UTC(2026, 4, number))
}

function read(from: number, to: number, status: WindowMark['status'], more: Partial<WindowMark> = {}) {
  return recordWindow(db, { ...key, start: day(from), end: day(to), status, runId: 1, hits: 10, ...more })
}

async function covered(): Promise<string[]> {
  const windows = await selectWindows(db, key)
  return windows.map(({ start, end, status }) => `${start.getUTCDate()}-${end.getUTCDate()} ${status}`)
}

test('records a run from its start to its end', async () => {
  const run = await startRun(db, sync)
  await recordPlan(db, run, { requests: 3 })
  await finishRun(db, run, { status: 'failed', errorCode: 'X', error: 'what', hint: 'do', counts: { inserted: 1 } })
  expect(await selectRuns(db, 5)).toMatchObject([
    {
      id: run.id,
      job: 'sync',
      trigger: 'cron',
      status: 'failed',
      plan: { requests: 3 },
      counts: { inserted: 1 },
      errorCode: 'X',
      error: 'what',
      hint: 'do',
    },
  ])
})

test('a run resumes the cycle of the unfinished runs before it, and a done one ends the cycle', async () => {
  const first = await startRun(db, sync)
  expect(first.cycleStartedAt).toEqual(first.startedAt)
  // its process was killed: it is still recorded as running
  const second = await startRun(db, sync)
  expect(second.cycleStartedAt).toEqual(first.startedAt)
  await finishRun(db, second, { status: 'failed' })
  const third = await startRun(db, sync)
  expect(third.cycleStartedAt).toEqual(first.startedAt)
  await finishRun(db, third, { status: 'done' })
  const fourth = await startRun(db, sync)
  expect(fourth.cycleStartedAt).toEqual(fourth.startedAt)
  expect((await selectRuns(db, 9)).map(({ status }) => status)).toEqual(['running', 'done', 'failed', 'interrupted'])
})

test('a run of other parameters, another job, or long ago is not resumed', async () => {
  const first = await startRun(db, { ...sync, job: 'backfill', parameters: { from: 1, to: 2 } })
  for (const other of [{ ...sync }, { ...sync, job: 'backfill', parameters: { from: 1, to: 3 } }]) {
    const run = await startRun(db, other)
    expect(run.cycleStartedAt).toEqual(run.startedAt)
  }
  const same = await startRun(db, { ...sync, job: 'backfill', parameters: { to: 2, from: 1 } })
  expect(same.cycleStartedAt).toEqual(first.startedAt)
  await finishRun(db, same, { status: 'interrupted' })
  await sql`update etl.runs set finished_at = finished_at - interval '25 hours'`.execute(db)
  const late = await startRun(db, { ...sync, job: 'backfill', parameters: { from: 1, to: 2 } })
  expect(late.cycleStartedAt).toEqual(late.startedAt)
})

test("a nightly cycle ends after 12 hours even when every night's run fails, a backfill's goes on", async () => {
  for (const job of ['sync', 'backfill']) {
    const first = await startRun(db, { ...sync, job })
    await finishRun(db, first, { status: 'failed' })
    await sql`update etl.runs set cycle_started_at = cycle_started_at - interval '13 hours' where id = ${first.id}`.execute(
      db,
    )
    const second = await startRun(db, { ...sync, job })
    expect(second.cycleStartedAt < first.startedAt).toBe(job === 'backfill')
  }
})

test('a wider done window replaces what it subsumes, and nothing else', async () => {
  await read(1, 2, 'done')
  await read(2, 3, 'failed')
  await read(3, 4, 'provisional')
  await read(5, 6, 'done')
  await read(2, 3, 'done', { filter: { direction: 'inbound' } })
  await read(2, 3, 'done', { stream: 'activity', source: 'jobs' })
  await read(1, 4, 'done')
  expect(await covered()).toEqual(['1-4 done', '5-6 done'])
  expect(await selectWindows(db, { ...key, filter: { direction: 'inbound' } })).toHaveLength(1)
  expect(await selectWindows(db, { ...key, stream: 'activity' })).toHaveLength(1)
})

test('a window has one row, whichever source has read it, and names the last one that succeeded', async () => {
  const sourceOf = async () =>
    (await sql<{ source: string }>`select source from etl.windows where stream = 'conversations'`.execute(db)).rows
  await read(1, 2, 'done', { source: 'jobs' })
  await read(1, 2, 'failed', { source: 'query', error: 'gone' })
  expect(await sourceOf()).toEqual([{ source: 'jobs' }])
  await read(1, 2, 'done')
  expect(await sourceOf()).toEqual([{ source: 'query' }])
  expect(await covered()).toEqual(['1-2 done'])
})

test('what is read by a job is current as of an earlier time than that of its record', async () => {
  await read(1, 2, 'done', { source: 'jobs', asOf: day(3) })
  const [first] = await selectWindows(db, key)
  expect(first?.readAt).toEqual(day(3))
  expect(+first!.loadedAt).toBeGreaterThan(+day(3))
  await read(1, 2, 'failed', { runId: 2, error: 'gone', errorCode: 'X' })
  expect((await selectWindows(db, key))[0]).toMatchObject({ readAt: day(3), loadedAt: day(3) })
})

test('a later provisional reading of a day replaces the earlier one, but never a done window', async () => {
  const noon = new Date(Date.UTC(2026, 4, 1, 12))
  const evening = new Date(Date.UTC(2026, 4, 1, 18))
  await recordWindow(db, { ...key, start: day(1), end: noon, status: 'provisional', runId: 1 })
  await recordWindow(db, { ...key, start: day(1), end: evening, status: 'provisional', runId: 2 })
  expect(await covered()).toEqual(['1-1 provisional'])
  await recordWindow(db, { ...key, start: day(1), end: noon, status: 'done', runId: 3 })
  await recordWindow(db, { ...key, start: day(1), end: evening, status: 'provisional', runId: 4 })
  expect(await covered()).toEqual(['1-1 done', '1-1 provisional'])
})

test('a failed read leaves the coverage of an earlier done one, and is recorded beside it', async () => {
  await read(1, 2, 'done')
  const [before] = await selectWindows(db, key)
  await read(1, 2, 'failed', { runId: 2, hits: null, error: 'gone', errorCode: 'GENESYS_TIMEOUT' })
  const [after] = await selectWindows(db, key)
  expect(after).toMatchObject({ status: 'done', hits: 10, error: 'gone', errorCode: 'GENESYS_TIMEOUT', runId: 2 })
  expect(after?.readAt).toEqual(before?.readAt)
  await read(1, 2, 'done', { runId: 3 })
  expect((await selectWindows(db, key))[0]).toMatchObject({ status: 'done', attempts: 1, error: null })
})

test('counts attempts by run until the window is done', async () => {
  expect(await read(1, 2, 'unstable', { runId: 1 })).toBe(1)
  expect(await read(1, 2, 'unstable', { runId: 1, nextAttemptAt: () => day(2) })).toBe(1)
  expect(await read(1, 2, 'unstable', { runId: 2 })).toBe(2)
  expect(await read(1, 2, 'failed', { runId: 3 })).toBe(3)
  expect(await read(1, 2, 'done', { runId: 4 })).toBe(1)
  expect(await read(1, 2, 'unstable', { runId: 5 })).toBe(1)
})

test('knows a filter whatever the order of its keys, and selects by range', async () => {
  await read(1, 2, 'done', { filter: { mediaTypes: ['voice'], direction: 'inbound' } })
  await read(5, 6, 'done', { filter: { direction: 'inbound', mediaTypes: ['voice'] } })
  const same = { ...key, filter: { direction: 'inbound', mediaTypes: ['voice'] } }
  expect(await selectWindows(db, same)).toHaveLength(2)
  expect(await selectWindows(db, same, { start: day(2), end: day(6) })).toHaveLength(1)
})
