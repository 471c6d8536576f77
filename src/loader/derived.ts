/** The rows that are derived from conversations, and stored in the transaction that writes these: interval cells and facts. */
import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import {
  derive,
  DERIVED_VERSION,
  derivedColumns,
  derivedTables,
  type DerivedSources,
  type DerivedTable,
} from '../facts/derived.ts'
import { CELL_COLUMNS } from '../intervals/cells.ts'
import type { Row } from '../model/columns.ts'
import { encoderOf } from '../model/copy-text.ts'
import type { Database } from '../postgres/database.ts'
import { copyInto, type CopyTarget } from './copy.ts'
import { idsByMonth, monthBounds } from './partitions.ts'

/** Where derived rows of a conversation are stored. */
export interface StoredDerived {
  readonly conversationId: string
  /** The start under which they are stored, in Postgres' or canonical spelling; null: under any, so that every month is searched. */
  readonly start: string | null
}

/**
 * Of a row of etl.conversations: whether derived rows of it may stand under another start than its own, since a process of an older release
 * has moved it without them. It has changed the content since they were derived, or has derived only those that it knows of.
 */
export const MAY_HAVE_STRAY_ROWS: RawBuilder<boolean> = sql`
  (derived_hash is not null and (derived_hash <> content_hash or derived_version <> ${DERIVED_VERSION}))`

function targetOf(table: DerivedTable): CopyTarget {
  const columns = derivedColumns[table]
  return {
    table: `etl.${table}`,
    columns: columns.map(({ name }) => name),
    encode: columns.map(({ type }) => encoderOf(type)),
  }
}

const targets = Object.fromEntries(derivedTables.map((table) => [table, targetOf(table)])) as Record<
  DerivedTable,
  CopyTarget
>
const facts = targets.conversation_facts
/** Of conversations that were loaded earlier. */
const datedFacts: CopyTarget = {
  table: facts.table,
  columns: [...facts.columns, 'loaded_at'],
  encode: [...facts.encode, encoderOf('timestamptz')],
}
const INTERVAL_SLOT = CELL_COLUMNS.indexOf('interval_start')

/**
 * Replaces the derived rows of conversations inside the transaction, which holds the locks of their deciding rows: deletes the stored ones,
 * copies those that follow from the rows, and marks the hours (UTC) of old and new cells as dirty, since what is summed up from cells has to
 * be computed again there.
 * @param rows all rows that they come from, of any number of conversations
 * @param stored where there may be older rows of these conversations, or of others that leave none
 * @param loadedAt when the conversations were loaded, by id; absent: by this transaction
 */
export async function replaceDerived(
  trx: Transaction<Database>,
  client: ClientBase,
  rows: DerivedSources,
  stored: readonly StoredDerived[],
  loadedAt?: ReadonlyMap<string, string>,
): Promise<void> {
  await deleteDerived(trx, stored)
  const derived = derive(rows)
  for (const table of derivedTables) {
    if (table === 'conversation_facts' && loadedAt)
      await copyInto(
        client,
        datedFacts,
        derived[table].map((fact) => [...fact, loadedAt.get(fact[0] as string)!]),
      )
    else await copyInto(client, targets[table], derived[table])
  }
  await markDirty(trx, derived.interval_cells)
}

/** Records that the derived rows of conversations, whose deciding rows the transaction has locked, are those of their content. */
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
 * Deletes the derived rows of conversations inside the transaction, which holds the locks of their deciding rows, and marks the hours of
 * their cells as dirty.
 */
export async function deleteDerived(trx: Transaction<Database>, stored: readonly StoredDerived[]): Promise<void> {
  const isPlaced = (rows: StoredDerived): rows is StoredDerived & { start: string } => rows.start !== null
  // with plain bounds of a month the planner prunes to one partition
  for (const [month, ids] of idsByMonth(stored.filter(isPlaced), ({ start }) => start)) {
    const { from, to } = monthBounds(month)
    await deleteAndMark(
      trx,
      sql`conversation_id = any(${ids}::text[]) and conversation_start >= ${from} and conversation_start < ${to}`,
    )
  }
  const anywhere = stored.filter((rows) => !isPlaced(rows)).map(({ conversationId }) => conversationId)
  if (anywhere.length > 0) await deleteAndMark(trx, sql`conversation_id = any(${anywhere}::text[])`)
}

async function deleteAndMark(trx: Transaction<Database>, condition: ReturnType<typeof sql>): Promise<void> {
  const facts = derivedTables
    .filter((table) => table !== 'interval_cells')
    .map(
      (table) => sql`${sql.ref(`deleted_${table}`)} as (delete from ${sql.table(`etl.${table}`)} where ${condition})`,
    )
  await sql`
    with deleted as (delete from etl.interval_cells where ${condition} returning interval_start), ${sql.join(facts)}
    insert into etl.dirty_hours (hour)
    select distinct date_trunc('hour', interval_start, 'UTC') from deleted`.execute(trx)
}

async function markDirty(trx: Transaction<Database>, cells: readonly Row[]): Promise<void> {
  if (cells.length === 0) return
  const hours = new Set(cells.map((cell) => `${(cell[INTERVAL_SLOT] as string).slice(0, 13)}:00:00Z`))
  await sql`insert into etl.dirty_hours (hour) select unnest(${[...hours]}::timestamptz[])`.execute(trx)
}
