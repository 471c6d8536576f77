import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTo, createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { startNetwork } from '../chaos/network.ts'
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

/** Runs of the history; reference data is read at every start. */
async function runsOf(it: TestOrg): Promise<{ job: string; status: string }[]> {
  return (
    await it.warehouse.pool.query<{ job: string; status: string }>(
      "select job, status from etl.runs where job <> 'reference' order by id",
    )
  ).rows
}

test('starts, catches up what was missed, answers, and stops with 0 on SIGTERM', async () => {
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
  expect(status).toMatchObject({ state: 'ok', nextRuns: { sync: expect.any(String), reference: expect.any(String) } })
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0, signal: null })

  // what has just run was not missed
  const again = serve(it)
  await urlOf(again)
  again.kill('SIGTERM')
  expect(await again.result).toMatchObject({ code: 0 })
  expect(await runsOf(it)).toHaveLength(2)
})

test('catches up the weekly re-read that was missed, once there has been a sync', async () => {
  await using it = await connectTestOrg(org)
  await it.warehouse.pool.query(`
    insert into etl.runs (job, trigger, parameters, plan, status, started_at, finished_at)
    values ('sync', 'cron', '{"filter": {}}', '{}', 'done', now() - interval '8 days', now() - interval '8 days')`)
  const service = serve(it)
  await urlOf(service)
  const deep = async () => (await runsOf(it)).filter(({ job }) => job === 'deep')
  await expect.poll(deep, patience).toEqual([{ job: 'deep', status: 'done' }])
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0 })
})

test('stops in the middle of a run, records it as interrupted, and resumes it after the next start', async () => {
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

test('refuses an old schema when AUTO_MIGRATE is false: 1, with the command to run', async () => {
  await using it = await connectTestOrg(org)
  await it.warehouse.pool.query('delete from etl.kysely_migration')
  const { code, stderr } = await serve(it, { AUTO_MIGRATE: 'false' }).result
  expect(code).toBe(1)
  expect(stderr).toContain('npm run etl -- migrate')
})

test('a port that is taken: 78 before any job has started, also with alerts', async () => {
  await using it = await connectTestOrg(org)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  try {
    const { port } = taken.address() as AddressInfo
    const { code, stderr } = await serve(it, {
      HTTP_PORT: String(port),
      ALERT_WEBHOOK_URL: 'http://127.0.0.1:9/alerts',
    }).result
    expect(code).toBe(78)
    expect(stderr).toContain('HTTP_PORT')
    expect(await runsOf(it)).toEqual([])
  } finally {
    taken.close()
  }
})

test('stops on SIGTERM while connections are open that send nothing, or half a request', async () => {
  await using it = await connectTestOrg(org)
  const service = serve(it, { LIVE_SOURCE: 'off', INTRADAY_CRON: 'off', HISTORY_CRON: '0 0 1 1 *' })
  const { hostname, port } = new URL(await urlOf(service))
  const sockets = [connectTo(Number(port), hostname), connectTo(Number(port), hostname)]
  try {
    for (const socket of sockets) {
      socket.on('error', () => {})
      await once(socket, 'connect')
    }
    sockets[1]?.write('GET /healthz HTTP/1.1\r\nHost: ')
    await sleep(500)
    const sentAt = performance.now()
    service.kill('SIGTERM')
    expect(await service.result).toMatchObject({ code: 0, stderr: expect.stringContaining('service stopped') })
    expect(performance.now() - sentAt).toBeLessThan(40_000)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

test('SIGTERM to npm reaches the service', async () => {
  await using it = await connectTestOrg(org)
  const child = spawn('npm', ['run', 'etl', '--', 'serve'], {
    cwd: path.join(import.meta.dirname, '../..'),
    env: { ...process.env, ...environmentOf(org, it.databaseUrl), HTTP_PORT: '0', LIVE_SOURCE: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // a group of its own, so that everything that is left can be ended
    detached: true,
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const closed = once(child, 'close')
  try {
    await expect.poll(() => stderr, patience).toContain('service started')
    child.kill('SIGTERM')
    // closed is stderr only when the service, which holds it, has ended
    await closed
    expect(stderr).toContain('service stopped')
  } finally {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      // all of it has ended
    }
  }
})

test('waits for a database that is not there yet, is alive meanwhile, and starts when it comes', async () => {
  await using it = await connectTestOrg(org)
  await using network = await startNetwork(it.databaseUrl)
  await network.cut()
  const port = await freePort()
  const service = serve(it, { DATABASE_URL: network.url, HTTP_PORT: String(port) })
  await expect.poll(() => service.stderr(), patience).toContain('the database is not available yet; waiting')
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503)
  await network.restore()
  await urlOf(service)
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0 })
})

test('SIGTERM ends the wait for a database', async () => {
  await using it = await connectTestOrg(org)
  const service = serve(it, { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' })
  await expect.poll(() => service.stderr(), patience).toContain('the database is not available yet; waiting')
  service.kill('SIGTERM')
  expect(await service.result).toMatchObject({ code: 0, stderr: expect.stringContaining('service stopped') })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
