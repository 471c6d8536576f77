/** What the live side brings into the history: conversations at their end, and once more when their closing fields are there. */
import { belongsToHistory } from '../genesys/details-filter.ts'
import { rereadIdsPerSnapshot } from './request-budget.ts'
import { reasonWithHint } from './failure.ts'
import type { GenesysClient } from '../genesys/client.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import type { ReadRecord } from '../genesys/open-conversations.ts'
import { forEachParallel } from '../genesys/parallel.ts'
import type { Logger } from '../log.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch } from '../loader/load.ts'
import { deleteRereads, postponeRereads, selectDueRereads, type Reread } from './rereads.ts'
import type { EndedRecord } from './read-snapshot.ts'

/** Conversations in a transaction of the history. */
const BATCH_SIZE = 500
/** Requests of re-reads, and their transactions, under way at once. */
const REREADS_AT_ONCE = 3
/** Wrap-up codes and closing metrics have arrived by then: seconds to a minute by what users report. */
const REREAD_AFTER_MS = 6 * 60_000
/** What could not be loaded is due again after this long. */
const POSTPONE_MS = 5 * 60_000

export interface LiveHistory {
  /**
   * Loads what has ended. A history that can't take it is no reason to show an old picture: the re-read, or the next sync,
   * brings it. `problem` says so; null: there was none.
   */
  loadEnded(
    records: readonly EndedRecord[],
    clock: DatabaseClock,
    signal: AbortSignal,
  ): Promise<{ loaded: LoadCounts; problem: string | null }>
  /** When each of those that have left is to be read again; what the history does not take is not. */
  rereads(records: readonly EndedRecord[], at: Date): Reread[]
  /**
   * Reads again, and loads, what is due at an instant, as far as the budget of a snapshot allows. What fails is logged and stays
   * due; whatever kills the process, nothing is forgotten before it was loaded.
   */
  readAgain(genesys: GenesysClient, clock: DatabaseClock, at: Date, signal: AbortSignal): Promise<void>
}

/** @param options.filter what the history is narrowed to */
export function createLiveHistory(options: {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly filter: DetailsFilter
  readonly requestsPerMinute: number
  readonly onLoaded: ((counts: LoadCounts) => void) | undefined
}): LiveHistory {
  const { warehouse, logger, filter, onLoaded } = options

  async function load(records: readonly ReadRecord[], clock: DatabaseClock, signal: AbortSignal): Promise<LoadCounts> {
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

  return {
    async loadEnded(records, clock, signal) {
      let loaded = emptyLoadCounts()
      try {
        for (const batch of batches(records, BATCH_SIZE))
          loaded = addLoadCounts(loaded, await load(batch, clock, signal))
        return { loaded, problem: null }
      } catch (error) {
        if (signal.aborted) throw error
        logger.error({ err: error }, 'what has ended could not be loaded; it is read again in some minutes')
        return { loaded, problem: `What has ended could not be loaded into the history: ${reasonWithHint(error)}` }
      }
    },

    rereads: (records, at) =>
      records
        .filter(({ record, isOver }) => isOver && belongsToHistory(record, filter))
        .map(({ conversationId, endedAt }) => ({ conversationId, endedAt, dueAt: rereadDueAt(endedAt, at) })),

    async readAgain(genesys, clock, at, signal) {
      let changed = 0
      const again = async (ids: readonly string[], signal: AbortSignal): Promise<void> => {
        const records = await readByIds(genesys, ids, { priority: 'live', signal })
        try {
          changed += (await load(records, clock, signal)).changed
        } catch (error) {
          signal.throwIfAborted()
          logger.error({ err: error, conversations: ids.length }, 'ended conversations could not be loaded again yet')
          await postponeRereads(warehouse.db, ids, at, new Date(at.getTime() + POSTPONE_MS))
          return
        }
        await deleteRereads(warehouse.db, ids, at)
      }
      try {
        const due = await selectDueRereads(warehouse.db, at, rereadIdsPerSnapshot(options.requestsPerMinute))
        if (due.length === 0) return
        await forEachParallel(batches(due, IDS_PER_REQUEST), REREADS_AT_ONCE, signal, again)
        logger.info({ reread: due.length, changed }, 'ended conversations read again')
      } catch (error) {
        signal.throwIfAborted()
        logger.warn({ err: error }, 'ended conversations could not be read again; they stay due')
      }
    },
  }
}

/**
 * When a conversation that has ended is due to be read again: six minutes after its end, so that with a snapshot per minute it is
 * read between five and ten minutes after it; never before the snapshot that saw the end, nor later than six minutes after that,
 * whatever the record claims. Pure.
 */
export function rereadDueAt(endedAt: string | null, seenAt: Date): Date {
  const seen = seenAt.getTime()
  const ended = Math.min(endedAt === null ? seen : Date.parse(endedAt), seen)
  return new Date(Math.max(ended + REREAD_AFTER_MS, seen))
}

function* batches<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
