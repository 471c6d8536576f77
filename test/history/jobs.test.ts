/** Windows that are read by details jobs, against the simulated organization. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { EtlError } from '../../src/errors.ts'
import type { BackfillSource, JobsSettings } from '../../src/history/context.ts'
import type { HistorySummary } from '../../src/history/sync.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import type { SimulatorOptions } from '../../src/simulator/server.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { pagesAsked, startTestOrg, threeDays, type RunOverrides, type TestOrg } from '../support/simulated-org.ts'

stayClearOfMidnight()
const JOBS = '/api/v2/analytics/conversations/details/jobs'
const timing = { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 }
const MINUTE_MS = 60_000

function withJobs(jobs: Partial<JobsSettings> = {}, more: Partial<RunOverrides['settings']> = {}): RunOverrides {
  return { settings: { ...more, jobs: { attributes: 'auto', timing, pageSize: 50, ...jobs } } }
}

function backfill(it: TestOrg, source: BackfillSource, range = threeDays, reload = false): Promise<HistorySummary> {
  return it.run({ job: 'backfill', range, reload, source }, withJobs())
}

/** An organization whose clock runs with ours, since what is newer is decided by dates. */
async function startRunningOrg(options: SimulatorOptions = {}): Promise<TestOrg> {
  return await startTestOrg({ now: () => Date.now(), days: 9, perDay: 20, dataLagMs: MINUTE_MS, ...options })
}

const today = (): Date => startOfDay(new Date())
const lastDays = (count: number) => ({ start: addDays(today(), -count), end: today() })
const dayName = (age: number): string => addDays(today(), -age).toISOString().slice(0, 10)

/** The requests about jobs, without ids. */
function jobRequests(it: TestOrg, from = 0): string[] {
  return it.org.requests
    .slice(from)
    .filter(({ path }) => path.startsWith(JOBS))
    .map(({ method, path }) => `${method} ${path.slice(JOBS.length).replace(/^\/[0-9a-f-]{36}/, '/id')}`)
}

const leftAtGenesys = (it: TestOrg) => it.org.control.jobs.list().filter(({ isDeleted }) => !isDeleted)

async function storedJobs(it: TestOrg): Promise<unknown[]> {
  return (await sql`select * from etl.details_jobs`.execute(it.warehouse.db)).rows
}

async function sources(it: TestOrg, stream = 'conversations'): Promise<Record<string, string>> {
  const { rows } = await sql<{ day: string; source: string }>`
    select (start at time zone 'UTC')::date::text as day, source || ' ' || status as source from etl.windows
    where stream = ${stream} order by start`.execute(it.warehouse.db)
  return Object.fromEntries(rows.map(({ day, source }) => [day, source]))
}

/** The stored attributes are those of the organization. */
async function expectAttributes(it: TestOrg, range = threeDays): Promise<number> {
  const { rows } = await sql<{ id: string; participant: string; position: string; attributes: object }>`
    select a.conversation_id as id, a.participant_id as participant, p.participant_id as position, a.attributes
    from genesys.participant_attributes a left join genesys.participants p on p.conversation_id = a.conversation_id
      and p.conversation_start = a.conversation_start and p._index = a._participant_index`.execute(it.warehouse.db)
  const found = Map.groupBy(rows, ({ id }) => id)
  let compared = 0
  for (const { conversationId, conversationStart } of it.org.truth()) {
    const start = new Date(String(conversationStart))
    if (typeof conversationId !== 'string' || !(start >= range.start && start < range.end)) continue
    const stored = found.get(conversationId) ?? []
    const expected = Object.entries(it.org.attributesOf(conversationId)).filter(
      ([participant]) => participant !== 'undefined',
    )
    expect(
      stored.filter(({ participant }) => participant).map(({ participant, attributes }) => [participant, attributes]),
    ).toEqual(expected)
    expect(stored.filter(({ participant, position }) => participant !== position)).toEqual([])
    compared += expected.length
  }
  return compared
}

/** Tuples written in schema genesys so far, by the server's statistics. */
async function tuplesWritten(it: TestOrg): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(it.warehouse.db)
  const { rows } = await sql<{ tuples: number }>`
    select sum(n_tup_ins + n_tup_upd + n_tup_del)::int8 as tuples from pg_stat_user_tables
    where schemaname = 'genesys'`.execute(it.warehouse.db)
  return Number(rows[0]?.tuples)
}

test('a backfill by jobs loads what a backfill by query loads, and attributes', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const { windows, counts } = await backfill(it, 'jobs')
  expect(windows).toMatchObject({ planned: 3, done: 3, failed: 0 })
  expect(counts.inserted).toBeGreaterThan(300)
  await it.expectEqual()
  expect(await expectAttributes(it)).toBeGreaterThan(100)
  expect(Object.values(await sources(it))).toEqual(['jobs done', 'jobs done', 'jobs done'])
  expect(await it.doneDays()).toEqual(['2025-06-10', '2025-06-11', '2025-06-12'])
  expect(pagesAsked(it.org.requests)).toEqual([])
  expect(leftAtGenesys(it)).toEqual([])
  expect(await storedJobs(it)).toEqual([])
  // what is covered by jobs is not due for queries either
  expect((await backfill(it, 'query')).windows.planned).toBe(0)
})

test('query, job, query, job over unchanged data write nothing after the second load', async () => {
  await using it = await startRunningOrg()
  const range = lastDays(3)
  await backfill(it, 'query', range, true)
  const { counts } = await backfill(it, 'jobs', range, true)
  expect(counts.rows.participant_attributes).toBeGreaterThan(10)
  expect({ ...counts.rows, participant_attributes: 0 }).toEqual({ ...emptyRows(counts.rows) })
  const written = await tuplesWritten(it)
  for (const source of ['query', 'jobs', 'query', 'jobs'] as const) {
    const again = await backfill(it, source, range, true)
    expect(again.windows.done).toBe(3)
    expect(again.counts).toMatchObject({ inserted: 0, changed: 0 })
  }
  expect(await tuplesWritten(it)).toBe(written)
  await it.expectEqual(range)
  expect(await expectAttributes(it, range)).toBeGreaterThan(10)
})

function emptyRows(rows: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.keys(rows).map((table) => [table, 0]))
}

test('a job never overwrites what a query has read later, and brings the attributes all the same', async () => {
  await using it = await startRunningOrg({ dataLagMs: 30 * MINUTE_MS })
  const { changes } = it.org.control
  const range = lastDays(3)
  const id = changes.begin('inboundCall', +addDays(today(), -2) + 3_600_000)
  changes.setAttributes(id, { vip: 'yes' })
  // the data lake does not have it for another 30 minutes
  changes.addWrapUp(id)
  await backfill(it, 'query', range)
  await backfill(it, 'jobs', range, true)
  await it.expectEqual(range)
  await expectAttributes(it, range)
  changes.setAttributes(id, { vip: 'no', region: 'north' })
  const loadedAt = async () =>
    (await sql`select _loaded_at from genesys.conversations where conversation_id = ${id}`.execute(it.warehouse.db))
      .rows
  const before = await loadedAt()
  await it.org.control.clock.advance(MINUTE_MS)
  await backfill(it, 'jobs', range, true)
  await expectAttributes(it, range)
  // the change feed shows it
  expect(await loadedAt()).not.toEqual(before)
})

test('without attributes, jobs are used and none are stored', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const given = withJobs({ attributes: 'false' })
  await it.run({ job: 'backfill', range: threeDays, reload: false, source: 'jobs' }, given)
  await it.expectEqual()
  const { rows } = await sql`select 1 from genesys.participant_attributes`.execute(it.warehouse.db)
  expect(rows).toEqual([])
})

test('auto reads more than three days by jobs, and what they do not have yet by query', async () => {
  await using it = await startRunningOrg({ dataLagMs: 30 * 3_600_000 })
  await backfill(it, 'auto', lastDays(3))
  expect(jobRequests(it)).toEqual([])
  const range = { start: addDays(today(), -8), end: new Date(+today() + 5 * MINUTE_MS) }
  await backfill(it, 'auto', range, true)
  const read = await sources(it)
  expect([8, 7, 6, 5, 4, 3].map((age) => read[dayName(age)])).toEqual(Array.from({ length: 6 }, () => 'jobs done'))
  expect(read[dayName(1)]).toBe('query done')
  await it.expectEqual({ start: range.start, end: today() })
})

test('where jobs are not permitted, auto reads by query with one warning, and jobs says which permission is missing', async () => {
  await using it = await startRunningOrg()
  it.org.control.faults.add({ on: JOBS, kind: '403' })
  await backfill(it, 'auto', lastDays(5))
  await backfill(it, 'auto', lastDays(5), true)
  expect(Object.values(await sources(it))).toEqual(Array.from({ length: 5 }, () => 'query done'))
  expect(it.log.filter((line) => line.includes('details jobs are not permitted'))).toHaveLength(1)
  await expect(backfill(it, 'jobs', lastDays(5), true)).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    kind: 'fatal',
    hint: expect.stringContaining('analytics:conversationDetail:view'),
  })
})

test('where only submissions are refused, auto reads by query, too', async () => {
  await using it = await startRunningOrg()
  // the availability is asked for first
  it.org.control.faults.add(...[2, 3, 4, 5, 6].map((nth) => ({ on: JOBS, kind: '403', nth }) as const))
  await backfill(it, 'auto', lastDays(5))
  expect(Object.values(await sources(it))).toEqual(Array.from({ length: 5 }, () => 'query done'))
  await it.expectEqual(lastDays(5))
})

test('a window that the data lake does not have whole waits, and says until when', async () => {
  await using it = await startRunningOrg({ dataLagMs: 30 * 3_600_000 })
  const { windows, unsettled } = await backfill(it, 'jobs', lastDays(4))
  const waiting = unsettled.map(({ start }) => start.toISOString().slice(0, 10))
  expect(windows.done + waiting.length).toBe(4)
  expect(waiting).toContain(dayName(1))
  expect(unsettled.at(-1)?.reason).toContain(`until ${today().toISOString()}`)
  expect(await it.doneDays()).not.toContain(dayName(1))
  it.org.control.set({ dataLagMs: 0 })
  expect(await backfill(it, 'jobs', lastDays(4))).toMatchObject({ windows: { planned: waiting.length }, unsettled: [] })
  await it.expectEqual(lastDays(4))
})

test.each(['FAILED', 'CANCELLED', 'EXPIRED'] as const)(
  'a job that is %s is submitted again, three times at most',
  async (ends) => {
    await using it = await startTestOrg({ dataLagMs: 0 })
    const oneDay = { start: threeDays.start, end: addDays(threeDays.start, 1) }
    it.org.control.jobs.plan({ ends }, { ends })
    await backfill(it, 'jobs', oneDay)
    await it.expectEqual(oneDay)
    expect(it.org.control.jobs.list()).toHaveLength(3)
    it.org.control.jobs.plan({ ends }, { ends }, { ends })
    await expect(backfill(it, 'jobs', oneDay, true)).rejects.toMatchObject({
      code: 'GENESYS_JOB_FAILED',
      kind: 'retryable',
      message: expect.stringContaining(ends),
    })
    // the coverage stays
    expect(await it.doneDays()).toEqual(['2025-06-10'])
    expect(leftAtGenesys(it)).toEqual([])
    expect(await storedJobs(it)).toEqual([])
  },
)

test('a job whose results expire while they are read is submitted again', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  it.org.control.jobs.plan({ expiresAfterPages: 2 }, {}, { expiresAfterPages: 1 })
  await backfill(it, 'jobs')
  await it.expectEqual()
  expect(it.org.control.jobs.list()).toHaveLength(5)
  expect(leftAtGenesys(it)).toEqual([])
})

test('a slow job is waited for, with growing intervals, until its deadline', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const oneDay = { start: threeDays.start, end: addDays(threeDays.start, 1) }
  const request = { job: 'backfill', range: oneDay, reload: true, source: 'jobs' } as const
  it.org.control.jobs.plan({ extraMs: 700 })
  await it.run(request, withJobs({ timing: { firstPollMs: 20, longestPollMs: 200, deadlineMs: 60_000 } }))
  const polls = jobRequests(it).filter((text) => text === 'GET /id').length
  expect(polls).toBeGreaterThan(3)
  expect(polls).toBeLessThan(12)
  it.org.control.jobs.plan({ extraMs: 600_000 })
  await expect(
    it.run(request, withJobs({ timing: { firstPollMs: 20, longestPollMs: 50, deadlineMs: 400 } })),
  ).rejects.toMatchObject({ code: 'GENESYS_JOB_LATE', kind: 'retryable', message: expect.stringContaining('PENDING') })
  expect(leftAtGenesys(it)).toEqual([])
  expect(await storedJobs(it)).toEqual([])
})

test.each([429, 400] as const)(
  'never has more jobs than half of what the organization may, and waits when refused with %i',
  async (status) => {
    await using it = await startRunningOrg()
    it.org.control.set({ jobsAtOnce: 2, jobLimitStatus: status, jobPendingMs: 300 })
    // another program uses both
    const others = ['2026-01-01', '2026-01-02'].map((day) => ({ interval: `${day}T00:00:00Z/${day}T01:00:00Z` }))
    await using given = it.dependencies()
    for (const body of others)
      await given.genesys.request({
        method: 'POST',
        path: JOBS,
        body,
        endpoint: 'x',
        priority: 'history',
        signal: new AbortController().signal,
      })
    await backfill(it, 'jobs', lastDays(3))
    await it.expectEqual(lastDays(3))
    const refused = it.org.requests.filter((request) => request.path === JOBS && request.status === status)
    expect(refused.length).toBeGreaterThan(0)
  },
)

test('every fault of the API is survived, and no job is left', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const kinds = ['429', '503', '502-html', 'truncated', 'html-200', 'error-200', '401', 'empty-200'] as const
  it.org.control.faults.add(...kinds.map((kind, index) => ({ on: `${JOBS}/`, kind, every: 7 + index, times: 3 })))
  await backfill(it, 'jobs')
  await it.expectEqual()
  expect(it.org.control.faults.happened()).toBeGreaterThan(5)
  it.org.control.faults.clear()
  await backfill(it, 'jobs')
  expect(leftAtGenesys(it)).toEqual([])
  expect(await storedJobs(it)).toEqual([])
})

test('a job that was under way when its run was stopped is resumed', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  it.org.control.jobs.plan({ extraMs: 1000 }, { extraMs: 1000 }, { extraMs: 1000 })
  const stop = new AbortController()
  const running = it.run(
    { job: 'backfill', range: threeDays, reload: false, source: 'jobs' },
    { ...withJobs(), signal: stop.signal },
  )
  const outcome = expect(running).rejects.toThrow()
  await expect.poll(async () => (await storedJobs(it)).length, patience).toBe(3)
  stop.abort(new EtlError('stopped', { code: 'X', kind: 'retryable' }))
  await outcome
  await backfill(it, 'jobs')
  await it.expectEqual()
  expect(it.org.control.jobs.list()).toHaveLength(3)
  expect(leftAtGenesys(it)).toEqual([])
})

test('a job that was left behind is deleted by the next run: its window is done, or it is too old', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  it.org.control.faults.add(...[1, 2, 3].map((nth) => ({ on: JOBS, kind: '403', nth: 100 + nth }) as const))
  await backfill(it, 'jobs')
  it.org.control.faults.clear()
  await using given = it.dependencies()
  const submitted = async (day: string, submittedAt: string): Promise<void> => {
    const interval = `${day}T00:00:00.000Z/${day}T23:00:00.000Z`
    const { data } = await given.genesys.request<{ jobId: string }>({
      method: 'POST', path: JOBS, body: { interval }, endpoint: 'x', priority: 'history', signal: new AbortController().signal,
    }) // prettier-ignore
    await sql`insert into etl.details_jobs (job_id, stream, filter, start, "end", submitted_at, available_until)
      values (${data.jobId}, 'conversations', '{}', ${`${day}T00:00:00Z`}, ${`${day}T23:00:00Z`},
        now() - ${submittedAt}::interval, now())`.execute(it.warehouse.db)
  }
  // the window of the first was recorded since; the second is too old; the third is another run's
  await submitted('2025-06-11', '1 hour')
  await sql`update etl.windows set recorded_at = now()`.execute(it.warehouse.db)
  await submitted('2025-06-09', '25 hours')
  await submitted('2025-06-08', '1 minute')
  await backfill(it, 'query')
  expect(leftAtGenesys(it).map(({ interval }) => interval.slice(0, 10))).toEqual(['2025-06-08'])
  expect(await storedJobs(it)).toHaveLength(1)
})

test('results that repeat themselves, or are of another time, are no answer', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const first = new Map<string, unknown>()
  await using given = it.dependencies(withJobs())
  const repeating = {
    ...given.genesys,
    async request(request: Parameters<typeof given.genesys.request>[0]) {
      const key = request.path
      if (!key.endsWith('/results')) return await given.genesys.request(request)
      const known = first.get(key) ?? (await given.genesys.request(request))
      first.set(key, known)
      return known
    },
  } as typeof given.genesys
  const { runHistory } = await import('../../src/history/sync.ts')
  const request = { job: 'backfill', range: threeDays, reload: false, source: 'jobs' } as const
  await expect(
    runHistory({ ...given, genesys: repeating }, request, 'manual', new AbortController().signal),
  ).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER', kind: 'retryable' })
  expect(await it.doneDays()).toEqual([])
})

test('each day of activity is read once, with what began long before and went on in it', async () => {
  await using it = await startRunningOrg({ days: 45, perDay: 8 })
  const { changes } = it.org.control
  const old = changes.begin('inboundEmail' as never, +addDays(today(), -30))
  const request = { job: 'sync' } as const
  const given = withJobs({}, { lookbackDays: 1 })
  const first = await it.run(request, given)
  expect(first.activity).toMatchObject({ planned: 7, done: 7, failed: 0, waiting: [] })
  expect(await sources(it, 'activity')).toEqual(
    Object.fromEntries([7, 6, 5, 4, 3, 2, 1].map((age) => [dayName(age), 'jobs done'])),
  )
  const { rows } = await sql`select 1 from genesys.conversations where conversation_id = ${old}`.execute(
    it.warehouse.db,
  )
  expect(rows.length).toBeLessThanOrEqual(1)
  // all that lived in these days is there, however old
  const lived = it.org.truth().filter(({ conversationStart, conversationEnd }) => {
    const start = Date.parse(String(conversationStart))
    const end = conversationEnd === undefined ? Infinity : Date.parse(String(conversationEnd))
    return start < +today() && end >= +addDays(today(), -7)
  })
  const { rows: stored } = await sql<{ id: string }>`select conversation_id as id from genesys.conversations`.execute(
    it.warehouse.db,
  )
  const ids = new Set(stored.map(({ id }) => id))
  const isKeyable = ({ conversationId }: Record<string, unknown>) =>
    typeof conversationId === 'string' && conversationId !== ''
  expect(lived.filter(isKeyable).filter(({ conversationId }) => !ids.has(String(conversationId)))).toEqual([])
  // coverage counts the lookback only
  expect(await it.doneDays()).toEqual([dayName(1)])
  const { rows: fresh } = await sql`select day::text from reporting.freshness`.execute(it.warehouse.db)
  expect(fresh).toEqual([{ day: dayName(1) }])
  const asked = it.org.requests.length
  const second = await it.run(request, given)
  expect(second.activity).toMatchObject({ planned: 0, done: 0 })
  expect(jobRequests(it, asked)).toEqual(['GET /availability'])
  const status = await readStatus(it.warehouse, { filter: {}, lookbackDays: 1, start: null })
  expect(status.history.activity).toEqual({ readUntil: today(), waiting: [] })
  expect(status.windows.done).toBe(1)
})

test('a day of activity waits for the data lake, and a missed night is caught up', async () => {
  await using it = await startRunningOrg({ perDay: 8, dataLagMs: 30 * 3_600_000 })
  const given = withJobs({}, { lookbackDays: 1 })
  const first = await it.run({ job: 'sync' }, given)
  expect(first.activity?.waiting.map(({ start }) => start.toISOString().slice(0, 10))).toContain(dayName(1))
  const status = await readStatus(it.warehouse, { filter: {}, lookbackDays: 1, start: null })
  expect(status.history.activity?.waiting.at(-1)?.end).toEqual(today())
  // that night was missed
  await sql`delete from etl.windows where stream = 'activity' and start = ${addDays(today(), -4)}`.execute(
    it.warehouse.db,
  )
  it.org.control.set({ dataLagMs: 0 })
  const second = await it.run({ job: 'sync' }, given)
  expect(second.activity).toMatchObject({ planned: (first.activity?.waiting.length ?? 0) + 1, waiting: [] })
  expect(Object.values(await sources(it, 'activity')).every((text) => text === 'jobs done')).toBe(true)
})

test('jobs that fail do not fail the windows of the night, and the run reports them', async () => {
  await using it = await startRunningOrg({ perDay: 8 })
  const given = withJobs({}, { lookbackDays: 3 })
  it.org.control.jobs.plan(...Array.from({ length: 3 }, () => ({ ends: 'FAILED' }) as const))
  it.org.control.set({ jobsAtOnce: 2 })
  await expect(it.run({ job: 'sync' }, given)).rejects.toMatchObject({
    code: 'GENESYS_JOB_FAILED',
    kind: 'retryable',
    message: expect.stringMatching(/^1 of 10 windows failed/),
  })
  expect(await it.doneDays()).toEqual([3, 2, 1].map(dayName))
  const activity = Object.values(await sources(it, 'activity'))
  expect(activity.filter((text) => text === 'jobs done')).toHaveLength(6)
  expect(activity.filter((text) => text === 'jobs failed')).toHaveLength(1)
  await it.run({ job: 'sync' }, given)
  expect(Object.values(await sources(it, 'activity')).every((text) => text === 'jobs done')).toBe(true)
})

test('the API of jobs is out of order: the windows of the night are loaded, and the run says so', async () => {
  await using it = await startRunningOrg({ perDay: 8 })
  it.org.control.faults.add({ on: JOBS, kind: '503' })
  await expect(it.run({ job: 'sync' }, withJobs({}, { lookbackDays: 2 }))).rejects.toMatchObject({
    code: 'GENESYS_UNAVAILABLE',
    kind: 'retryable',
  })
  expect(await it.doneDays()).toEqual([2, 1].map(dayName))
})

test('activity is off where jobs are not permitted, unless attributes are demanded', async () => {
  await using it = await startRunningOrg({ perDay: 8 })
  it.org.control.faults.add({ on: JOBS, kind: '403' })
  for (const attributes of ['auto', 'false', 'auto'] as const) {
    const { activity, windows } = await it.run({ job: 'sync' }, withJobs({ attributes }, { lookbackDays: 1 }))
    expect({ activity, done: windows.done }).toEqual({ activity: null, done: 1 })
  }
  expect(it.log.filter((line) => line.includes('details jobs are not permitted'))).toHaveLength(1)
  await expect(it.run({ job: 'sync' }, withJobs({ attributes: 'true' }, { lookbackDays: 1 }))).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    hint: expect.stringContaining('analytics:conversationDetail:view'),
  })
  // the windows of the night are loaded all the same
  expect(await it.doneDays()).toEqual([dayName(1)])
})

test('a backfill beyond 558 days warns that Genesys keeps less there', async () => {
  await using it = await startTestOrg({ now: '2024-03-03T12:00:00Z', days: 2, perDay: 5, dataLagMs: 0 })
  const range = { start: new Date('2024-03-01T00:00:00Z'), end: new Date('2024-03-02T00:00:00Z') }
  await backfill(it, 'jobs', range)
  expect(it.log.filter((line) => line.includes('older than 558 days'))).toHaveLength(1)
  await it.expectEqual(range)
})
