/** Where the routes get their data: the database, the live tables, the running process. */
import { EtlError } from '../errors.ts'
import { createNames, type Names } from '../live/names.ts'
import { selectWallboard, type Wallboard } from '../live/wallboard.ts'
import { type Logger } from '../log.ts'
import { type Metrics, type ProcessState } from '../metrics.ts'
import { type StatusDocument } from '../monitoring/status.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { createConversationSource } from './conversation-source.ts'
import { describeError, shareReads, withDatabaseTimeout } from './database-reads.ts'
import { createReportSources } from './report-sources.ts'
import { type RouteDependencies } from './routes.ts'
import { type LiveView, type ServiceStatus } from './service-status.ts'

export interface SourceOptions {
  readonly logger: Logger
  readonly token: string | null
  readonly warehouse: Warehouse
  readonly metrics: Metrics
  readonly readStatus: () => Promise<StatusDocument>
  readonly process: () => ProcessState
  readonly isLiveOn: boolean
  /** The age from which on live data is stale. */
  readonly liveStaleSeconds: number
  /** Whether the page of a conversation shows addresses and notes. */
  readonly showPersonal: boolean
  /** For how long viewers share one read. */
  readonly keepMs?: number
  readonly names?: Names
}

/** A page that reports a slow database is worth more than one that waits for it. */
const PAGE_TIMEOUT_MS = 6_000
const KEEP_MS = 1_500

/** The dependencies of the routes. Reads are shared between viewers and never wait for a database that hangs. */
export function createSources(options: SourceOptions): RouteDependencies {
  const { logger, token, warehouse, metrics, process, readStatus, keepMs = KEEP_MS } = options
  const readDocument = shareReads(() => describeFailure('reading the status', readStatus), keepMs)
  const status = createStatusSource(options, readDocument)
  return {
    logger,
    token,
    async ready() {
      await describeFailure('reading its migrations', () => requireCurrentSchema(warehouse.db))
      refuseStuckJobs(process())
    },
    status,
    live: createLiveSource(options, status),
    ...createReportSources({ logger, warehouse, keepMs }),
    ...createConversationSource({ logger, warehouse, keepMs, showPersonal: options.showPersonal }),
    async metrics() {
      const { document, process } = await status()
      metrics.setProcess(process)
      metrics.setStatus(document)
      return { text: await metrics.text(), contentType: metrics.contentType }
    },
  }
}

function createStatusSource(
  { logger, process, isLiveOn }: SourceOptions,
  readDocument: () => Promise<StatusDocument>,
): () => Promise<ServiceStatus> {
  let wasReadable = true
  return async () => {
    const service = { process: process(), isLiveOn }
    try {
      const document = await withDatabaseTimeout(PAGE_TIMEOUT_MS, readDocument())
      wasReadable = true
      return { at: document.at, document, reason: null, ...service }
    } catch (error) {
      // Once, not for each viewer every few seconds.
      if (wasReadable) logger.warn({ err: error }, 'the status could not be read')
      wasReadable = false
      return { at: new Date(), document: null, reason: describeError(error), ...service }
    }
  }
}

function createLiveSource(options: SourceOptions, status: () => Promise<ServiceStatus>): () => Promise<LiveView> {
  const { logger, warehouse, isLiveOn, liveStaleSeconds: staleSeconds, keepMs = KEEP_MS } = options
  const names = options.names ?? createNames(warehouse.db, () => performance.now())
  const readBoard = shareReads(
    () => describeFailure('reading the live tables', () => selectWallboard(warehouse.db)),
    keepMs,
  )
  const withoutBoard = { board: null, nameOf: () => undefined }
  return async () => {
    const { document, reason } = await status()
    const service = { staleSeconds, isLiveOn, live: document?.live ?? null }
    if (document === null) return { ...withoutBoard, at: new Date(), reason, ...service }
    try {
      const board = await withDatabaseTimeout(PAGE_TIMEOUT_MS, readBoard())
      return { at: board.now, board, reason: null, nameOf: await names.resolve(idsOf(board)), ...service }
    } catch (error) {
      logger.warn({ err: error }, 'the live tables could not be read')
      return { ...withoutBoard, at: new Date(), reason: describeError(error), ...service }
    }
  }
}

function idsOf({ queues, agents, today }: Wallboard): Parameters<Names['resolve']>[0] {
  const ofAgents = agents.map(({ queueId }) => queueId).filter((id) => id !== null)
  const ofToday = (today?.queues ?? []).map(({ queueId }) => queueId).filter((id) => id !== null)
  return {
    queue: [...queues.map(({ queueId }) => queueId), ...ofAgents, ...ofToday],
    user: agents.map(({ userId }) => userId),
  }
}

/** @throws EtlError JOB_STUCK if a run has shown no progress for longer than its job allows */
function refuseStuckJobs({ jobs }: ProcessState): void {
  const stuck = jobs.filter(({ stuckSince }) => stuckSince)
  if (stuck.length === 0) return
  const names = stuck.map(({ name, stuckSince }) => `${name} since ${stuckSince?.toISOString().slice(0, 16)}Z`)
  throw new EtlError(`No progress in a running job: ${names.join(', ')}`, {
    code: 'JOB_STUCK',
    kind: 'fatal',
    hint: 'Restart the service; the ledger resumes what is due.',
  })
}

async function describeFailure<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw toEtlError(error, doing)
  }
}
