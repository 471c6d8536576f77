/** Fills the wallboard's trend of the demo, which would otherwise be empty for hours. */
import { sql } from 'kysely'
import { ensureLivePartitions } from '../live/snapshot-partitions.ts'
import { addDays } from '../model/interval.ts'
import { type Warehouse } from '../postgres/connect.ts'

/** The source of these rows of genesys.live_snapshots: they were computed from the history, not read from the API. */
const SOURCE = 'history'
const HOURS = 4

/**
 * Writes one snapshot per minute for the four hours before `end`, computed from the loaded history: at each minute, a
 * conversation is in the state of its current segment, in the queue of that segment. Writes nothing to
 * genesys.live_conversations.
 * @param end the instant of the first real snapshot
 */
export async function fillTrend(warehouse: Warehouse, end: Date): Promise<void> {
  const start = new Date(+end - HOURS * 3_600_000)
  await ensureLivePartitions(warehouse, start)
  await ensureLivePartitions(warehouse, end)
  const minutes = sql`generate_series(${start}::timestamptz, ${end}::timestamptz - interval '1 minute', interval '1 minute')`
  // Older conversations that are still open are few: threads of messages and e-mails.
  const since = addDays(start, -2)
  await warehouse.db.transaction().execute(async (trx) => {
    await sql`
      insert into genesys.live_snapshots (snapshot_at, source, conversations, duration_ms, requests, complete)
      select at, ${SOURCE}, count(c.conversation_id), 0, 0, true
      from ${minutes} as at left join genesys.conversations c
        on c.conversation_start >= ${since} and c.conversation_start <= at
        and (c.conversation_end is null or c.conversation_end > at)
      group by at`.execute(trx)
    await sql`
      with phases as materialized (
        select s.conversation_id, s.queue_id, coalesce(n.media_type, 'unknown') as media_type, s.segment_start as since,
          coalesce(s.segment_end, 'infinity') as until,
          case
            when p.purpose = 'acd' and s.segment_type in ('interact', 'delay') then 'waiting'
            when p.purpose = 'agent' then case s.segment_type
              when 'alert' then 'alerting' when 'interact' then 'interacting' when 'hold' then 'hold' when 'wrapup' then 'acw' end
          end as state
        from genesys.segments s
          join genesys.participants p on p.conversation_id = s.conversation_id
            and p.conversation_start = s.conversation_start and p._index = s._participant_index
          join genesys.sessions n on n.conversation_id = s.conversation_id
            and n.conversation_start = s.conversation_start and n._index = s._session_index
        where s.conversation_start >= ${since} and p.conversation_start >= ${since} and n.conversation_start >= ${since}
          and s.queue_id is not null and coalesce(s.segment_end, 'infinity') > ${start}),
      states as (
        -- an agent's work decides before the wait in a queue
        select distinct on (at, conversation_id) at, queue_id, media_type, state, since
        from ${minutes} as at join phases on since <= at and until > at
        where state is not null
        order by at, conversation_id, array_position(array['interacting', 'hold', 'alerting', 'waiting', 'acw'], state))
      insert into genesys.live_queues (snapshot_at, queue_id, media_type, waiting, alerting, interacting, hold, acw,
        longest_wait_seconds)
      select at, queue_id, media_type, count(*) filter (where state = 'waiting'), count(*) filter (where state = 'alerting'),
        count(*) filter (where state = 'interacting'), count(*) filter (where state = 'hold'),
        count(*) filter (where state = 'acw'), extract(epoch from max(at - since) filter (where state = 'waiting'))
      from states group by at, queue_id, media_type`.execute(trx)
    await sql`
      update genesys.live_snapshots s set waiting = t.waiting, interacting = t.interacting, hold = t.hold
      from (
        select l.snapshot_at, coalesce(sum(q.waiting), 0)::int as waiting,
          coalesce(sum(q.interacting), 0)::int as interacting, coalesce(sum(q.hold), 0)::int as hold
        from genesys.live_snapshots l left join genesys.live_queues q on q.snapshot_at = l.snapshot_at
        where l.source = ${SOURCE} group by l.snapshot_at) t
      where s.source = ${SOURCE} and s.snapshot_at = t.snapshot_at`.execute(trx)
  })
}
