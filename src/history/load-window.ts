/** One window: its pages from Genesys, its conversations into Postgres, its mark in the ledger; in that order. */
import { EtlError } from '../errors.ts'
import { isJobRefusal } from '../genesys/details-jobs.ts'
import { isFiltered } from '../genesys/details-query.ts'
import { holdsConversations } from '../loader/integrity.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch, type LoadOptions } from '../loader/load.ts'
import { ensurePartitions } from '../loader/partitions.ts'
import { CLOCK_TOLERANCE_MS, earlier, formatWindow, type Interval } from '../model/interval.ts'
import { clockJump } from '../postgres/clock.ts'
import type { WindowStatus } from '../postgres/database.ts'
import type { RunContext } from './context.ts'
import { warnWithoutJobs } from './jobs-context.ts'
import { recordWindow, type WindowKey, type WindowSource } from './ledger.ts'
import { readByJob } from './load-job.ts'
import { createLoadQueue, type LoadQueue } from './load-queue.ts'
import { checkMissing } from './missing-at-genesys.ts'
import { nextAttemptAt, statusAfterRead, type EstimatedWindow, type PlannedWindow } from './plan.ts'
import { readWindowWithProgress, type ReadOutcome } from './read-window.ts'
import type { JobsContext } from './run-details-job.ts'
import type { Instability } from './stability.ts'

/**
 * Conversations per transaction. 100 cost a tenth more CPU than 500, which take a fifth more memory (docs/performance.md).
 */
const BATCH_SIZE = 250

export interface LoadedWindow {
  readonly window: Interval
  readonly status: WindowStatus
  /** How it was read in the end. */
  readonly source: WindowSource
  readonly requests: number
  readonly counts: LoadCounts
  /** Why it is not known to be complete; undefined: it is. */
  readonly instability: Instability | undefined
  /** It had conversations, and now has none. */
  readonly isEmptied: boolean
}

/** What the windows of one run share. */
export interface WindowContext extends RunContext {
  readonly key: WindowKey
  /** What windows that are read by jobs need; absent: no window of the run is. */
  readonly jobs?: JobsContext | undefined
}

/** A window whose reading or loading failed. */
export interface WindowFailure {
  readonly window: Interval
  readonly error: unknown
}

/** What was read of a window, and loaded. */
interface WindowRead {
  readonly source: WindowSource
  readonly outcome: ReadOutcome
  readonly counts: LoadCounts
  /** As of when it is current; absent: now. */
  readonly asOf?: Date
  /** Deletes what Genesys keeps for the reading. */
  readonly discard?: () => Promise<void>
}

/**
 * Reads a window, loads it as its pages arrive, and marks it.
 * @throws GenesysError or a database error; the window is then not marked, what was loaded stays
 */
export async function loadWindow(context: WindowContext, window: EstimatedWindow): Promise<LoadedWindow> {
  const startedAt = performance.now()
  const began = context.clock.now()
  await ensurePartitions(context.warehouse, window)
  const read = await readAndLoad(context, window)
  const { outcome, counts } = read
  await refuseJumpedClock(context, window)
  const now = context.clock.now()
  const isEmptied = await wasEmptied(context, window, outcome)
  const status = statusAfterRead(window, outcome.status, now)
  const unseen = mayShowMissing(context, status)
    ? await checkMissing(context, window, earlier(began, read.asOf ?? began))
    : null
  const loaded: LoadedWindow = {
    window,
    status,
    source: read.source,
    requests: outcome.requests + (unseen?.requests ?? 0),
    counts: unseen ? addLoadCounts(counts, unseen.counts) : counts,
    instability: outcome.instability,
    isEmptied,
  }
  await recordLoaded(context, loaded, read, now)
  await read.discard?.()
  report(context, loaded, { hits: outcome.hits, hitsBefore: window.hits, reads: outcome.reads, startedAt })
  return loaded
}

/** Reads a window by its source; by query, too, where Genesys refuses a job that another source can stand in for. */
async function readAndLoad(context: WindowContext, window: PlannedWindow): Promise<WindowRead> {
  const { jobs } = context
  if (window.source !== 'jobs' || !jobs) return await loadByQuery(context, window)
  try {
    return await loadByJob({ ...context, jobs }, window)
  } catch (error) {
    if (!jobs.isOptional || !isJobRefusal(error)) throw error
    warnWithoutJobs(context, error)
    return await loadByQuery(context, window)
  }
}

/**
 * Reads the pages of a window and loads them batch by batch; ends when every batch has committed. Nothing is marked.
 * @throws GenesysError or a database error; what was loaded stays
 */
export async function loadByQuery(context: RunContext, window: Interval): Promise<WindowRead> {
  const { genesys, progress, history, clock, signal } = context
  const source = 'query'
  const { result: outcome, counts } = await whileLoading(context, { source, deliversAttributes: false }, (queue) =>
    readWindowWithProgress(genesys, progress, {
      window,
      filter: history.filter,
      priority: 'history',
      signal,
      ...(history.limits && { limits: history.limits }),
      onPage: async (page) => {
        const fetchedAt = clock.instantOf(page.sentAt)
        await queue.add(page.conversations.map((conversation) => ({ conversation, fetchedAt })))
      },
    }),
  )
  return { source, outcome, counts }
}

async function loadByJob(
  context: WindowContext & { readonly jobs: JobsContext },
  window: PlannedWindow,
): Promise<WindowRead> {
  const source = 'jobs'
  const deliversAttributes = context.history.jobs?.attributes !== 'false'
  const { result, counts } = await whileLoading(context, { source, deliversAttributes }, (queue) =>
    readByJob(context, window, (conversations) => queue.add(conversations)),
  )
  return { source, counts, ...result }
}

/** Loads what `read` puts into the queue, batch by batch; ends when every batch has committed. */
async function whileLoading<Result>(
  { warehouse, run, writes, onLoaded }: RunContext,
  origin: Pick<LoadOptions, 'source' | 'deliversAttributes'>,
  read: (queue: LoadQueue) => Promise<Result>,
): Promise<{ result: Result; counts: LoadCounts }> {
  const queue = createLoadQueue({
    batchSize: BATCH_SIZE,
    writes,
    load: (batch) => loadBatch(warehouse, batch, { ...origin, runId: run.id, onLoaded }),
  })
  try {
    const result = await read(queue)
    const batches = await queue.drain()
    return { result, counts: batches.reduce(addLoadCounts, emptyLoadCounts()) }
  } catch (error) {
    await queue.abandon()
    throw error
  }
}

async function recordLoaded(
  { warehouse, key, run }: WindowContext,
  { window, status, counts, instability }: LoadedWindow,
  { source, outcome: { hits }, asOf }: WindowRead,
  now: Date,
): Promise<void> {
  await recordWindow(warehouse.db, {
    ...key,
    source,
    asOf,
    start: window.start,
    end: window.end,
    status,
    hits,
    counts,
    runId: run.id,
    errorCode: instability?.code,
    error: instability?.reason,
    ...(status === 'unstable' && { nextAttemptAt: (attempts: number) => nextAttemptAt(now, attempts) }),
  })
}

function report(
  { logger, onEmptied }: WindowContext,
  { window, status, requests, counts, instability, isEmptied }: LoadedWindow,
  read: { readonly hits: number; readonly hitsBefore: number; readonly reads: number; readonly startedAt: number },
): void {
  const { hits, hitsBefore, reads, startedAt } = read
  const durationMs = Math.round(performance.now() - startedAt)
  const facts = { window: formatWindow(window), status, hits, reads, requests, counts, durationMs }
  if (instability)
    logger.warn(
      { ...facts, code: instability.code, reason: instability.reason },
      'window may be incomplete; what was read is loaded, and it will be read again',
    )
  else logger.info(facts, 'window loaded')
  if (!isEmptied) return
  onEmptied?.()
  logger.warn(
    { ...facts, hitsBefore },
    'window had conversations and now has none; the rows that the tables hold of it stay',
  )
}

/**
 * Whether what a read did not bring may be missing at Genesys: what a read of the current day lacks may just have started, an unstable
 * read may lack anything, and one of activity lacks what did not live in the window.
 */
function mayShowMissing({ key }: WindowContext, status: WindowStatus): boolean {
  return status === 'done' && key.stream !== 'activity'
}

/** Whether a window had conversations, by the ledger, a count or the tables, of which Genesys now has none. */
async function wasEmptied(
  { warehouse, history, key }: WindowContext,
  window: EstimatedWindow,
  outcome: ReadOutcome,
): Promise<boolean> {
  // what lived in a window need not have started in it
  if (key.stream === 'activity') return false
  if (outcome.startingInside > 0) return false
  if (outcome.distinct === 0 && window.isCounted && window.hits > 0) return true
  return !isFiltered(history.filter) && (await holdsConversations(warehouse.db, window))
}

/**
 * What was read is dated by the clock as it was when the run began. If the database's clock was set meanwhile, the load has
 * judged by wrong dates which answers are newer, so the window has to be read again.
 */
async function refuseJumpedClock({ warehouse, clock }: WindowContext, window: Interval): Promise<void> {
  const jumped = await clockJump(warehouse.db, clock)
  if (Math.abs(jumped) <= CLOCK_TOLERANCE_MS) return
  const by = `${Math.abs(Math.round(jumped / 1000))} s ${jumped > 0 ? 'ahead' : 'back'}`
  throw new EtlError(`The clock of the database went ${by} while ${formatWindow(window)} was read`, {
    code: 'DATABASE_CLOCK_CHANGED',
    kind: 'retryable',
    hint: 'Nothing to do if it is right now: the next run reads the window again. doctor compares it with the clock of Genesys.',
  })
}

/** Marks a window failed, with its reason. */
export async function recordFailedWindow(
  { warehouse, key, run }: WindowContext,
  window: EstimatedWindow,
  error: unknown,
): Promise<void> {
  await recordWindow(warehouse.db, {
    ...key,
    source: window.source ?? 'query',
    start: window.start,
    end: window.end,
    status: 'failed',
    hits: window.isCounted ? window.hits : null,
    runId: run.id,
    error: error instanceof Error ? error.message : String(error),
    errorCode: error instanceof EtlError ? error.code : 'UNEXPECTED',
  })
}
