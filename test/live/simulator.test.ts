/** The live side against the simulated organization, whose conversations take the course of real ones. */
import { expect, test } from 'vitest'
import { readAnalytics } from '../../src/live/from-analytics.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { createGenesysClient } from '../../src/genesys/client.ts'
import type { Credentials } from '../../src/genesys/auth.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { createLiveJob, type LiveJob } from '../../src/live/snapshot-job.ts'
import type { LiveSettings } from '../../src/live/take-snapshot.ts'
import { createLogger } from '../../src/log.ts'
import { MALFORMED_KINDS, type MalformedKind } from '../../src/simulator/malformed-records.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/server.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createTestDatabase } from '../support/database.ts'

const never = new AbortController().signal

interface Setup extends AsyncDisposable {
  readonly org: Simulator
  readonly warehouse: Warehouse
  job(settings?: Partial<LiveSettings>, credentials?: Credentials): LiveJob
}

/** What begins in turn in the organization of these tests. */
const kinds = [
  'inboundCall', 'message', 'inboundCall', 'email', 'inboundCall', 'chat', 'inboundCall', 'requestedCallback', 'manualCall',
  'email', 'message', 'inboundCall', 'campaignCall', 'agentOwnedCallback', 'internalCall', 'previewCall',
] as const // prettier-ignore
const spoilings = Object.keys(MALFORMED_KINDS) as MalformedKind[]

/**
 * A conversation every minute from three hours before now to one hour after it, each fifth one spoiled in some way. An organization's own
 * conversations depend on the date and the hour; these are the same at whatever time the tests run.
 */
function beginBusyHours(org: Simulator, isSpoiled: boolean): void {
  const now = org.control.clock.now()
  for (let minute = -180; minute <= 60; minute++) {
    const number = minute + 180
    const spoiling = isSpoiled && number % 5 === 0 ? spoilings[(number / 5) % spoilings.length] : undefined
    org.control.changes.begin(kinds[number % kinds.length], now + minute * 60_000, spoiling)
  }
}

/** An organization whose clock stands at the present, with what `beginBusyHours` brings and no conversations of its own. */
async function start({ spoiled = true, ...options }: SimulatorOptions & { spoiled?: boolean } = {}): Promise<Setup> {
  await using stack = new AsyncDisposableStack()
  const org = stack.use(
    await startSimulator({
      seed: 5,
      days: 1,
      perDay: 0,
      rateLimit: { requestsPerMinute: Number.POSITIVE_INFINITY },
      now: Date.now(),
      ...options,
    }),
  )
  beginBusyHours(org, spoiled)
  const database = stack.use(await createTestDatabase())
  const warehouse = stack.use(connect(database.url))
  const resources = stack.move()
  return {
    org,
    warehouse,
    job(settings = {}, credentials = { clientId: org.clientId, clientSecret: org.clientSecret }) {
      const logger = createLogger('silent')
      const genesys = createGenesysClient({
        apiUrl: org.url,
        loginUrl: org.url,
        credentials,
        limiter: createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY }),
        logger,
        backoff: { baseMs: 1, ceilingMs: 4 },
        proxyEnv: {},
      })
      resources.defer(() => genesys.close())
      const live = {
        source: 'analytics',
        requestsPerMinute: 1e6,
        retentionHours: 72,
        historyFilter: {},
        events: [],
      } as const
      return createLiveJob({
        genesys,
        warehouse,
        logger,
        elapsedMs: () => performance.now(),
        live: { ...live, ...settings },
      })
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** What is open by the organization's own account, id → state. */
function truth(org: Simulator, now = new Date()): Map<string, string> {
  const open = new Map<string, string>()
  for (const record of org.truth() as JsonObject[]) {
    const reading = readAnalytics(record, now)
    if (reading.kind === 'open') open.set(reading.conversation.conversationId, reading.conversation.state)
  }
  return open
}

const table = async (warehouse: Warehouse): Promise<Map<string, string>> => {
  const rows = await warehouse.db
    .selectFrom('genesys.live_conversations')
    .select(['conversation_id', 'state'])
    .execute()
  return new Map(rows.map((row) => [row.conversation_id, row.state]))
}

test('the live table has exactly the open conversations, spoiled records included, while calls begin and end', async () => {
  await using setup = await start()
  const { org, warehouse } = setup
  const job = setup.job()
  const states = new Set<string>()
  const began = new Map<string, number>()
  for (let tick = 0; tick < 8; tick++) {
    const summary = await job.tick(never)
    const open = truth(org)
    expect(await table(warehouse)).toEqual(open)
    expect(summary?.conversations).toHaveLength(open.size)
    for (const state of open.values()) states.add(state)
    for (const id of open.keys()) if (!began.has(id)) began.set(id, tick)
    // Eight steps stay within the hour that a query reaches ahead.
    org.control.clock.advance(420_000)
  }
  expect([...states]).toEqual(expect.arrayContaining(['waiting', 'interacting', 'other', 'scheduled']))
  // Every conversation that has left the table has been loaded.
  const open = await table(warehouse)
  const gone = [...began].filter(([id, tick]) => tick < 6 && !open.has(id)).map(([id]) => id)
  expect(gone.length).toBeGreaterThan(3)
  const rows = await warehouse.db.selectFrom('genesys.conversations').select('conversation_id').execute()
  const loaded = new Set(rows.map((row) => row.conversation_id))
  expect(gone.filter((id) => !loaded.has(id))).toEqual([])
})

test('a call that ends is in the history within two ticks', async () => {
  await using setup = await start({ now: undefined })
  const { org, warehouse } = setup
  const id = org.control.changes.begin('inboundCall', Date.now() - 20_000)
  const job = setup.job()
  await job.tick(never)
  expect((await table(warehouse)).has(id)).toBe(true)
  org.control.changes.end(id)
  await job.tick(never)
  const found = await warehouse.db
    .selectFrom('genesys.conversations')
    .select(['conversation_end', '_source'])
    .where('conversation_id', '=', id)
    .execute()
  expect(found).toMatchObject([{ _source: 'query', conversation_end: expect.any(Date) as Date }])
  expect((await table(warehouse)).has(id)).toBe(false)
})

test('faults of the API never leave a part of a snapshot behind', async () => {
  await using setup = await start()
  const { org, warehouse } = setup
  const kinds = [
    '502-html',
    '503',
    'reset-before',
    'reset-in-body',
    'truncated',
    'html-200',
    'empty-200',
    '401',
  ] as const
  org.control.faults.add(...kinds.map((kind) => ({ kind, on: 'any', probability: 0.08 })))
  const job = setup.job()
  let taken = 0
  for (let tick = 0; tick < 5; tick++) {
    const before = await table(warehouse)
    const isTaken = await job.tick(never).then(
      () => true,
      () => false,
    )
    if (isTaken) taken++
    expect(await table(warehouse)).toEqual(isTaken ? truth(org) : before)
  }
  expect(taken).toBeGreaterThan(0)
})

test('the conversations of one user, with their token', async () => {
  await using setup = await start({ spoiled: false })
  const { org, warehouse } = setup
  const seen = await setup.job().tick(never)
  // An agent in after-call work may have nothing open any more; one who talks has.
  const userId = seen?.conversations.find((each) => each.state === 'interacting')?.userId ?? ''
  expect(userId).not.toBe('')
  const job = setup.job({ source: 'conversations' }, { accessToken: org.control.userToken(userId) })
  const summary = await job.tick(never)
  expect(summary?.conversations.length).toBeGreaterThan(0)
  for (const { conversationId, userIds, state } of summary?.conversations ?? []) {
    const asAnalytics = seen?.conversations.find((each) => each.conversationId === conversationId)
    if (asAnalytics) expect(state).toBe(asAnalytics.state)
    if (state === 'interacting' || state === 'hold') expect(userIds).toContain(userId)
  }
  expect((await table(warehouse)).size).toBe(summary?.conversations.length)
  const sources = await warehouse.db
    .selectFrom('genesys.live_snapshots')
    .select('source')
    .orderBy('snapshot_at')
    .execute()
  expect(sources.map(({ source }) => source)).toEqual(['analytics', 'conversations'])
})

test('conversations of one user with an OAuth client: the error names the setting to change, and the table stays', async () => {
  await using setup = await start()
  await setup.job().tick(never)
  const before = await table(setup.warehouse)
  await expect(setup.job({ source: 'conversations' }).tick(never)).rejects.toMatchObject({
    code: 'LIVE_NEEDS_USER',
    kind: 'config',
    hint: expect.stringContaining('LIVE_SOURCE=analytics') as string,
  })
  expect(await table(setup.warehouse)).toEqual(before)
})
