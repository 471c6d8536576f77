/** Whether a run can use details jobs, and what they share. */
import PQueue from 'p-queue'
import { isJobRefusal, readJobAvailability, readJobLimit } from '../genesys/details-jobs.ts'
import type { HistoryDependencies, HistoryRequest } from './context.ts'
import { selectLeftJobs } from './job-store.ts'
import { discardJob, type JobsContext } from './run-details-job.ts'

/** More make nothing faster, since results are read within the request limit. */
const MOST_JOBS_AT_ONCE = 5
/** A page of results takes some 20 MB until it is loaded. */
const READS_AT_ONCE = 2

/** What jobs need of a run's dependencies. */
type Dependencies = Pick<HistoryDependencies, 'genesys' | 'warehouse' | 'logger' | 'history'>

/**
 * Up to when the data of jobs are complete, by the clock of Genesys. Null where the run does without jobs: none are configured, or
 * Genesys refuses them and they are not demanded.
 * @throws GenesysError, GENESYS_FORBIDDEN only where jobs are demanded
 */
export async function jobsAvailableUntil(
  dependencies: Dependencies,
  isDemanded: boolean,
  signal: AbortSignal,
): Promise<Date | null> {
  if (!dependencies.history.jobs) return null
  try {
    return await readJobAvailability(dependencies.genesys, { priority: 'history', signal })
  } catch (error) {
    if (isDemanded || !isJobRefusal(error)) throw error
    warnWithoutJobs(dependencies, error)
    return null
  }
}

const warned = new WeakSet<object>()

/** Warns, once per process and database, that jobs can't be used. */
export function warnWithoutJobs(
  { warehouse, logger }: Pick<Dependencies, 'warehouse' | 'logger'>,
  error: unknown,
): void {
  if (warned.has(warehouse)) return
  warned.add(warehouse)
  const { message, hint } = error as { message: string; hint?: string }
  logger.warn(
    { reason: message, hint },
    'details jobs are not permitted: conversations are read by query, without participant attributes, and what happens in old threads after the lookback is not seen',
  )
}

/**
 * What the jobs of a run share. No more than half of the jobs that the organization may have at once are ours.
 * @throws GenesysError
 */
export async function createJobsContext(
  { genesys, history }: Dependencies,
  given: Pick<JobsContext, 'availableUntil' | 'isOptional'>,
  signal: AbortSignal,
): Promise<JobsContext> {
  const limit = await readJobLimit(genesys, { priority: 'history', signal })
  const ours = limit === null ? MOST_JOBS_AT_ONCE : Math.max(1, Math.floor(limit / 2))
  return {
    ...given,
    timing: history.jobs?.timing,
    jobs: new PQueue({ concurrency: Math.min(MOST_JOBS_AT_ONCE, ours) }),
    reads: new PQueue({ concurrency: READS_AT_ONCE }),
  }
}

/**
 * What the jobs of a run share, where its windows need any; those that earlier processes have left at Genesys are deleted first.
 * @param availableUntil up to when the data of jobs are complete; null: no window is read by a job
 * @throws GenesysError or a database error
 */
export async function jobsOf(
  dependencies: Dependencies,
  request: HistoryRequest,
  availableUntil: Date | null,
  signal: AbortSignal,
): Promise<JobsContext | undefined> {
  if (request.job === 'intraday') return undefined
  await discardLeftJobs(dependencies, signal)
  if (availableUntil === null) return undefined
  const isOptional = request.job === 'backfill' && request.source === 'auto'
  return await createJobsContext(dependencies, { availableUntil, isOptional }, signal)
}

/** Deletes the jobs at Genesys that earlier processes have left behind. */
async function discardLeftJobs(dependencies: Dependencies, signal: AbortSignal): Promise<void> {
  if (!dependencies.history.jobs) return
  for (const jobId of await selectLeftJobs(dependencies.warehouse.db))
    await discardJob({ ...dependencies, signal }, { jobId })
}
