/** Derives the cells of stored conversations again, from their rows. */
import { sql, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { DERIVED_VERSION } from '../intervals/cells.ts'
import { markDerived, replaceCells, type StoredCells } from '../loader/cells.ts'
import { ensureMonths, forgetMonths, monthBounds, monthOf } from '../loader/partitions.ts'
import { readBackRows, type ColumnChoice } from '../loader/read-back.ts'
import { emptyRowSet, tables, type Row, type RowSet } from '../model/columns.ts'
import { fromPostgres } from '../model/timestamps.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'
import type { Candidate } from './stale.ts'

/** What was derived. */
export interface DeriveCounts {
  readonly conversations: number
  /** Of these, the ones that etl.conversations has but the tables do not, or Genesys no more: they have no cells. */
  readonly withoutRows: number
}

export const NOTHING_DERIVED: DeriveCounts = { conversations: 0, withoutRows: 0 }

/** The sum of two counts. */
export function addDeriveCounts(a: DeriveCounts, b: DeriveCounts): DeriveCounts {
  return { conversations: a.conversations + b.conversations, withoutRows: a.withoutRows + b.withoutRows }
}

/** Conversations of one transaction: few enough that no loader waits long for one of them. */
export const BATCH_SIZE = 1000

/** What cells are derived from. */
const SOURCES: ColumnChoice = {
  conversations: ['originating_direction'],
  participants: ['_index', 'user_id'],
  sessions: ['_index', '_participant_index', 'media_type', 'direction'],
  segments: ['_index', '_session_index', 'segment_start', 'queue_id'],
  session_metrics: ['_session_index', 'emit_date', 'name', 'value'],
}

export interface DeriveOptions {
  /** Whether conversations are derived whose cells count as current. */
  readonly force: boolean
  readonly signal: AbortSignal
  /** What else is to be recorded in the same transaction. */
  readonly alongside?: (trx: Transaction<Database>) => Promise<void>
}

/**
 * Derives conversations, at most BATCH_SIZE of them, in one transaction: locks them as a loader does, in the same order, reads what is
 * stored, replaces their cells and records from what they were derived. Loaders, and other processes that derive, may work on the same
 * conversations at the same time. Transient errors are retried. `_loaded_at` does not change.
 * @throws EtlError when the database stays unreachable or refuses permanently
 */
export async function deriveBatch(
  warehouse: Warehouse,
  candidates: readonly Candidate[],
  options: DeriveOptions,
): Promise<DeriveCounts> {
  let isPartitionLost = false
  const attempt = async (): Promise<DeriveCounts> => {
    await ensureCellMonths(warehouse, candidates)
    try {
      return await withTransaction(warehouse, (trx, client) => deriveOnce(trx, client, candidates, options))
    } catch (error) {
      // 23514: a partition that this process has seen was dropped, or a conversation has just moved to another month
      if (isPartitionLost || (error as { code?: string }).code !== '23514') throw error
      isPartitionLost = true
      forgetMonths(warehouse)
      return await attempt()
    }
  }
  try {
    return await retryTransient(attempt, { signal: options.signal })
  } catch (error) {
    throw toEtlError(error, 'deriving reporting rows')
  }
}

/** Makes the partitions of the cells where there are conversations; months that were dropped stay dropped. */
async function ensureCellMonths(warehouse: Warehouse, candidates: readonly Candidate[]): Promise<void> {
  const { rows } = await sql<{ month: string }>`
    select month from (
      select distinct to_char(conversation_start, 'YYYY-MM') as month from etl.conversations
      where conversation_id = any(${candidates.map(({ id }) => id)}::text[])) m
    where to_regclass('genesys.conversations_' || replace(month, '-', '_')) is not null`.execute(warehouse.db)
  await ensureMonths(
    warehouse,
    rows.map(({ month }) => month),
  )
}

interface LockedRow {
  readonly id: string
  readonly start: string
  readonly stale: boolean
  /** Whether cells may stand under another start than this: the content has changed since they were derived. */
  readonly moved: boolean
}

async function deriveOnce(
  trx: Transaction<Database>,
  client: ClientBase,
  candidates: readonly Candidate[],
  { force, alongside }: DeriveOptions,
): Promise<DeriveCounts> {
  const locked = await lockConversations(trx, candidates)
  const due = force ? locked : locked.filter(({ stale }) => stale)
  const rows = await readSources(trx, due)
  if (due.length > 0) {
    await replaceCells(trx, client, rows, due.map(storedCells))
    await markDerived(
      trx,
      due.map(({ id }) => id),
    )
  }
  await alongside?.(trx)
  return { conversations: due.length, withoutRows: due.length - rows.conversations.length }
}

/** In the order of all loaders, so that none waits for another in a circle. What has been deleted meanwhile is left out. */
async function lockConversations(trx: Transaction<Database>, candidates: readonly Candidate[]): Promise<LockedRow[]> {
  const ids = candidates.map(({ id }) => id)
  const { rows } = await sql<LockedRow>`
    select conversation_id as id, conversation_start::text as start,
      derived_hash is distinct from content_hash or derived_version is distinct from ${DERIVED_VERSION} as stale,
      derived_hash is not null and derived_hash <> content_hash as moved
    from etl.conversations where conversation_id = any(${ids}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
  return rows
}

/**
 * The rows that stand under the start of their conversation; any others are leftovers, which count nowhere. Conversations that are missing
 * at Genesys do not count either.
 */
async function readSources(trx: Transaction<Database>, due: readonly LockedRow[]): Promise<RowSet> {
  const starts = new Map(due.map(({ id, start }) => [id, fromPostgres(start)]))
  const isInPlace = (row: Row): boolean => starts.get(row[0] as string) === row[1]
  const sources = emptyRowSet()
  for (const [month, group] of Map.groupBy(due, ({ start }) => monthOf(start))) {
    const marked = await selectMarked(trx, month, group)
    const ids = group.map(({ id }) => id).filter((id) => !marked.has(id))
    const rows = await readBackRows(trx, ids, month, SOURCES)
    for (const table of tables) for (const row of rows[table]) if (isInPlace(row)) sources[table].push(row)
  }
  return sources
}

async function selectMarked(
  trx: Transaction<Database>,
  month: string,
  group: readonly LockedRow[],
): Promise<ReadonlySet<string>> {
  const { from, to } = monthBounds(month)
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations
    where conversation_id = any(${group.map(({ id }) => id)}::text[]) and conversation_start >= ${from} and conversation_start < ${to}
      and _missing_since is not null`.execute(trx)
  return new Set(rows.map(({ id }) => id))
}

/**
 * Where cells of a conversation may be stored. A process of an older release moves it to a corrected start without its cells, more than
 * once perhaps, so that those of changed content are looked for in every month.
 */
function storedCells({ id, start, moved }: LockedRow): StoredCells {
  return { conversationId: id, start: moved ? null : start }
}
