/**
 * A seeded soak test of the service, some minutes long: history, live and webhooks on a schedule of seconds, an organization
 * whose conversations continue and change, an API that fails in every way now and then, a database that loses connections, and
 * an unreliable receiver. Afterwards the tables must equal the organization.
 *
 *     npm run test:sim -- soak                    three minutes, a new seed
 *     SEED=… SOAK_SECONDS=600 npm run test:sim -- soak
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { FAULT_KINDS, type FaultRule } from '../../src/simulator/faults.ts'
import { createRandom, type Random } from '../../src/simulator/random.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { connect } from '../../src/postgres/connect.ts'
import { liveRows, openOf, startService, unexpected } from '../chaos/service.ts'
import { json, startFakeServer, type ReceivedRequest } from '../support/fake-server.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { parseTruth } from '../support/truth.ts'

const seed = process.env['SEED'] ?? String(Date.now() % 1_000_000)
const seconds = Number(process.env['SOAK_SECONDS'] ?? 180)

const HOUR = 3_600_000
const days = 2
/** How far the organization's clock is behind at the beginning; it has caught up at the end. */
const lagMs = 3 * HOUR
const webhookSecret = Buffer.alloc(32, 5).toString('base64')
/** Deliveries wait up to half an hour between attempts; messages that wait longer than this at the end may stay undelivered. */
const settleSeconds = 60
/** The largest growth of memory from one third of the run to the next, in MiB; an hour's run shows a leak of a kilobyte per request. */
const allowedGrowthMiB = 24

test(
  `SEED=${seed}: a service under continuous faults and changes ends equal to the organization`,
  async () => {
    process.stderr.write(`SEED=${seed} SOAK_SECONDS=${seconds}\n`)
    const random = createRandom(`soak/${seed}`)
    const end = Date.now() + seconds * 1000
    const orgNow = () => Math.min(end, Date.now() + (Math.min(0, Date.now() - end) / (seconds * 1000)) * lagMs)
    await using org = await startOrg({
      seed,
      now: orgNow,
      days,
      perDay: 150,
      exactPerDay: false,
      malformedShare: 0.05,
      latencyMs: 10,
      // a minute of three seconds, since the client waits for the end of the minute after a 429 without Retry-After
      rateLimit: { requestsPerMinute: 300, windowMs: 3000 },
    })
    await using it = await connectTestOrg(org)
    await using receiver = await startReceiver(createRandom(`receiver/${seed}`))
    await using service = await startService(org, it.databaseUrl, {
      GENESYS_REQUESTS_PER_MINUTE: '1400',
      HISTORY_LOOKBACK_DAYS: String(days),
      HISTORY_CRON: '*/10 * * * * *',
      INTRADAY_CRON: '*/7 * * * * *',
      LIVE_CRON: '*/2 * * * * *',
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRET: webhookSecret,
      WEBHOOK_EVENTS: 'ivr,waiting,alerting,interacting,hold,acw,ended,waiting>60s',
      LOG_LEVEL: 'debug',
    })
    org.control.faults.add(...everyFault)
    org.control.set({ duplicateShare: 0.01 })

    const memory: number[] = []
    const hidden: string[] = []
    while (Date.now() < end) {
      for (let change = random.int(0, 3); change > 0; change--) changeSomething(org, random, hidden)
      if (random.chance(0.08)) await loseConnection(it)
      if (random.chance(0.02)) org.control.revokeTokens()
      // throws when the process has ended
      memory.push(residentMiB(service.process.pid))
      await sleep(1000)
    }

    for (let count = 0; count < 12; count++) org.control.changes.begin(random.pick(kinds))
    org.control.faults.clear()
    org.control.set({ duplicateShare: 0 })
    for (const id of hidden.splice(0)) org.control.changes.restore(id)
    receiver.recover()
    await service.waitUntilHealthy()
    await service.waitUntilHealthy()

    await expectHistory(it)
    await expectLive(it, org)
    await expectDelivered(it, org, receiver)
    expectFlat(memory)
    await service.stop()
    expect(unexpected(service.process.stderr())).toEqual([])
    expect(secretsIn(service.process.stderr(), org, it)).toEqual([])
    process.stderr.write(
      `SEED=${seed}: ${org.requests.length} requests, ${org.requests.filter(({ fault }) => fault).length} of them failed, ` +
        `${receiver.taken.size} messages, ${service.process.stderr().length} bytes of log\n`,
    )
  },
  (seconds + 300) * 1000,
)

const kinds = ['inboundCall', 'chat', 'message', 'email', 'requestedCallback'] as const

/** Every kind of fault, each for one request in a hundred; those that cost a minute or an hour only a few times. */
const everyFault: readonly FaultRule[] = FAULT_KINDS.map((kind) => ({
  on: 'any',
  kind,
  probability: 0.008,
  ...(kind === 'hang' && { times: 2 }),
  ...(kind === '429-long' && { times: 3 }),
}))

/** Makes a random change, as people and customers of the organization do. */
function changeSomething(org: Simulator, random: Random, hidden: string[]): void {
  const { changes, clock } = org.control
  const truth = org.truthText().map(parseTruth)
  const over = truth.filter(({ conversationEnd }) => typeof conversationEnd === 'string')
  const open = truth.filter(({ conversationEnd }) => conversationEnd === undefined)
  const idOf = (list: typeof truth): string => {
    const id = list[random.int(0, list.length - 1)]?.['conversationId']
    return typeof id === 'string' ? id : 'none'
  }
  try {
    switch (
      random.weighted({ begin: 6, end: 3, wrapUp: 3, evaluate: 2, reopen: 1, correct: 2, remove: 1, restore: 1 })
    ) {
      case 'begin':
        changes.begin(random.pick(kinds))
        break
      case 'end':
        changes.end(idOf(open))
        break
      case 'wrapUp':
        changes.addWrapUp(idOf(over))
        break
      case 'evaluate':
        changes.addEvaluation(idOf(over))
        break
      case 'reopen':
        changes.reopen(idOf(over))
        break
      case 'correct':
        changes.correctStart(idOf(over), clock.now() - random.int(0, (days - 1) * 24 * HOUR))
        break
      case 'remove': {
        const id = idOf(over)
        changes.remove(id)
        hidden.push(id)
        break
      }
      case 'restore':
        for (const id of hidden.splice(0)) changes.restore(id)
        break
    }
  } catch (error) {
    // not every conversation can be changed in every way
    if (!(error instanceof RangeError)) throw error
  }
}

/** Terminates one of the service's connections at random. */
async function loseConnection(it: TestOrg): Promise<void> {
  await using other = connect(it.databaseUrl, { applicationName: 'soak' })
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'genesys-etl%' order by random() limit 1`.execute(
    other.db,
  )
}

async function expectHistory(it: TestOrg): Promise<void> {
  const today = startOfDay(new Date())
  await it.expectEqual({ start: addDays(today, -days), end: addDays(today, 1) })
  const windows = await it.windows()
  expect(windows.filter(({ status }) => status === 'done')).toHaveLength(days)
  expect(windows.filter(({ status }) => status === 'failed' || status === 'unstable')).toEqual([])
}

/** Leaves out conversations that started more than a day ago, which are read every 15 minutes only, and malformed ones. */
async function expectLive(it: TestOrg, org: Simulator): Promise<void> {
  const malformed = new Set(org.malformed().map(({ id }) => id))
  const starts = new Map(
    org.truth().map(({ conversationId, conversationStart }) => [conversationId, Date.parse(String(conversationStart))]),
  )
  const isCompared = (line: string): boolean => {
    const id = line.split(' ')[0] ?? ''
    return !malformed.has(id) && !((starts.get(id) ?? Number.POSITIVE_INFINITY) < Date.now() - 23 * HOUR)
  }
  const wanted = openOf(org, new Date()).filter(isCompared)
  expect(wanted.length).toBeGreaterThan(5)
  expect((await liveRows(it.warehouse)).filter(isCompared)).toEqual(wanted)
}

interface Message {
  readonly id: number
  readonly message_id: string
  readonly conversation_id: string
  readonly event: string
  readonly payload: unknown
  readonly delivered: boolean
  readonly given_up: boolean
}

/** Requires that every delivered message equals the outbox, and that none is lost, sent under a second id, or out of order. */
async function expectDelivered(it: TestOrg, org: Simulator, receiver: Receiver): Promise<void> {
  const read = async () =>
    (
      await sql<Message>`
        select id, message_id, conversation_id, event, payload, delivered_at is not null as delivered,
          given_up_at is not null as given_up from etl.webhook_outbox order by id`.execute(it.warehouse.db)
    ).rows
  const soon = async () =>
    (
      await sql<{ count: number }>`
        select count(*) as count from etl.webhook_outbox where delivered_at is null
          and next_attempt_at < now() + make_interval(secs => ${settleSeconds})`.execute(it.warehouse.db)
    ).rows[0]?.count
  await expect.poll(soon, { timeout: 2 * settleSeconds * 1000, interval: 500 }).toBe(0)
  const messages = await read()
  expect(messages.length).toBeGreaterThan(seconds / 10)
  expect(messages.filter(({ given_up }) => given_up)).toEqual([])
  const known = new Set(org.truth().map(({ conversationId }) => conversationId))
  expect(messages.filter(({ conversation_id }) => !known.has(conversation_id))).toEqual([])
  const delivered = messages.filter(({ delivered }) => delivered)
  expect(delivered.filter(({ message_id }) => !receiver.taken.has(message_id))).toEqual([])
  const byId = new Map(messages.map((message) => [message.message_id, message]))
  for (const [id, body] of receiver.taken) expect(JSON.parse(body)).toEqual(byId.get(id)?.payload)
  expect(receiver.refused).toEqual([])

  // in order: each conversation's messages arrived for the first time in the order in which they were written
  const order = new Map([...receiver.taken.keys()].map((id, index) => [id, index]))
  const last = new Map<string, number>()
  for (const { message_id, conversation_id } of delivered) {
    const place = order.get(message_id) ?? 0
    expect(place).toBeGreaterThan(last.get(conversation_id) ?? -1)
    last.set(conversation_id, place)
  }
  // no message is written twice: an event at an instant has one id
  expect(new Set(messages.map(({ message_id }) => message_id)).size).toBe(messages.length)
}

interface Receiver extends AsyncDisposable {
  readonly url: string
  /** The bodies that were received, by message id, in the order of their first arrival. */
  readonly taken: Map<string, string>
  /** Ids whose signature was wrong. */
  readonly refused: string[]
  /** From now on it accepts everything. */
  recover(): void
}

/** Starts a receiver of webhooks that fails in every way until it recovers. */
async function startReceiver(random: Random): Promise<Receiver> {
  const taken = new Map<string, string>()
  const refused: string[] = []
  let isFlaky = true
  const take = (request: ReceivedRequest): void => {
    const id = String(request.headers['webhook-id'])
    try {
      new Webhook(webhookSecret).verify(request.body, request.headers as Record<string, string>)
    } catch {
      refused.push(id)
    }
    if (!taken.has(id)) taken.set(id, request.body)
  }
  const server = await startFakeServer(async (request) => {
    const fate = isFlaky
      ? random.weighted({ well: 70, slow: 10, error: 10, reset: 4, late: 4, hang: 2 })
      : ('well' as const)
    if (fate === 'hang') return
    if (fate === 'error') return json(request, { error: 'down' }, random.pick([400, 404, 429, 500, 503]))
    if (fate === 'reset') return request.socket.resetAndDestroy()
    if (fate === 'slow') await sleep(random.int(200, 2000))
    take(request)
    // received, though the sender never learns of it
    if (fate === 'late') request.socket.resetAndDestroy()
    else json(request, {})
  })
  return {
    url: server.url,
    taken,
    refused,
    recover: () => (isFlaky = false),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Resident memory of a process in MiB. */
function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
}

/** Requires that memory is stable: the first third is the warm-up; the last may exceed the second only a little. */
function expectFlat(memory: readonly number[]): void {
  const third = Math.floor(memory.length / 3)
  const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN
  const levels = [0, 1, 2].map((index) => Math.round(median(memory.slice(index * third, (index + 1) * third))))
  process.stderr.write(`SEED=${seed}: memory of ${levels.join(', ')} MiB\n`)
  expect(levels[2]! - levels[1]!, 'growth of memory in MiB').toBeLessThan(allowedGrowthMiB)
}

/** The secrets and personal data that a log contains. */
function secretsIn(log: string, org: Simulator, it: TestOrg): string[] {
  const found = new Set<string>([org.clientSecret, webhookSecret, new URL(it.databaseUrl).password])
  const personal =
    /^(ani|dnis|participantName|remote|remoteNameDisplayable|subject|wrapUpNote|sessionDnis|callbackNumbers|callbackUserName|address\w+)$/
  const collect = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (personal.test(key) && value.length > 5) found.add(value)
    } else if (Array.isArray(value)) {
      for (const each of value) collect(each, key)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) collect(each, name)
    }
  }
  for (const text of org.truthText()) collect(parseTruth(text), '')
  expect(found.size).toBeGreaterThan(100)
  return [...found].filter((text) => log.includes(text))
}
