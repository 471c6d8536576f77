/** Generates by SQL what the views of facts read. */
import type { Warehouse } from '../src/postgres/connect.ts'

export interface FactsScale {
  readonly from: Date
  readonly to: Date
  readonly conversationsPerDay: number
  readonly queues: number
  readonly agents: number
}

const DAY_MS = 86_400_000
/** Written by generateFacts; to be vacuumed, which summarizes their BRIN indexes. */
export const FACT_TABLES = ['etl.conversations', 'etl.conversation_facts', 'etl.queue_entries', 'etl.agent_sessions']

/** Conversations of one queue entry and two agent sessions each, with the names of what they refer to, in the months' partitions. */
export async function generateFacts({ pool }: Warehouse, scale: FactsScale): Promise<void> {
  const { queues, agents } = scale
  await pool.query(`
    insert into genesys.dim_queues (id, name) select md5(n::text)::uuid::text, 'Queue ' || n from generate_series(1, ${queues}) n;
    insert into genesys.dim_users (id, name) select md5('u' || n)::uuid::text, 'Agent ' || n from generate_series(0, ${agents} - 1) n;
    insert into genesys.dim_wrap_up_codes (id, name) select md5('w' || n)::uuid::text, 'Code ' || n from generate_series(0, 49) n`)
  for (let day = scale.from; day < scale.to; day = new Date(+day + DAY_MS)) await generateDay(day)

  async function generateDay(day: Date): Promise<void> {
    const queue = `md5((r % ${queues} + 1)::text)::uuid::text`
    const agent = (n: string): string => `md5('u' || (r + ${n}) % ${agents})::uuid::text`
    const conversations = `
      select md5(row($1::timestamptz, c)::text)::uuid::text as id, $1::timestamptz + interval '8 hours' + c * interval '1 second' as start,
        abs(hashint8extended(c::bigint, extract(epoch from $1::timestamptz)::bigint)) % 1000 as r
      from generate_series(1, ${scale.conversationsPerDay}) c`
    const insert = (text: string) =>
      pool.query(text.replace('CONVERSATIONS', `(${conversations})`), [day.toISOString()])
    await insert(`
      insert into etl.conversations (conversation_id, conversation_start, content_hash, fetched_at, derived_hash, derived_version)
      select id, start, 'hash', start + interval '6 days', 'hash', 2 from CONVERSATIONS x`)
    await insert(`
      insert into etl.conversation_facts (conversation_id, conversation_start, conversation_end, originating_direction, media_type, media_types,
        division_ids, first_queue_id, last_queue_id, queue_count, first_user_id, last_user_id, agent_count, customer_end, customer_address,
        wrap_up_code_id, disconnect_type, survey_score, offered, answered, abandoned, transferred, wait_ms, handled, handle_ms, talk_ms, holds,
        hold_ms, acw_ms, ivr_ms)
      select id, start, start + interval '9 minutes', 'inbound', 'voice', '{voice}', '{${'d'.repeat(36)}}', ${queue}, ${queue}, 1, ${agent('1')},
        ${agent('2')}, 2, start + interval '8 minutes', '+1212' || r, md5('w' || r % 50)::uuid::text, 'peer', nullif(r % 10, 9), 1, 1,
        nullif(r % 20, 19) * 0, nullif(r % 8, 7) / 6, 9000 + r, 2, 400000 + r, 300000 + r, 1, 9000, 60000, 30000
      from CONVERSATIONS x`)
    await insert(`
      insert into etl.queue_entries (conversation_id, conversation_start, _session_index, queue_id, media_type, direction, entered_at, left_at,
        answered_by_user_id, requested_skill_ids, outcome, wait_ms)
      select id, start, 2, ${queue}, 'voice', 'inbound', start + interval '30 seconds', start + interval '50 seconds', ${agent('1')},
        case when r % 4 = 0 then array[md5('s' || r)] end, 'answered', 9000 + r * 400
      from CONVERSATIONS x`)
    await insert(`
      insert into etl.agent_sessions (conversation_id, conversation_start, _session_index, user_id, queue_id, media_type, direction, alerted_at,
        answered_at, ended_at, is_answered, wrap_up_code_id, disconnect_type, alert_ms, talk_ms, hold_ms, acw_ms, handle_ms)
      select id, start, 2 + n, ${agent('n')}, ${queue}, 'voice', 'inbound', start + interval '40 seconds', start + interval '50 seconds',
        start + interval '9 minutes', true, md5('w' || r % 50)::uuid::text, 'peer', 4000, 150000 + r, 9000, 30000, 200000 + r
      from CONVERSATIONS x, generate_series(1, 2) n`)
  }
}
