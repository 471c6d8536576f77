/** Reads conversations again by their ids and loads them, as a part of a sync. */
import { chunks } from '../chunks.ts'
import type { GenesysClient, RequestOptions } from '../genesys/client.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import { badAnswer, GenesysError } from '../genesys/errors.ts'
import type { ReadRecord } from '../genesys/open-conversations.ts'
import { forEachParallel } from '../genesys/parallel.ts'
import type { PartCounts, RunContext } from '../history/context.ts'
import { emptyPartCounts } from '../history/sync-parts.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { loadBatch } from '../loader/load.ts'
import { markMissing } from '../loader/missing.ts'
import { referencedIds } from '../loader/referenced-ids.ts'
import { isJsonObject, type JsonValue } from '../model/json.ts'
import { markReread } from './unsettled-store.ts'

/** Conversations per transaction. */
const BATCH_SIZE = 5 * IDS_PER_REQUEST
/** A batch waits for its slowest request and for Postgres; the client bounds the requests in flight. */
const BATCHES_AT_ONCE = 3

/**
 * Reads these ids and loads what Genesys has of them. What it does not have is asked for once more, and then marked as missing. Each batch
 * is recorded as read after it has committed, so that a run that is killed goes on where it was.
 * @param label for the progress
 * @param belongs which of the records to load
 * @throws GenesysError, a database error, or the signal's reason
 */
export async function readAgain(
  context: RunContext,
  ids: readonly string[],
  { label, belongs = () => true }: { readonly label: string; readonly belongs?: (record: JsonValue) => boolean },
): Promise<PartCounts> {
  if (ids.length === 0) return emptyPartCounts()
  const { progress, warehouse, clock } = context
  const counter = countRequests(context)
  const counted = { ...context, genesys: counter.genesys }
  progress.plan(label, Math.ceil(ids.length / IDS_PER_REQUEST))
  try {
    const first = await readBatches(counted, ids, belongs)
    if (first.unknown.length === ids.length && ids.length > IDS_PER_REQUEST) throw noneKnown(ids.length)
    const asOf = clock.now()
    const second = await readBatches(counted, first.unknown, belongs)
    const missing = await markMissing(warehouse.db, second.unknown, asOf)
    context.onLoaded?.({ ...emptyLoadCounts(), missing }, referencedIds([]))
    return { ...addLoadCounts(first.counts, second.counts), missing, requests: counter.sent() }
  } finally {
    progress.finish()
  }
}

interface ReadIds {
  readonly counts: LoadCounts
  /** Those that the answers lack. */
  readonly unknown: readonly string[]
}

async function readBatches(
  context: RunContext,
  ids: readonly string[],
  belongs: (record: JsonValue) => boolean,
): Promise<ReadIds> {
  let counts = emptyLoadCounts()
  const unknown: string[] = []
  await forEachParallel(chunks(ids, BATCH_SIZE), BATCHES_AT_ONCE, context.signal, async (batch, signal) => {
    const read = await readBatch({ ...context, signal }, batch, belongs)
    counts = addLoadCounts(counts, read.counts)
    unknown.push(...read.unknown)
  })
  return { counts, unknown }
}

async function readBatch(
  { genesys, warehouse, clock, run, writes, signal, onLoaded, history, logger }: RunContext,
  ids: readonly string[],
  belongs: (record: JsonValue) => boolean,
): Promise<ReadIds> {
  const readAt = clock.now()
  const { records, refused } = await readHalving(genesys, ids, { priority: 'history', signal }, history.concurrency)
  if (refused.length > 0)
    logger.warn({ conversations: refused.length }, 'Genesys refuses ids of conversations that are read again')
  const batch = records
    .filter(({ record }) => belongs(record))
    .map(({ record, sentAt }) => ({ conversation: record, fetchedAt: clock.instantOf(sentAt) }))
  const counts = await writes.add(() =>
    loadBatch(warehouse, batch, { source: 'query', runId: run.id, deliversAttributes: false, onLoaded }),
  )
  await markReread(warehouse.db, ids, readAt)
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

/** The client of a run, which counts its requests and shows them. */
function countRequests({ genesys, progress }: RunContext): { genesys: GenesysClient; sent: () => number } {
  let sent = 0
  return {
    genesys: {
      async request(request) {
        sent++
        try {
          return await genesys.request(request)
        } finally {
          progress.advance(1)
        }
      },
      close: () => genesys.close(),
    },
    sent: () => sent,
  }
}

function noneKnown(asked: number): GenesysError {
  const text = `none of ${asked} conversations that were loaded before is known any more; perhaps the client has lost its divisions`
  return badAnswer({ method: 'GET', path: '/api/v2/analytics/conversations/details' }, text)
}
