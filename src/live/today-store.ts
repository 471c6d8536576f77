/** The figures of the local day in genesys.live_today. */
import { sql, type Kysely } from 'kysely'
import type { Interval } from '../model/interval.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import type { DayFigures } from './today-figures.ts'

/** Where the figures come from: Genesys' own aggregates, or the conversations that are loaded. */
export type TodaySource = 'genesys' | 'warehouse'

/** A day of the organization's calendar. */
export interface LocalDay extends Interval {
  /** YYYY-MM-DD. */
  readonly day: string
  readonly timeZone: string
}

/** Figures of a day so far. */
export interface Today {
  /** YYYY-MM-DD, in `timeZone`. */
  readonly day: string
  readonly timeZone: string
  readonly source: TodaySource
  readonly readAt: Date
  readonly total: DayFigures
  /** Queues with any contact on the day, those with most of them first. */
  readonly queues: readonly DayFigures[]
}

const MAX_QUEUES = 500

/** The local day of an instant, in the time zone of reporting.settings. */
export async function selectLocalDay(db: Kysely<Database>, at: Date): Promise<LocalDay> {
  const { rows } = await sql<LocalDay>`
    select day::text, time_zone as "timeZone", etl.local_midnight(day, time_zone) as start,
      etl.local_midnight(day + 1, time_zone) as "end"
    from (select time_zone, (${at}::timestamptz at time zone time_zone)::date as day from reporting.settings) as local`.execute(
    db,
  )
  const [row] = rows
  if (!row) throw new Error('reporting.settings has no row')
  return row
}

/** When the stored figures were read, and of which day; null: there are none. */
export async function selectTodayRead(
  db: Kysely<Database>,
): Promise<Pick<Today, 'day' | 'timeZone' | 'readAt'> | null> {
  const { rows } = await sql<Pick<Today, 'day' | 'timeZone' | 'readAt'>>`
    select day::text, time_zone as "timeZone", read_at as "readAt" from genesys.live_today where queue_id is null`.execute(
    db,
  )
  return rows[0] ?? null
}

/** The figures of an interval from the conversations that are loaded: all contacts first, then the queues. */
export async function selectFiguresOf(db: Kysely<Database>, { start, end }: Interval): Promise<DayFigures[]> {
  const { rows } = await sql<DayFigures>`
    select queue_id as "queueId", coalesce(sum(offered), 0)::float8 as offered, coalesce(sum(answered), 0)::float8 as answered,
      coalesce(sum(answer_ms), 0)::float8 as "answerMs", coalesce(sum(abandoned), 0)::float8 as abandoned,
      coalesce(sum(answered - over_service_level), 0)::float8 as "answeredInTime",
      coalesce(sum(answered
        + case when service_level_includes_abandons then abandoned
          - case when service_level_includes_short_abandons then 0 else short_abandoned end else 0 end
        + case when service_level_includes_flow_outs then flow_outs else 0 end), 0)::float8 as "serviceLevelContacts"
    from reporting.queue_intervals cross join reporting.settings
    where interval_start >= ${start} and interval_start < ${end}
    group by grouping sets ((queue_id), ()) having grouping(queue_id) = 1 or queue_id is not null
    order by grouping(queue_id) desc, queue_id`.execute(db)
  return rows
}

/**
 * Replaces the figures of the day, in one transaction. Of two processes that do it at once, the later one wins.
 * @param figures those of all contacts and of each queue
 */
export async function writeToday(
  warehouse: Warehouse,
  { day, timeZone, source, readAt }: Omit<Today, 'total' | 'queues'>,
  figures: readonly DayFigures[],
): Promise<void> {
  await warehouse.db.transaction().execute(async (trx) => {
    // Readers go on meanwhile; another writer waits, so that it deletes what this one inserts.
    await sql`lock table genesys.live_today in share row exclusive mode`.execute(trx)
    await sql`delete from genesys.live_today`.execute(trx)
    await sql`
      insert into genesys.live_today
      select r."queueId", ${day}::date, ${timeZone}, ${source}, ${readAt}::timestamptz, r.offered, r.answered, r."answerMs",
        r.abandoned, r."answeredInTime", r."serviceLevelContacts"
      from json_to_recordset(${JSON.stringify(figures)}::json) as r ("queueId" text, offered bigint, answered bigint,
        "answerMs" bigint, abandoned bigint, "answeredInTime" bigint, "serviceLevelContacts" bigint)`.execute(trx)
  })
}

/** The figures of the local day of an instant; null: none have been read on that day. */
export async function selectToday(db: Kysely<Database>, at: Date): Promise<Today | null> {
  const { rows } = await sql<{ about: Omit<Today, 'total' | 'queues' | 'readAt'>; readAt: Date; figures: DayFigures }>`
    select json_build_object('day', day, 'timeZone', time_zone, 'source', source) as about, read_at as "readAt",
      json_build_object('queueId', queue_id, 'offered', offered, 'answered', answered, 'answerMs', answer_ms,
        'abandoned', abandoned, 'answeredInTime', answered_in_time, 'serviceLevelContacts', service_level_contacts) as figures
    from genesys.live_today where day = (${at}::timestamptz at time zone time_zone)::date
    order by queue_id is not null, offered desc, queue_id limit ${MAX_QUEUES + 1}`.execute(db)
  const [total, ...queues] = rows
  if (!total || total.figures.queueId !== null) return null
  return {
    ...total.about,
    readAt: total.readAt,
    total: total.figures,
    queues: queues.map(({ figures }) => figures),
  }
}
