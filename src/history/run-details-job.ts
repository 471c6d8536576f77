/**
 * One details job, from its submission to its last page: resumed where a process has died, submitted again where Genesys gives it up,
 * deleted when its window is recorded.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type PQueue from 'p-queue'
import { backoffMs } from '../backoff.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient, RequestOptions } from '../genesys/client.ts'
import {
  deleteDetailsJob,
  isJobLimit,
  readJobStatus,
  submitDetailsJob,
  type JobQuery,
  type DetailsJobState,
} from '../genesys/details-jobs.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import { GenesysError } from '../genesys/errors.ts'
import type { Logger } from '../log.ts'
import { formatWindow, type Interval } from '../model/interval.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Progress } from '../progress.ts'
import type { Run } from '../runs/run-history.ts'
import { deleteJob, insertJob, selectJob, type StoredJob } from './job-store.ts'
import type { WindowKey } from './ledger.ts'

export interface JobTiming {
  /** The wait before the second look at a job's state. Each wait is half as long again as the one before. */
  readonly firstPollMs: number
  readonly longestPollMs: number
  /** From the submission, or from when it was resumed, until the results are there. */
  readonly deadlineMs: number
}

/** Jobs take from seconds to many minutes. */
const DEFAULT_TIMING: JobTiming = { firstPollMs: 1000, longestPollMs: 60_000, deadlineMs: 2 * 3_600_000 }
const POLL_GROWTH = 1.5
/** How often a window's job is submitted in one run. */
const MOST_SUBMISSIONS = 3

/** What the jobs of one run share. */
export interface JobsContext {
  readonly timing?: JobTiming | undefined
  /** Up to when the data of jobs were complete when the run began, by the clock of Genesys. */
  readonly availableUntil: Date
  /** Whether a window is read by query where Genesys refuses to take a job. */
  readonly isOptional: boolean
  /** Bounds how many jobs there are at once. */
  readonly jobs: PQueue
  /** Bounds how many results are read at once, since a page of them is large. */
  readonly reads: PQueue
}

/** What a job needs of its run. */
export interface DetailsJobDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly progress: Progress
  readonly history: { readonly filter: DetailsFilter }
  readonly key: WindowKey
  readonly run: Run
  readonly clock: DatabaseClock
  readonly signal: AbortSignal
}

/** Genesys has given up a job, or no longer has it or its results. */
class JobGone extends Error {
  override readonly name = 'JobGone'
}

/**
 * Runs the job of a window until `read` has read its results. A job that Genesys gives up is submitted again, a few times.
 * @param resumeSince only a job that was submitted then or later is resumed; null: any
 * @returns what `read` returned, and the job, which is to be discarded when its window is recorded
 * @throws GenesysError; EtlError GENESYS_JOB_FAILED or GENESYS_JOB_LATE (retryable); what `read` throws
 */
export async function runDetailsJob<Result>(
  context: DetailsJobDependencies & { readonly jobs: JobsContext },
  window: Interval,
  resumeSince: Date | null,
  read: (job: StoredJob) => Promise<Result>,
): Promise<{ result: Result; job: StoredJob }> {
  const { warehouse, key, logger, jobs, signal } = context
  const timing = jobs.timing ?? DEFAULT_TIMING
  let job = await selectJob(warehouse.db, key, window, resumeSince)
  if (job) logger.info({ window: formatWindow(window), jobId: job.jobId }, 'resuming a details job')
  for (let submissions = 0; ;) {
    if (!job) {
      job = await submit(context, window, timing)
      submissions++
    }
    try {
      await waitUntilFulfilled(context, job, window, timing)
      return { result: await read(job), job }
    } catch (error) {
      const reason = goneBecause(error)
      if (reason === null) throw error
      await discardJob(context, job)
      if (submissions >= MOST_SUBMISSIONS) throw failed(window, reason, submissions)
      logger.warn(
        { window: formatWindow(window), jobId: job.jobId, reason },
        'Genesys gave up a details job; submitting it again',
      )
      job = undefined
      await sleep(
        backoffMs(submissions + 1, { baseMs: timing.firstPollMs, ceilingMs: timing.longestPollMs }),
        undefined,
        { signal },
      )
    }
  }
}

/** Deletes a job at Genesys, and forgets it. Where that fails, a later run does it. */
export async function discardJob(
  { genesys, warehouse, logger, signal }: Pick<DetailsJobDependencies, 'genesys' | 'warehouse' | 'logger' | 'signal'>,
  { jobId }: Pick<StoredJob, 'jobId'>,
): Promise<void> {
  try {
    await deleteDetailsJob(genesys, jobId, { priority: 'history', signal })
  } catch (error) {
    if (signal.aborted || !(error instanceof GenesysError)) throw error
    logger.warn({ jobId, err: error }, 'a details job could not be deleted at Genesys; a later run tries again')
    return
  }
  await deleteJob(warehouse.db, jobId)
}

/** Submits a job, and stores its id at once. Waits while Genesys has too many jobs of the organization. */
async function submit(
  context: DetailsJobDependencies & { readonly jobs: JobsContext },
  window: Interval,
  timing: JobTiming,
): Promise<StoredJob> {
  const { genesys, progress, history, key, clock, jobs } = context
  const query: JobQuery = {
    interval: window,
    filter: history.filter,
    selects: key.stream === 'activity' ? 'active' : 'started',
  }
  const { availableUntil } = jobs
  const wait = createPolls(context, timing)
  for (;;) {
    try {
      const { jobId, sentAt } = await submitDetailsJob(genesys, query, optionsOf(context))
      const job = { jobId, submittedAt: new Date(clock.instantOf(sentAt)), availableUntil }
      await remember(context, window, job)
      progress.advance(1)
      return job
    } catch (error) {
      if (!isJobLimit(error)) throw error
      if (!(await wait()))
        throw late(window, 'Genesys takes no further job, because the organization has too many', error)
    }
  }
}

/** Stores a job that was submitted; where that fails, Genesys must not keep it. */
async function remember(context: DetailsJobDependencies, window: Interval, job: StoredJob): Promise<void> {
  const { genesys, warehouse, key, run } = context
  try {
    await insertJob(warehouse.db, { ...job, ...key, start: window.start, end: window.end, runId: run.id })
  } catch (error) {
    // the error of the database says more than one of the deletion
    await deleteDetailsJob(genesys, job.jobId, optionsOf(context)).catch(() => {})
    throw error
  }
}

/** @throws JobGone; EtlError GENESYS_JOB_LATE */
async function waitUntilFulfilled(
  context: DetailsJobDependencies,
  job: StoredJob,
  window: Interval,
  timing: JobTiming,
): Promise<void> {
  const { genesys, progress } = context
  const wait = createPolls(context, timing)
  for (;;) {
    const { state, reason } = await readJobStatus(genesys, job.jobId, optionsOf(context))
    progress.advance(1)
    if (state === 'FULFILLED') return
    if (GIVEN_UP.includes(state)) throw new JobGone([state, reason?.slice(0, 200)].filter(Boolean).join(': '))
    if (await wait()) continue
    await discardJob(context, job)
    throw late(window, `the job is still ${state} after ${Math.round(timing.deadlineMs / 60_000)} min`)
  }
}

const GIVEN_UP: readonly DetailsJobState[] = ['FAILED', 'CANCELLED', 'EXPIRED']

/** Waits longer each time; resolves to false where the deadline has passed. */
function createPolls(
  { signal }: Pick<DetailsJobDependencies, 'signal'>,
  { firstPollMs, longestPollMs, deadlineMs }: JobTiming,
): () => Promise<boolean> {
  const deadline = performance.now() + deadlineMs
  let waitMs = firstPollMs
  return async () => {
    if (performance.now() >= deadline) return false
    await sleep(waitMs, undefined, { signal })
    waitMs = Math.min(longestPollMs, waitMs * POLL_GROWTH)
    return true
  }
}

/** Why a job is gone; null for an error that says something else. */
function goneBecause(error: unknown): string | null {
  if (error instanceof JobGone) return error.message
  return error instanceof GenesysError && error.code === 'GENESYS_NOT_FOUND' && error.method === 'GET'
    ? 'Genesys does not have it any more'
    : null
}

function failed(window: Interval, reason: string, submissions: number): EtlError {
  return new EtlError(
    `Genesys gave up the details job of ${formatWindow(window)}, submitted ${submissions} times: ${reason}`,
    {
      code: 'GENESYS_JOB_FAILED',
      kind: 'retryable',
      hint: 'The next run submits it again. If it keeps failing, ask Genesys Cloud support, or read the days by query: backfill --source query.',
    },
  )
}

function late(window: Interval, reason: string, cause?: unknown): EtlError {
  return new EtlError(`No details job of ${formatWindow(window)} was finished in time: ${reason}`, {
    code: 'GENESYS_JOB_LATE',
    kind: 'retryable',
    hint: 'The next run tries again. See whether other programs of the organization use details jobs, too.',
    cause,
  })
}

function optionsOf({ signal }: Pick<DetailsJobDependencies, 'signal'>): RequestOptions {
  return { priority: 'history', signal }
}
