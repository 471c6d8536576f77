/** One window: its pages from Genesys, its conversations into Postgres, its mark in the ledger; in that order. */
import { nextAttemptAt, statusAfterRead, type EstimatedWindow, type WindowStatus } from './plan.ts'
import type { Instability } from './stability.ts'
import { CLOCK_TOLERANCE_MS, formatWindow, type Interval } from '../model/interval.ts'
import { isFiltered } from '../genesys/details-query.ts'
import { readWindow, type WindowOutcome } from './read-window.ts'
import { EtlError } from '../errors.ts'
import { clockJump, type DatabaseClock } from '../postgres/clock.ts'
import { holdsConversations } from '../loader/integrity.ts'
import { recordWindow, type WindowKey } from './ledger.ts'
import { type Run } from '../runs/run-history.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch } from '../loader/load.ts'
import { ensurePartitions } from '../loader/partitions.ts'
import type { HistoryDependencies } from './context.ts'
import { createLoadQueue } from './load-queue.ts'
import type { Places } from '../genesys/places.ts'

/**
 * Conversations in a transaction. 100 cost a tenth more CPU than 500, which take a fifth more memory (docs/performance.md).
 */
const BATCH_SIZE = 250

export interface LoadedWindow {
  readonly window: Interval
  readonly status: WindowStatus
  readonly requests: number
  readonly counts: LoadCounts
  /** Why it is not known to be whole; undefined: it is. */
  readonly instability: Instability | undefined
  /** It had conversations, and now has none. */
  readonly isEmptied: boolean
}

export interface WindowContext extends HistoryDependencies {
  readonly key: WindowKey
  readonly run: Run
  readonly clock: DatabaseClock
  readonly places: Places
  readonly signal: AbortSignal
}

/**
 * Reads a window, loads it as its pages arrive, and marks it.
 * @throws GenesysError or a database error; the window is then not marked, what was loaded stays
 */
export async function loadWindow(context: WindowContext, window: EstimatedWindow): Promise<LoadedWindow> {
  const { genesys, warehouse, logger, progress, history, key, run, clock, places, signal } = context
  const startedAt = performance.now()
  const queue = createLoadQueue({
    batchSize: BATCH_SIZE,
    places,
    load: (batch) =>
      loadBatch(warehouse, batch, {
        source: 'query',
        runId: run.id,
        deliversAttributes: false,
        onLoaded: context.onLoaded,
      }),
  })
  await ensurePartitions(warehouse, window)

  let requestsDone = 0
  const outcome = await readWindow(genesys, {
    window,
    filter: history.filter,
    concurrency: history.concurrency,
    priority: 'history',
    signal,
    ...(history.limits && { limits: history.limits }),
    onPage: async (page) => {
      const fetchedAt = clock.instantOf(page.sentAt)
      await queue.add(page.conversations.map((conversation) => ({ conversation, fetchedAt })))
    },
    onProgress: (read) => {
      progress.advance(read.requestsDone - requestsDone)
      requestsDone = read.requestsDone
    },
  }).catch(async (error: unknown) => {
    await queue.abandon()
    throw error
  })
  const batches = await queue.drain()

  const counts = batches.reduce(addLoadCounts, emptyLoadCounts())
  await refuseJumpedClock(context, window)
  const now = clock.now()
  const status = statusAfterRead(window, outcome.status, now)
  const { instability } = outcome
  const isEmptied = await wasEmptied(context, window, outcome)
  const mark = {
    ...key,
    ...window,
    status,
    hits: outcome.hits,
    counts,
    runId: run.id,
    errorCode: instability?.code,
    error: instability?.reason,
  }
  const attempts = await recordWindow(warehouse.db, mark)
  // How long it rests depends on how often it was tried, which the mark itself counts.
  if (status === 'unstable') await recordWindow(warehouse.db, { ...mark, nextAttemptAt: nextAttemptAt(now, attempts) })
  const facts = {
    window: formatWindow(window),
    status,
    hits: outcome.hits,
    reads: outcome.reads,
    requests: outcome.requests,
    counts,
    durationMs: Math.round(performance.now() - startedAt),
  }
  if (instability)
    logger.warn(
      { ...facts, code: instability.code, reason: instability.reason },
      'window is not known to be whole; what was read is loaded, and it will be read again',
    )
  else logger.info(facts, 'window loaded')
  if (isEmptied) {
    context.onEmptied?.()
    logger.warn(
      { ...facts, hitsBefore: window.hits },
      'window had conversations and has none any more; what the tables hold of it stays',
    )
  }
  return { window, status, requests: outcome.requests, counts, instability, isEmptied }
}

/** Whether a window had conversations, by the ledger, the estimate or the tables, of which Genesys now has none. */
async function wasEmptied(
  { warehouse, history }: WindowContext,
  window: EstimatedWindow,
  outcome: WindowOutcome,
): Promise<boolean> {
  if (outcome.startingInside > 0) return false
  if (outcome.distinct === 0 && window.hits > 0) return true
  return !isFiltered(history.filter) && (await holdsConversations(warehouse.db, window))
}

/**
 * What was read is dated by the clock as it was when the run began. If the database's clock was set meanwhile, the load has
 * judged by wrong dates which answers are newer, so the window has to be read again.
 */
async function refuseJumpedClock({ warehouse, clock }: WindowContext, window: EstimatedWindow): Promise<void> {
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
export async function recordFailure(
  { warehouse, key, run }: WindowContext,
  window: EstimatedWindow,
  error: unknown,
): Promise<void> {
  await recordWindow(warehouse.db, {
    ...key,
    ...window,
    status: 'failed',
    hits: window.hits,
    runId: run.id,
    error: error instanceof Error ? error.message : String(error),
    errorCode: error instanceof EtlError ? error.code : 'UNEXPECTED',
  })
}
