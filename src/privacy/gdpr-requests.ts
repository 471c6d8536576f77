/** Applies the completed deletions of Genesys here, each once. */
import { sql, type Kysely } from 'kysely'
import type { GenesysClient } from '../genesys/client.ts'
import { readGdprRequests, type GdprRequest } from '../genesys/gdpr-requests.ts'
import { refuseForeignOrganization } from '../loader/organization.ts'
import { normalizeAddress } from '../model/address.ts'
import type { Database, RunTrigger } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { anonymizeUser } from '../reference/store.ts'
import { runJob } from '../runs/run-job.ts'
import { completeErasures, erase, type EraseDependencies } from './erase.ts'
import { findPerson, isMostOfHistory, type PersonKeys } from './find-person.ts'

/**
 * What became of a request. `applied`: now, or, in a dry run, would be. `applied before`. `not completed`: Genesys is at it, or has failed.
 * `employee`: it names a user, whose conversations are those of customers and stay; the name and addresses in dim_users go, and do so again at
 * every later run, should a read have brought them back.
 * `unnamed`: it has nothing that conversations name. `too many`: it would erase so much that someone has to look at it. `nothing stored`: the
 * policy drops what it could be found by.
 */
type GdprOutcome =
  | 'applied'
  | 'applied before'
  | 'not completed'
  | 'employee'
  | 'unnamed'
  | 'too many'
  | 'nothing stored'

/** A request to delete and what became of it here; nothing of the person. */
export interface GdprResult {
  readonly requestId: string
  readonly status: string
  readonly outcome: GdprOutcome
  /** Conversations that it selects; 0 where none were looked for. */
  readonly conversations: number
}

export interface GdprDependencies extends EraseDependencies {
  readonly genesys: GenesysClient
}

interface GdprOptions {
  readonly dryRun: boolean
  readonly keepStatistics: boolean
  /** Whether a request is applied that selects a large part of all conversations. */
  readonly evenMany: boolean
  readonly osUser: string | null
}

/**
 * Reads the requests of the organization and applies its completed deletions that were not applied here, oldest first.
 * @throws EtlError FOREIGN_ORGANIZATION, JOB_ALREADY_RUNNING; GenesysError GENESYS_FORBIDDEN without the permission; a database error
 */
export async function applyGdprRequests(
  dependencies: GdprDependencies,
  options: GdprOptions,
  trigger: RunTrigger,
  signal: AbortSignal,
): Promise<GdprResult[]> {
  const apply = (applySignal: AbortSignal): Promise<GdprResult[]> => applyAll(dependencies, options, applySignal)
  if (options.dryRun) return await apply(signal)
  const request = { job: 'erase', trigger, parameters: { by: 'gdpr_request' } } as const
  const { results } = await runJob(dependencies, request, signal, async (_run, jobSignal) => {
    await completeErasures(dependencies, jobSignal)
    const results = await apply(jobSignal)
    return { results, counts: countOutcomes(results) }
  })
  return results
}

async function applyAll(
  dependencies: GdprDependencies,
  options: GdprOptions,
  signal: AbortSignal,
): Promise<GdprResult[]> {
  const { genesys, warehouse } = dependencies
  await refuseForeignOrganization(genesys, warehouse, signal)
  const requests = await readGdprRequests(genesys, { priority: 'history', signal })
  const known = await selectApplied(warehouse.db)
  const results: GdprResult[] = []
  for (const request of requests.filter(({ type }) => type === 'GDPR_DELETE').toReversed()) {
    const { outcome, conversations } = known.has(request.id)
      ? ({ outcome: 'applied before', conversations: 0 } as const)
      : await applyOne(dependencies, request, options, signal)
    results.push({ requestId: request.id, status: request.status, outcome, conversations })
  }
  return results
}

async function applyOne(
  dependencies: GdprDependencies,
  { id, status, subject }: GdprRequest,
  { dryRun, keepStatistics, evenMany, osUser }: GdprOptions,
  signal: AbortSignal,
): Promise<Pick<GdprResult, 'outcome' | 'conversations'>> {
  const none = (outcome: GdprOutcome) => ({ outcome, conversations: 0 })
  if (status !== 'COMPLETED') return none('not completed')
  const { warehouse, logger } = dependencies
  const keys: PersonKeys = {
    conversationIds: [],
    externalContactIds: subject.externalContactId === null ? [] : [subject.externalContactId],
    addresses: subject.addresses.filter((address) => normalizeAddress(address) !== ''),
  }
  if (subject.userId !== null && !dryRun) await forgetUser(dependencies, subject.userId)
  const count = keys.externalContactIds.length + keys.addresses.length
  if (count === 0) return none(subject.userId === null ? 'unnamed' : 'employee')
  if (warehouse.personalPolicy.customers === 'drop') return none('nothing stored')
  const traces = await findPerson(warehouse, keys, signal)
  const conversations = traces.conversationIds.size
  if (!evenMany && (await isMostOfHistory(warehouse.db, conversations))) {
    logger.warn(
      { request: id, conversations },
      'a request to Genesys selects too many conversations to be applied unseen',
    )
    return { outcome: 'too many', conversations }
  }
  if (dryRun) return { outcome: 'applied', conversations }
  const request = { traces, kind: 'gdpr_request', keys: count, keepStatistics, osUser, requestId: id } as const
  await erase(dependencies, request, signal)
  return { outcome: 'applied', conversations }
}

async function forgetUser({ warehouse, logger }: GdprDependencies, userId: string): Promise<void> {
  const isChanged = await recording('deleting what is stored of an employee', () => anonymizeUser(warehouse.db, userId))
  if (isChanged) logger.info({ userId }, 'deleted the name and addresses of an employee')
}

async function selectApplied(db: Kysely<Database>): Promise<ReadonlySet<string>> {
  const { rows } = await recording('reading which requests were applied', () =>
    sql<{ id: string }>`select request_id as id from etl.erasures where request_id is not null`.execute(db),
  )
  return new Set(rows.map(({ id }) => id))
}

function countOutcomes(results: readonly GdprResult[]): Record<string, number> {
  const counts: Record<string, number> = { requests: results.length }
  for (const { outcome, conversations } of results) {
    counts[outcome] = (counts[outcome] ?? 0) + 1
    counts['conversations'] = (counts['conversations'] ?? 0) + conversations
  }
  return counts
}
