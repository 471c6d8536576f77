import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAlerts, type Alerts } from '../../src/monitoring/alert-webhook.ts'
import type { StatusDocument } from '../../src/monitoring/status.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeServer, type FakeServer } from '../support/fake-server.ts'

const history = { filter: {}, lookbackDays: 0, start: null }
const never = new AbortController().signal

let database: TestDatabase
let warehouse: Warehouse
let receiver: FakeServer
/** What the receiver answers with, the last entry for all further ones. */
let answers: number[]
/** Minutes since the test began, for the clocks of the database and of the process. */
let minutes: number

beforeEach(async () => {
  answers = [204]
  minutes = 0
  database = await createTestDatabase()
  warehouse = connect(database.url)
  receiver = await startFakeServer(({ response }) => {
    response.writeHead(answers.length > 1 ? answers.shift()! : answers[0]!)
    response.end()
  })
})
afterEach(async () => {
  await receiver.close()
  await warehouse.close()
  await database.drop()
})

const begin = Date.now()
const later = (): Date => new Date(begin + minutes * 60_000)

/** The state as it would be `minutes` later. */
async function statusLater(from: Warehouse): Promise<StatusDocument> {
  return { ...(await readStatus(from, history, { live: false })), at: later() }
}

function createTestAlerts(from: Warehouse = warehouse, fatalJobs: string[] = []): Alerts {
  return createAlerts({
    warehouse: from,
    logger: createLogger('silent'),
    url: `${receiver.url}/services/secret`,
    readStatus: () => statusLater(from),
    facts: () => ({ isLiveOn: false, liveLateSeconds: 600, fatalJobs }),
    now: later,
  })
}

async function insertRun(status: 'done' | 'failed'): Promise<void> {
  const [error, hint] = status === 'failed' ? ['Genesys said <403>', 'Grant the permission.'] : [null, null]
  await sql`insert into etl.runs (job, trigger, status, finished_at, error, hint)
    values ('sync', 'cron', ${status}, now(), ${error}, ${hint})`.execute(warehouse.db)
}

const sent = () => receiver.requests.map(({ body }) => JSON.parse(body) as Record<string, string>)

test('sends one alert for a failure and one for the recovery, across restarts of the service', async () => {
  await insertRun('failed')
  await createTestAlerts().check(never)
  expect(sent()).toEqual([])

  await insertRun('failed')
  await createTestAlerts().check(never)
  for (minutes = 1; minutes < 10; minutes++) await createTestAlerts().check(never)
  expect(sent()).toMatchObject([
    {
      status: 'raised',
      condition: 'job-failed:sync',
      title: 'sync has failed 2 times in a row',
      detail: 'Genesys said <403>',
      hint: 'Grant the permission.',
      service: 'genesys-etl',
    },
  ])
  expect(sent()[0]?.['text']).toBe(
    'genesys-etl: sync has failed 2 times in a row\nGenesys said ‹403›\nTo do: Grant the permission.',
  )

  await insertRun('done')
  for (; minutes < 20; minutes++) await createTestAlerts().check(never)
  expect(sent()).toHaveLength(2)
  expect(sent()[1]).toMatchObject({ status: 'resolved', condition: 'job-failed:sync', since: sent()[0]?.['at'] })
})

test('retries a failed delivery with growing pauses, and delivers it once', async () => {
  await insertRun('failed')
  answers = [500, 302, 204]
  const alerts = createTestAlerts(warehouse, ['sync'])
  const attempts: number[] = []
  for (; minutes < 30; minutes++) {
    await alerts.check(never)
    if (receiver.requests.length > attempts.length) attempts.push(minutes)
  }
  expect(attempts).toEqual([0, 1, 3])
})

test('starts the backoff from one minute again after a successful delivery', async () => {
  answers = [500, 500, 500, 204]
  const alerts = createTestAlerts(warehouse, ['sync'])
  const attempts: number[] = []
  const checkUntil = async (end: number): Promise<void> => {
    for (; minutes < end; minutes++) {
      const before = receiver.requests.length
      await alerts.check(never)
      for (let more = receiver.requests.length - before; more > 0; more--) attempts.push(minutes)
    }
  }
  await insertRun('failed')
  await checkUntil(20)
  expect(attempts).toEqual([0, 1, 3, 7])
  await insertRun('done')
  await checkUntil(40)
  expect(
    sent()
      .map(({ status }) => status)
      .slice(4),
  ).toEqual(['resolved'])
  attempts.length = 0
  answers = [500, 500, 204]
  await insertRun('failed')
  await checkUntil(60)
  expect(attempts).toEqual([40, 41, 43])
})

test('sends nothing about a condition that was resolved before it could be delivered', async () => {
  await insertRun('failed')
  await insertRun('failed')
  answers = [500]
  const alerts = createTestAlerts()
  await alerts.check(never)
  await insertRun('done')
  answers = [204]
  for (; minutes < 30; minutes++) await alerts.check(never)
  expect(sent().map(({ status }) => status)).toEqual(['raised'])
})

test('sends nothing while another process holds the lock', async () => {
  await insertRun('failed')
  await insertRun('failed')
  await withJobLock(warehouse, 'alerts', never, () => createTestAlerts().check(never))
  expect(sent()).toEqual([])
})

test('sends an alert after five minutes without the database, and one when it is back', async () => {
  const gone = connect('postgres://nobody:secret@127.0.0.1:1/none')
  let current = gone
  const alerts = createAlerts({
    // The alerts keep one warehouse; what it reaches changes, as when a server is restarted.
    warehouse: new Proxy(warehouse, { get: (_, property) => Reflect.get(current, property) as unknown }),
    logger: createLogger('silent'),
    url: receiver.url,
    readStatus: () => statusLater(current),
    facts: () => ({ isLiveOn: false, liveLateSeconds: 600, fatalJobs: [] }),
    now: later,
  })
  for (; minutes < 10; minutes++) await alerts.check(never)
  expect(sent()).toMatchObject([{ condition: 'database-away', status: 'raised' }])
  expect(JSON.stringify(sent())).not.toContain('secret')
  await gone.close()
  current = warehouse
  for (; minutes < 20; minutes++) await alerts.check(never)
  expect(sent()).toHaveLength(2)
  expect(sent()[1]).toMatchObject({ condition: 'database-away', status: 'resolved' })
})

test('judges the age of a snapshot by the clock of the database, even when that of the process is an hour ahead', async () => {
  let snapshotAt = later()
  const live = { ageSeconds: 0, isStale: false, source: 'analytics', conversations: 1, durationMs: 1, requests: 1 }
  const alerts = createAlerts({
    warehouse,
    logger: createLogger('silent'),
    url: receiver.url,
    readStatus: async () => ({
      ...(await statusLater(warehouse)),
      live: { ...live, snapshotAt, stretched: false, failure: null, byState: {} },
    }),
    facts: () => ({ isLiveOn: true, liveLateSeconds: 600, fatalJobs: [] }),
    now: () => new Date(+later() + 3_600_000),
  })
  for (; minutes < 15; minutes++) {
    snapshotAt = later()
    await alerts.check(never)
  }
  expect(sent()).toEqual([])
  for (; minutes < 30; minutes++) await alerts.check(never)
  expect(sent()).toMatchObject([
    { condition: 'live-late', status: 'raised', at: new Date(begin + 25 * 60_000).toISOString() },
  ])
})

test('stops at once while a receiver does not answer', async () => {
  await insertRun('failed')
  await insertRun('failed')
  await receiver.close()
  receiver = await startFakeServer(() => {})
  const stop = new AbortController()
  const check = createTestAlerts().check(stop.signal)
  await receiver.received(1)
  stop.abort(new Error('stopping'))
  await expect(check).rejects.toThrow('stopping')
})

test('sends alerts through the proxy of the environment, except to hosts of NO_PROXY', async () => {
  await insertRun('failed')
  await insertRun('failed')
  const alertsWith = (proxyEnv: NodeJS.ProcessEnv, url: string): Alerts =>
    createAlerts({
      warehouse,
      logger: createLogger('silent'),
      url,
      readStatus: () => statusLater(warehouse),
      facts: () => ({ isLiveOn: false, liveLateSeconds: 600, fatalJobs: [] }),
      proxyEnv,
      now: later,
    })
  // The fake server stands in for the proxy: a request to a proxy names the whole URL.
  const url = 'http://alerts.example.invalid/services/secret'
  await alertsWith({ HTTP_PROXY: receiver.url, NO_PROXY: 'alerts.example.invalid' }, url).check(never)
  expect(receiver.requests).toHaveLength(0)
  await alertsWith({ HTTP_PROXY: receiver.url }, url).check(never)
  expect(receiver.requests.map((request) => request.url)).toEqual([url])
  expect(sent()).toMatchObject([{ condition: 'job-failed:sync', status: 'raised' }])
})
