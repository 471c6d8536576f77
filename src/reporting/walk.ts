/**
 * Derives whatever is due: first which conversations may still change, then the rows of those that processes of an older release have
 * loaded since the walk passed them, then the walk itself, from the newest conversation to the oldest. All progress is in the database, and is committed with what it stands for.
 */
import { chunks } from '../chunks.ts'
import type { Logger } from '../log.ts'
import { withJobLock } from '../postgres/lock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import {
  adoptVersion,
  completeWalk,
  selectPosition,
  selectShowableDay,
  showFrom,
  updatePosition,
} from './derivation.ts'
import { addDeriveCounts, BATCH_SIZE, deriveBatch, NOTHING_DERIVED, type DeriveCounts } from './derive.ts'
import { giveWay } from './pace.ts'
import { settleDue } from './settling.ts'
import {
  ensureStaleIndex,
  hasStaleIndex,
  selectNextOfWalk,
  selectReachingInto,
  selectStalePassed,
  type Candidate,
} from './stale.ts'

export interface DerivationDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
  /** Called with what each transaction has derived. */
  readonly onDerived?: ((counts: DeriveCounts) => void) | undefined
}

export interface DueOptions {
  /** No transaction is begun after this time; the next call goes on. Absent: until nothing is due. */
  readonly budgetMs?: number
  /** Conversations per transaction, at most BATCH_SIZE, which is the default. */
  readonly batchSize?: number
}

export interface DueSummary extends DeriveCounts {
  /** Whether nothing was left to do. */
  readonly isComplete: boolean
}

/** Its name in the locks of jobs: one process at a time walks. */
export const DERIVATION_LOCK = 'derivation'
/** Conversations that may reach into a day are looked for in portions of this size, since each search reads a month. */
const REACHING_LIMIT = 50_000

interface Context extends DerivationDependencies {
  readonly signal: AbortSignal
  readonly isOver: () => boolean
  readonly batchSize: number
  counts: DeriveCounts
}

/**
 * Derives what is due until the budget is used up. May be killed at any point and called again.
 * @throws EtlError JOB_ALREADY_RUNNING (retryable) while another process does it, DERIVED_BY_NEWER, or an error of the database
 */
export async function deriveDue(
  dependencies: DerivationDependencies,
  { budgetMs = Number.POSITIVE_INFINITY, batchSize = BATCH_SIZE }: DueOptions,
  signal: AbortSignal,
): Promise<DueSummary> {
  const { warehouse } = dependencies
  const end = performance.now() + budgetMs
  return await withJobLock(warehouse, DERIVATION_LOCK, signal, async (lockedSignal) => {
    const isOver = (): boolean => performance.now() >= end
    const context: Context = { ...dependencies, signal: lockedSignal, isOver, batchSize, counts: NOTHING_DERIVED }
    await adoptVersion(warehouse.db)
    await prepareIndex(context)
    const isSettled = await settle(context)
    const isDerived = (await deriveStale(context)) && (await walk(context))
    const isComplete = isSettled && isDerived
    return { ...context.counts, isComplete }
  })
}

/** The index spares time; a transaction of somebody else that keeps it from being built must not hold up the walk. */
async function prepareIndex({ warehouse, logger, signal }: Context): Promise<void> {
  try {
    await ensureStaleIndex(warehouse)
  } catch (error) {
    signal.throwIfAborted()
    logger.warn({ err: error }, 'the index of conversations to derive could not be built; the next pass tries again')
  }
}

/** Fills etl.unsettled, which is quick; a load that holds it up must not hold up the rest. Returns whether it is filled. */
async function settle({ warehouse, logger, signal, isOver }: Context): Promise<boolean> {
  try {
    return await settleDue(warehouse, { signal, isOver })
  } catch (error) {
    signal.throwIfAborted()
    logger.warn(
      { err: error },
      'the conversations that may still change could not be listed completely; the next pass tries again',
    )
    return false
  }
}

/** Derives what is stale behind the walk. Returns whether all of it could be derived. */
async function deriveStale(context: Context): Promise<boolean> {
  const { db } = context.warehouse
  // without the index, finding nothing would read the whole history each time
  if (!(await hasStaleIndex(db))) return true
  const position = await selectPosition(db)
  for (;;) {
    if (context.isOver()) return false
    const candidates = await selectStalePassed(db, position, context.batchSize)
    if (candidates.length === 0) return true
    await derive(context, candidates)
  }
}

/** Goes on with the walk. Returns whether it has come to its end. */
async function walk(context: Context): Promise<boolean> {
  const { db } = context.warehouse
  for (;;) {
    const position = await selectPosition(db)
    if (position === null) return true
    if (!(await showFilledDays(context)) || context.isOver()) return false
    const candidates = await selectNextOfWalk(db, position, context.batchSize)
    const last = candidates.at(-1)
    if (last === undefined) {
      await completeWalk(db)
      context.logger.info('the reporting rows of the whole history are derived')
      return true
    }
    await derive(context, candidates, last)
  }
}

/**
 * Lets the views show the days that the walk has filled. A day has metrics of conversations that began long before it, so those are
 * derived first, ahead of the walk. Returns false when the time was over before.
 */
async function showFilledDays(context: Context): Promise<boolean> {
  const { db } = context.warehouse
  const day = await selectShowableDay(db)
  if (day === null) return true
  for (;;) {
    const reaching = await selectReachingInto(db, day, REACHING_LIMIT)
    for (const batch of chunks(reaching, context.batchSize)) {
      if (context.isOver()) return false
      await derive(context, batch)
    }
    if (reaching.length < REACHING_LIMIT) break
  }
  await showFrom(db, day)
  return true
}

/** @param passed the conversation that the walk has passed with this batch */
async function derive(context: Context, candidates: readonly Candidate[], passed?: Candidate): Promise<void> {
  const { warehouse, signal, onDerived } = context
  const startedAt = performance.now()
  const counts = await deriveBatch(warehouse, candidates, {
    force: false,
    signal,
    ...(passed && { alongside: (trx) => updatePosition(trx, passed) }),
  })
  context.counts = addDeriveCounts(context.counts, counts)
  onDerived?.(counts)
  await giveWay(warehouse, performance.now() - startedAt, signal)
}
