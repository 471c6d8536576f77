/** Reads conversations by their ids and loads what Genesys has of them. */
import { chunks } from '../chunks.ts'
import type { GenesysClient, RequestOptions } from '../genesys/client.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import { GenesysError } from '../genesys/errors.ts'
import type { ReadRecord } from '../genesys/open-conversations.ts'
import { forEachParallel } from '../genesys/parallel.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch } from '../loader/load.ts'
import { isJsonObject, type JsonValue } from '../model/json.ts'
import type { RunContext } from './context.ts'

/** Conversations per transaction. */
const BATCH_SIZE = 5 * IDS_PER_REQUEST
/** A batch waits for its slowest request and for Postgres; the client bounds the requests in flight. */
const BATCHES_AT_ONCE = 3

export interface LoadedIds {
  readonly counts: LoadCounts
  /** Ids that the answers lack. */
  readonly unknown: readonly string[]
}

interface LoadByIdsOptions {
  /** Which of the records to load. Default: all. */
  readonly belongs?: (record: JsonValue) => boolean
  /** Called for each batch of ids after it has committed, with the time before its first request. */
  readonly onCommitted?: (ids: readonly string[], readAt: Date) => Promise<void>
}

/**
 * Reads these ids in batches, however long ago the conversations started, and loads what comes. An id that Genesys refuses is logged
 * as a number, and does not count as unknown.
 * @throws GenesysError, a database error, or the signal's reason; batches that were committed stay
 */
export async function loadByIds(
  context: RunContext,
  ids: readonly string[],
  options: LoadByIdsOptions = {},
): Promise<LoadedIds> {
  let counts = emptyLoadCounts()
  const unknown: string[] = []
  await forEachParallel(chunks(ids, BATCH_SIZE), BATCHES_AT_ONCE, context.signal, async (batch, signal) => {
    const loaded = await loadBatchByIds({ ...context, signal }, batch, options)
    counts = addLoadCounts(counts, loaded.counts)
    unknown.push(...loaded.unknown)
  })
  return { counts, unknown }
}

async function loadBatchByIds(
  { genesys, warehouse, clock, run, writes, signal, onLoaded, history, logger }: RunContext,
  ids: readonly string[],
  { belongs = () => true, onCommitted }: LoadByIdsOptions,
): Promise<LoadedIds> {
  const readAt = clock.now()
  const { records, refused } = await readHalving(genesys, ids, { priority: 'history', signal }, history.concurrency)
  if (refused.length > 0)
    logger.warn({ conversations: refused.length }, 'Genesys refuses ids of conversations that are read by their ids')
  const batch = records
    .filter(({ record }) => belongs(record))
    .map(({ record, sentAt }) => ({ conversation: record, fetchedAt: clock.instantOf(sentAt) }))
  const counts = await writes.add(() =>
    loadBatch(warehouse, batch, { source: 'query', runId: run.id, deliversAttributes: false, signal, onLoaded }),
  )
  await onCommitted?.(ids, readAt)
  const known = new Set([...refused, ...records.map(({ record }) => idOf(record))].map((id) => id.toLowerCase()))
  return { counts, unknown: ids.filter((id) => !known.has(id.toLowerCase())) }
}

/** Reads ids in halves where the API does not accept them together, down to those that it refuses. */
async function readHalving(
  client: GenesysClient,
  ids: readonly string[],
  options: RequestOptions,
  concurrency: number,
): Promise<{ records: readonly ReadRecord[]; refused: readonly string[] }> {
  try {
    return { records: await readByIds(client, ids, options, concurrency), refused: [] }
  } catch (error) {
    if (!(error instanceof GenesysError) || error.status !== 400) throw error
    if (ids.length === 1) return { records: [], refused: ids }
    const half = Math.ceil(ids.length / 2)
    const first = await readHalving(client, ids.slice(0, half), options, concurrency)
    // a request that is refused whatever its ids are is no matter of the ids
    if (half > 1 && first.refused.length === half) throw error
    const second = await readHalving(client, ids.slice(half), options, concurrency)
    return { records: [...first.records, ...second.records], refused: [...first.refused, ...second.refused] }
  }
}

/** The id of a record, also of one that cannot be loaded. */
function idOf(record: JsonValue): string {
  const id = isJsonObject(record) ? record['conversationId'] : null
  return typeof id === 'string' ? id : ''
}
