/** The job `reference`: reads the lists of reference data, one after the other. */
import { EtlError } from '../errors.ts'
import { type GenesysClient } from '../genesys/client.ts'
import { claimForOrganization } from '../loader/organization.ts'
import { type Logger } from '../log.ts'
import { referenceNames, type ReferenceName } from '../model/reference.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { recording } from '../postgres/errors.ts'
import { type RunTrigger } from '../runs/run-history.ts'
import { runJob } from '../runs/run-job.ts'
import { readEntity, type EntityContext } from './read-entity.ts'
import { recordAttempt, recordFailedRead, recordRead } from './store.ts'

export interface ReferenceDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
}

export interface ReferenceRequest {
  /** Which lists; all unless given. */
  readonly names?: readonly ReferenceName[]
  readonly trigger: RunTrigger
}

/** How one list ended. */
interface ReferenceResult {
  readonly name: ReferenceName
  /** Rows written, marks of deletion included. */
  readonly written: number
  /** Null: it was read completely. */
  readonly error: EtlError | null
}

export interface ReferenceSummary {
  readonly counts: { readonly lists: number; readonly failed: number; readonly written: number }
  readonly results: readonly ReferenceResult[]
}

/**
 * What is wrong with one list alone, so that the others are read all the same. Anything else, such as a refused login or an outage, ends
 * the run.
 */
const ERRORS_OF_ONE_LIST = new Set([
  'GENESYS_FORBIDDEN',
  'GENESYS_NOT_FOUND',
  'GENESYS_BAD_REQUEST',
  'GENESYS_BAD_ANSWER',
  'GENESYS_ANSWER_TOO_LARGE',
  'GENESYS_UNAVAILABLE',
  'GENESYS_TIMEOUT',
])

/**
 * Reads lists of reference data. One that cannot be read completely, for example for want of a permission, keeps what is known of it, is
 * recorded in etl.reference_reads with the reason, and stops nothing else.
 * @param onProgress called with each page of a list
 * @throws EtlError JOB_ALREADY_RUNNING; what makes every list fail
 */
export async function readReference(
  dependencies: ReferenceDependencies,
  { names = referenceNames, trigger }: ReferenceRequest,
  signal: AbortSignal,
  onProgress: () => void = () => {},
): Promise<ReferenceSummary> {
  const parameters = names.length === referenceNames.length ? {} : { lists: names }
  return await runJob(dependencies, { job: 'reference', trigger, parameters }, signal, async (_run, signal) => {
    await claimForOrganization(dependencies.genesys, dependencies.warehouse, signal)
    const results: ReferenceResult[] = []
    for (const name of names) {
      // made of the answers of the list of queues
      if (name === 'queue_service_levels') continue
      results.push(await readOne(dependencies, name, signal, onProgress))
    }
    const written = results.reduce((sum, result) => sum + result.written, 0)
    return { counts: { lists: results.length, failed: results.filter(({ error }) => error).length, written }, results }
  })
}

async function readOne(
  { genesys, warehouse, logger }: ReferenceDependencies,
  name: ReferenceName,
  signal: AbortSignal,
  onProgress: () => void,
): Promise<ReferenceResult> {
  const { db, personalPolicy: policy } = warehouse
  const context: EntityContext = { genesys, db, policy, options: { priority: 'history', signal }, onProgress }
  const recorded = name === 'queues' ? (['queues', 'queue_service_levels'] as const) : [name]
  const startedAt = await recording('recording a read', async () => {
    const attempts = await Promise.all(recorded.map((each) => recordAttempt(db, each)))
    return attempts[0]!
  })
  try {
    const written = await readEntity(context, name)
    await recording('recording a read', () => Promise.all(recorded.map((each) => recordRead(db, each, startedAt))))
    return { name, written, error: null }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof EtlError) || !error.code.startsWith('GENESYS_')) throw error
    const { code, message, hint = null } = error
    await recording('recording a failed read', () =>
      Promise.all(recorded.map((each) => recordFailedRead(db, each, { code, message, hint }))),
    )
    if (!ERRORS_OF_ONE_LIST.has(code)) throw error
    logger.warn(
      { list: name, code, reason: message, hint },
      'a list of reference data could not be read; what is known of it stays',
    )
    return { name, written: 0, error }
  }
}
