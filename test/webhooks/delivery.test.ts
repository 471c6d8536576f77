import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { startWebhookDelivery, type WebhookDelivery, type WebhookOptions } from '../../src/webhooks/delivery.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { selectDeliveries } from '../../src/monitoring/status-queries.ts'
import { insertMessages } from '../../src/webhooks/outbox.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startFakeServer, type FakeServer, type ReceivedRequest } from '../support/fake-server.ts'
import { eventRules, startLiveOrg } from '../support/live-org.ts'
import { patience } from '../support/patience.ts'

const never = new AbortController().signal
const secret = Buffer.from('a secret of exactly 32 bytes, ok').toString('base64')
const quick = { idleMs: 20, firstRetryMs: 20, maxRetryMs: 40, timeoutMs: 10_000 }

interface Bench extends AsyncDisposable {
  readonly database: TestDatabase
  readonly warehouse: Warehouse
  readonly receiver: FakeServer
  readonly log: string[]
  /** Conversation and number of what was received, in order, refused ones included. */
  readonly received: string[]
  /** Status for a request; 0: no answer at all. */
  answer: (request: ReceivedRequest, what: string) => number
  write(conversationId: string, from: number, to: number): Promise<void>
  deliver(options?: Partial<WebhookOptions>): WebhookDelivery
  outbox(): Promise<
    { conversation_id: string; attempts: number; delivered: boolean; given_up: boolean; last_error: string | null }[]
  >
}

async function startBench(): Promise<Bench> {
  await using stack = new AsyncDisposableStack()
  const received: string[] = []
  const log: string[] = []
  const receiver = stack.use(
    await startFakeServer((request) => {
      const { data } = JSON.parse(request.body) as { data: { conversationId: string; number: number } }
      const what = `${data.conversationId}${data.number}`
      received.push(what)
      const status = bench.answer(request, what)
      if (status === 0) return
      request.response.writeHead(status)
      request.response.end('private words of the receiver')
    }),
  )
  const database = stack.use(await createTestDatabase())
  const warehouse = stack.use(connect(database.url))
  const stop = new AbortController()
  const deliveries: WebhookDelivery[] = []
  stack.defer(async () => {
    stop.abort()
    await Promise.all(deliveries.map(({ ended }) => ended))
  })
  const logger = createLogger('debug', { write: (line: string) => log.push(line) } as unknown as NodeJS.WritableStream)
  const resources = stack.move()
  const bench: Bench = {
    database,
    warehouse,
    receiver,
    log,
    received,
    answer: () => 204,
    async write(conversationId, from, to) {
      const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index)
      await insertMessages(
        warehouse.db,
        numbers.map((number) => ({
          messageId: `msg_${conversationId}${number}`,
          conversationId,
          event: 'waiting',
          payload: { type: 'conversation.waiting', data: { conversationId, number } },
        })),
      )
    },
    deliver(options = {}) {
      const delivery = startWebhookDelivery({
        warehouse,
        logger,
        url: receiver.url,
        secret,
        retentionHours: 72,
        signal: stop.signal,
        waits: quick,
        proxyEnv: {},
        ...options,
      })
      deliveries.push(delivery)
      return delivery
    },
    async outbox() {
      const { rows } = await sql<Awaited<ReturnType<Bench['outbox']>>[number]>`
        select conversation_id, attempts, delivered_at is not null as delivered, given_up_at is not null as given_up, last_error
        from etl.webhook_outbox order by id`.execute(warehouse.db)
      return rows
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
  return bench
}

const undelivered = async (bench: Bench): Promise<number> =>
  (await bench.outbox()).filter((row) => !row.delivered).length

test('delivers each message once when nothing fails, in order for each conversation, signed', async () => {
  await using bench = await startBench()
  for (const id of ['a', 'b', 'c']) await bench.write(id, 1, 8)
  bench.deliver()
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  expect(bench.received).toHaveLength(24)
  for (const id of ['a', 'b', 'c']) {
    expect(bench.received.filter((what) => what.startsWith(id))).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${id}${n}`),
    )
  }
  const [first] = bench.receiver.requests
  const headers = first?.headers as Record<string, string>
  expect(new Webhook(secret).verify(first?.body ?? '', headers)).toMatchObject({ type: 'conversation.waiting' })
  expect(() => new Webhook(Buffer.alloc(32).toString('base64')).verify(first?.body ?? '', headers)).toThrow()
  expect(headers['webhook-id']).toMatch(/^msg_[abc]1$/)
  expect(headers['content-type']).toBe('application/json')
})

test('a failed attempt is made again with the same id, and holds back only its own conversation', async () => {
  await using bench = await startBench()
  for (const id of ['a', 'b']) await bench.write(id, 1, 3)
  let refusals = 0
  bench.answer = (_request, what) => (what === 'a1' && ++refusals < 4 ? 503 : 200)
  bench.deliver()
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  expect(bench.received.filter((what) => what.startsWith('a'))).toEqual(['a1', 'a1', 'a1', 'a1', 'a2', 'a3'])
  expect(bench.received.filter((what) => what.startsWith('b'))).toEqual(['b1', 'b2', 'b3'])
  const ids = bench.receiver.requests.map(({ headers }) => headers['webhook-id'])
  expect(ids.filter((id) => id === 'msg_a1')).toHaveLength(4)
})

test.each([
  ['does not answer in time', 0, 'no answer in time'],
  ['answers with an error', 500, 'the receiver answered 500'],
  ['sends us elsewhere', 302, 'the receiver answered 302'],
])('a receiver that %s is a failure of its own, and nothing of its answer is kept', async (_name, status, problem) => {
  await using bench = await startBench()
  await bench.write('a', 1, 1)
  bench.answer = () => status
  bench.deliver({ waits: { ...quick, timeoutMs: 100 } })
  await expect.poll(async () => (await bench.outbox())[0]?.last_error, patience).toBe(problem)
  expect(bench.log.join('')).not.toContain('private words')
})

test.each([302, 307])('a redirect (%i) of the receiver is not followed and is no delivery', async (status) => {
  await using bench = await startBench()
  await using other = await startFakeServer(({ response }) => response.writeHead(200).end())
  await using receiver = await startFakeServer(({ response }) =>
    response.writeHead(status, { Location: other.url }).end(),
  )
  await bench.write('a', 1, 1)
  bench.deliver({ url: receiver.url })
  await Promise.race([receiver.received(2), other.received(1)])
  expect(other.requests.map(({ method, headers }) => [method, headers['webhook-signature']])).toEqual([])
  expect(await bench.outbox()).toMatchObject([{ delivered: false, last_error: `the receiver answered ${status}` }])
})

test('a receiver that is down is probed with one message, not with all; once it is back, it gets everything in order', async () => {
  await using bench = await startBench()
  for (const id of ['a', 'b', 'c', 'd']) await bench.write(id, 1, 5)
  let isUp = false
  bench.answer = (request) => {
    if (!isUp) request.socket.destroy()
    return isUp ? 200 : 0
  }
  bench.deliver()
  await expect.poll(() => bench.received.length, patience).toBeGreaterThan(12)
  expect((await bench.outbox()).filter((row) => row.attempts > 0).length).toBeLessThanOrEqual(4)
  isUp = true
  bench.received.length = 0
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  for (const id of ['a', 'b', 'c', 'd']) {
    expect(bench.received.filter((what) => what.startsWith(id))).toEqual([1, 2, 3, 4, 5].map((n) => `${id}${n}`))
  }
})

test('two services on one database share the work: nothing twice, each conversation in order', async () => {
  await using bench = await startBench()
  await using other = connect(bench.database.url)
  for (let id = 0; id < 20; id++) await bench.write(`c${id}-`, 1, 5)
  bench.deliver()
  bench.deliver({ warehouse: other })
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  expect(bench.received).toHaveLength(100)
  for (let id = 0; id < 20; id++) {
    expect(bench.received.filter((what) => what.startsWith(`c${id}-`))).toEqual(
      [1, 2, 3, 4, 5].map((n) => `c${id}-${n}`),
    )
  }
})

test('a message that a killed service had leased is delivered by the next one', async () => {
  await using bench = await startBench()
  await bench.write('a', 1, 2)
  await sql`update etl.webhook_outbox set attempts = 1, next_attempt_at = now() + interval '300 milliseconds' where message_id = 'msg_a1'`.execute(
    bench.warehouse.db,
  )
  bench.deliver()
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  expect(bench.received).toEqual(['a1', 'a2'])
})

test('gives up after a day, visibly, and goes on with younger messages', async () => {
  await using bench = await startBench()
  await bench.write('a', 1, 2)
  await sql`update etl.webhook_outbox set created_at = now() - interval '25 hours', last_error = 'the receiver answered 500' where message_id = 'msg_a1'`.execute(
    bench.warehouse.db,
  )
  bench.deliver()
  await expect.poll(() => bench.received, patience).toEqual(['a2'])
  expect(await bench.outbox()).toMatchObject([
    { given_up: true, delivered: false, last_error: 'the receiver answered 500' },
    {},
  ])
  expect(bench.log.join('')).toContain('webhooks given up after 24 hours')
})

test('delivered messages are pruned after a while, except those of conversations that are still open', async () => {
  await using bench = await startBench()
  for (const id of ['a', 'b', 'c']) await bench.write(id, 1, 1)
  await sql`update etl.webhook_outbox set created_at = now() - interval '80 hours', delivered_at = now() - interval '79 hours' where conversation_id <> 'c'`.execute(
    bench.warehouse.db,
  )
  await sql`insert into genesys.live_conversations (conversation_id, conversation_start, state, participants, snapshot_at) values ('b', now(), 'waiting', 1, now())`.execute(
    bench.warehouse.db,
  )
  bench.deliver()
  await expect.poll(async () => (await bench.outbox()).map((row) => row.conversation_id), patience).toEqual(['b', 'c'])
})

test.each([
  ['is not base64', `${secret}!`, 'not base64'],
  ['is shorter than 24 bytes', Buffer.alloc(23, 7).toString('base64'), 'one has 23'],
  ['is short and has a prefix', `whsec_${Buffer.alloc(16, 7).toString('base64')}`, 'one has 16'],
  ['is a good one followed by a short one', `${secret},c2hvcnQ=`, 'one has 5'],
  ['is one of three', `${secret} ${secret} ${secret}`, 'two during a rotation'],
  ['is only a comma', ',', 'one secret'],
])('a secret that %s is refused at the start, without showing it', async (_name, bad, problem) => {
  await using bench = await startBench()
  expect(() => bench.deliver({ secret: bad })).toThrow(/^WEBHOOK_SECRET: /)
  expect(() => bench.deliver({ secret: bad })).toThrow(problem)
  expect(() => bench.deliver({ secret: bad })).not.toThrow(secret)
})

test.each([' ', ', ', ','])('two secrets, separated by %j, both sign each message', async (separator) => {
  await using bench = await startBench()
  const old = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  await bench.write('a', 1, 1)
  bench.deliver({ secret: `${secret}${separator}${old}` })
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  const [request] = bench.receiver.requests
  const headers = request?.headers as Record<string, string>
  for (const each of [secret, old]) expect(() => new Webhook(each).verify(request?.body ?? '', headers)).not.toThrow()
  expect(headers['webhook-signature']?.split(' ')).toHaveLength(2)
})

test('410 ends the deliveries until the service is restarted, and the status shows why', async () => {
  await using bench = await startBench()
  for (const id of ['a', 'b']) await bench.write(id, 1, 2)
  await sql`update etl.webhook_outbox set created_at = now() - interval '2 hours'`.execute(bench.warehouse.db)
  bench.answer = () => 410
  const delivery = bench.deliver()
  await expect
    .poll(async () => (await bench.outbox()).filter((row) => row.last_error?.includes('410')).length, patience)
    .toBe(4)
  const attempts = bench.received.length
  expect(attempts).toBeLessThanOrEqual(2)
  bench.answer = () => 200
  await bench.write('c', 1, 1)
  delivery.wake()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(bench.received).toHaveLength(attempts)
  const { lastError, pending, isStopped } = await selectDeliveries(bench.warehouse.db)
  expect({ lastError, pending, isStopped }).toEqual({
    isStopped: true,
    lastError: 'the receiver answered 410 (Gone): deliveries stop until the service is restarted',
    pending: 5,
  })
  expect(bench.log.filter((line) => line.includes('deliveries stop'))).toHaveLength(1)
  bench.deliver()
  await expect.poll(() => undelivered(bench), patience).toBe(0)
  expect((await selectDeliveries(bench.warehouse.db)).isStopped).toBe(false)
})

test('snapshots write the events of the rules, once, and a dead receiver delays none', async () => {
  await using bench = await startBench()
  await using org = await startLiveOrg()
  bench.answer = () => 0
  const delivery = bench.deliver({ warehouse: org.warehouse, waits: { ...quick, timeoutMs: 60_000 } })
  const job = org.job({ events: eventRules('waiting', 'interacting', 'ended', 'waiting>1s') })
  org.begin('a')
  await job.tick(never)
  org.begin('b', { start: Date.now() - 60_000 })
  org.change('a', 'interacting')
  expect(await job.tick(never)).toMatchObject({ messages: 3 })
  delivery.wake()
  await expect.poll(() => bench.received.length, patience).toBeGreaterThan(0)
  org.end('a')
  await job.tick(never)
  await job.tick(never)
  const { rows } = await sql<{ what: string }>`
    select event || ' ' || conversation_id as what from etl.webhook_outbox order by id`.execute(org.warehouse.db)
  // The first snapshot ever reports nothing; the wait that is too long is reported once, however often it is seen.
  expect(rows.map(({ what }) => what)).toEqual(['interacting a', 'waiting b', 'waiting>1s b', 'ended a'])
  // The receiver has not answered any of them yet.
  const { rows: sent } =
    await sql`select from etl.webhook_outbox where delivered_at is not null or last_error is not null`.execute(
      org.warehouse.db,
    )
  expect(sent).toEqual([])
  await bench.receiver.close()
})

test('a snapshot that cannot be written sends nothing', async () => {
  await using org = await startLiveOrg()
  const job = org.job({ events: eventRules('waiting') })
  await job.tick(never)
  org.begin('a')
  await sql`alter table genesys.live_queues add constraint broken check (waiting < 0) not valid`.execute(
    org.warehouse.db,
  )
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'DATABASE_ERROR' })
  const { rows } = await sql`select from etl.webhook_outbox`.execute(org.warehouse.db)
  expect(rows).toEqual([])
  expect(await org.table()).toEqual({})
  await sql`alter table genesys.live_queues drop constraint broken`.execute(org.warehouse.db)
  expect(await job.tick(never)).toMatchObject({ messages: 1 })
})
