/** One conversation for people: its head and its timeline. */
import { sql, type RawBuilder, type Transaction } from 'kysely'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import { type Database } from '../postgres/database.ts'

/** What is known of a conversation that is stored. */
export interface Conversation {
  readonly id: string
  readonly start: Date
  readonly end: Date | null
  readonly isFinal: boolean
  /** Since when Genesys has it no more; null: it has. */
  readonly missingSince: Date | null
  readonly loadedAt: Date
  /** The zone of the settings, and the instants in it, `2026-11-26 09:52:07`. */
  readonly timeZone: string
  readonly local: {
    readonly start: string
    readonly end: string | null
    readonly missingSince: string | null
    readonly loadedAt: string
  }
  /** null: it is not in the reports, since Genesys has it no more, or since it is not derived yet. */
  readonly facts: ConversationFacts | null
  readonly timeline: readonly TimelineEvent[]
}

/** What reporting.conversations, queue_entries and agent_sessions say of it. */
export interface ConversationFacts {
  readonly mediaTypes: readonly string[]
  readonly messageType: string | null
  readonly direction: string | null
  /** Names in the order in which it came to them, each once. */
  readonly queues: readonly string[]
  readonly agents: readonly string[]
  readonly isAnswered: boolean
  readonly isAbandoned: boolean
  readonly flowOuts: number
  readonly waitSeconds: number | null
  readonly talkSeconds: number | null
  readonly holdSeconds: number | null
  readonly acwSeconds: number | null
  readonly transferred: number
  readonly wrapUpCode: string | null
  readonly disconnectType: string | null
  /** Personal; null where it is not to be shown. */
  readonly customerAddress: string | null
}

/** A row of reporting.timeline. */
export interface TimelineEvent {
  readonly at: Date | null
  readonly until: Date | null
  /** `at` in the zone of the settings, `2026-11-26 09:52:07`. */
  readonly local: string | null
  readonly event: string
  readonly who: string | null
  readonly queue: string | null
  readonly detail: string | null
  /** Personal; null where it is not to be shown. */
  readonly note: string | null
}

/**
 * Reads a conversation by its id.
 * @param options.showPersonal false: the views give null for what is personal
 * @param options.timeoutMs after which the database gives up each of the queries
 * @returns null if it is not stored
 */
export async function readConversation(
  warehouse: Warehouse,
  id: string,
  options: { readonly showPersonal: boolean; readonly timeoutMs: number },
): Promise<Conversation | null> {
  return await withTransaction(warehouse, async (trx) => {
    await sql`set transaction isolation level repeatable read, read only`.execute(trx)
    await sql`select set_config('statement_timeout', ${String(options.timeoutMs)}, true),
      set_config('genesys_etl.hide_personal', ${options.showPersonal ? 'off' : 'on'}, true)`.execute(trx)
    const { rows } = await sql<Omit<Conversation, 'facts' | 'timeline'>>`
      select s.conversation_id as id, s.conversation_start as start, s.conversation_end as end, s.is_final as "isFinal",
        s.missing_since as "missingSince", s.loaded_at as "loadedAt", z.time_zone as "timeZone",
        json_build_object('start', ${local(sql`s.conversation_start`)}, 'end', ${local(sql`s.conversation_end`)},
          'missingSince', ${local(sql`s.missing_since`)}, 'loadedAt', ${local(sql`s.loaded_at`)}) as local
      from etl.conversations e
      join reporting.conversation_status s on s.conversation_id = e.conversation_id and s.conversation_start = e.conversation_start
      cross join reporting.settings z
      where e.conversation_id = ${id}`.execute(trx)
    const [head] = rows
    if (head === undefined) return null
    const facts = head.missingSince ? null : await selectFacts(trx, head)
    return { ...head, facts, timeline: await selectTimeline(trx, id) }
  })
}

async function selectFacts(
  trx: Transaction<Database>,
  { id, start }: Pick<Conversation, 'id' | 'start'>,
): Promise<ConversationFacts | null> {
  const { rows } = await sql<ConversationFacts>`
    select c.media_types as "mediaTypes", c.message_type as "messageType", c.originating_direction as direction,
      array(select queue_name from (
        select q.queue_name, min(q.entered_at) as entered_at, min(q._session_index) as session from reporting.queue_entries q
        where q.conversation_id = c.conversation_id and q.conversation_start = c.conversation_start and q.queue_name is not null
        group by q.queue_name) q order by entered_at, session) as queues,
      array(select user_name from (
        select a.user_name, min(coalesce(a.answered_at, a.ended_at)) as at from reporting.agent_sessions a
        where a.conversation_id = c.conversation_id and a.conversation_start = c.conversation_start and a.is_answered and a.user_name is not null
        group by a.user_name) a order by at, user_name) as agents,
      c.is_answered as "isAnswered", c.is_abandoned as "isAbandoned", c.flow_outs as "flowOuts", c.wait_seconds as "waitSeconds",
      c.talk_seconds as "talkSeconds", c.hold_seconds as "holdSeconds", c.acw_seconds as "acwSeconds", c.transferred,
      c.wrap_up_code_name as "wrapUpCode", c.disconnect_type as "disconnectType", c.customer_address as "customerAddress"
    from reporting.conversations c
    where c.conversation_id = ${id} and c.conversation_start = ${start}`.execute(trx)
  return rows[0] ?? null
}

async function selectTimeline(trx: Transaction<Database>, id: string): Promise<TimelineEvent[]> {
  const { rows } = await sql<TimelineEvent>`
    select at, until, ${local(sql`at`)} as local, event, who, queue_name as queue, detail, note
    from reporting.timeline(${id}) cross join reporting.settings z order by position`.execute(trx)
  return rows
}

/** An instant as local text, beside reporting.settings as z. */
function local(at: RawBuilder<unknown>): RawBuilder<string | null> {
  return sql`to_char(${at} at time zone z.time_zone, 'YYYY-MM-DD HH24:MI:SS')`
}
