/**
 * Erases a person: tombstones first, which keep every later load out, then whatever the tables have, in small transactions. Whatever ends
 * it in between, the next erasure or history run completes it.
 */
import { sql, type Kysely, type Transaction } from 'kysely'
import { chunks } from '../chunks.ts'
import { EtlError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database, ErasureKey } from '../postgres/database.ts'
import { runJob } from '../runs/run-job.ts'
import { recording, retryTransient, toEtlError } from '../postgres/errors.ts'
import { clearShared, countTraces, deleteConversations, type RowCounts } from './delete-traces.ts'
import { type PersonTraces, type RejectedTrace } from './find-person.ts'

export interface EraseDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
}

/** What is to be erased, and who asks for it. */
export interface EraseRequest {
  readonly traces: PersonTraces
  /** Hashes of rejected records without an id that are kept out as well, whether they are stored or not. Default: none. */
  readonly recordHashes?: readonly string[]
  readonly kind: ErasureKey
  /** How many keys were given. */
  readonly keys: number
  /** Whether what the conversations add to the intervals stays, without conversation and user. */
  readonly keepStatistics: boolean
  readonly osUser: string | null
  /** The id of a request to Genesys, which is applied once. */
  readonly requestId?: string
}

/** What an erasure would delete. */
export interface ErasurePreview {
  readonly conversationIds: readonly string[]
  /** How many of them are stored. */
  readonly stored: number
  readonly rejectedRecords: number
  readonly rows: RowCounts
}

/** What an erasure has deleted. */
export interface Erasure {
  readonly id: number
  readonly conversations: number
  readonly rejectedRecords: number
  readonly deleted: RowCounts
}

const CELLS = 'etl.interval_cells'
/** Conversations of one transaction: few enough that no loader waits long for one of them. */
const BATCH_SIZE = 500
/** Conversations of one statement that deletes nothing of the history. */
const LIST_SIZE = 5000

/** What erasing these traces would delete; with `keepStatistics` the cells stay. */
export async function previewErasure(
  db: Kysely<Database>,
  { conversationIds, rejected }: PersonTraces,
  keepStatistics = false,
): Promise<ErasurePreview> {
  const ids = [...conversationIds].sort()
  let rows: RowCounts = {}
  for (const part of chunks(ids, LIST_SIZE)) rows = addCounts(rows, await countTraces(db, part))
  if (keepStatistics) rows = Object.fromEntries(Object.entries(rows).filter(([name]) => name !== CELLS))
  if (rejected.length > 0) rows = { ...rows, 'etl.rejected_records': rejected.length }
  return { conversationIds: ids, stored: rows['genesys.conversations'] ?? 0, rejectedRecords: rejected.length, rows }
}

/**
 * Erases what was found, to its end. May be called again with the same conversations at any time. To be called under the lock of the job.
 * @throws EtlError; the signal's reason
 */
export async function erase(
  { warehouse, logger }: EraseDependencies,
  request: EraseRequest,
  signal: AbortSignal,
): Promise<Erasure> {
  const id = await recording('recording an erasure', () =>
    warehouse.db.transaction().execute((trx) => insertErasure(trx, request)),
  )
  await completeErasures({ warehouse, logger }, signal)
  const { conversations, rejected_records, deleted } = await warehouse.db
    .selectFrom('etl.erasures')
    .select(['conversations', 'rejected_records', 'deleted'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return { id, conversations, rejectedRecords: rejected_records, deleted }
}

/** Records an erasure with its tombstones. From their commit on nothing of the conversations is loaded again. */
async function insertErasure(trx: Transaction<Database>, request: EraseRequest): Promise<number> {
  const { traces, recordHashes = [], kind, keys, keepStatistics, osUser, requestId = null } = request
  const ids = [...traces.conversationIds].sort()
  const { id } = await trx
    .insertInto('etl.erasures')
    .values({
      key_kind: kind,
      keys,
      keep_statistics: keepStatistics,
      os_user: osUser,
      request_id: requestId,
      conversations: ids.length,
      rejected_records: traces.rejected.length,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  for (const part of chunks(ids, LIST_SIZE))
    await sql`
      insert into etl.tombstones as t (conversation_id, erasure_id) select id, ${id} from unnest(${part}::text[]) as id
      on conflict (conversation_id) do update set erasure_id = excluded.erasure_id, pending = true`.execute(trx)
  await insertErasedRecords(trx, id, [...recordHashes, ...withoutId(traces.rejected)])
  return id
}

function withoutId(rejected: readonly RejectedTrace[]): string[] {
  return rejected.flatMap(({ conversationId, rawHash }) => (conversationId === null ? [rawHash] : []))
}

/** What has no id of a conversation has no tombstone: the same content is not kept again. */
async function insertErasedRecords(
  trx: Transaction<Database>,
  erasureId: number,
  hashes: readonly string[],
): Promise<void> {
  for (const part of chunks(hashes, LIST_SIZE))
    await sql`
      insert into etl.erased_records (raw_hash, erasure_id) select distinct hash, ${erasureId}::bigint from unnest(${part}::text[]) as hash
      on conflict (raw_hash) do nothing`.execute(trx)
}

/**
 * Completes erasures that were interrupted, and conversations whose tombstones were brought back after the restore of a backup. Does
 * nothing where there are none. To be called under the lock of the job.
 * @throws EtlError; the signal's reason
 */
export async function completeErasures(
  { warehouse, logger }: EraseDependencies,
  signal: AbortSignal,
): Promise<{ readonly conversations: number }> {
  let conversations = 0
  for (const { id, keepStatistics } of await selectUnfinished(warehouse.db)) {
    const ids = await selectPending(warehouse.db, id)
    await deleteTraces(warehouse, { id, keepStatistics, ids }, signal)
    await recording('completing an erasure', () =>
      sql`
        update etl.erasures set finished_at = coalesce(finished_at, clock_timestamp()) where id = ${id}`.execute(
        warehouse.db,
      ),
    )
    logger.info({ erasure: id, conversations: ids.length }, 'erasure complete')
    conversations += ids.length
  }
  return { conversations }
}

/** Completes interrupted erasures after a run of the history, if there are any. A failure is logged: the next run tries again. */
export async function completeAfterRun(dependencies: EraseDependencies, signal: AbortSignal): Promise<void> {
  const { warehouse, logger } = dependencies
  try {
    if ((await selectUnfinished(warehouse.db)).length === 0) return
    const request = { job: 'erase', trigger: 'cron', parameters: {} } as const
    await runJob(dependencies, request, signal, async (_run, jobSignal) => ({
      counts: await completeErasures(dependencies, jobSignal),
    }))
  } catch (error) {
    if (signal.aborted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
    logger.warn({ err: error }, 'an interrupted erasure could not be completed; the next run tries again')
  }
}

interface Unfinished {
  readonly id: number
  readonly keepStatistics: boolean
}

async function selectUnfinished(db: Kysely<Database>): Promise<Unfinished[]> {
  const { rows } = await recording('reading unfinished erasures', () =>
    sql<Unfinished>`
      select id, coalesce(e.keep_statistics, false) as "keepStatistics"
      from (
        select id from etl.erasures where finished_at is null
        union select distinct erasure_id from etl.tombstones where pending) as unfinished
      left join etl.erasures e using (id) order by id`.execute(db),
  )
  return rows
}

/** The conversations of an erasure that may still be there, in the order of all loaders. */
async function selectPending(db: Kysely<Database>, erasureId: number): Promise<string[]> {
  const { rows } = await recording('reading unfinished erasures', () =>
    sql<{ id: string }>`
      select conversation_id as id from etl.tombstones where pending and erasure_id = ${erasureId}
      order by conversation_id collate "C"`.execute(db),
  )
  return rows.map(({ id }) => id)
}

async function deleteTraces(
  warehouse: Warehouse,
  { id, keepStatistics, ids }: Unfinished & { readonly ids: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const inTransaction = async (work: (trx: Transaction<Database>) => Promise<RowCounts>): Promise<void> => {
    signal.throwIfAborted()
    try {
      await retryTransient(() => withTransaction(warehouse, async (trx) => addToErasure(trx, id, await work(trx))), {
        attempts: 30,
        signal,
      })
    } catch (error) {
      throw toEtlError(error, `deleting what erasure ${id} has selected`)
    }
  }
  // rejected records without the id of a conversation go with the first list, even an empty one
  const lists = ids.length === 0 ? [[]] : [...chunks(ids, LIST_SIZE)]
  for (const list of lists) await clearShared(list, inTransaction)
  for (const batch of chunks(ids, BATCH_SIZE))
    await inTransaction(async (trx) => {
      const counts = await deleteConversations(trx, batch, keepStatistics)
      await sql`
        update etl.tombstones set pending = false where conversation_id = any(${batch}::text[])`.execute(trx)
      return counts
    })
}

async function addToErasure(trx: Transaction<Database>, id: number, counts: RowCounts): Promise<void> {
  const { rows } = await sql<{ deleted: RowCounts }>`
    select deleted from etl.erasures where id = ${id} for update`.execute(trx)
  if (rows[0] === undefined) return
  await sql`
    update etl.erasures set deleted = ${JSON.stringify(addCounts(rows[0].deleted, counts))}::jsonb where id = ${id}`.execute(
    trx,
  )
}

function addCounts(a: RowCounts, b: RowCounts): RowCounts {
  const sum: Record<string, number> = { ...a }
  for (const [table, count] of Object.entries(b)) if (count > 0) sum[table] = (sum[table] ?? 0) + count
  return sum
}
