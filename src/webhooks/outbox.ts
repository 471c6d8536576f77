/**
 * The transactional outbox of the webhooks. Several senders may work at once: each leases due messages, and none leases a
 * message while an earlier one of the same conversation is undelivered.
 */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

export interface OutboxMessage {
  /** The same for the same event: a second message with it is not written. */
  readonly messageId: string
  readonly conversationId: string
  readonly event: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** A message leased for sending. */
export interface TakenMessage extends OutboxMessage {
  readonly id: number
  /** Attempts so far, this one included. */
  readonly attempts: number
}

/** In the error of each message that waits because the receiver ended the deliveries with 410. */
export const GONE_MARK = '(Gone)'

const pending = sql<boolean>`delivered_at is null and given_up_at is null`

/** Inserts messages, in their order, as part of the caller's transaction; returns how many of them are new. */
export async function insertMessages(db: Kysely<Database>, messages: readonly OutboxMessage[]): Promise<number> {
  if (messages.length === 0) return 0
  const rows = JSON.stringify(
    messages.map((message, position) => ({
      position,
      message_id: message.messageId,
      conversation_id: message.conversationId,
      event: message.event,
      payload: message.payload,
    })),
  )
  // Known messages are left out beforehand, because each conflict would use up an id.
  const { rows: written } = await sql<{ count: number }>`
    with written as (
      insert into etl.webhook_outbox (message_id, conversation_id, event, payload)
      select message_id, conversation_id, event, payload
      from json_to_recordset(${rows}::json) as r (position integer, message_id text, conversation_id text, event text, payload jsonb)
      where not exists (select from etl.webhook_outbox o where o.message_id = r.message_id)
      order by position
      on conflict (message_id) do nothing
      returning 1)
    select count(*)::int as count from written`.execute(db)
  return written[0]?.count ?? 0
}

/**
 * Leases up to `limit` due messages, at most one per conversation and that its oldest. If the lease expires without a result,
 * the message becomes due again.
 */
export async function takeMessages(db: Kysely<Database>, limit: number, leaseSeconds: number): Promise<TakenMessage[]> {
  const { rows } = await sql<TakenMessage>`
    update etl.webhook_outbox o
    set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    where id in (
      select id from etl.webhook_outbox c
      where ${pending} and next_attempt_at <= now() and not exists (
        select from etl.webhook_outbox e
        where e.conversation_id = c.conversation_id and e.id < c.id and e.delivered_at is null and e.given_up_at is null)
      order by id limit ${limit} for update skip locked)
    returning id, message_id as "messageId", conversation_id as "conversationId", event, payload, attempts`.execute(db)
  return rows
}

/** Records a delivery. */
export async function markDelivered(db: Kysely<Database>, id: number): Promise<void> {
  await sql`
    update etl.webhook_outbox set delivered_at = clock_timestamp(), last_error = null where id = ${id}`.execute(db)
}

/** Records a failed attempt; the next one is due after `retryMs` milliseconds. */
export async function markFailed(db: Kysely<Database>, id: number, error: string, retryMs: number): Promise<void> {
  await sql`
    update etl.webhook_outbox
    set last_error = ${error}, next_attempt_at = clock_timestamp() + make_interval(secs => ${retryMs / 1000})
    where id = ${id} and ${pending}`.execute(db)
}

/** Records the same error for every pending message. */
export async function markAllPending(db: Kysely<Database>, error: string): Promise<void> {
  await sql`update etl.webhook_outbox set last_error = ${error} where ${pending}`.execute(db)
}

/** Gives up messages that are older than `hours`; returns how many. They stay in the table until they are pruned. */
export async function giveUpMessages(db: Kysely<Database>, hours: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with given_up as (
      update etl.webhook_outbox set given_up_at = now()
      where ${pending} and created_at < now() - make_interval(hours => ${hours}) returning 1)
    select count(*)::int as count from given_up`.execute(db)
  return rows[0]?.count ?? 0
}

/**
 * Deletes messages that were delivered or given up more than `hours` ago. Those of conversations that are still open stay, so
 * that no event is sent twice.
 */
export async function pruneMessages(db: Kysely<Database>, hours: number): Promise<void> {
  await sql`
    delete from etl.webhook_outbox o
    where created_at < now() - make_interval(hours => ${hours})
      and coalesce(delivered_at, given_up_at) < now() - make_interval(hours => ${hours})
      and not exists (select from genesys.live_conversations l where l.conversation_id = o.conversation_id)`.execute(db)
}
