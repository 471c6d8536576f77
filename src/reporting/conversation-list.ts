/** Reads the conversations behind the numbers of a report, page by page. */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { boundsOf, matches, MAX_NAME_CHARACTERS, readOnSnapshot, selectDays, type LocalClock } from './local-days.ts'
import { type Days } from './report-range.ts'
import { type Cursor, type ListRequest } from './report-request.ts'

/** A conversation of the list; null: its facts are not derived yet, or it has no such thing. */
export interface ListedConversation {
  readonly id: string
  /** Local time, `2026-11-26 09:52:07`. */
  readonly start: string
  readonly durationSeconds: number | null
  readonly isOpen: boolean | null
  readonly mediaType: string | null
  /** Names, in the order in which it entered them. */
  readonly queues: readonly string[]
  /** Names of the agents who were connected, in their order. */
  readonly agents: readonly string[]
  readonly waitSeconds: number | null
  readonly outcome: 'answered' | 'abandoned' | 'flow_out' | 'open' | 'handled' | 'no_queue' | 'other' | null
}

export interface ConversationList {
  readonly clock: LocalClock
  readonly days: Days
  /** The names of the ids that are filtered by; null: unknown. */
  readonly queueName: string | null
  readonly agentName: string | null
  /** How many conversations there are on all pages, and what they count in the range together: the numbers of the row of the report. */
  readonly count: number
  readonly counted: Readonly<Record<'offered' | 'answered' | 'abandoned' | 'handled' | 'transferred', number>>
  /** Those of the page, the newest first. */
  readonly conversations: readonly ListedConversation[]
  /** Where the next page begins; null: there is none. */
  readonly next: Cursor | null
}

const PAGE_LENGTH = 50

/** The conversations with a metric of the request's queue, media type and agent in its range. */
export async function readConversationList(db: Kysely<Database>, request: ListRequest): Promise<ConversationList> {
  return await readOnSnapshot(db, async (trx) => {
    const { clock, days } = await selectDays(trx, request.range)
    const { rows: names } = await sql<Pick<ConversationList, 'queueName' | 'agentName'>>`
      select (select left(name, ${MAX_NAME_CHARACTERS}) from genesys.dim_queues where id = ${request.queue ?? null}) as "queueName",
        (select left(name, ${MAX_NAME_CHARACTERS}) from genesys.dim_users where id = ${request.agent ?? null}) as "agentName"`.execute(
      trx,
    )
    const rows = await selectPage(trx, request, clock, days)
    const { count, offered, answered, abandoned, handled, transferred } = rows[0]!
    const found = rows.filter(({ id }) => id !== null)
    const last = found[PAGE_LENGTH - 1]
    return {
      clock,
      days,
      ...names[0]!,
      count,
      counted: { offered, answered, abandoned, handled, transferred },
      conversations: found.slice(0, PAGE_LENGTH),
      next: found.length > PAGE_LENGTH && last ? { start: last.position, id: last.id } : null,
    }
  })
}

type PageRow = ListedConversation & ConversationList['counted'] & { readonly count: number; readonly position: string }

/** Totals of all pages in every row, and one conversation more than a page has; a single row without an id where there is none. */
async function selectPage(
  trx: Kysely<Database>,
  request: ListRequest,
  { timeZone }: LocalClock,
  days: Days,
): Promise<PageRow[]> {
  const { start, end } = boundsOf(days, { timeZone })
  const { rows } = await sql<PageRow>`
    with matching as materialized (
      select conversation_id, conversation_start, sum(offered) as offered, sum(answered) as answered, sum(abandoned) as abandoned,
        sum(handled) as handled, sum(transferred) as transferred
      from etl.interval_cells
      where interval_start >= ${start} and interval_start < ${end}
        and ${matches(sql`queue_id`, request.queue)} and ${matches(sql`media_type`, request.media)}
        and ${matches(sql`user_id`, request.agent)}
        -- as the interval views
        and (interval_start >= (select shown_from from etl.derivation)) is true
        and ((select media_types from etl.derivation) is null or media_type = any((select media_types from etl.derivation)::text[]))
      group by conversation_id, conversation_start
    ), page as (
      select conversation_id, conversation_start from matching where ${isAfter(request.after)}
      order by conversation_start desc, conversation_id desc limit ${PAGE_LENGTH + 1}
    )
    select t.*, p.conversation_id as id,
      to_char(p.conversation_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as position,
      to_char(p.conversation_start at time zone ${timeZone}, 'YYYY-MM-DD HH24:MI:SS') as start,
      c.duration_seconds as "durationSeconds", c.is_open as "isOpen", c.media_type as "mediaType", c.wait_seconds as "waitSeconds",
      case when c.is_answered then 'answered' when c.is_abandoned then 'abandoned' when c.flow_outs > 0 then 'flow_out'
        when c.is_open then 'open' when c.talk_seconds is not null then 'handled' when c.queue_count = 0 then 'no_queue' when c.conversation_id is not null then 'other' end as outcome,
      array(select left(q.queue_name, ${MAX_NAME_CHARACTERS}) from reporting.queue_entries q
        where q.conversation_id = p.conversation_id and q.conversation_start = p.conversation_start and q.queue_id is not null
        group by q.queue_id, q.queue_name order by min(q.entered_at), q.queue_name) as queues,
      array(select left(a.user_name, ${MAX_NAME_CHARACTERS}) from reporting.agent_sessions a
        where a.conversation_id = p.conversation_id and a.conversation_start = p.conversation_start and a.is_answered and a.user_id is not null
        group by a.user_id, a.user_name order by min(a.answered_at), a.user_name) as agents
    from (
      select count(*)::float8 as count, coalesce(sum(offered), 0)::float8 as offered, coalesce(sum(answered), 0)::float8 as answered,
        coalesce(sum(abandoned), 0)::float8 as abandoned, coalesce(sum(handled), 0)::float8 as handled,
        coalesce(sum(transferred), 0)::float8 as transferred
      from matching) t
    left join page p on true
    left join reporting.conversations c on c.conversation_id = p.conversation_id and c.conversation_start = p.conversation_start
    order by p.conversation_start desc, p.conversation_id desc`.execute(trx)
  return rows
}

function isAfter(cursor: Cursor | null): RawBuilder<boolean> {
  if (cursor === null) return sql`true`
  return sql`(conversation_start, conversation_id) < (${cursor.start}::timestamptz, ${cursor.id}::text)`
}
