/** An in-memory organization behind real HTTP, whose open conversations begin and end while they are being read. */
import { createGenesysClient } from '../../src/genesys/client.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { createLiveJob, type LiveJob } from '../../src/live/snapshot-job.ts'
import type { LiveDependencies, LiveSettings } from '../../src/live/take-snapshot.ts'
import { parseEventRule, type EventRule } from '../../src/live/transitions.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { expect } from 'vitest'
import { createTestDatabase } from './database.ts'
import { json, startFakeServer, type ReceivedRequest } from './fake-server.ts'

type Json = Record<string, unknown>

/** A conversation as the organization has it. */
export interface Held {
  readonly id: string
  readonly start: number
  state: State
  queueId: string
  record: Json
  /** Open, ended with open after-call work, ended, or not shown. */
  phase: 'open' | 'acw' | 'ended' | 'hidden'
}

export interface LiveOrg extends AsyncDisposable {
  readonly url: string
  readonly warehouse: Warehouse
  readonly databaseUrl: string
  readonly client: GenesysClient
  readonly held: Map<string, Held>
  /** Requests to the API since the last reset, as `details 3`, `older 1`, `by-id 50`, `acw 1`, `activity 1`, `aggregates`, or their path. */
  readonly requests: string[]
  readonly log: readonly string[]
  latencyMs: number
  /** How far the clock of the jobs is ahead, in milliseconds. */
  aheadMs: number
  /** Answers a request instead of the organization; true: it has. */
  interfere: ((request: ReceivedRequest, what: string) => unknown) | null
  /** A new conversation; it starts now by default. */
  begin(id: string, fields?: { readonly start?: number; readonly state?: State; readonly queueId?: string }): Held
  change(id: string, state: State): void
  end(id: string): void
  job(settings?: Partial<LiveSettings>, more?: Partial<LiveDependencies>): LiveJob
  /** The rows of genesys.live_conversations, id → state. */
  table(): Promise<Record<string, string>>
}

export type State = 'ivr' | 'waiting' | 'interacting' | 'hold' | 'parked'

/** The metric that the conversation activity lists for each state; the other states are no work in a queue. */
const ACTIVITY_METRICS: Partial<Record<State, string>> = {
  waiting: 'oWaiting',
  interacting: 'oInteracting',
  hold: 'oInteracting',
}

/** Rules of WEBHOOK_EVENTS from their texts. */
export const eventRules = (...texts: readonly string[]): EventRule[] =>
  texts.map((text) => parseEventRule(text) ?? expect.fail(`no rule: ${text}`))

const iso = (at: number): string => new Date(at).toISOString()

/** Starts it with its own database. */
export async function startLiveOrg(options: { readonly requestsPerMinute?: number } = {}): Promise<LiveOrg> {
  await using stack = new AsyncDisposableStack()
  const held = new Map<string, Held>()
  const requests: string[] = []
  const log: string[] = []

  const server = stack.use(
    await startFakeServer(async (request) => {
      const url = new URL(request.url, 'http://org')
      if (url.pathname === '/oauth/token')
        return json(request, { access_token: 'a', token_type: 'bearer', expires_in: 86_399 })
      const query = url.pathname.endsWith('/details/query') ? (JSON.parse(request.body) as Query) : null
      const ids = (url.searchParams.get('id') ?? '').split(',')
      const what = query ? `${kindOf(query)} ${query.paging.pageNumber}` : nameOf(url, ids)
      requests.push(what)
      if (org.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, org.latencyMs))
      if ((await org.interfere?.(request, what)) === true) return undefined
      return json(request, answer(url, query, ids))
    }),
  )
  const database = stack.use(await createTestDatabase())
  const warehouse = stack.use(connect(database.url))
  const logger = createLogger('debug', { write: (line: string) => log.push(line) } as unknown as NodeJS.WritableStream)
  const client = createGenesysClient({
    apiUrl: server.url,
    loginUrl: server.url,
    credentials: { clientId: 'id', clientSecret: 'secret' },
    limiter: createRateLimiter({ requestsPerMinute: options.requestsPerMinute ?? Number.POSITIVE_INFINITY }),
    logger,
    backoff: { baseMs: 1, ceilingMs: 4 },
    timeoutMs: 10_000,
    proxyEnv: {},
  })
  stack.defer(() => client.close())

  function answer(url: URL, query: Query | null, ids: readonly string[]): unknown {
    if (query) {
      const wanted = kindOf(query) === 'acw' ? 'acw' : 'open'
      const [from = 0, to = 0] = query.interval.split('/').map((text) => Date.parse(text))
      const found = [...held.values()].filter(
        ({ phase, start }) => phase === wanted && start < to && start >= startOfDay(from),
      )
      const { pageSize, pageNumber } = query.paging
      const page = found.slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
      return { ...(page.length > 0 && { conversations: page.map(({ record }) => record) }), totalHits: found.length }
    }
    if (url.pathname.endsWith('/conversations/activity/query')) return activityPage(url)
    if (url.pathname === '/api/v2/analytics/conversations/details')
      return {
        conversations: ids.flatMap((id) => {
          const each = held.get(id)
          return each && each.phase !== 'hidden' ? [each.record] : []
        }),
      }
    if (url.pathname.endsWith('/aggregates/query')) return { results: [] }
    if (url.pathname === '/api/v2/organizations/me') return { id: 'org-1', name: 'Test' }
    if (url.pathname === '/api/v2/routing/queues') return { entities: [{ id: 'q1' }, { id: 'q2' }], pageCount: 1 }
    if (url.pathname.endsWith('/queues/observations/query'))
      return {
        results: [
          {
            group: { queueId: 'q1' },
            data: [
              { metric: 'oOnQueueUsers', qualifier: 'IDLE', stats: { count: 2 } },
              { metric: 'oOnQueueUsers', qualifier: 'INTERACTING', stats: { count: 3 } },
              { metric: 'oOffQueueUsers', stats: { count: 7 } },
            ],
          },
        ],
      }
    return {}
  }

  /** One group per queue, with its conversations. */
  function activityPage(url: URL): unknown {
    const groups = new Map<string, Held[]>()
    for (const each of held.values()) {
      if (each.phase !== 'open' || ACTIVITY_METRICS[each.state] === undefined) continue
      groups.set(each.queueId, [...(groups.get(each.queueId) ?? []), each])
    }
    const [size, number] = ['pageSize', 'pageNumber'].map((name) => Number(url.searchParams.get(name)))
    const page = [...groups].slice(((number ?? 1) - 1) * (size ?? 25), (number ?? 1) * (size ?? 25))
    if (page.length === 0) return {}
    return {
      results: page.map(([queueId, members]) => ({
        group: { queueId, mediaType: 'voice' },
        data: [],
        entities: members.map(({ id, state, start }) => ({
          activityDate: iso(start),
          metric: ACTIVITY_METRICS[state],
          conversationId: id,
          sessionId: `${id}-q`,
          mediaType: 'voice',
          queueId,
        })),
      })),
    }
  }

  const resources = stack.move()
  const org: LiveOrg = {
    url: server.url,
    warehouse,
    databaseUrl: database.url,
    client,
    held,
    requests,
    log,
    latencyMs: 0,
    aheadMs: 0,
    interfere: null,
    begin(id, { start = Date.now(), state = 'waiting', queueId = 'q1' } = {}) {
      const record = recordOf(id, start, state, queueId)
      const conversation: Held = { id, start, state, queueId, phase: 'open', record }
      held.set(id, conversation)
      return conversation
    },
    change(id, state) {
      const each = held.get(id)
      if (!each) return
      each.state = state
      each.record = recordOf(id, each.start, state, each.queueId)
    },
    end(id) {
      const each = held.get(id)
      if (!each) return
      each.phase = 'ended'
      each.record = { ...recordOf(id, each.start, 'interacting', 'q1', Date.now()), conversationEnd: iso(Date.now()) }
    },
    job: (settings = {}, more = {}) =>
      createLiveJob({
        genesys: client,
        warehouse,
        logger,
        elapsedMs: () => performance.now() + org.aheadMs,
        live: {
          source: 'analytics',
          requestsPerMinute: 1_000_000,
          retentionHours: 72,
          historyFilter: {},
          events: [],
          ...settings,
        },
        ...more,
      }),
    async table() {
      const rows = await warehouse.db
        .selectFrom('genesys.live_conversations')
        .select(['conversation_id', 'state'])
        .execute()
      return Object.fromEntries(rows.map((row) => [row.conversation_id, row.state]))
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
  return org
}

interface Query {
  readonly interval: string
  readonly paging: { readonly pageSize: number; readonly pageNumber: number }
  readonly segmentFilters?: unknown
}

/** `details` is the query for what started within a day; those for earlier starts are `older`. */
function kindOf(query: Query): 'acw' | 'details' | 'older' {
  if (query.segmentFilters) return 'acw'
  return Date.parse(query.interval.split('/')[1] ?? '') < Date.now() ? 'older' : 'details'
}

function nameOf(url: URL, ids: readonly string[]): string {
  if (url.pathname.endsWith('/aggregates/query')) return 'aggregates'
  if (url.pathname.endsWith('/activity/query')) return `activity ${url.searchParams.get('pageNumber')}`
  return url.searchParams.has('id') ? `by-id ${ids.length}` : url.pathname
}

function startOfDay(at: number): number {
  return Math.floor(at / 86_400_000) * 86_400_000
}

/** A record of the size of a real one: customer, menu, queue and agent. */
function recordOf(id: string, start: number, state: State, queueId: string, end?: number): Json {
  const segment = (type: string, from: number, to?: number, fields: Json = {}): Json => ({
    conference: false,
    segmentType: type,
    segmentStart: iso(start + from),
    ...(to !== undefined && { segmentEnd: iso(Math.max(start + from, Math.min(start + to, end ?? Infinity))) }),
    ...fields,
  })
  const open = end === undefined ? undefined : end - start
  const session = (name: string, segments: Json[]): Json => ({
    sessionId: `${id}-${name}`,
    mediaType: 'voice',
    direction: 'inbound',
    ani: 'tel:+15550100',
    dnis: 'tel:+15550101',
    provider: 'Edge',
    segments,
    metrics: [{ name: 'nConnected', value: 1, emitDate: iso(start) }],
  })
  const late = state !== 'ivr'
  const answered = state === 'interacting' || state === 'hold' || state === 'parked'
  return {
    conversationId: id,
    conversationStart: iso(start),
    divisionIds: ['d1'],
    originatingDirection: 'inbound',
    participants: [
      { participantId: `${id}-c`, purpose: 'customer', participantName: 'Jane Doe', sessions: [session('c', [segment('interact', 0, open)])] },
      { participantId: `${id}-i`, purpose: 'ivr', sessions: [session('i', [segment('ivr', 1, late ? 2 : open)])] },
      ...(late
        ? [{ participantId: `${id}-q`, purpose: 'acd', sessions: [session('q', [segment('interact', 2, answered ? 3 : open, { queueId })])] }]
        : []),
      ...(answered
        ? [
            {
              participantId: `${id}-a`,
              purpose: 'agent',
              userId: 'u1',
              sessions: [session('a', [segment('alert', 2, 3, { queueId }), segment(state === 'interacting' ? 'interact' : state, 3, open, { queueId })])],
            },
          ]
        : []),
    ],
  } // prettier-ignore
}
