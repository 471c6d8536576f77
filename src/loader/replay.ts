/** Loads rejected records again: after a release that can store them, or after whatever of the customer's refused them is gone. */
import { sql, type Kysely } from 'kysely'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from './load-counts.ts'
import { loadBatch, type OnLoaded } from './load.ts'
import { recordOf } from './rejected.ts'

/** Records of one transaction. */
const BATCH_SIZE = 100

/** What became of them: `rejected` are those that were rejected again, the rest is loaded, or older than what is. */
interface ReplayCounts extends LoadCounts {
  /** Rejected records that were not resolved. */
  readonly records: number
}

interface ReplayOptions {
  readonly runId: number
  readonly signal: AbortSignal
  readonly onLoaded?: OnLoaded
  /** Called with the number of records to come. */
  readonly onPlan?: (records: number) => void
  /** Called with the number of records that were loaded again. */
  readonly onProgress?: (records: number) => void
}

interface Pending {
  readonly id: number
  readonly conversationId: string | null
}

/**
 * Loads all rejected records that are not resolved again, the newest first, and marks those as resolved that were not rejected once more.
 * May be killed at any point and called again.
 * @throws EtlError of the load; the signal's reason
 */
export async function replayRejected(warehouse: Warehouse, options: ReplayOptions): Promise<ReplayCounts> {
  const pending = await selectPending(warehouse.db)
  options.onPlan?.(pending.length)
  let counts = emptyLoadCounts()
  for (const batch of batchesOf(pending)) {
    options.signal.throwIfAborted()
    counts = addLoadCounts(counts, await replayBatch(warehouse, batch, options))
    options.onProgress?.(batch.length)
  }
  return { ...counts, records: pending.length }
}

async function selectPending(db: Kysely<Database>): Promise<Pending[]> {
  const { rows } = await sql<Pending>`
    select id, conversation_id as "conversationId" from etl.rejected_records
    where resolved_at is null order by coalesce(fetched_at, rejected_at) desc, id desc`.execute(db)
  return rows
}

/**
 * Each batch has a conversation once: of two versions, the newer one is loaded first, and if that succeeds, the older one is resolved with
 * it.
 */
function* batchesOf(pending: readonly Pending[]): Generator<number[]> {
  let ids: number[] = []
  let conversations = new Set<string>()
  for (const { id, conversationId } of pending) {
    if (ids.length === BATCH_SIZE || (conversationId !== null && conversations.has(conversationId))) {
      yield ids
      ids = []
      conversations = new Set()
    }
    ids.push(id)
    if (conversationId !== null) conversations.add(conversationId)
  }
  if (ids.length > 0) yield ids
}

async function replayBatch(
  warehouse: Warehouse,
  ids: readonly number[],
  { runId, signal, onLoaded }: ReplayOptions,
): Promise<LoadCounts> {
  const { rows } = await sql<{ id: number; raw: string; fetchedAt: string; at: string }>`
    select id, raw::text as raw, clock_timestamp()::text as at,
      -- as of when is not known of old ones, and to take it for too early is safe: it then replaces nothing newer
      coalesce(fetched_at, rejected_at - interval '1 day')::text as "fetchedAt"
    from etl.rejected_records where id = any(${ids}::bigint[]) and resolved_at is null`.execute(warehouse.db)
  if (rows.length === 0) return emptyLoadCounts()
  const records = rows.map(({ id, raw, fetchedAt }) => ({ conversation: recordOf(raw), fetchedAt, rejectedId: id }))
  // whether it was read by a source that delivers attributes is not known, so that the absence of attributes says nothing
  const options = { source: 'replay', runId, deliversAttributes: false, signal, ...(onLoaded && { onLoaded }) }
  const counts = await loadBatch(warehouse, records, options)
  await recording('marking rejected records that were loaded', () =>
    sql`
      update etl.rejected_records set resolved_at = now()
      where id = any(${ids}::bigint[]) and resolved_at is null and last_rejected_at < ${rows[0]!.at}::timestamptz`.execute(
      warehouse.db,
    ),
  )
  return counts
}
