/** etl.unsettled: which conversations that may still change are due to be read again by their ids. */
import { sql, type Kysely } from 'kysely'
import { addDays, startOfDay, type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { NIGHTLY_UP_TO_DAYS, STUCK_AFTER_DAYS } from './ages.ts'

/** Less than a week, so that a weekly read does not move to the next night. */
const WEEKLY_DAYS = 6.5
/** What live should have read again for so long, it does not read any more. */
const LIVE_OVERDUE_HOURS = 1

/** What the selections below go by, by the database's clock. */
export interface DueAt {
  readonly now: Date
  /** What was read since then, by this run or those that it resumes, is not due. */
  readonly cycleStart: Date
  readonly limit: number
}

/**
 * Open conversations that are due, those that were not read again for the longest time first. One that a window has brought since the
 * start of the cycle is not due.
 */
export async function selectDueOpen(db: Kysely<Database>, { now, cycleStart, limit }: DueAt): Promise<string[]> {
  const readBefore = sql`case when u.conversation_start >= ${addDays(now, -NIGHTLY_UP_TO_DAYS)}
    then ${cycleStart}::timestamptz else ${addDays(cycleStart, -WEEKLY_DAYS)}::timestamptz end`
  const isReadAgain = (at: string) =>
    // what is dated in the future was written by a clock that was ahead
    sql<boolean>`coalesce(${sql.ref(at)} >= ${readBefore} and ${sql.ref(at)} <= ${now}, false)`
  return await selectIds(
    sql<{ id: string }>`
      select u.conversation_id as id from etl.unsettled u
      left join etl.conversations c on c.conversation_id = u.conversation_id
      where u.ended_at is null and u.conversation_start >= ${addDays(now, -STUCK_AFTER_DAYS)}
        and not ${isReadAgain('u.reread_at')} and not ${isReadAgain('c.fetched_at')}
      order by u.reread_at nulls first, u.conversation_start limit ${limit}`,
    db,
  )
}

/**
 * Conversations of closed days that live saw and the history lacks, or holds in an older state: live saw them open after they were last
 * loaded, or saw them end and did not get to loading them.
 * @param expired times of which nothing is stored any more
 */
export async function selectSeenByLive(
  db: Kysely<Database>,
  { now, limit }: DueAt,
  expired: readonly Interval[],
): Promise<string[]> {
  const column = (name: keyof Interval) => expired.map((time) => time[name])
  return await selectIds(
    sql<{ id: string }>`
      select l.conversation_id as id from genesys.live_conversations l
      left join etl.conversations c on c.conversation_id = l.conversation_id
      where l.conversation_start < ${startOfDay(now)} and (c.conversation_id is null or c.fetched_at < l.snapshot_at)
        and not exists (select from etl.unsettled u where u.conversation_id = l.conversation_id and u.ended_at is null)
        and not exists (
          select from unnest(${column('start')}::timestamptz[], ${column('end')}::timestamptz[]) as expired (since, until)
          where l.conversation_start >= since and l.conversation_start < until)
      union
      select r.conversation_id from etl.rereads r
      where r.due_at < ${now}::timestamptz - make_interval(hours => ${LIVE_OVERDUE_HOURS})
        and not exists (select from etl.conversations c where c.conversation_id = r.conversation_id)
      limit ${limit}`,
    db,
  )
}

/**
 * Ended conversations that no read has covered since they have settled, those that ended first first: these are the nearest to the
 * end of their two days, and a backlog is worked off in order.
 */
export async function selectDueSettled(db: Kysely<Database>, { now, cycleStart, limit }: DueAt): Promise<string[]> {
  return await selectIds(
    sql<{ id: string }>`
      select conversation_id as id from etl.unsettled
      where ended_at <= ${now}::timestamptz - make_interval(days => (select settle_days from reporting.settings))
        and (reread_at is null or reread_at < ${cycleStart} or reread_at > ${now})
      order by ended_at limit ${limit}`,
    db,
  )
}

async function selectIds(query: ReturnType<typeof sql<{ id: string }>>, db: Kysely<Database>): Promise<string[]> {
  const { rows } = await recording('reading which conversations are to be read again', () => query.execute(db))
  return rows.map(({ id }) => id)
}

/** Records that conversations were read by their ids. Those that have settled with it are not there any more. */
export async function markReread(db: Kysely<Database>, ids: readonly string[], at: Date): Promise<void> {
  await recording('recording re-reads', () =>
    sql`
      update etl.unsettled set reread_at = ${at}
      where conversation_id in (
        -- locked in the order of the loaders
        select conversation_id from etl.unsettled where conversation_id = any(${ids}::text[])
        order by conversation_id collate "C" for update)`.execute(db),
  )
}
