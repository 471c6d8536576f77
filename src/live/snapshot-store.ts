/** The live tables: read as the previous snapshot, written as the next one in a single transaction. */
import { CLOCK_TOLERANCE_MS } from '../model/interval.ts'
import { sql, type Kysely, type Transaction } from 'kysely'
import { sumCounts, type QueueCounts } from './queue-counts.ts'
import type { LiveConversation } from './state.ts'
import { selectErased } from '../loader/tombstones.ts'
import { fromPostgres } from '../model/timestamps.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'
import { ensureLivePartitions, forgetLivePartitions } from './snapshot-partitions.ts'
import { insertMessages, type OutboxMessage } from '../webhooks/outbox.ts'
import { insertRereads, type Reread } from './rereads.ts'

/** The newest complete snapshot. */
export interface StoredSnapshot {
  /** null: there is none. */
  readonly at: Date | null
  readonly conversations: ReadonlyMap<string, LiveConversation>
}

export interface SnapshotFacts {
  readonly at: Date
  readonly source: string
  readonly durationMs: number
  readonly requests: number
  /** Whether ticks before it were skipped for the request budget (column `stretched`). */
  readonly throttled: boolean
  /** Why it failed; of a complete one, what went wrong beside it. */
  readonly error: string | null
}

export interface NewSnapshot extends SnapshotFacts {
  /** Conversations that were read, each once; those that stay without having been read are not included. */
  readonly read: readonly LiveConversation[]
  /** Ids of the conversations that leave. */
  readonly leaving: readonly string[]
  /** How many conversations have ended since the snapshot before. */
  readonly ended: number
  /** The counts of all conversations that are in the table afterwards, those in no queue included. */
  readonly queues: readonly QueueCounts[]
  readonly messages: readonly OutboxMessage[]
  /** Which of the conversations that leave are read again, and when. */
  readonly rereads: readonly Reread[]
}

/** Rows of genesys.live_conversations that a snapshot wrote. */
export interface SnapshotWrites {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** What a snapshot wrote: rows of the live table, and new messages of the outbox. */
export interface WrittenSnapshot {
  readonly writes: SnapshotWrites
  readonly messages: number
}

type Row = Readonly<Record<string, unknown>>

/** Every column except the key and snapshot_at: a row is updated when one of them differs. */
const COLUMNS = [
  ['conversation_start', 'timestamptz', 'conversationStart'],
  ['media_type', 'text', 'mediaType'],
  ['message_type', 'text', 'messageType'],
  ['direction', 'text', 'direction'],
  ['state', 'text', 'state'],
  ['state_since', 'timestamptz', 'stateSince'],
  ['queue_id', 'text', 'queueId'],
  ['user_id', 'text', 'userId'],
  ['user_ids', 'text[]', 'userIds'],
  ['waiting_since', 'timestamptz', 'waitingSince'],
  ['division_ids', 'text[]', 'divisionIds'],
  ['participants', 'integer', 'participants'],
  ['skill_ids', 'text[]', 'skillIds'],
  ['language_id', 'text', 'languageId'],
  ['scheduled_at', 'timestamptz', 'scheduledAt'],
  ['agents', 'jsonb', 'agents'],
] as const satisfies readonly (readonly [name: string, type: string, field: keyof LiveConversation])[]

const COLUMN_NAMES = COLUMNS.map(([name]) => name)
const columnsOf = (alias: string): string => COLUMN_NAMES.map((name) => `${alias}.${name}`).join(', ')

/** The conversations of the newest complete snapshot, and its time. @throws EtlError */
export async function selectStoredSnapshot(db: Kysely<Database>): Promise<StoredSnapshot> {
  const fields = COLUMNS.map(([name, type]) => (type === 'timestamptz' ? `${name}::text` : name)).join(', ')
  return describingErrors('reading the live tables', () =>
    db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (trx) => {
        const at = await sql<{ at: Date }>`
          select least(snapshot_at, clock_timestamp()) as at from genesys.live_snapshots
          where complete order by snapshot_at desc limit 1`.execute(trx)
        const { rows } = await sql<Row>`
          select conversation_id, ${sql.raw(fields)} from genesys.live_conversations`.execute(trx)
        return {
          at: at.rows[0]?.at ?? null,
          conversations: new Map(rows.map((row) => [row['conversation_id'] as string, fromRow(row)])),
        }
      }),
  )
}

/**
 * Makes a snapshot the current one, in one transaction: readers see either the previous one or this one. Unchanged rows are
 * neither written nor locked. If it is written twice, because the first commit got no answer, it counts once.
 * @throws EtlError
 */
export async function writeSnapshot(warehouse: Warehouse, snapshot: NewSnapshot): Promise<WrittenSnapshot> {
  return describingErrors('writing a snapshot', () =>
    withPartitions(warehouse, snapshot.at, () =>
      warehouse.db.transaction().execute(async (trx) => {
        await removeFuture(trx, snapshot.at)
        const { conversations, waiting, interacting, hold } = sumCounts(snapshot.queues)
        const counts = { conversations, waiting, interacting, hold, ended: snapshot.ended }
        const isNew = await insertFacts(trx, snapshot, { ...counts, complete: true })
        if (!isNew) return { writes: { inserted: 0, updated: 0, deleted: 0 }, messages: 0 }
        const kept = await withoutErased(trx, snapshot)
        const writes = await replaceRows(trx, kept)
        await insertQueues(trx, snapshot)
        await insertRereads(trx, kept.rereads)
        return { writes, messages: await insertMessages(trx, kept.messages) }
      }),
    ),
  )
}

/**
 * What a snapshot has of conversations that were not erased on request; the counts of its queues stay. Takes the lock of the table first: an
 * erasure that begins later waits for it, and then deletes what the snapshot has written.
 */
async function withoutErased(trx: Transaction<Database>, snapshot: NewSnapshot): Promise<NewSnapshot> {
  await sql`lock table genesys.live_conversations in row exclusive mode`.execute(trx)
  const named = [...snapshot.read, ...snapshot.rereads, ...snapshot.messages].map(
    ({ conversationId }) => conversationId,
  )
  const erased = await selectErased(trx, [...new Set(named)])
  if (erased.size === 0) return snapshot
  const isKept = ({ conversationId }: { readonly conversationId: string }): boolean => !erased.has(conversationId)
  return {
    ...snapshot,
    read: snapshot.read.filter(isKept),
    rereads: snapshot.rereads.filter(isKept),
    messages: snapshot.messages.filter(isKept),
  }
}

/** Records a snapshot that failed; the live tables stay unchanged. @throws EtlError */
export async function recordFailedSnapshot(warehouse: Warehouse, snapshot: SnapshotFacts): Promise<void> {
  await describingErrors('recording a failed snapshot', () =>
    withPartitions(warehouse, snapshot.at, async () => {
      await insertFacts(warehouse.db, snapshot, { ...NO_COUNTS, complete: false })
    }),
  )
}

/**
 * Removes snapshots that are dated in the future because the clock of the database was ahead: they would stay the newest ones
 * until then, and their age is unknown. Rows that one of them changed last get the time of this one.
 */
async function removeFuture(trx: Transaction<Database>, at: Date): Promise<void> {
  const tolerance = sql.raw(`interval '${CLOCK_TOLERANCE_MS} milliseconds'`)
  const isFuture = sql`snapshot_at > clock_timestamp() + ${tolerance}`
  const removed = await sql`delete from genesys.live_snapshots where ${isFuture}`.execute(trx)
  if (!removed.numAffectedRows) return
  await sql`delete from genesys.live_queues where ${isFuture}`.execute(trx)
  await sql`update genesys.live_conversations set snapshot_at = ${at} where ${isFuture}`.execute(trx)
}

/** The counts in genesys.live_snapshots. */
type RecordedCounts = Readonly<Record<'conversations' | 'waiting' | 'interacting' | 'hold' | 'ended', number | null>>
const NO_COUNTS: RecordedCounts = { conversations: null, waiting: null, interacting: null, hold: null, ended: null }

/** @returns false: a snapshot of this time was recorded already */
async function insertFacts(
  db: Kysely<Database>,
  facts: SnapshotFacts,
  counts: RecordedCounts & { readonly complete: boolean },
): Promise<boolean> {
  const inserted = await db
    .insertInto('genesys.live_snapshots')
    .values({
      snapshot_at: facts.at,
      source: facts.source,
      duration_ms: Math.round(facts.durationMs),
      requests: facts.requests,
      stretched: facts.throttled,
      error: facts.error,
      ...counts,
    })
    .onConflict((conflict) => conflict.column('snapshot_at').doNothing())
    .executeTakeFirst()
  return (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n
}

async function replaceRows(trx: Transaction<Database>, { at, read, leaving }: NewSnapshot): Promise<SnapshotWrites> {
  const incoming = JSON.stringify(
    read.map((conversation) => ({
      conversation_id: conversation.conversationId,
      ...Object.fromEntries(COLUMNS.map(([name, , field]) => [name, conversation[field]])),
    })),
  )
  const shape = COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ')
  const assignments = COLUMN_NAMES.map((name) => `${name} = i.${name}`).join(', ')
  // Not ON CONFLICT: it would lock, and so write to, every row that it leaves alone.
  const { rows } = await sql<SnapshotWrites>`
    with incoming as materialized (
      select * from json_to_recordset(${incoming}::json) as r (conversation_id text, ${sql.raw(shape)})),
    deleted as (
      delete from genesys.live_conversations where conversation_id = any(${leaving}::text[]) returning 1),
    updated as (
      update genesys.live_conversations l set ${sql.raw(assignments)}, snapshot_at = ${at} from incoming i
      where l.conversation_id = i.conversation_id and row(${sql.raw(columnsOf('l'))}) is distinct from row(${sql.raw(columnsOf('i'))})
      returning 1),
    inserted as (
      insert into genesys.live_conversations (conversation_id, ${sql.raw(COLUMN_NAMES.join(', '))}, snapshot_at)
      select i.conversation_id, ${sql.raw(columnsOf('i'))}, ${at} from incoming i
      where not exists (select from genesys.live_conversations l where l.conversation_id = i.conversation_id)
      returning 1)
    select (select count(*)::int from inserted) as inserted, (select count(*)::int from updated) as updated,
      (select count(*)::int from deleted) as deleted`.execute(trx)
  return rows[0] ?? { inserted: 0, updated: 0, deleted: 0 }
}

async function insertQueues(trx: Transaction<Database>, { at, queues }: NewSnapshot): Promise<void> {
  const rows = queues
    .filter(({ queueId }) => queueId !== null)
    .map((queue) => ({
      queue_id: queue.queueId,
      media_type: queue.mediaType,
      waiting: queue.waiting,
      alerting: queue.alerting,
      interacting: queue.interacting,
      hold: queue.hold,
      acw: queue.acw,
      longest_wait_seconds: queue.longestWaitSeconds,
      on_queue_users: queue.onQueueUsers,
      off_queue_users: queue.offQueueUsers,
    }))
  if (rows.length === 0) return
  await sql`
    insert into genesys.live_queues
    select ${at}::timestamptz, * from json_to_recordset(${JSON.stringify(rows)}::json) as r (queue_id text, media_type text,
      waiting integer, alerting integer, interacting integer, hold integer, acw integer,
      longest_wait_seconds double precision, on_queue_users integer, off_queue_users integer)`.execute(trx)
}

/** Runs `work` with the partitions of the day; creates them again if someone has dropped them. */
async function withPartitions<Result>(warehouse: Warehouse, at: Date, work: () => Promise<Result>): Promise<Result> {
  await ensureLivePartitions(warehouse, at)
  try {
    return await work()
  } catch (error) {
    if ((error as { code?: string }).code !== '23514') throw error
    forgetLivePartitions(warehouse)
    await ensureLivePartitions(warehouse, at)
    return await work()
  }
}

function fromRow(row: Row): LiveConversation {
  const values = COLUMNS.map(([name, type, field]) => {
    const value = row[name] ?? null
    return [field, type === 'timestamptz' && typeof value === 'string' ? fromPostgres(value) : value] as const
  })
  return { conversationId: row['conversation_id'], ...Object.fromEntries(values) } as unknown as LiveConversation
}

async function describingErrors<Result>(action: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await retryTransient(work)
  } catch (error) {
    throw toEtlError(error, action)
  }
}
