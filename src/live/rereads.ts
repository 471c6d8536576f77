/** etl.rereads: conversations that have ended, and when each is due to be read again. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

export interface Reread {
  readonly conversationId: string
  readonly endedAt: string | null
  readonly dueAt: Date
}

/** Inserts re-reads as part of the caller's transaction, each conversation at most once; one that ended again gets its new due time. */
export async function insertRereads(db: Kysely<Database>, rereads: readonly Reread[]): Promise<void> {
  if (rereads.length === 0) return
  const rows = JSON.stringify(
    rereads.map(({ conversationId, endedAt, dueAt }) => ({
      conversation_id: conversationId,
      ended_at: endedAt,
      due_at: dueAt,
    })),
  )
  await sql`
    insert into etl.rereads (conversation_id, ended_at, due_at)
    select * from json_to_recordset(${rows}::json) as r (conversation_id text, ended_at timestamptz, due_at timestamptz)
    on conflict (conversation_id) do update set ended_at = excluded.ended_at, due_at = excluded.due_at`.execute(db)
}

/** Ids of up to `limit` conversations that are due at an instant, those due the longest first. */
export async function selectDueRereads(db: Kysely<Database>, at: Date, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('etl.rereads')
    .select('conversation_id')
    .where('due_at', '<=', at)
    .orderBy('due_at')
    .limit(limit)
    .execute()
  return rows.map((row) => row.conversation_id)
}

/** Deletes conversations that were read again; those with a due time after `at` stay. */
export async function deleteRereads(db: Kysely<Database>, ids: readonly string[], at: Date): Promise<void> {
  await sql`delete from etl.rereads where conversation_id = any(${ids}::text[]) and due_at <= ${at}`.execute(db)
}

/** Postpones conversations that could not be loaded, so that they do not block others. */
export async function postponeRereads(
  db: Kysely<Database>,
  ids: readonly string[],
  at: Date,
  dueAt: Date,
): Promise<void> {
  await sql`
    update etl.rereads set due_at = ${dueAt}
    where conversation_id = any(${ids}::text[]) and due_at <= ${at}`.execute(db)
}
