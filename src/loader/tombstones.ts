/** etl.tombstones: conversations that were erased on request. Whatever writes conversations, or names them, asks here first. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

/**
 * Those of these conversations that were erased. An erasure commits its tombstones before it deletes anything. So a writer that looks after it has
 * taken the lock for which the erasure waits (of the deciding row, or of the table) either sees the tombstone, or the erasure sees what it has
 * written.
 */
export async function selectErased(db: Kysely<Database>, conversationIds: readonly string[]): Promise<Set<string>> {
  if (conversationIds.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.tombstones where conversation_id = any(${conversationIds}::text[])`.execute(
    db,
  )
  return new Set(rows.map(({ id }) => id))
}
