import { sql, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { CELL_COLUMNS, cellColumns, cellsOf, DERIVED_VERSION, type CellSources } from '../intervals/cells.ts'
import type { Row } from '../model/columns.ts'
import { encoderOf } from '../model/copy-text.ts'
import type { Database } from '../postgres/database.ts'
import { copyInto, type CopyTarget } from './copy.ts'
import { idsByMonth, monthBounds } from './partitions.ts'

/** Where cells of a conversation are stored. */
export interface StoredCells {
  readonly conversationId: string
  /** The start under which they are stored, in Postgres' or canonical spelling; null: under any, so that every month is searched. */
  readonly start: string | null
}

const target: CopyTarget = {
  table: 'etl.interval_cells',
  columns: CELL_COLUMNS,
  encode: cellColumns.map(({ type }) => encoderOf(type)),
}
const INTERVAL_SLOT = CELL_COLUMNS.indexOf('interval_start')

/**
 * Replaces the cells of conversations inside the transaction, which holds the locks of their deciding rows: deletes the stored ones,
 * copies those that follow from the rows, and marks the hours (UTC) of both as dirty, since what is summed up from cells has to be computed
 * again there. Returns the number of new cells.
 * @param rows all rows that cells come from, of any number of conversations
 * @param stored where there may be older cells of these conversations, or of others that leave none
 */
export async function replaceCells(
  trx: Transaction<Database>,
  client: ClientBase,
  rows: CellSources,
  stored: readonly StoredCells[],
): Promise<number> {
  await deleteCells(trx, stored)
  const cells = cellsOf(rows)
  const count = await copyInto(client, target, cells)
  await markDirty(trx, cells)
  return count
}

/** Records that the cells of conversations, whose deciding rows the transaction has locked, are those of their content. */
export async function markDerived(trx: Transaction<Database>, conversationIds: readonly string[]): Promise<void> {
  if (conversationIds.length === 0) return
  await sql`
    update etl.conversations set derived_hash = content_hash, derived_version = ${DERIVED_VERSION}
    where conversation_id = any(${conversationIds}::text[])
      and (derived_hash is distinct from content_hash or derived_version is distinct from ${DERIVED_VERSION})`.execute(
    trx,
  )
}

/**
 * Deletes the cells of conversations inside the transaction, which holds the locks of their deciding rows, and marks their hours as dirty.
 */
export async function deleteCells(trx: Transaction<Database>, stored: readonly StoredCells[]): Promise<void> {
  const isPlaced = (cells: StoredCells): cells is StoredCells & { start: string } => cells.start !== null
  // with plain bounds of a month the planner prunes to one partition
  for (const [month, ids] of idsByMonth(stored.filter(isPlaced), ({ start }) => start)) {
    const { from, to } = monthBounds(month)
    await deleteAndMark(ids, sql`and conversation_start >= ${from} and conversation_start < ${to}`)
  }
  const anywhere = stored.filter((cells) => !isPlaced(cells)).map(({ conversationId }) => conversationId)
  if (anywhere.length > 0) await deleteAndMark(anywhere, sql``)

  async function deleteAndMark(ids: readonly string[], bounds: ReturnType<typeof sql>): Promise<void> {
    await sql`
      with deleted as (
        delete from etl.interval_cells where conversation_id = any(${ids}::text[]) ${bounds} returning interval_start)
      insert into etl.dirty_hours (hour)
      select distinct date_trunc('hour', interval_start, 'UTC') from deleted`.execute(trx)
  }
}

/**
 * Takes the conversation and the user out of the cells of conversations inside the transaction, which holds the locks of their deciding rows, so
 * that the sums by queue stay. The start is cut to its day, and each conversation gets a random name. Returns the number of cells.
 */
export async function anonymizeCells(trx: Transaction<Database>, conversationIds: readonly string[]): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with named as materialized (
      select id, start, 'erased-' || gen_random_uuid() as name from (
        select distinct conversation_id as id, conversation_start as start from etl.interval_cells
        where conversation_id = any(${conversationIds}::text[])) as cells
    ), anonymized as (
      update etl.interval_cells c
      set conversation_id = n.name, conversation_start = date_trunc('day', n.start, 'UTC'), user_id = null
      from named n where c.conversation_id = n.id and c.conversation_start = n.start returning c.interval_start
    ), dirtied as (
      -- the sums by user change
      insert into etl.dirty_hours (hour) select distinct date_trunc('hour', interval_start, 'UTC') from anonymized)
    select count(*)::integer as count from anonymized`.execute(trx)
  return rows[0]?.count ?? 0
}

async function markDirty(trx: Transaction<Database>, cells: readonly Row[]): Promise<void> {
  if (cells.length === 0) return
  const hours = new Set(cells.map((cell) => `${(cell[INTERVAL_SLOT] as string).slice(0, 13)}:00:00Z`))
  await sql`insert into etl.dirty_hours (hour) select unnest(${[...hours]}::timestamptz[])`.execute(trx)
}
