/** Where the routes get what they show: the books, the live tables, the running process. */
import type { StatusDocument } from '../monitoring/status.ts'
import type { Logger } from '../log.ts'
import type { Metrics, ProcessState } from '../metrics.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { selectWallboard, type Wallboard } from '../live/wallboard.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { createNames, type Names } from '../live/names.ts'
import { remember } from './remember.ts'
import type { RouteDependencies } from './routes.ts'
import type { LiveView, ServiceStatus } from './service-status.ts'
import { reasonOf, within } from './within.ts'

export interface SourceOptions {
  readonly logger: Logger
  readonly token: string | null
  readonly warehouse: Warehouse
  readonly metrics: Metrics
  readonly readStatus: () => Promise<StatusDocument>
  readonly process: () => ProcessState
  readonly isLiveOn: boolean
  /** From this age on live data is stale. */
  readonly liveStaleSeconds: number
  /** Viewers within this time see the same reading. */
  readonly keepMs?: number
  readonly names?: Names
}

/** What takes longer is taken for no answer: a page that says so is worth more than one that waits. */
const ANSWER_WITHIN_MS = 6_000

/** The dependencies of the routes. Readings are shared between viewers, and never wait for a database that hangs. */
export function createSources(options: SourceOptions): RouteDependencies {
  const { logger, warehouse, metrics, isLiveOn, liveStaleSeconds, keepMs = 1_500 } = options
  const names = options.names ?? createNames(warehouse.db, () => performance.now())
  const readDocument = remember(() => told('reading the status', options.readStatus), keepMs)
  const readBoard = remember(() => told('reading the live tables', () => selectWallboard(warehouse.db)), keepMs)
  let wasReadable = true

  async function status(): Promise<ServiceStatus> {
    const rest = { process: options.process(), isLiveOn }
    try {
      const document = await within(ANSWER_WITHIN_MS, readDocument())
      wasReadable = true
      return { at: document.at, document, reason: null, ...rest }
    } catch (error) {
      // once, not for each viewer every few seconds
      if (wasReadable) logger.warn({ err: error }, 'the status could not be read')
      wasReadable = false
      return { at: new Date(), document: null, reason: reasonOf(error), ...rest }
    }
  }

  async function live(): Promise<LiveView> {
    const { document, reason } = await status()
    const rest = { staleSeconds: liveStaleSeconds, isLiveOn, live: document?.live ?? null }
    if (document === null) return { at: new Date(), board: null, reason, nameOf: () => undefined, ...rest }
    try {
      const board = await within(ANSWER_WITHIN_MS, readBoard())
      return { at: board.now, board, reason: null, nameOf: await names.resolve(idsOf(board)), ...rest }
    } catch (error) {
      logger.warn({ err: error }, 'the live tables could not be read')
      return { at: new Date(), board: null, reason: reasonOf(error), nameOf: () => undefined, ...rest }
    }
  }

  return {
    logger,
    token: options.token,
    ready: () => told('reading its migrations', () => requireCurrentSchema(warehouse.db)),
    status,
    live,
    async metrics() {
      const { document, process } = await status()
      metrics.setProcess(process)
      metrics.setStatus(document)
      return { text: await metrics.text(), contentType: metrics.contentType }
    },
  }
}

function idsOf({ queues, agents }: Wallboard): Parameters<Names['resolve']>[0] {
  const ofAgents = agents.map(({ queueId }) => queueId).filter((id) => id !== null)
  return { queue: [...queues.map(({ queueId }) => queueId), ...ofAgents], user: agents.map(({ userId }) => userId) }
}

async function told<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw toEtlError(error, doing)
  }
}
