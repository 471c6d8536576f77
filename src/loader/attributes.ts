/** Attributes that come with an answer whose content is older than what is stored: a job is behind a query, but only it has them. */
import { sql, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { emptyRowSet } from '../model/columns.ts'
import type { JsonObject } from '../model/json.ts'
import { policyAt, type PolicyInForce } from '../model/personal-retention.ts'
import { fromPostgres } from '../model/timestamps.ts'
import { appendRows } from '../model/transform.ts'
import type { Database } from '../postgres/database.ts'
import { copyRows } from './copy.ts'
import { idsByMonth, monthBounds } from './partitions.ts'
import { pointToParticipants } from './replace.ts'

/** The attributes of an answer whose content is not loaded. */
export interface DeliveredAttributes {
  readonly conversationId: string
  /** ISO text, by the clock of the database. */
  readonly fetchedAt: string
  readonly attributesHash: string
  readonly raw: JsonObject
}

export interface ReplacedAttributes {
  /** Conversations whose attributes have changed. */
  readonly conversations: number
  readonly rows: number
  /** Of the transaction, if it has written anything. */
  readonly transactionId: string | null
}

/**
 * Stores the attributes of conversations whose content stays, inside the transaction that has locked their deciding rows: where no
 * newer answer has delivered any. Changed ones are replaced under the stored start, belong to the participants that are stored, and
 * show in the change feed.
 */
export async function replaceAttributes(
  trx: Transaction<Database>,
  client: ClientBase,
  delivered: readonly DeliveredAttributes[],
  inForce: PolicyInForce,
): Promise<ReplacedAttributes> {
  if (delivered.length === 0) return { conversations: 0, rows: 0, transactionId: null }
  const confirmed = await confirm(trx, delivered)
  const changed = confirmed.filter(({ previous, attributes_hash: hash }) => (previous ?? '') !== hash)
  const transactionId = confirmed[0]?.transaction_id ?? null
  const starts = new Map(changed.map(({ conversation_id, start }) => [conversation_id, start]))
  const rows = emptyRowSet()
  for (const { conversationId, raw } of delivered) {
    const start = starts.get(conversationId)
    // the answer may have another start, and so another policy, than what is stored
    if (start !== undefined && policyAt(inForce, fromPostgres(start)).customers !== 'drop') appendRows(rows, raw)
  }
  const stored = [...starts].map(([conversationId, start]) => ({ conversationId, start }))
  const months = idsByMonth(stored, ({ start }) => start)
  for (const [month, ids] of months) await clear(trx, month, ids)
  const underStored = rows.participant_attributes.map((row) => row.with(1, starts.get(row[0] as string) ?? null))
  const written = await copyRows(client, 'participant_attributes', underStored)
  for (const [month, ids] of months) await pointToParticipants(trx, month, ids)
  return { conversations: changed.length, rows: written, transactionId }
}

/** Notes as of when the attributes are current; returns the conversations for which the answer was newer than what there was. */
async function confirm(trx: Transaction<Database>, delivered: readonly DeliveredAttributes[]) {
  const { rows } = await sql<{
    conversation_id: string
    start: string
    previous: string | null
    attributes_hash: string
    transaction_id: string
  }>`
    update etl.conversations c set attributes_hash = entry.hash, previous_attributes_hash = c.attributes_hash,
      attributes_fetched_at = least(entry.fetched, clock_timestamp())
    from unnest(${delivered.map(({ conversationId }) => conversationId)}::text[],
      ${delivered.map(({ attributesHash }) => attributesHash)}::text[],
      ${delivered.map(({ fetchedAt }) => fetchedAt)}::timestamptz[]) as entry (id, hash, fetched)
    where c.conversation_id = entry.id
      and (c.attributes_fetched_at is null or entry.fetched > c.attributes_fetched_at
        or c.attributes_fetched_at > clock_timestamp())
    returning c.conversation_id, c.conversation_start::text as start, c.previous_attributes_hash as previous,
      c.attributes_hash, pg_current_xact_id()::text as transaction_id`.execute(trx)
  return rows
}

/** Deletes the attributes of conversations of a month, and lets consumers of the change feed see that something has changed. */
async function clear(trx: Transaction<Database>, month: string, ids: readonly string[]): Promise<void> {
  const { from, to } = monthBounds(month)
  await sql`
    delete from genesys.participant_attributes
    where conversation_id = any(${ids}::text[]) and conversation_start >= ${from} and conversation_start < ${to}`.execute(
    trx,
  )
  await sql`
    update genesys.conversations set _loaded_at = now()
    where conversation_id = any(${ids}::text[]) and conversation_start >= ${from} and conversation_start < ${to}`.execute(
    trx,
  )
}
