/** Derives cells and facts of stored conversations again, from their rows. */
import { sql, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { ADDRESS_COLUMNS } from '../facts/customer-address.ts'
import { DERIVED_VERSION } from '../facts/derived.ts'
import { markDerived, MAY_HAVE_STRAY_ROWS, replaceDerived, type StoredDerived } from '../loader/derived.ts'
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
  /** Of these, the ones that etl.conversations has but the tables do not, or Genesys no more: they have no derived rows. */
  readonly withoutRows: number
}

export const NOTHING_DERIVED: DeriveCounts = { conversations: 0, withoutRows: 0 }

/** The sum of two counts. */
export function addDeriveCounts(a: DeriveCounts, b: DeriveCounts): DeriveCounts {
  return { conversations: a.conversations + b.conversations, withoutRows: a.withoutRows + b.withoutRows }
}

/** Conversations of one transaction: few enough that no loader waits long for one of them. */
export const BATCH_SIZE = 1000

/** What rows are derived from. */
const SOURCES: ColumnChoice = {
  conversations: ['originating_direction', 'conversation_end', 'division_ids'],
  participants: ['_index', 'user_id', 'purpose'],
  sessions: [
    '_index',
    '_participant_index',
    'media_type',
    'message_type',
    'direction',
    'outbound_campaign_id',
    ...ADDRESS_COLUMNS,
  ],
  segments: [
    '_index',
    '_session_index',
    'segment_start',
    'segment_end',
    'segment_type',
    'queue_id',
    'requested_routing_skill_ids',
    'requested_language_id',
    'wrap_up_code',
    'wrap_up_note',
    'disconnect_type',
  ],
  session_metrics: ['_session_index', 'emit_date', 'name', 'value'],
  evaluations: ['_index', 'event_time', 'o_total_score'],
  surveys: ['_index', 'event_time', 'o_survey_total_score'],
}

export interface DeriveOptions {
  /** Whether conversations are derived whose derived rows count as current. */
  readonly force: boolean
  readonly signal: AbortSignal
  /** What else is to be recorded in the same transaction. */
  readonly alongside?: (trx: Transaction<Database>) => Promise<void>
}

/**
 * Derives conversations, at most BATCH_SIZE of them, in one transaction: locks them as a loader does, in the same order, reads what is
 * stored, replaces their derived rows and records from what they were derived. Loaders, and other processes that derive, may work on the same
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
    await ensureDerivedMonths(warehouse, candidates)
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

/** Makes the partitions of derived rows where there are conversations; months that were dropped stay dropped. */
async function ensureDerivedMonths(warehouse: Warehouse, candidates: readonly Candidate[]): Promise<void> {
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
  /** Whether derived rows may stand under another start than this. */
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
  const { rows, loadedAt } = await readSources(trx, due)
  if (due.length > 0) {
    await replaceDerived(trx, client, rows, due.map(storedDerived), loadedAt)
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
      ${MAY_HAVE_STRAY_ROWS} as moved
    from etl.conversations where conversation_id = any(${ids}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
  return rows
}

interface Sources {
  readonly rows: RowSet
  /** _loaded_at by conversation, in Postgres' spelling. */
  readonly loadedAt: ReadonlyMap<string, string>
}

/**
 * The rows that stand under the start of their conversation; any others are leftovers, which count nowhere. Conversations that are missing
 * at Genesys do not count either.
 */
async function readSources(trx: Transaction<Database>, due: readonly LockedRow[]): Promise<Sources> {
  const starts = new Map(due.map(({ id, start }) => [id, fromPostgres(start)]))
  const isInPlace = (row: Row): boolean => starts.get(row[0] as string) === row[1]
  const sources = emptyRowSet()
  const loadedAt = new Map<string, string>()
  for (const [month, group] of Map.groupBy(due, ({ start }) => monthOf(start))) {
    const counting = await selectCounting(trx, month, group)
    for (const { id, loaded } of counting) loadedAt.set(id, loaded)
    const ids = counting.map(({ id }) => id)
    const rows = await readBackRows(trx, ids, month, SOURCES)
    for (const table of tables) for (const row of rows[table]) if (isInPlace(row)) sources[table].push(row)
  }
  return { rows: sources, loadedAt }
}

async function selectCounting(
  trx: Transaction<Database>,
  month: string,
  group: readonly LockedRow[],
): Promise<readonly { readonly id: string; readonly loaded: string }[]> {
  const starts = new Map(group.map(({ id, start }) => [id, start]))
  const { from, to } = monthBounds(month)
  const { rows } = await sql<{ id: string; start: string; loaded: string }>`
    select conversation_id as id, conversation_start::text as start, _loaded_at::text as loaded from genesys.conversations
    where conversation_id = any(${[...starts.keys()]}::text[]) and conversation_start >= ${from} and conversation_start < ${to}
      and _missing_since is null`.execute(trx)
  return rows.filter(({ id, start }) => starts.get(id) === start)
}

/**
 * Where derived rows of a conversation may be stored. A process of an older release moves it to a corrected start without them, more than
 * once perhaps, so that they are looked for in every month where it may have done so.
 */
function storedDerived({ id, start, moved }: LockedRow): StoredDerived {
  return { conversationId: id, start: moved ? null : start }
}
