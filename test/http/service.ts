import { createMetrics, type Metrics, type ProcessState } from '../../src/metrics.ts'
import { type JobState } from '../../src/schedule.ts'
import { createRoutes, type RouteDependencies } from '../../src/http/routes.ts'
import { createSources } from '../../src/http/sources.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { createLogger, type Logger } from '../../src/log.ts'
import { createNames } from '../../src/live/names.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'

export const TOKEN = 'a-token-of-some-length'
/** Of a clock that goes a day ahead with each reading, so that every page looks names up. */
let days = 0
const history = { filter: {}, lookbackDays: 7, start: null }

export function jobState(name: string, state: Partial<JobState> = {}): JobState {
  const nextRun = new Date(Date.now() + 60_000)
  return {
    name,
    running: false,
    nextRun,
    retryAt: null,
    overlaps: 0,
    failure: null,
    intervalMs: 60_000,
    stuckSince: null,
    ...state,
  }
}

/** The service's sources over a database, with the given state of the process. */
export function createTestSources(
  warehouse: Warehouse,
  options: {
    readonly token?: string | null
    readonly logger?: Logger
    readonly isLiveOn?: boolean
    readonly showPersonal?: boolean
    readonly metrics?: Metrics
    readonly process?: () => ProcessState
  } = {},
): RouteDependencies {
  const budget = { sent: 141, live: 22, waiting: 3, pausedForMs: 0, waitMs: 0, limit: 270 }
  return createSources({
    logger: options.logger ?? createLogger('silent'),
    token: options.token ?? null,
    warehouse,
    metrics: options.metrics ?? createMetrics(),
    readStatus: () => readStatus(warehouse, history),
    process: options.process ?? (() => ({ jobs: [jobState('sync'), jobState('intraday'), jobState('live')], budget })),
    isLiveOn: options.isLiveOn ?? true,
    liveStaleSeconds: 180,
    showPersonal: options.showPersonal ?? false,
    keepMs: 0,
    names: createNames(warehouse.db, () => (days += 86_400_000)),
  })
}

/** The routes, to be requested without a socket. */
export function createTestRoutes(...parameters: Parameters<typeof createTestSources>) {
  return createRoutes(createTestSources(...parameters))
}
