/** What the wallboard shows, read as of one snapshot. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

/** A queue as of the newest complete snapshot, its media types together. Counts are conversations. */
export interface QueueNow {
  readonly queueId: string
  readonly mediaTypes: readonly string[]
  readonly waiting: number
  readonly alerting: number
  readonly interacting: number
  readonly hold: number
  readonly acw: number
  /** Since when the one who waits longest waits. */
  readonly waitingSince: Date | null
  /** The same, but for e-mail, where nobody waits on the line. */
  readonly urgentSince: Date | null
  /** null: not known, since the permission for observations is missing. */
  readonly onQueueUsers: number | null
  readonly offQueueUsers: number | null
}

/** An agent with what of theirs is open, and since when they are busy with it. */
export interface BusyAgent {
  readonly userId: string
  readonly state: string
  readonly since: Date | null
  readonly queueId: string | null
  readonly mediaType: string | null
  /** Open conversations of theirs. */
  readonly conversations: number
}

/** Conversations in queues over a stretch of a minute or more. */
export interface TrendPoint {
  readonly at: Date
  /** The most that waited at once. */
  readonly waiting: number
  /** Being handled, or on hold. */
  readonly interacting: number
}

export interface Wallboard {
  readonly now: Date
  readonly queues: readonly QueueNow[]
  readonly agents: readonly BusyAgent[]
  readonly agentsTotal: number
  /** All open conversations by state, those without a queue included. */
  readonly byState: Readonly<Record<string, number>>
  readonly trend: readonly TrendPoint[]
  readonly trendHours: number
}

const TREND_HOURS = 4
/** 240 points over four hours: one a minute. */
const TREND_STEP = sql`interval '1 minute'`
/** More than a screen of agents is no wallboard. */
const AGENTS_SHOWN = 100
const QUEUES_SHOWN = 500

/** Reads all of it in one transaction, so that a snapshot that comes in between does not mix two pictures. */
export async function selectWallboard(db: Kysely<Database>): Promise<Wallboard> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      const { rows } = await sql<{ now: Date; snapshot_at: Date | null }>`
        select clock_timestamp() as now,
          (select snapshot_at from genesys.live_snapshots where complete order by snapshot_at desc limit 1) as snapshot_at`.execute(
        trx,
      )
      const now = rows[0]?.now ?? new Date(0)
      const snapshotAt = rows[0]?.snapshot_at
      if (!snapshotAt) {
        return { now, queues: [], agents: [], agentsTotal: 0, byState: {}, trend: [], trendHours: TREND_HOURS }
      }
      const agents = await selectAgents(trx)
      return {
        now,
        queues: await selectQueues(trx, snapshotAt),
        agents: agents.slice(0, AGENTS_SHOWN),
        agentsTotal: agents.length,
        byState: await selectStates(trx),
        trend: await selectTrend(trx, now),
        trendHours: TREND_HOURS,
      }
    })
}

async function selectQueues(db: Kysely<Database>, snapshotAt: Date): Promise<QueueNow[]> {
  const { rows } = await sql<QueueNow>`
    select q.queue_id as "queueId", coalesce(array_agg(q.media_type order by q.media_type) filter (where q.media_type <> 'none'), '{}') as "mediaTypes",
      sum(waiting)::int as waiting, sum(alerting)::int as alerting, sum(interacting)::int as interacting,
      sum(hold)::int as hold, sum(acw)::int as acw,
      min(snapshot_at - make_interval(secs => longest_wait_seconds)) filter (where waiting > 0) as "waitingSince",
      min(snapshot_at - make_interval(secs => longest_wait_seconds))
        filter (where waiting > 0 and media_type <> 'email') as "urgentSince",
      max(on_queue_users) as "onQueueUsers", max(off_queue_users) as "offQueueUsers"
    from genesys.live_queues q
    where snapshot_at >= ${snapshotAt} and snapshot_at < ${snapshotAt}::timestamptz + interval '1 millisecond'
    group by q.queue_id
    order by "urgentSince" nulls last, sum(waiting) desc, sum(interacting) desc, q.queue_id
    limit ${QUEUES_SHOWN}`.execute(db)
  return rows
}

async function selectAgents(db: Kysely<Database>): Promise<BusyAgent[]> {
  // Rows that were written before there were agents tell only what the conversation does.
  const { rows } = await sql<BusyAgent>`
    select distinct on (agent.user_id) agent.user_id as "userId", agent.state, agent.state_since as since,
      agent.queue_id as "queueId", media_type as "mediaType",
      count(*) over (partition by agent.user_id)::int as conversations
    from genesys.live_conversations l
      cross join lateral (
        select * from jsonb_to_recordset(l.agents) as a (user_id text, state text, state_since timestamptz, queue_id text)
        union all
        select unnest(case when cardinality(l.user_ids) > 0 then l.user_ids else array[l.user_id] end),
          l.state, l.state_since, l.queue_id
        where l.agents is null) as agent
    where agent.user_id is not null and agent.state in ('alerting', 'dialing', 'interacting', 'hold', 'acw')
    order by agent.user_id, agent.state_since nulls last`.execute(db)
  return rows.sort((a, b) => +(a.since ?? 0) - +(b.since ?? 0) || (a.userId < b.userId ? -1 : 1))
}

async function selectStates(db: Kysely<Database>): Promise<Record<string, number>> {
  const { rows } = await sql<{ state: string; conversations: number }>`
    select state, count(*)::int as conversations from genesys.live_conversations group by state`.execute(db)
  return Object.fromEntries(rows.map(({ state, conversations }) => [state, conversations]))
}

async function selectTrend(db: Kysely<Database>, now: Date): Promise<TrendPoint[]> {
  const since = new Date(+now - TREND_HOURS * 3_600_000)
  const { rows } = await sql<TrendPoint>`
    with totals as (
      select s.snapshot_at, coalesce(sum(q.waiting), 0) as waiting, coalesce(sum(q.interacting + q.hold), 0) as interacting
      from genesys.live_snapshots s left join genesys.live_queues q
        on q.snapshot_at = s.snapshot_at and q.snapshot_at >= ${since}
      where s.complete and s.snapshot_at >= ${since}
      group by s.snapshot_at)
    select date_bin(${TREND_STEP}, snapshot_at, 'epoch') as at, max(waiting)::int as waiting,
      max(interacting)::int as interacting
    from totals group by 1 order by 1`.execute(db)
  return rows
}
