/** Marks conversations that Genesys has no more. Their rows stay; they count in no report, and come back as soon as a read brings them. */
import { sql, type Kysely, type Transaction } from 'kysely'
import { chunks } from '../chunks.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { insertDeletions } from './deletions.ts'
import { deleteDerived, MAY_HAVE_STRAY_ROWS } from './derived.ts'
import { idsByMonth, monthBounds } from './partitions.ts'

/** Conversations of one transaction: few enough that no loader waits long for one of them. */
const BATCH_SIZE = 500

interface Locked {
  readonly conversationId: string
  readonly start: string
  /** Whether derived rows may stand under another start. */
  readonly moved: boolean
}

/**
 * Marks those of these conversations that are stored, are not marked yet, and were not delivered since `asOf`, the instant as of which
 * Genesys did not have them. Returns how many were marked. In transactions of its own; loads may be at work on the same conversations.
 * @throws EtlError
 */
export async function markMissing(
  db: Kysely<Database>,
  conversationIds: readonly string[],
  asOf: Date,
): Promise<number> {
  let marked = 0
  for (const ids of chunks(conversationIds, BATCH_SIZE))
    marked += await recording('marking conversations that Genesys has no more', () =>
      db.transaction().execute((trx) => markBatch(trx, ids, asOf)),
    )
  return marked
}

async function markBatch(trx: Transaction<Database>, ids: readonly string[], asOf: Date): Promise<number> {
  const locked = await lockUndelivered(trx, ids, asOf)
  const marked: Locked[] = []
  for (const [month, stored] of idsByMonth(locked, ({ start }) => start)) {
    const { from, to } = monthBounds(month)
    const { rows } = await sql<{ id: string }>`
      update genesys.conversations set _missing_since = ${asOf}, _loaded_at = now()
      where conversation_id = any(${stored}::text[]) and conversation_start >= ${from} and conversation_start < ${to}
        and _missing_since is null
      returning conversation_id as id`.execute(trx)
    const updated = new Set(rows.map(({ id }) => id))
    marked.push(...locked.filter(({ conversationId }) => updated.has(conversationId)))
  }
  if (marked.length === 0) return 0
  await insertDeletions(trx, marked, 'missing')
  await deleteDerived(
    trx,
    marked.map(({ conversationId, start, moved }) => ({ conversationId, start: moved ? null : start })),
  )
  await sql`
    delete from etl.unsettled where conversation_id = any(${marked.map(({ conversationId }) => conversationId)}::text[])`.execute(
    trx,
  )
  return marked.length
}

/** Locks the deciding rows in the order of all loaders; a conversation that one of them has just delivered is left out. */
async function lockUndelivered(trx: Transaction<Database>, ids: readonly string[], asOf: Date): Promise<Locked[]> {
  const { rows } = await sql<Locked>`
    select conversation_id as "conversationId", conversation_start::text as start,
      ${MAY_HAVE_STRAY_ROWS} as moved
    from etl.conversations where conversation_id = any(${ids}::text[]) and fetched_at < ${asOf}
    order by conversation_id collate "C" for update`.execute(trx)
  return rows
}
