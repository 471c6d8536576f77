/** A simulated organization, a database of its own, and the history job between them, all in this process. */
import { createGenesysClient } from '../../src/genesys/client.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import type { ReadWindowOptions } from '../../src/history/read-window.ts'
import { type HistoryDependencies, type HistorySettings, type SyncPart } from '../../src/history/context.ts'
import { selectCovered } from '../../src/history/coverage.ts'
import { type HistoryRequest } from '../../src/history/context.ts'
import { runHistory, type HistorySummary } from '../../src/history/sync.ts'
import type { ReconcileDependencies } from '../../src/reporting/reconcile.ts'
import { createLogger } from '../../src/log.ts'
import type { PersonalPolicy } from '../../src/model/personal.ts'
import { silentProgress } from '../../src/progress.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/server.ts'
import type { LoggedRequest } from '../../src/simulator/contract.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { selectWindows, type WindowRecord } from '../../src/history/ledger.ts'
import { createTestDatabase } from './database.ts'
import { expectTablesEqualTruth, type Range } from './truth.ts'

/** The organization's fixed time; long ago, so that every day of it is over by the database's clock. */
export const orgNow = '2025-06-13T12:00:00.000Z'
/** The three UTC days that most tests load. */
export const threeDays: Range = { start: new Date('2025-06-10T00:00:00Z'), end: new Date('2025-06-13T00:00:00Z') }

export interface RunOverrides {
  readonly settings?: Partial<HistorySettings>
  readonly limits?: ReadWindowOptions['limits']
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Default: a sync has none. */
  readonly syncParts?: readonly SyncPart[]
}

export interface TestOrg extends AsyncDisposable {
  readonly org: Simulator
  readonly databaseUrl: string
  readonly warehouse: Warehouse
  /** The lines that the job writes to its log. */
  readonly log: readonly string[]
  dependencies(overrides?: RunOverrides): HistoryDependencies & ReconcileDependencies & AsyncDisposable
  run(request: HistoryRequest, overrides?: RunOverrides): Promise<HistorySummary>
  /** Backfills the range, by default three days. */
  backfill(range?: Range, overrides?: RunOverrides & { readonly reload?: boolean }): Promise<HistorySummary>
  expectEqual(range?: Range, options?: { readonly gone?: readonly string[] }): Promise<void>
  windows(): Promise<Pick<WindowRecord, 'start' | 'end' | 'status' | 'attempts' | 'errorCode'>[]>
  /** The windows that are done, as `2025-06-10`, or with both ends where they are not whole days. */
  doneDays(): Promise<string[]>
}

/** Starts an organization with 3 days of 120 conversations, a fifth of them malformed in some way, and a database for it. */
export async function startTestOrg(options: SimulatorOptions = {}): Promise<TestOrg> {
  await using stack = new AsyncDisposableStack()
  const org = stack.use(await startOrg(options))
  const test = stack.use(await connectTestOrg(org))
  const resources = stack.move()
  return { ...test, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

/** Starts the organization of these tests without a database. */
export async function startOrg(options: SimulatorOptions = {}): Promise<Simulator> {
  return await startSimulator({
    seed: 11,
    now: orgNow,
    days: 3,
    perDay: 120,
    exactPerDay: true,
    malformedShare: 0.2,
    rateLimit: { requestsPerMinute: Number.POSITIVE_INFINITY },
    ...options,
  })
}

/** Makes a new database for an organization that outlives it, or uses the given one, which outlives the connections. */
export async function connectTestOrg(
  org: Simulator,
  given?: { readonly url: string },
  personalPolicy?: PersonalPolicy,
): Promise<TestOrg> {
  await using stack = new AsyncDisposableStack()
  const database = given ?? stack.use(await createTestDatabase())
  const warehouse = stack.use(connect(database.url, personalPolicy && { personalPolicy }))
  const log: string[] = []
  const logger = createLogger('debug', { write: (line: string) => log.push(line) } as unknown as NodeJS.WritableStream)
  const resources = stack.move()

  function dependencies({ settings, limits, timeoutMs = 5000, syncParts = [] }: RunOverrides = {}) {
    const limiter = createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY })
    const genesys = createGenesysClient({
      apiUrl: org.url,
      loginUrl: org.url,
      credentials: { clientId: org.clientId, clientSecret: org.clientSecret },
      limiter,
      logger,
      timeoutMs,
      backoff: { baseMs: 2, ceilingMs: 20 },
      proxyEnv: {},
    })
    return {
      genesys,
      warehouse,
      logger,
      progress: silentProgress,
      history: {
        lookbackDays: 3,
        deepLookbackDays: 30,
        settleDays: 4,
        start: null,
        filter: {},
        concurrency: 4,
        requestsPerMinute: 300,
        ...(limits && { limits }),
        ...settings,
      },
      syncParts,
      readCovered: (now: Date) => selectCovered(warehouse.db, { filter: settings?.filter ?? {} }, now),
      [Symbol.asyncDispose]: async () => genesys.close(),
    }
  }
  async function run(request: HistoryRequest, overrides: RunOverrides = {}): Promise<HistorySummary> {
    await using given = dependencies(overrides)
    return await runHistory(given, request, 'manual', overrides.signal ?? new AbortController().signal)
  }
  const windows = async () =>
    (await selectWindows(warehouse.db, { stream: 'conversations', filter: {} })).map(
      ({ start, end, status, attempts, errorCode }) => ({ start, end, status, attempts, errorCode }),
    )
  return {
    org,
    databaseUrl: database.url,
    warehouse,
    log,
    dependencies,
    run,
    windows,
    backfill: (range = threeDays, { reload = false, ...overrides } = {}) =>
      run({ job: 'backfill', range, reload }, overrides),
    expectEqual: (range = threeDays, compared = {}) => expectTablesEqualTruth(warehouse, org, range, compared),
    doneDays: async () =>
      (await windows()).flatMap(({ start, end, status }) => (status === 'done' ? [label(start, end)] : [])),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

function label(start: Date, end: Date): string {
  const day = start.toISOString().slice(0, 10)
  const isWhole = +start === Date.parse(`${day}T00:00:00Z`) && +end - +start === 86_400_000
  return isWhole ? day : `${start.toISOString()}/${end.toISOString()}`
}

/** The days of the details requests for whole pages, without estimates. */
export function pagesAsked(requests: readonly LoggedRequest[]): string[] {
  return requests
    .filter(({ endpoint, pageSize }) => endpoint === 'details' && pageSize !== 1)
    .map(({ interval = '' }) => interval.slice(0, 10))
}
