/** What the live side loads into the history: conversations when they end, and again when their closing fields are there. */
import { chunks } from '../chunks.ts'
import { reasonWithHint } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import { belongsToHistory } from '../genesys/details-filter.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import type { ReadRecord } from '../genesys/open-conversations.ts'
import { forEachParallel } from '../genesys/parallel.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch, type OnLoaded } from '../loader/load.ts'
import type { Logger } from '../log.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { EndedRecord } from './readings.ts'
import { rereadIdsPerSnapshot } from './request-budget.ts'
import { deleteRereads, postponeRereads, selectDueRereads, type Reread } from './rereads.ts'

/** Conversations per transaction of the history. */
const BATCH_SIZE = 500
/** Requests of re-reads, and their transactions, in flight at once. */
const REREAD_CONCURRENCY = 3
/** By then wrap-up codes and closing metrics have arrived: users report delays from seconds to a minute. */
const REREAD_DELAY_MS = 6 * 60_000
/** Conversations that could not be loaded are due again after this long. */
const POSTPONE_MS = 5 * 60_000

export interface LiveHistory {
  /**
   * Loads conversations that have ended. A failure does not stop the snapshot, because the re-read, or the next sync, loads them
   * again.
   * @returns what was loaded, and as `problem` why loading failed; null: it did not
   */
  loadEnded(
    records: readonly EndedRecord[],
    clock: DatabaseClock,
    signal: AbortSignal,
  ): Promise<{ readonly loaded: LoadCounts; readonly problem: string | null }>
  /** The re-reads of the conversations that are over and belong to the history. */
  rereads(records: readonly EndedRecord[], at: Date): Reread[]
  /**
   * Reads and loads again the conversations that are due at `at`, as far as the budget of a snapshot allows. Failures are
   * logged. A re-read is deleted only after its conversation was loaded, so none is lost if the process is killed.
   */
  runDueRereads(genesys: GenesysClient, clock: DatabaseClock, at: Date, signal: AbortSignal): Promise<void>
}

interface HistoryOptions {
  readonly warehouse: Warehouse
  readonly logger: Logger
  /** Which conversations belong to the history. */
  readonly filter: DetailsFilter
  readonly requestsPerMinute: number
  readonly onLoaded: OnLoaded | undefined
}

/** Creates the way into the history for the snapshots of a process. */
export function createLiveHistory(options: HistoryOptions): LiveHistory {
  const { warehouse, logger, filter } = options
  return {
    async loadEnded(records, clock, signal) {
      let loaded = emptyLoadCounts()
      try {
        for (const batch of chunks(records, BATCH_SIZE))
          loaded = addLoadCounts(loaded, await load(options, batch, clock, signal))
        return { loaded, problem: null }
      } catch (error) {
        if (signal.aborted) throw error
        logger.error({ err: error }, 'ended conversations could not be loaded; they are read again in some minutes')
        return { loaded, problem: `Ended conversations could not be loaded into the history: ${reasonWithHint(error)}` }
      }
    },

    rereads: (records, at) =>
      records
        .filter(({ record, isOver }) => isOver && belongsToHistory(record, filter))
        .map(({ conversationId, endedAt }) => ({ conversationId, endedAt, dueAt: rereadDueAt(endedAt, at) })),

    async runDueRereads(genesys, clock, at, signal) {
      let changed = 0
      try {
        const due = await selectDueRereads(warehouse.db, at, rereadIdsPerSnapshot(options.requestsPerMinute))
        if (due.length === 0) return
        await forEachParallel(chunks(due, IDS_PER_REQUEST), REREAD_CONCURRENCY, signal, async (ids, signal) => {
          const changedNow = await reread(options, ids, { genesys, clock, at }, signal)
          changed += changedNow
        })
        logger.info({ reread: due.length, changed }, 'ended conversations read again')
      } catch (error) {
        signal.throwIfAborted()
        logger.warn({ err: error }, 'ended conversations could not be read again; they stay due')
      }
    },
  }
}

/** Loads the records that belong to the history. */
async function load(
  { warehouse, filter, onLoaded }: HistoryOptions,
  records: readonly ReadRecord[],
  clock: DatabaseClock,
  signal: AbortSignal,
): Promise<LoadCounts> {
  const fetched = records
    .filter(({ record }) => belongsToHistory(record, filter))
    .map(({ record, sentAt }) => ({ conversation: record, fetchedAt: clock.instantOf(sentAt) }))
  if (fetched.length === 0) return emptyLoadCounts()
  return await loadBatch(warehouse, fetched, {
    source: 'query',
    runId: null,
    deliversAttributes: false,
    signal,
    onLoaded,
  })
}

/** Reads and loads these ids again; returns how many have changed. */
async function reread(
  options: HistoryOptions,
  ids: readonly string[],
  { genesys, clock, at }: { readonly genesys: GenesysClient; readonly clock: DatabaseClock; readonly at: Date },
  signal: AbortSignal,
): Promise<number> {
  const { warehouse, logger } = options
  const records = await readByIds(genesys, ids, { priority: 'live', signal })
  let changed = 0
  try {
    changed = (await load(options, records, clock, signal)).changed
  } catch (error) {
    signal.throwIfAborted()
    logger.error({ err: error, conversations: ids.length }, 'ended conversations could not be loaded again yet')
    await postponeRereads(warehouse.db, ids, at, new Date(at.getTime() + POSTPONE_MS))
    return 0
  }
  await deleteRereads(warehouse.db, ids, at)
  return changed
}

/**
 * When a conversation that has ended is due to be read again: six minutes after its end, so that with a snapshot per minute it is
 * read between five and ten minutes after it. Never before the snapshot that saw the end, nor later than six minutes after
 * that, whatever end the record has. Pure.
 */
export function rereadDueAt(endedAt: string | null, seenAt: Date): Date {
  const seen = seenAt.getTime()
  const ended = Math.min(endedAt === null ? seen : Date.parse(endedAt), seen)
  return new Date(Math.max(ended + REREAD_DELAY_MS, seen))
}
