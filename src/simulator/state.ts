import { Changes } from './changes.ts'
import { createClock, type OrgClock } from './clock.ts'
import type { LoggedRequest, SimulatorControl, SimulatorOptions } from './contract.ts'
import type { ControlSettings } from './control-settings.ts'
import { DetailsJobs } from './details-jobs.ts'
import { createFaults } from './faults.ts'
import { GdprRequests } from './gdpr-requests.ts'
import { createGenerator, DAY_MS } from './generate.ts'
import { ALL_PERMISSIONS, createTokens, type OAuthClient } from './oauth.ts'
import { createOrg, type Org } from './org.ts'
import { createRandom } from './random.ts'
import { createRateLimit } from './rate-limit.ts'
import { ReferenceStore } from './reference-store.ts'
import { Selector, type PagingNoise } from './selection.ts'
import { ConversationStore, type Stored } from './store.ts'

/** What the parts of a running simulator share. */
export interface SimulatorState {
  readonly clock: OrgClock
  readonly org: Org
  readonly store: ConversationStore
  readonly reference: ReferenceStore
  readonly selector: Selector
  readonly changes: Changes
  readonly jobs: DetailsJobs
  readonly gdprRequests: GdprRequests
  readonly settings: ControlSettings
  readonly noise: PagingNoise
  /** How every answer is delayed, and by how much its Date header is wrong. */
  readonly timing: { latencyMs: number; dateSkewMs: number }
  readonly faults: ReturnType<typeof createFaults>
  readonly rateLimit: ReturnType<typeof createRateLimit>
  readonly requestsPerMinute: number
  readonly clients: Map<string, OAuthClient>
  readonly tokens: ReturnType<typeof createTokens>
  /** The client that the simulator starts with. */
  readonly firstClient: OAuthClient
  readonly addClient: SimulatorControl['addClient']
  readonly requests: LoggedRequest[]
  /** Milliseconds since the simulator started. */
  readonly elapsedMs: () => number
  readonly gzip: boolean
}

/** Makes the organization and everything that answers for it, but no server. */
export function createState(options: SimulatorOptions): SimulatorState {
  const seed = String(options.seed ?? 1)
  const clock = createClock(options.now, options.clockSpeed)
  const org = createOrg(seed)
  const generator = createGenerator(org, {
    seed,
    perDay: options.perDay ?? 200,
    exactPerDay: options.exactPerDay ?? false,
    busyHours: options.busyHours ?? false,
    utcOffsetHours: options.utcOffsetHours ?? 0,
    malformedShare: options.malformedShare ?? 0.03,
    reopenedShare: options.reopenedShare ?? 0.1,
    lateChanges: options.lateChanges,
  })
  const settings: ControlSettings = {
    paginationLimit: options.paginationLimit ?? 100_000,
    closingDelayMs: options.closingDelayMs ?? 0,
    nothingHappensAfter: Number.POSITIVE_INFINITY,
    maxPageSize: Number.POSITIVE_INFINITY,
    aggregateIntervalDays: options.aggregateIntervalDays ?? 366,
    aggregateCellLimit: options.aggregateCellLimit ?? 100_000,
    serviceLevelIncludesAbandons: true,
    serviceLevelIncludesShortAbandons: false,
    serviceLevelIncludesFlowOuts: false,
    dataLagMs: options.dataLagMs ?? 6 * 3_600_000,
    jobQueuedMs: 20,
    jobPendingMs: 60,
    jobsAtOnce: 10,
    jobLimitStatus: 429,
    jobPageSize: 10_000,
  }
  const firstDay = Math.floor(clock.now() / DAY_MS) - (options.days ?? 7)
  const happenings: OrgClock = { ...clock, now: () => Math.min(clock.now(), settings.nothingHappensAfter) }
  const store = new ConversationStore({ seed, generator, clock: happenings, firstDay, view: settings })
  const noise: PagingNoise = { totalHitsOffset: 0, totalHitsJitter: 0, duplicateShare: 0 }
  const faults = createFaults(seed)
  faults.add(...(options.faults ?? []))
  const clients = new Map<string, OAuthClient>()
  const addClient = clientFactory(clients, seed, options.tokenSeconds ?? 86_400)
  const started = performance.now()
  return {
    clock,
    org,
    store,
    reference: new ReferenceStore(org, seed),
    selector: new Selector(store, options.intervalReading ?? 'day', noise, options.precompute ?? false),
    changes: new Changes(store, generator, org, seed),
    jobs: new DetailsJobs(store, settings, clock),
    gdprRequests: new GdprRequests(),
    settings,
    noise,
    timing: { latencyMs: options.latencyMs ?? 0, dateSkewMs: 0 },
    faults,
    rateLimit: createRateLimit(options.rateLimit ?? {}),
    requestsPerMinute: options.rateLimit?.requestsPerMinute ?? 300,
    clients,
    tokens: createTokens(clients),
    firstClient: addClient(),
    addClient,
    requests: [],
    elapsedMs: () => performance.now() - started,
    gzip: options.gzip ?? true,
  }
}

function clientFactory(
  clients: Map<string, OAuthClient>,
  seed: string,
  tokenSeconds: number,
): SimulatorControl['addClient'] {
  const random = createRandom(`${seed}/clients`)
  return (fields = {}) => {
    const client: OAuthClient = {
      id: random.uuid(),
      secret: `simulated-${random.uuid()}`,
      name: 'genesys-etl',
      state: 'active',
      permissions: new Set(ALL_PERMISSIONS),
      divisions: '*',
      tokenSeconds,
      ...fields,
    }
    clients.set(client.id, client)
    return client
  }
}

/** The controls of a running simulator. */
export function createControl(state: SimulatorState): SimulatorControl {
  const {
    clock,
    store,
    faults,
    changes,
    jobs,
    gdprRequests,
    reference,
    clients,
    addClient,
    tokens,
    firstClient,
    settings,
    noise,
    timing,
  } = state
  return {
    clock: {
      now: clock.now,
      set: (instant) => {
        clock.set(instant)
        store.invalidate()
      },
      advance: (milliseconds) => {
        clock.advance(milliseconds)
        store.invalidate()
      },
    },
    faults,
    changes,
    jobs,
    gdprRequests,
    reference,
    clients,
    addClient,
    userToken: (userId) => tokens.issue(firstClient, userId),
    revokeTokens: () => tokens.revoke(),
    set: (given) => {
      for (const key of ['latencyMs', 'dateSkewMs'] as const) timing[key] = given[key] ?? timing[key]
      for (const key of ['totalHitsOffset', 'totalHitsJitter', 'duplicateShare'] as const)
        noise[key] = given[key] ?? noise[key]
      for (const key of Object.keys(settings) as (keyof ControlSettings)[])
        Object.assign(settings, { [key]: given[key] ?? settings[key] })
      store.invalidate()
    },
  }
}

/**
 * The conversations that the API shows now, in order of start.
 * @param day a UTC day (days since 1970); all days unless given
 */
export function visibleConversations(store: ConversationStore, day?: number): Stored[] {
  const { first, end } = store.days()
  const days = day === undefined ? Array.from({ length: end - first }, (_, index) => first + index) : [day]
  return days.flatMap((each) => store.day(each)).filter((stored) => store.show(stored) !== undefined)
}

/** Their JSON, as a complete details query gives it. */
export function truthLines(store: ConversationStore, day?: number): Buffer[] {
  return visibleConversations(store, day).flatMap((stored) => store.show(stored)?.bytes ?? [])
}
