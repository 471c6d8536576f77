/** etl.unsettled: the conversations that are not final. Kept in the transactions that write conversations or confirm them. */
import { sql, type Transaction } from 'kysely'
import type { Database } from '../postgres/database.ts'

/** A conversation as it is stored now. */
export interface StoredState {
  readonly conversationId: string
  readonly conversationStart: string
  /** null: it has not ended. */
  readonly conversationEnd: string | null
  /** What is stored is current as of then. */
  readonly fetchedAt: string
}

/**
 * Puts conversations, whose deciding rows the transaction has locked, into etl.unsettled, or takes them out of it: see etl.is_final.
 * Writes, and locks, nothing where that changes nothing. To be called late in a transaction, since it reads settle_days, and whoever
 * fills the table after a change of that waits for those that have read the old one (reporting/settling.ts).
 */
export async function updateUnsettled(
  trx: Transaction<Database>,
  conversations: readonly StoredState[],
): Promise<void> {
  const column = (name: keyof StoredState) => conversations.map((conversation) => conversation[name])
  await sql`
    with stored as (
      -- as etl.is_final, which loads must not depend on: migrations may drop it for a while, with the views
      select id, start, ended, coalesce(fetched >= ended
        + make_interval(hours => 24 * (select settle_days from reporting.settings)), false) as final
      from unnest(${column('conversationId')}::text[], ${column('conversationStart')}::timestamptz[],
        ${column('conversationEnd')}::timestamptz[], ${column('fetchedAt')}::timestamptz[]) as c (id, start, ended, fetched)
    ), settled as (
      delete from etl.unsettled u using stored s where u.conversation_id = s.id and s.final)
    insert into etl.unsettled (conversation_id, conversation_start, ended_at)
    select id, start, ended from stored s
    where not final and not exists (
      select from etl.unsettled u
      where u.conversation_id = s.id and u.conversation_start = s.start and u.ended_at is not distinct from s.ended)
    on conflict (conversation_id) do update set
      conversation_start = excluded.conversation_start, ended_at = excluded.ended_at`.execute(trx)
}
