import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { addDays } from '../../src/model/interval.ts'
import { connect } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { emptyFolder, environmentOf, runCli } from '../support/cli.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { startOrg } from '../support/simulated-org.ts'

const org = await startOrg({ perDay: 20 })
afterAll(() => org.close())
const database = await createFileDatabase()
const env = environmentOf(org, database.url)
const backfill = ['backfill', '--from', '2025-06-10', '--to', '2025-06-13']

test('no DATABASE_URL: 78, and both ways are named', async () => {
  const { code, stderr, stdout } = await runCli(backfill, { env: { ...env, DATABASE_URL: undefined } })
  expect(code).toBe(78)
  expect(stderr).toContain('DATABASE_URL: is needed: postgres://')
  expect(stderr).toContain('embedded')
  expect(stdout).toBe('')
})

test('a wrong environment: 78, and every problem at once', async () => {
  const { code, stderr } = await runCli(['sync'], {
    env: {
      ...env,
      GENESYS_CLIENT_SECRET: '',
      HISTORY_CRON: 'at night',
      HISTORY_LOOKBACK_DAYS: '-1',
      HISTORY_MEDIA_TYPES: 'voice,telex',
      GENESYS_ENVIRONMENT: 'http://',
      CRON_TIMEZONE: 'Mars/Olympus',
    },
  })
  expect(code).toBe(78)
  for (const name of [
    'GENESYS_CLIENT_SECRET',
    'HISTORY_CRON',
    'HISTORY_LOOKBACK_DAYS',
    'HISTORY_MEDIA_TYPES',
    'CRON_TIMEZONE',
  ]) {
    expect(stderr).toContain(`  ${name}`)
  }
})

test.each([
  ['no date', ['backfill', '--from', 'yesterday', '--to', '2025-06-13'], '--from "yesterday"'],
  ['a day that does not exist', ['backfill', '--from', '2025-02-30', '--to', '2025-06-13'], '2025-02-30'],
  ['a range that ends before it starts', ['backfill', '--from', '2025-06-13', '--to', '2025-06-10'], 'not before'],
  ['an empty range', ['verify', '--from', '2025-06-13', '--to', '2025-06-13'], 'not before'],
  ['no range', ['backfill'], '--from'],
  ['an unknown option', ['sync', '--fast'], '--fast'],
  ['an unknown command', ['snc'], 'sync'],
  ['a source that does not exist', [...backfill, '--source', 'fax'], 'fax'],
  ['too much concurrency', [...backfill, '--concurrency', '1000'], '--concurrency'],
  ['a direction that does not exist', ['migrate', 'sideways'], 'sideways'],
])('%s: 78', async (_name, args, said) => {
  const { code, stderr } = await runCli(args, { env })
  expect(code).toBe(78)
  expect(stderr).toContain(said)
  expect(stderr).not.toContain('This is a bug')
})

test('a wrong password of the database: 78, without showing it', async () => {
  const url = new URL(database.url)
  url.password = 'not-the-password'
  url.username = 'nobody-of-that-name'
  const { code, stderr } = await runCli(['status'], { env: { ...env, DATABASE_URL: url.href } })
  expect(code).toBe(78)
  expect(stderr).toContain('DATABASE_URL')
  expect(stderr).not.toContain('not-the-password')
})

test('a database without TLS where the URL asks for it: 78, with the way out, and no warning of the driver', async () => {
  const url = new URL(database.url)
  url.searchParams.set('sslmode', 'require')
  const { code, stderr } = await runCli(['status'], { env: { ...env, DATABASE_URL: url.href } })
  expect(code).toBe(78)
  expect(stderr).toContain('sslmode=disable')
  expect(stderr).not.toMatch(/This is a bug|WARNING/)
})

test('a database without the schema: 1, and verify names the command as the others do', async () => {
  const empty = await createTestDatabase({ empty: true })
  onTestFinished(() => empty.drop())
  const { code, stderr } = await runCli(['verify', '--from', '2025-06-10', '--to', '2025-06-13'], {
    env: { ...env, DATABASE_URL: empty.url },
  })
  expect(code).toBe(1)
  expect(stderr).toContain('migrate')
  expect(stderr).not.toContain('etl.windows')
})

test('a port of the simulator that is taken: 78', async () => {
  const { code, stderr } = await runCli(['simulator', '--port', new URL(org.url).port])
  expect(code).toBe(78)
  expect(stderr).toContain('--port')
  expect(stderr).not.toContain('This is a bug')
})

test('a .env that is no file: 78', async () => {
  const cwd = emptyFolder()
  mkdirSync(path.join(cwd, '.env'))
  const { code, stderr } = await runCli(['status'], { env, cwd })
  expect(code).toBe(78)
  expect(stderr).toContain('.env cannot be read')
})

test('help and version: 0', async () => {
  expect(await runCli(['--help'])).toMatchObject({ code: 0, stderr: '' })
  expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
})

test('days that are not complete: 75, which and why, until they are', async () => {
  await using fresh = await createTestDatabase()
  const now = new Date()
  await using own = await startOrg({ now, perDay: 20, malformedShare: 0, days: 4 })
  const dayOf = (age: number): string => addDays(now, -age).toISOString().slice(0, 10)
  const cli = { env: { ...environmentOf(own, fresh.url), HISTORY_LOOKBACK_DAYS: '3' } }
  const range = ['--from', dayOf(3), '--to', dayOf(1)]
  own.control.set({ totalHitsOffset: 30 })
  for (let run = 1; run <= 2; run++) {
    // the second run finds them resting
    const { code, stdout } = await runCli(['backfill', ...range], cli)
    expect(code).toBe(75)
    expect(stdout).toMatch(
      new RegExp(`${dayOf(3)} is not complete: .* 50 conversations match, .* 20; it will be read again after`),
    )
    expect(stdout).toContain(`${dayOf(2)} is not complete`)
    expect(stdout).not.toContain('every window is already complete')
  }
  expect(await runCli(['backfill', ...range, '--dry-run'], cli)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`waits for its next attempt.*\\n${dayOf(3)} is not complete`)),
  })
  const synced = await runCli(['sync'], cli)
  expect(synced).toMatchObject({ code: 75, stdout: expect.stringContaining(`${dayOf(2)} is not complete`) })
  const verified = await runCli(['verify', ...range, '--json'], cli)
  expect(verified.code).toBe(75)
  expect(JSON.parse(verified.stdout)).toMatchObject({ equal: false, mismatches: [], unstable: 2 })
  const { stdout } = await runCli(['status'], cli)
  expect(stdout).toMatch(new RegExp(`${dayOf(2)} is unstable after \\d+ attempts: .* 50 conversations match, .* 20`))

  own.control.set({ totalHitsOffset: 0 })
  expect(await runCli(['backfill', ...range, '--reload'], cli)).toMatchObject({ code: 0 })
  expect(await runCli(['verify', ...range], cli)).toMatchObject({ code: 0 })
})

test('a missing permission: 1, and it is named', async () => {
  const client = org.control.addClient({ permissions: new Set() })
  const { code, stderr } = await runCli(backfill, {
    env: { ...env, GENESYS_CLIENT_ID: client.id, GENESYS_CLIENT_SECRET: client.secret },
  })
  expect(code).toBe(1)
  expect(stderr).toContain('analytics:conversationDetail:view')
})

test('a refused login: 1, with what is wrong', async () => {
  const { code, stderr } = await runCli(backfill, { env: { ...env, GENESYS_CLIENT_SECRET: 'wrong-secret-value' } })
  expect(code).toBe(1)
  expect(stderr).toContain('GENESYS_CLIENT_SECRET')
  expect(stderr).not.toContain('wrong-secret-value')
})

// one that refuses connections is retried for half a minute: test/sim/outage.test.ts
test('an API that is down: 75', async () => {
  org.control.faults.add({ on: 'any', kind: '503', retryAfterSeconds: 0.05 })
  try {
    const { code, stderr } = await runCli(backfill, { env })
    expect(code).toBe(75)
    expect(stderr).toContain('Genesys answered 503 after 7 attempts')
  } finally {
    org.control.faults.clear()
  }
})

test('a database that is down: 75', async () => {
  const url = new URL(database.url)
  url.port = '9'
  const { code, stderr } = await runCli(['status'], { env: { ...env, DATABASE_URL: url.href } })
  expect(code).toBe(75)
  expect(stderr).toContain('The database failed')
})

test('rate limited for an hour: 75, and until when', async () => {
  org.control.faults.add({ on: 'details', kind: '429-long', nth: 1 })
  try {
    const { code, stderr } = await runCli(backfill, { env })
    expect(code).toBe(75)
    const due = /retry after (\S+Z)/.exec(stderr)?.[1]
    expect(Date.parse(due ?? '') - Date.now()).toBeGreaterThan(3_400_000)
  } finally {
    org.control.faults.clear()
  }
})

test('the job is running already: 75, and where', async () => {
  await using warehouse = connect(database.url)
  const result = await withJobLock(warehouse, 'backfill', new AbortController().signal, () => runCli(backfill, { env }))
  expect(result.code).toBe(75)
  expect(result.stderr).toContain('The job backfill is already running')
})

test('another organization than that of the first load: 1, for a plan as for a load', async () => {
  await using fresh = await createTestDatabase()
  expect(await runCli(backfill, { env: environmentOf(org, fresh.url) })).toMatchObject({ code: 0 })
  await using other = await startOrg({ perDay: 5, seed: 12 })
  for (const option of ['--dry-run', '--reload']) {
    const { code, stderr } = await runCli([...backfill, option], { env: environmentOf(other, fresh.url) })
    expect(code, option).toBe(1)
    expect(stderr).toContain('This database holds the conversations of the organization')
  }
})

test('.env is read, and the environment goes before it', async () => {
  const cwd = emptyFolder()
  writeFileSync(path.join(cwd, '.env'), `HISTORY_CRON="at night"\nDATABASE_URL=${database.url}\n`)
  const first = await runCli(['status'], { cwd })
  expect(first.code).toBe(78)
  expect(first.stderr).toContain('HISTORY_CRON')
  expect(await runCli(['status'], { cwd, env: { HISTORY_CRON: '15 2 * * *' } })).toMatchObject({ code: 0, stderr: '' })
})

test('secrets may come from files', async () => {
  const cwd = emptyFolder()
  mkdirSync(path.join(cwd, 'secrets'))
  writeFileSync(path.join(cwd, 'secrets', 'url'), `${database.url}\n`)
  const given = { DATABASE_URL_FILE: path.join(cwd, 'secrets', 'url') }
  expect(await runCli(['status', '--json'], { cwd, env: given })).toMatchObject({ code: 0 })
  const missing = await runCli(['status'], { cwd, env: { DATABASE_URL_FILE: path.join(cwd, 'nothing') } })
  expect(missing).toMatchObject({ code: 78, stderr: expect.stringContaining('DATABASE_URL_FILE') })
})

test('AUTO_MIGRATE=false on an old schema: 1, with the command to run', async () => {
  await using empty = await createTestDatabase({ empty: true })
  const refused = await runCli(backfill, { env: { ...environmentOf(org, empty.url), AUTO_MIGRATE: 'false' } })
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('migrate')
  await using warehouse = connect(empty.url)
  const { rows } = await sql`select 1 from pg_namespace where nspname = 'genesys'`.execute(warehouse.db)
  expect(rows).toEqual([])
})
