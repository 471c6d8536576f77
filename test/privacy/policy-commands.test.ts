/** The policy for personal data through the command line: no clear value in the database, the logs, the pages or the messages of webhooks. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { selectMeta } from '../../src/postgres/meta.ts'
import { createRandom } from '../../src/simulator/random.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { environmentOf, runCli, startCli, type CliProcess } from '../support/cli.ts'
import { startFakeServer } from '../support/fake-server.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { findValues, personalValuesOf, valuesIn } from '../support/personal-values.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

stayClearOfMidnight()

const KEY = { PII_KEY: 'a key of at least thirty-two characters' }
const WEBHOOK_SECRET = Buffer.alloc(32, 7).toString('base64')
const RANGE = ['--from', '2025-06-10', '--to', '2025-06-13']

async function urlOf(service: CliProcess): Promise<string> {
  const started = (): string | undefined => /"url":"(http:[^"]+)"[^\n]*service started/.exec(service.stderr())?.[1]
  await expect.poll(started, patience).toBeDefined()
  return started() ?? ''
}

async function jobsDone(it: TestOrg): Promise<string[]> {
  const { rows } = await it.warehouse.pool.query<{ job: string }>(
    "select distinct job from etl.runs where status = 'done' order by 1",
  )
  return rows.map(({ job }) => job)
}

/** Conversations of every kind that begin, go on and end while snapshots are taken. */
async function goThroughHours(org: Simulator, it: TestOrg): Promise<void> {
  const kinds = ['inboundCall', 'message', 'email', 'chat', 'requestedCallback', 'manualCall', 'internalCall'] as const
  const { clock, changes } = org.control
  const snapshots = async () =>
    Number((await it.warehouse.pool.query('select count(*) as n from genesys.live_snapshots where complete')).rows[0].n)
  for (let step = 0; step < 5; step++) {
    for (const [index, kind] of kinds.entries()) changes.begin(kind, clock.now() - index * 20_000)
    const before = await snapshots()
    await expect.poll(snapshots, patience).toBeGreaterThan(before)
    clock.set(clock.now() + 60_000)
  }
}

// a dozen processes
test.each(['hash', 'drop'])(
  'PII=%s: the whole service leaves no personal value anywhere',
  { timeout: 600_000 },
  async (PII) => {
    const now = new Date()
    await using org = await startOrg({ now, days: 3, perDay: 40 })
    await using it = await connectTestOrg(org)
    await using receiver = await startFakeServer(({ response }) => response.end())
    const env = { ...environmentOf(org, it.databaseUrl), PII, PII_AGENTS: 'hash', ...KEY, LOG_LEVEL: 'debug' }
    const today = startOfDay(now)
    const range = ['--from', addDays(today, -3).toISOString(), '--to', today.toISOString()]
    const printed: string[] = []
    const run = async (args: readonly string[], codes: readonly number[] = [0]): Promise<void> => {
      const { code, stdout, stderr } = await runCli(args, { env })
      expect(codes, stderr).toContain(code)
      printed.push(stdout, stderr)
    }
    await run(['backfill', ...range, '--source', 'query'])
    await run(['backfill', ...range, '--source', 'jobs', '--reload'])
    const service = startCli(['serve'], {
    env: {
      ...env, HTTP_PORT: '0', HISTORY_LOOKBACK_DAYS: '3', LIVE_CRON: '* * * * * *', WEBHOOK_URL: receiver.url, WEBHOOK_SECRET,
      WEBHOOK_EVENTS: 'waiting,alerting,interacting,ended',
    },
  }) // prettier-ignore
    const url = await urlOf(service)
    await expect.poll(() => jobsDone(it), patience).toEqual(expect.arrayContaining(['intraday', 'reference', 'sync']))
    await goThroughHours(org, it)
    await receiver.received(3)
    for (const path of ['/', '/live', '/status.json', '/metrics']) printed.push(await (await fetch(url + path)).text())
    service.kill('SIGTERM')
    const { code, stdout, stderr } = await service.result
    expect(code).toBe(0)
    printed.push(stdout, stderr, ...receiver.requests.map(({ body }) => body))
    await run(['verify', ...range])
    // some of the rejected records stay rejected, and some make figures differ
    await run(['replay'], [1])
    await run(['reconcile', ...range], [0, 1])
    await run(['doctor', '--json'])
    const checks = (JSON.parse(printed.at(-2)!) as { checks: { name: string; detail: string }[] }).checks
    const detailOf = (name: string) => checks.find((check) => check.name === `personal data: ${name}`)?.detail
    expect(detailOf(PII === 'hash' ? 'hashed' : 'dropped')).toContain('sessions.ani')
    expect(detailOf('hashed')).toContain('dim_users.email')
    expect(detailOf('kept')).toBeUndefined()

    const values = personalValuesOf(org)
    expect(values.length).toBeGreaterThan(500)
    expect(await findValues(it.warehouse, values)).toEqual({})
    expect(valuesIn(printed.join('\n'), values)).toEqual([])
  },
)

// a dozen processes, one after the other
test(
  'a changed policy is refused until it is applied; killed again and again, it is applied in the end',
  { timeout: 600_000 },
  async () => {
    await using org = await startOrg({ perDay: 200 })
    await using it = await connectTestOrg(org)
    await it.backfill(threeDays)
    await it.run(
      { job: 'backfill', range: threeDays, reload: true, source: 'jobs' },
      { settings: { jobs: { attributes: 'true' } } },
    )
    const values = personalValuesOf(org)
    expect(Object.keys(await findValues(it.warehouse, values))).toContain('genesys.participant_attributes')
    const env = { ...environmentOf(org, it.databaseUrl), PII: 'hash', PII_AGENTS: 'hash', ...KEY }
    expect(await runCli(['sync'], { env })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('erase --apply-policy') as string,
    })
    const random = createRandom('apply-policy')
    for (let kills = 0; kills < 3; kills++) {
      const child = startCli(['erase', '--apply-policy'], { env })
      await expect.poll(() => selectMeta(it.warehouse.db, 'personal_data_policy_pending'), patience).toBeDefined()
      await sleep(random.int(0, 1000))
      child.kill('SIGKILL')
      await child.result
    }
    const applied = await runCli(['erase', '--apply-policy', '--json'], { env })
    expect(applied, applied.stderr).toMatchObject({ code: 0 })
    expect(await findValues(it.warehouse, values)).toEqual({})
    expect(await runCli(['verify', ...RANGE], { env })).toMatchObject({ code: 0 })
    const reloaded = await runCli(['backfill', ...RANGE, '--reload', '--source', 'query'], { env })
    expect(reloaded.code).toBe(0)
    const { rows } = await it.warehouse.pool.query<{ changed: number; unchanged: number }>(
      "select (counts ->> 'changed')::int as changed, (counts ->> 'unchanged')::int as unchanged from etl.runs where job = 'backfill' order by id desc limit 1",
    )
    // the hash of what Genesys sends differs only where Postgres cannot hold a character of it
    const unstorable = org.malformed().filter(({ kind }) => ['lone-surrogates', 'nul-characters'].includes(kind))
    expect(rows[0]!.changed).toBeLessThanOrEqual(unstorable.length)
    expect(rows[0]!.unchanged).toBeGreaterThan(500)
  },
)

test('what cannot follow a policy is refused unless a mix is accepted', async () => {
  await using org = await startOrg({ perDay: 5 })
  await using it = await connectTestOrg(org)
  const env = { ...environmentOf(org, it.databaseUrl), PII: 'hash', PII_AGENTS: 'hash', ...KEY }
  expect(await runCli(['backfill', ...RANGE], { env })).toMatchObject({ code: 0 })
  const back = await runCli(['sync'], { env: environmentOf(org, it.databaseUrl) })
  expect(back).toMatchObject({ code: 78, stderr: expect.stringContaining('PII=hash') as string })
  const kept = await runCli(['erase', '--apply-policy'], { env: environmentOf(org, it.databaseUrl) })
  expect(kept).toMatchObject({ code: 78, stderr: expect.stringContaining('--accept-mix') as string })
  const mixed = await runCli(['erase', '--accept-mix'], { env: environmentOf(org, it.databaseUrl) })
  expect(mixed).toMatchObject({ code: 0, stdout: expect.stringContaining('stays as it is') as string })
})

test('what is missing or does not belong together is refused with all problems', async () => {
  const env = { GENESYS_CLIENT_ID: 'a', GENESYS_CLIENT_SECRET: 'b', DATABASE_URL: 'postgres://localhost/none' }
  expect(await runCli(['sync'], { env: { ...env, PII: 'hash' } })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('PII_KEY') as string,
  })
  expect(await runCli(['erase', '--apply-policy', '--address', 'ada@example.org'], { env })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('--apply-policy') as string,
  })
})
