import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import {
  forgetOldDetails,
  finishRun,
  recordPlan,
  selectFirstSync,
  selectRuns,
  startRun,
} from '../../src/runs/run-history.ts'
import { runJob } from '../../src/runs/run-job.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
beforeEach(() => sql`truncate etl.runs`.execute(warehouse.db))

const signal = new AbortController().signal
const request = { job: 'sync', trigger: 'cron', parameters: { filter: {} } } as const

/** Runs the job; gives the lines of the log. */
async function run(on: Warehouse, work: () => Promise<{ counts: object }>) {
  const lines: { level: string; msg: string; code?: string }[] = []
  const logger = createLogger('info', { write: (line: string) => lines.push(JSON.parse(line)) } as never)
  const outcome = await runJob({ warehouse: on, logger }, request, signal, work).catch((error: unknown) => error)
  return { outcome, lines }
}

test('a run that fails before it has its row leaves a line in the log, and its error says whether to try again', async () => {
  await using away = connect('postgres://nobody@127.0.0.1:1/nothing')
  const { outcome, lines } = await run(away, async () => ({ counts: {} }))
  expect(outcome).toMatchObject({ code: 'DATABASE_UNAVAILABLE', kind: 'retryable' })
  expect(lines).toMatchObject([{ level: 'warn', msg: 'run could not start', code: 'DATABASE_UNAVAILABLE' }])
})

test('a row that can’t be made is such a failure, too', async () => {
  await sql`alter table etl.runs rename to runs_elsewhere`.execute(warehouse.db)
  try {
    const { outcome, lines } = await run(warehouse, async () => ({ counts: {} }))
    expect(outcome).toMatchObject({ code: 'DATABASE_SCHEMA', kind: 'fatal' })
    expect(lines).toMatchObject([{ level: 'warn', msg: 'run could not start', code: 'DATABASE_SCHEMA' }])
  } finally {
    await sql`alter table etl.runs_elsewhere rename to runs`.execute(warehouse.db)
  }
})

test('that another process runs the job is no failure', async () => {
  await withJobLock(warehouse, 'sync', signal, async () => {
    const { outcome, lines } = await run(warehouse, async () => ({ counts: {} }))
    expect(outcome).toMatchObject({ code: 'JOB_ALREADY_RUNNING' })
    expect(lines).toEqual([])
  })
})

test('a query of the run that fails as the driver has it is classified, in etl.runs too', async () => {
  const { outcome } = await run(warehouse, async () => {
    await warehouse.pool.query('select pg_terminate_backend(pg_backend_pid())')
    return { counts: {} }
  })
  expect(outcome).toMatchObject({ code: 'DATABASE_UNAVAILABLE', kind: 'retryable' })
  expect(await selectRuns(warehouse.db, 1)).toMatchObject([{ status: 'failed', errorCode: 'DATABASE_UNAVAILABLE' }])
})

test('a run older than a quarter forgets the windows of its plan and its counts, and still is the first sync', async () => {
  for (const age of [93, 91]) {
    const { db } = warehouse
    const started = await startRun(db, request)
    await recordPlan(db, started, { requests: 3, windows: [{ window: '2026-01-01' }] })
    await finishRun(db, started, { status: 'done', counts: { inserted: age } })
    await sql`update etl.runs set started_at = now() - make_interval(days => ${age}) where id = ${started.id}`.execute(
      db,
    )
  }
  const first = await selectFirstSync(warehouse.db, { filter: {} })
  await forgetOldDetails(warehouse.db)
  expect(await selectRuns(warehouse.db, 9)).toMatchObject([
    { plan: { requests: 3, windows: [{}] }, counts: { inserted: 91 } },
    { plan: { requests: 3 }, counts: null },
  ])
  const { rows } = await sql`select plan ? 'windows' as windows from etl.runs order by id`.execute(warehouse.db)
  expect(rows).toEqual([{ windows: false }, { windows: true }])
  expect(await selectFirstSync(warehouse.db, { filter: {} })).toEqual(first)
})
