/** The data of the wallboard, read as of one snapshot. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { sumCounts, type StateCounts } from './queue-counts.ts'
import { LIVE_STATES } from './state.ts'
import { selectToday, type Today } from './today-store.ts'

/** A queue as of the newest complete snapshot, its media types together. Its states add up to `conversations`. */
export interface QueueNow extends Readonly<StateCounts> {
  readonly queueId: string
  readonly mediaTypes: readonly string[]
  /** When the conversation that has waited longest entered the queue, of those waiting or alerting; null: none is. */
  readonly waitingSince: Date | null
  /** The same without e-mail, where no customer is on the line. */
  readonly urgentSince: Date | null
  /** null: unknown, because the permission for observations is missing. */
  readonly onQueueUsers: number | null
  readonly offQueueUsers: number | null
}

/** An agent with open conversations. */
export interface BusyAgent {
  readonly userId: string
  /** The state that has lasted longest, and since when. */
  readonly state: string
  readonly since: Date | null
  readonly queueId: string | null
  readonly mediaType: string | null
  /** How many open conversations the agent takes part in. */
  readonly conversations: number
}

/** Conversations of the whole organization within a minute. */
export interface TrendPoint {
  readonly at: Date
  /** The most that waited at once. */
  readonly waiting: number
  /** The most that were interacting or on hold at once. */
  readonly interacting: number
}

export interface Wallboard {
  readonly now: Date
  readonly queues: readonly QueueNow[]
  /** Conversations in no queue (menus, direct calls): with the queues, they add up to all open conversations. */
  readonly outsideQueues: Readonly<StateCounts>
  readonly agents: readonly BusyAgent[]
  readonly agentsTotal: number
  /** All open conversations by state, those without a queue included. */
  readonly byState: Readonly<Record<string, number>>
  readonly trend: readonly TrendPoint[]
  readonly trendHours: number
  /** null: not read yet on this day. */
  readonly today: Today | null
}

const TREND_HOURS = 4
/** 240 points over four hours: one per minute. */
const TREND_STEP = sql`interval '1 minute'`
/** More than a screen of agents is of no use on a wallboard. */
const MAX_AGENTS = 100
const MAX_QUEUES = 500

/** Reads everything in one transaction, so that all of it is as of the same snapshot. */
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
      if (!snapshotAt)
        return {
          now,
          queues: [],
          outsideQueues: sumCounts([]),
          agents: [],
          agentsTotal: 0,
          byState: {},
          trend: [],
          trendHours: TREND_HOURS,
          today: null,
        }
      const agents = await selectAgents(trx)
      return {
        now,
        ...(await selectQueues(trx, snapshotAt)),
        agents: agents.slice(0, MAX_AGENTS),
        agentsTotal: agents.length,
        byState: await selectStates(trx),
        trend: await selectTrend(trx, now),
        trendHours: TREND_HOURS,
        today: await selectToday(trx, now),
      }
    })
}

/**
 * The counts come from the conversations themselves, because genesys.live_queues lacks some states. A wait begins at the
 * snapshot at the latest, even if the clock of Genesys is ahead.
 */
async function selectQueues(
  db: Kysely<Database>,
  snapshotAt: Date,
): Promise<Pick<Wallboard, 'queues' | 'outsideQueues'>> {
  const counts = LIVE_STATES.map((state) => `count(*) filter (where state = '${state}')::int as ${state}`).join(', ')
  const states = LIVE_STATES.map((state) => `coalesce(c.${state}, 0) as ${state}`).join(', ')
  const { rows } = await sql<Omit<QueueNow, 'queueId'> & { readonly queueId: string | null }>`
    with counted as (
      select queue_id, count(*)::int as conversations, ${sql.raw(counts)},
        array_agg(distinct coalesce(media_type, 'unknown')) as media_types,
        min(waiting_since) filter (where state in ('waiting', 'alerting')) as waiting_since,
        min(waiting_since) filter (where state in ('waiting', 'alerting') and media_type is distinct from 'email')
          as urgent_since
      from genesys.live_conversations group by queue_id),
    staffed as (
      select queue_id, max(on_queue_users) as on_queue_users, max(off_queue_users) as off_queue_users
      from genesys.live_queues
      where snapshot_at >= ${snapshotAt} and snapshot_at < ${snapshotAt}::timestamptz + interval '1 millisecond'
      group by queue_id)
    select coalesce(c.queue_id, s.queue_id) as "queueId", coalesce(c.conversations, 0) as conversations, ${sql.raw(states)},
      coalesce(c.media_types, '{}') as "mediaTypes",
      case when c.waiting_since is not null then least(c.waiting_since, ${snapshotAt}) end as "waitingSince",
      case when c.urgent_since is not null then least(c.urgent_since, ${snapshotAt}) end as "urgentSince",
      s.on_queue_users as "onQueueUsers", s.off_queue_users as "offQueueUsers"
    from counted c full join staffed s on s.queue_id = c.queue_id
    order by c.queue_id is null and s.queue_id is null, "urgentSince" nulls last, waiting desc, interacting desc, 1
    `.execute(db)
  const isQueue = (row: (typeof rows)[number]): row is QueueNow => row.queueId !== null
  return {
    queues: rows.filter(isQueue).slice(0, MAX_QUEUES),
    outsideQueues: sumCounts(rows.filter((row) => row.queueId === null)),
  }
}

async function selectAgents(db: Kysely<Database>): Promise<BusyAgent[]> {
  // Rows that are older than the column `agents` have only the state of the conversation.
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

/** From the totals of each snapshot: adding up its queues would read 170 times as many rows. */
async function selectTrend(db: Kysely<Database>, now: Date): Promise<TrendPoint[]> {
  const since = new Date(+now - TREND_HOURS * 3_600_000)
  const { rows } = await sql<TrendPoint>`
    select date_bin(${TREND_STEP}, snapshot_at, 'epoch') as at, max(waiting) as waiting,
      max(interacting + hold) as interacting
    from genesys.live_snapshots
    where complete and waiting is not null and snapshot_at >= ${since}
    group by 1 order by 1`.execute(db)
  return rows
}
