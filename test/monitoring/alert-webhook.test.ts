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
    timeoutMs: 2_000,
  })
}

async function bookRun(status: 'done' | 'failed'): Promise<void> {
  const [error, hint] = status === 'failed' ? ['Genesys said <403>', 'Grant the permission.'] : [null, null]
  await sql`insert into etl.runs (job, trigger, status, finished_at, error, hint)
    values ('sync', 'cron', ${status}, now(), ${error}, ${hint})`.execute(warehouse.db)
}

const told = () => receiver.requests.map(({ body }) => JSON.parse(body) as Record<string, string>)

test('tells a failure once and its end once, across restarts of the service', async () => {
  await bookRun('failed')
  await createTestAlerts().check(never)
  expect(told()).toEqual([])

  await bookRun('failed')
  await createTestAlerts().check(never)
  for (minutes = 1; minutes < 10; minutes++) await createTestAlerts().check(never)
  expect(told()).toMatchObject([
    {
      status: 'raised',
      condition: 'job-failed:sync',
      title: 'sync has failed 2 times in a row',
      detail: 'Genesys said <403>',
      hint: 'Grant the permission.',
      service: 'genesys-etl',
    },
  ])
  expect(told()[0]?.['text']).toBe(
    'genesys-etl: sync has failed 2 times in a row\nGenesys said ‹403›\nTo do: Grant the permission.',
  )

  await bookRun('done')
  for (; minutes < 20; minutes++) await createTestAlerts().check(never)
  expect(told()).toHaveLength(2)
  expect(told()[1]).toMatchObject({ status: 'resolved', condition: 'job-failed:sync', since: told()[0]?.['at'] })
})

test('delivers again what could not be delivered, less and less often, and only once in the end', async () => {
  await bookRun('failed')
  answers = [500, 302, 204]
  const alerts = createTestAlerts(warehouse, ['sync'])
  const attempts: number[] = []
  for (; minutes < 30; minutes++) {
    await alerts.check(never)
    if (receiver.requests.length > attempts.length) attempts.push(minutes)
  }
  expect(attempts).toEqual([0, 1, 3])
})

test('after a delivery that went through, the backoff begins anew with a minute', async () => {
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
  await bookRun('failed')
  await checkUntil(20)
  expect(attempts).toEqual([0, 1, 3, 7])
  await bookRun('done')
  await checkUntil(40)
  expect(
    told()
      .map(({ status }) => status)
      .slice(4),
  ).toEqual(['resolved'])
  attempts.length = 0
  answers = [500, 500, 204]
  await bookRun('failed')
  await checkUntil(60)
  expect(attempts).toEqual([40, 41, 43])
})

test('tells nothing of what was over before it could be delivered', async () => {
  await bookRun('failed')
  await bookRun('failed')
  answers = [500]
  const alerts = createTestAlerts()
  await alerts.check(never)
  await bookRun('done')
  answers = [204]
  for (; minutes < 30; minutes++) await alerts.check(never)
  expect(told().map(({ status }) => status)).toEqual(['raised'])
})

test('leaves telling to the process that is at it', async () => {
  await bookRun('failed')
  await bookRun('failed')
  await withJobLock(warehouse, 'alerts', never, () => createTestAlerts().check(never))
  expect(told()).toEqual([])
})

test('tells that the database is away after five minutes, and that it is back', async () => {
  const gone = connect('postgres://nobody:secret@127.0.0.1:1/none')
  let current = gone
  const alerts = createAlerts({
    // the alerts hold one warehouse for good; which one it reaches changes, as when a server is restarted
    warehouse: new Proxy(warehouse, { get: (_, property) => Reflect.get(current, property) as unknown }),
    logger: createLogger('silent'),
    url: receiver.url,
    readStatus: () => statusLater(current),
    facts: () => ({ isLiveOn: false, liveLateSeconds: 600, fatalJobs: [] }),
    now: later,
  })
  for (; minutes < 10; minutes++) await alerts.check(never)
  expect(told()).toMatchObject([{ condition: 'database-away', status: 'raised' }])
  expect(JSON.stringify(told())).not.toContain('secret')
  await gone.close()
  current = warehouse
  for (; minutes < 20; minutes++) await alerts.check(never)
  expect(told()).toHaveLength(2)
  expect(told()[1]).toMatchObject({ condition: 'database-away', status: 'resolved' })
})

test('a process whose clock is an hour ahead of the database does not take a fresh snapshot for late, but does notice a late one', async () => {
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
  expect(told()).toEqual([])
  for (; minutes < 30; minutes++) await alerts.check(never)
  expect(told()).toMatchObject([
    { condition: 'live-late', status: 'raised', at: new Date(begin + 25 * 60_000).toISOString() },
  ])
})

test('a receiver that never answers does not hold up stopping', async () => {
  await bookRun('failed')
  await bookRun('failed')
  await receiver.close()
  receiver = await startFakeServer(() => {})
  const stop = new AbortController()
  const check = createTestAlerts().check(stop.signal)
  await receiver.received(1)
  stop.abort(new Error('stopping'))
  await expect(check).rejects.toThrow('stopping')
})
