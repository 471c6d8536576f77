/** Which days can be compared with Genesys: those that are over, loaded, and derived. */
import { sql, type Kysely } from 'kysely'
import { addDays, subtract, type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { countStaleWithin } from './stale.ts'

/** A day, or a part of one, and why it cannot be compared. */
export interface JudgedDay {
  readonly day: Interval
  /** Null: it can be. */
  readonly refusal: string | null
  /** The beginning of what is loaded without a gap up to the day. */
  readonly firstDay: Date
}

/** Conversations that began this long before a day may count in it. */
const REACH_DAYS = 40

/**
 * Judges days, each within one UTC day.
 * @param covered what is loaded completely, merged
 * @param byUser whether the rows of agents are compared as well
 */
export async function judgeDays(
  db: Kysely<Database>,
  days: readonly Interval[],
  covered: readonly Interval[],
  now: Date,
  byUser = false,
): Promise<JudgedDay[]> {
  const shownFrom = await selectShownFrom(db)
  const judged: JudgedDay[] = []
  for (const day of days) {
    const firstDay = covered.find(({ start, end }) => start <= day.start && end >= day.end)?.start ?? day.start
    judged.push({ day, firstDay, refusal: await refusalOf(day) })
  }
  return judged

  async function refusalOf(day: Interval): Promise<string | null> {
    if (day.end > now) return 'it is not over yet'
    if (subtract(day, covered).length > 0) return 'it is not loaded completely'
    if (byUser && (await lacksAgents(db, day))) return 'its rows of agents were dropped with its month'
    if (shownFrom === null || +day.start < shownFrom) return 'its reporting rows are not filled yet'
    const stale = await countStaleWithin(db, { start: addDays(day.start, -REACH_DAYS), end: day.end })
    return stale > 0 ? `the reporting rows of ${stale} of its conversations are being brought up to date` : null
  }
}

/** Whether rows of agents of an interval were dropped with their month. */
async function lacksAgents(db: Kysely<Database>, { start, end }: Interval): Promise<boolean> {
  const { rows } = await sql`
    select from etl.dropped_months where month::timestamp at time zone 'UTC' < ${end} and agents_until > ${start}`.execute(
    db,
  )
  return rows.length > 0
}

/** From when on all interval rows are filled, in milliseconds; null: nowhere. Infinity and -infinity come as numbers. */
async function selectShownFrom(db: Kysely<Database>): Promise<number | null> {
  const { rows } = await sql<{ shown_from: Date | number }>`select shown_from from etl.derivation`.execute(db)
  return rows[0] ? Number(rows[0].shown_from) : null
}
