/** Finds conversations of etl.conversations whose rows are missing: a month was dropped, or one schema was restored alone. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { monthBounds, monthOf } from './partitions.ts'

/** A conversation and the start under which it should be stored, in Postgres' spelling. */
interface Expected {
  readonly conversationId: string
  readonly start: string
}

/**
 * The conversations that have no row in genesys.conversations under their start: a month was dropped, or schema genesys was
 * restored without schema etl. One statement, which searches the months of these starts only. A row whose
 * _loaded_at lies in the future counts as missing: it was written while the database's clock was ahead, and has to be written
 * again for consumers that follow _loaded_at.
 * @param options.unlessMarked whether a row that is marked as missing at Genesys counts as missing here, too: writing it again takes
 * the mark away
 */
export async function selectMissing(
  db: Kysely<Database>,
  expected: readonly Expected[],
  options: { readonly unlessMarked: boolean },
): Promise<Set<string>> {
  const missing = new Map(expected.map(({ conversationId, start }) => [conversationId, start]))
  if (missing.size === 0) return new Set()
  const months = Map.groupBy(expected, ({ start }) => monthOf(start))
  const isUsable = options.unlessMarked ? sql`and _missing_since is null` : sql.raw('')
  const parts = [...months].map(([month, group]) => {
    const { from, to } = monthBounds(month)
    return sql`
      select conversation_id as id, conversation_start::text as start from genesys.conversations
      where conversation_id = any(${group.map(({ conversationId }) => conversationId)}::text[])
        and conversation_start >= ${from} and conversation_start < ${to} and _loaded_at <= clock_timestamp() ${isUsable}`
  })
  const { rows } = await sql<{ id: string; start: string }>`${sql.join(parts, sql` union all `)}`.execute(db)
  for (const { id, start } of rows) if (missing.get(id) === start) missing.delete(id)
  return new Set(missing.keys())
}

/**
 * All starts under which conversations have a row, in every month: for the few whose rows are not where they should be, since a
 * restored table may have them under an earlier start.
 */
export async function selectStartsOf(
  db: Kysely<Database>,
  conversationIds: readonly string[],
): Promise<Map<string, string[]>> {
  const starts = new Map<string, string[]>()
  if (conversationIds.length === 0) return starts
  const { rows } = await sql<{ id: string; start: string }>`
    select conversation_id as id, conversation_start::text as start from genesys.conversations
    where conversation_id = any(${conversationIds}::text[])`.execute(db)
  for (const { id, start } of rows) starts.set(id, [...(starts.get(id) ?? []), start])
  return starts
}

/** Makes the next source that delivers attributes write them again, where the stored ones are missing too. */
export async function forgetStoredAttributes(db: Kysely<Database>, conversationIds: readonly string[]): Promise<void> {
  if (conversationIds.length === 0) return
  await sql`
    update etl.conversations e set attributes_hash = null
    where e.conversation_id = any(${conversationIds}::text[]) and e.attributes_hash = e.previous_attributes_hash
      and not exists (
        select from genesys.participant_attributes a where a.conversation_id = e.conversation_id)`.execute(db)
}
