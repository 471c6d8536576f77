import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { environmentOf, runCli, startCli, type CliProcess } from '../support/cli.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'

let now = new Date()
const org = await startOrg({ now, days: 2, perDay: 30 })
afterAll(() => org.close())
stayClearOfMidnight()
beforeEach(() => {
  now = new Date()
  org.control.clock.set(now.getTime())
})

function serve(it: TestOrg, env: Record<string, string> = {}): CliProcess {
  return startCli(['serve'], {
    env: { ...environmentOf(org, it.databaseUrl), HTTP_PORT: '0', HISTORY_LOOKBACK_DAYS: '2', ...env },
  })
}

async function urlOf(service: CliProcess): Promise<string> {
  const started = (): string | undefined => /"url":"(http:[^"]+)"[^\n]*service started/.exec(service.stderr())?.[1]
  await expect.poll(started, patience).toBeDefined()
  return started() ?? ''
}

async function runsOf(it: TestOrg): Promise<{ job: string; status: string }[]> {
  return (
    await it.warehouse.pool.query<{ job: string; status: string }>('select job, status from etl.runs order by id')
  ).rows
}

test('starts, makes up what was missed, answers, and stops with 0 on SIGTERM', async () => {
  await using it = await connectTestOrg(org)
  const service = serve(it)
  const url = await urlOf(service)
  expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n')
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  const done = async () =>
    (await runsOf(it))
      .filter(({ status }) => status === 'done')
      .map(({ job }) => job)
      .sort()
  await expect.poll(done, patience).toEqual(['intraday', 'sync'])
  const today = startOfDay(now)
  await it.expectEqual({ start: addDays(today, -2), end: addDays(today, 1) })
  const status = (await (await fetch(`${url}/status.json`)).json()) as Record<string, unknown>
  expect(status).toMatchObject({ state: 'ok', nextRuns: { sync: expect.any(String) } })
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0, signal: null })

  // what has just run was not missed
  const again = serve(it)
  await urlOf(again)
  again.kill('SIGTERM')
  expect(await again.result).toMatchObject({ code: 0 })
  expect(await runsOf(it)).toHaveLength(2)
})

test('stops in the middle of a run, books it as interrupted, and goes on with it after the next start', async () => {
  await using it = await connectTestOrg(org)
  org.control.faults.add({ on: 'details', kind: 'hang', nth: 4 })
  const service = serve(it, { INTRADAY_CRON: 'off' })
  await expect.poll(() => org.control.faults.happened(), patience).toBe(1)
  org.control.faults.clear()
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0, signal: null })
  expect(await runsOf(it)).toEqual([{ job: 'sync', status: 'interrupted' }])

  const env = { ...environmentOf(org, it.databaseUrl), HISTORY_LOOKBACK_DAYS: '2' }
  expect(await runCli(['sync'], { env })).toMatchObject({ code: 0 })
  await it.expectEqual({ start: addDays(startOfDay(now), -2), end: startOfDay(now) })
})

test('a port that is taken: 78, at once, and what to do', async () => {
  await using it = await connectTestOrg(org)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  try {
    const { port } = taken.address() as AddressInfo
    const { code, stderr } = await serve(it, { HTTP_PORT: String(port) }).result
    expect(code).toBe(78)
    expect(stderr).toContain('HTTP_PORT')
  } finally {
    taken.close()
  }
})

test('refuses an old schema when AUTO_MIGRATE is false: 1, with the command to run', async () => {
  await using it = await connectTestOrg(org)
  await it.warehouse.pool.query('delete from etl.kysely_migration')
  const { code, stderr } = await serve(it, { AUTO_MIGRATE: 'false' }).result
  expect(code).toBe(1)
  expect(stderr).toContain('npm run etl -- migrate')
})
