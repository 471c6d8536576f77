/** etl.deletions: what has left the tables, so that copies of them can follow. */
import { sql, type Transaction } from 'kysely'
import { fromPostgres } from '../model/timestamps.ts'
import type { Database, DeletionReason } from '../postgres/database.ts'

/** A conversation, and a start under which it no longer stands. */
interface Gone {
  readonly conversationId: string
  /** In canonical or Postgres' spelling. */
  readonly start: string
}

/** Records that conversations are not there under these starts any more, and why. */
export async function insertDeletions(
  trx: Transaction<Database>,
  gone: readonly Gone[],
  reason: DeletionReason,
): Promise<void> {
  if (gone.length === 0) return
  await sql`
    insert into etl.deletions (conversation_id, conversation_start, reason)
    select id, start, ${reason} from unnest(${gone.map(({ conversationId }) => conversationId)}::text[],
      ${gone.map(({ start }) => start)}::timestamptz[]) as gone (id, start)`.execute(trx)
}

/** Records which of the replaced conversations stood under another start than now. */
export async function insertMoved(
  trx: Transaction<Database>,
  replaced: readonly {
    readonly conversationId: string
    readonly conversationStart: string
    readonly previousStart: string | null
    readonly strayStarts: readonly string[]
  }[],
): Promise<void> {
  const moved = replaced.flatMap(({ conversationId, conversationStart, previousStart, strayStarts }) => {
    const starts = new Set([previousStart ?? conversationStart, ...strayStarts].map(fromPostgres))
    starts.delete(conversationStart)
    return [...starts].map((start) => ({ conversationId, start }))
  })
  await insertDeletions(trx, moved, 'moved')
}
