import { spawn } from 'node:child_process'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { connect } from '../../src/postgres/connect.ts'
import { emptyFolder, environmentOf, runCli } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { connectTestOrg, startOrg, threeDays } from '../support/simulated-org.ts'
import { expectTablesEqualTruth, insertDuplicate } from '../support/truth.ts'

const org = await startOrg({ perDay: 60 })
afterAll(() => org.close())
const range = ['--from', '2025-06-10', '--to', '2025-06-13']

test('backfill: dry run, load, nothing more to do, reload', async () => {
  await using it = await connectTestOrg(org)
  const env = environmentOf(org, it.databaseUrl)
  const dry = await runCli(['backfill', ...range, '--dry-run'], { env })
  expect(dry).toMatchObject({ code: 0 })
  expect(dry.stdout).toContain('3 windows, 3 requests')
  const dryJson = await runCli(['backfill', ...range, '--dry-run', '--json'], { env })
  expect(JSON.parse(dryJson.stdout)).toMatchObject({
    requests: 3,
    windows: [{ window: '2025-06-10', conversations: 60, requests: 1, reason: 'owed' }, {}, {}],
  })
  const { rows: before } =
    await sql`select 1 from genesys.conversations union all select 1 from etl.runs union all select 1 from etl.windows`.execute(
      it.warehouse.db,
    )
  expect(before).toEqual([])

  const loaded = await runCli(['backfill', ...range], { env })
  expect(loaded).toMatchObject({ code: 0 })
  expect(loaded.stdout).toContain('3 windows')
  await it.expectEqual()

  const again = await runCli(['backfill', ...range], { env })
  expect(again).toMatchObject({ code: 0 })
  expect(again.stdout).toContain(
    'Nothing to load: every window is already complete. To read it again: npm run etl -- backfill --reload',
  )

  const reloaded = await runCli(
    ['backfill', ...range, '--reload', '--json', '--concurrency', '3', '--source', 'query'],
    { env },
  )
  const { windows, counts } = JSON.parse(reloaded.stdout) as { windows: unknown; counts: Record<string, number> }
  expect(windows).toMatchObject({ planned: 3, done: 3, failed: 0 })
  expect(counts).toMatchObject({ inserted: 0, changed: 0 })
  expect(counts['unchanged']).toBeGreaterThan(150)
})

test('backfill by jobs: a dry run names the source, what waits is 75, and by default more than three days go by jobs', async () => {
  await using far = await startOrg({ days: 5, perDay: 20 })
  await using it = await connectTestOrg(far)
  const env = environmentOf(far, it.databaseUrl)
  const fourDays = ['--from', '2025-06-09', '--to', '2025-06-13']
  const sourceOf = async (...args: string[]): Promise<unknown> => {
    const { stdout } = await runCli(['backfill', ...args, '--dry-run', '--json'], { env })
    return (JSON.parse(stdout) as { windows: { source: string }[] }).windows.map(({ source }) => source)
  }
  expect(await sourceOf(...range)).toEqual(['query', 'query', 'query'])
  expect(await sourceOf(...range, '--source', 'jobs')).toEqual(['jobs', 'jobs', 'jobs'])
  expect(await sourceOf(...fourDays)).toEqual(['jobs', 'jobs', 'jobs', 'jobs'])
  expect(await sourceOf(...fourDays, '--source', 'query')).toEqual(['query', 'query', 'query', 'query'])
  // the data lake is six hours behind noon of the 13th
  const more = ['--from', '2025-06-12', '--to', '2025-06-14', '--source', 'jobs']
  expect(await runCli(['backfill', ...more], { env })).toMatchObject({
    code: 75,
    stdout: expect.stringMatching(/2025-06-13 is not complete: it waits until the data of details jobs .* 2025-06-14T/),
  })
  expect(await runCli(['backfill', ...more], { env })).toMatchObject({
    code: 75,
    stdout: expect.stringContaining('backfill --source query'),
  })
  expect(await runCli(['backfill', ...fourDays], { env })).toMatchObject({ code: 0 })
  expect(await it.doneDays()).toEqual(['2025-06-09', '2025-06-10', '2025-06-11', '2025-06-12'])
})

test('backfill of instants loads the part of the day, and the rest later', async () => {
  await using it = await connectTestOrg(org)
  const env = environmentOf(org, it.databaseUrl)
  const part = ['--from', '2025-06-10T00:00:00Z', '--to', '2025-06-10T12:00:00+02:00']
  expect(await runCli(['backfill', ...part], { env })).toMatchObject({ code: 0 })
  expect(await it.doneDays()).toEqual(['2025-06-10T00:00:00.000Z/2025-06-10T10:00:00.000Z'])
  await it.expectEqual({ start: new Date('2025-06-10'), end: new Date('2025-06-11') })
  expect(await runCli(['backfill', ...range], { env })).toMatchObject({ code: 0 })
  await it.expectEqual()
})

test('status and sync: what is due, and what was loaded, for people and as JSON', async () => {
  const now = new Date()
  await using fresh = await startOrg({ now, days: 2, perDay: 20 })
  await using it = await connectTestOrg(fresh)
  const env = { ...environmentOf(fresh, it.databaseUrl), HISTORY_LOOKBACK_DAYS: '2' }
  const before = await runCli(['status', '--json'], { env })
  expect(before).toMatchObject({ code: 0 })
  expect(JSON.parse(before.stdout)).toMatchObject({ state: 'behind', runs: [], history: { coveredUntil: null } })

  const first = await runCli(['status'], { env })
  expect(first.stdout).toMatch(
    /^Nothing has been loaded yet\.\n\nThe first sync loads the days since \d{4}-\d\d-\d\d\. /,
  )
  expect(first.stdout).toContain('npm run etl -- sync')
  expect(await runCli(['status', '--check'], { env })).toMatchObject({
    code: 75,
    stdout: expect.stringMatching(
      /^late: days are not loaded yet; nothing is complete since \d{4}-\d\d-\d\dT00:00Z\n$/,
    ),
  })

  const synced = await runCli(['sync', '--json'], { env })
  expect(synced).toMatchObject({ code: 0 })
  expect(JSON.parse(synced.stdout)).toMatchObject({ windows: { planned: 2, done: 2 } })

  const after = await runCli(['status', '--json'], { env })
  expect(JSON.parse(after.stdout)).toMatchObject({
    state: 'ok',
    history: { owed: [] },
    runs: expect.arrayContaining([expect.objectContaining({ job: 'sync', status: 'done' })]),
    reference: expect.arrayContaining([expect.objectContaining({ list: 'queues', rows: 12, error: null })]),
  })
  const text = await runCli(['status'], { env })
  expect(text.code).toBe(0)
  expect(text.stdout).toContain('Everything due is loaded.')
  expect(text.stdout).toMatch(/sync +manual/)
  expect(text.stdout).toMatch(/Names read +4 of 4 lists, the oldest at \d/)
  expect(await runCli(['status', '--check'], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^ok: everything due is loaded; complete until \d{4}-\d\d-\d\dT00:00Z\n$/),
  })

  fresh.control.faults.add({ on: 'details', kind: '503', retryAfterSeconds: 0.05 })
  expect(await runCli(['sync'], { env })).toMatchObject({ code: 75 })
  const away = await runCli(['status', '--check', '--json'], { env })
  expect(away.code, 'an API that is away may come back').toBe(75)
  expect(JSON.parse(away.stdout)).toMatchObject({
    state: 'failing',
    check: { exitCode: 75, reason: expect.stringMatching(/^failing for now: .*503/) },
  })
  fresh.control.faults.clear()

  await sql`insert into etl.runs (job, trigger, parameters, status, finished_at, error_code, error_kind, error)
    values ('sync', 'cron', '{}', 'failed', now(), 'GENESYS_FORBIDDEN', 'fatal', 'a permission is missing')`.execute(
    it.warehouse.db,
  )
  const failing = await runCli(['status', '--check'], { env })
  expect(failing).toMatchObject({ code: 1, stdout: expect.stringContaining('a permission is missing') })
  expect(failing.stdout.trimEnd().split('\n')).toHaveLength(1)
  expect(await runCli(['status'], { env })).toMatchObject({ code: 0 })
})

test('status --check: a database that is away is 75, one without the schema 1', async () => {
  const away = { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' }
  expect(await runCli(['status', '--check'], { env: away })).toMatchObject({ code: 75 })
  await using empty = await createTestDatabase({ empty: true })
  expect(await runCli(['status', '--check'], { env: { DATABASE_URL: empty.url } })).toMatchObject({ code: 1 })
})

test('sync --deep: reads what is loaded beyond the lookback again', async () => {
  const now = new Date()
  const days = { start: addDays(startOfDay(now), -6), end: addDays(startOfDay(now), -3) }
  await using recent = await startOrg({ now, days: 7, perDay: 10 })
  await using it = await connectTestOrg(recent)
  await it.backfill(days)
  const env = { ...environmentOf(recent, it.databaseUrl), HISTORY_LOOKBACK_DAYS: '4', HISTORY_DEEP_LOOKBACK_DAYS: '20' }
  const deep = await runCli(['sync', '--deep'], { env })
  expect(deep).toMatchObject({ code: 0 })
  expect(deep.stdout).toMatch(/^2 windows in 2 requests: 2 done$/m)
  expect((await runCli(['status'], { env })).stdout).toMatch(/^Deep re-read {7}\d{4}-\d\d-\d\dT/m)
  expect(await runCli(['sync', '--deep', '--reference'], { env })).toMatchObject({ code: 78 })
})

test('verify: 0 where the tables equal Genesys, 1 with what differs where they do not', async () => {
  await using it = await connectTestOrg(org)
  const env = environmentOf(org, it.databaseUrl)
  await it.backfill()
  const equal = await runCli(['verify', ...range], { env })
  expect(equal).toMatchObject({ code: 0, stdout: expect.stringContaining('No difference') })

  const { db } = it.warehouse
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.participants where _index = 0 and participant_name is not null order by 1 limit 3`.execute(
    db,
  )
  const [changed, gone, duplicate] = rows.map(({ id }) => id) as [string, string, string]
  await sql`update genesys.participants set participant_name = 'Eve Tampered', purpose = 'tampered' where conversation_id = ${changed} and _index = 0`.execute(
    db,
  )
  await sql`delete from genesys.participants where conversation_id = ${gone} and _index = 0`.execute(db)
  await sql`update genesys.conversations set conversation_start = conversation_start + interval '1 second' where conversation_id = ${duplicate}`.execute(
    db,
  )
  await insertDuplicate(it.warehouse, duplicate, '-1 second')

  const text = await runCli(['verify', ...range], { env })
  expect(text.code).toBe(1)
  expect(text.stdout).toContain(changed)
  expect(text.stdout).toContain('participants[0].purpose')
  expect(text.stdout).toContain('tampered')
  expect(text.stdout).not.toContain('Eve Tampered')
  expect(text.stdout).toContain(`Stored under two starts: ${duplicate}`)
  const json = await runCli(['verify', ...range, '--json'], { env })
  expect(json.code).toBe(1)
  const found = JSON.parse(json.stdout) as { equal: boolean; mismatches: { conversationId: string }[] }
  expect(found.equal).toBe(false)
  const ids = found.mismatches.map(({ conversationId }) => conversationId)
  expect(ids).toEqual(expect.arrayContaining([changed, gone]))

  expect(await runCli(['backfill', ...range, '--reload'], { env })).toMatchObject({ code: 0 })
})

test('migrate: up, status, down', async () => {
  await using empty = await createTestDatabase({ empty: true })
  const env = { DATABASE_URL: empty.url }
  const pending = await runCli(['migrate', 'status', '--json'], { env })
  expect(pending).toMatchObject({ code: 0 })
  const states = (stdout: string) => (JSON.parse(stdout) as { migrations: { executedAt: string | null }[] }).migrations
  expect(states(pending.stdout).every(({ executedAt }) => executedAt === null)).toBe(true)
  const up = await runCli(['migrate'], { env })
  expect(up).toMatchObject({ code: 0, stdout: expect.stringContaining('up: ') })
  const done = await runCli(['migrate', 'status', '--json'], { env })
  expect(states(done.stdout).every(({ executedAt }) => executedAt !== null)).toBe(true)
  expect(await runCli(['migrate', 'down'], { env })).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('down: '),
  })
  const one = await runCli(['migrate', 'status', '--json'], { env })
  expect(states(one.stdout).filter(({ executedAt }) => executedAt === null)).toHaveLength(1)
  // and a load brings the schema up to date by itself
  expect(await runCli(['backfill', ...range], { env: { ...environmentOf(org, empty.url) } })).toMatchObject({ code: 0 })
  await using warehouse = connect(empty.url)
  await expectTablesEqualTruth(warehouse, org, threeDays)
})

test('a reader that closes the pipe ends a command quietly', async () => {
  await using it = await connectTestOrg(org)
  // more than a pipe holds, so that the command is still writing when its reader has gone
  await sql`insert into etl.runs (job, trigger, parameters, status, finished_at, error_code, error)
    select 'job' || n, 'cron', '{}', 'failed', now(), 'X', repeat('x', 100000) from generate_series(1, 20) n`.execute(
    it.warehouse.db,
  )
  const program = path.join(import.meta.dirname, '../../bin/genesys-etl.mjs')
  const command = `"${process.execPath}" "${program}" status --json | head -n 1; echo "\${PIPESTATUS[0]}"`
  const child = spawn('bash', ['-c', command], {
    cwd: emptyFolder(),
    env: { PATH: process.env['PATH'], ...environmentOf(org, it.databaseUrl) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect({ stdout, stderr }).toEqual({ stdout: '{\n0\n', stderr: '' })
})
