/** Ranges of local days in the database: the clock and the time zone of the settings, and reads that pages may make. */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { shiftDay, type Days } from './report-range.ts'
import { NAMED_RANGES, type IdFilter, type Range } from './report-request.ts'

/** Local times are text, `2026-11-26 09:52`, in the time zone of the settings. */
export interface LocalClock {
  readonly timeZone: string
  readonly instant: Date
  /** Minutes that it is ahead of UTC now. */
  readonly offsetMinutes: number
  readonly now: string
  readonly today: string
  readonly firstDayOfWeek: number
}

/** A query of a page that takes longer is ended, so that it does not occupy a connection for a viewer who has given up. */
const STATEMENT_TIMEOUT_MS = 10_000

/** A name on a page; names of Genesys are shorter. */
export const MAX_NAME_CHARACTERS = 200

/** Runs reads of a page on one snapshot of the database, each of them limited in time. */
export async function readOnSnapshot<Result>(
  db: Kysely<Database>,
  read: (trx: Transaction<Database>) => Promise<Result>,
): Promise<Result> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (trx) => {
      await sql`select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true)`.execute(trx)
      return await read(trx)
    })
}

/** The local days of a range, and the local clock. */
export async function selectDays(trx: Kysely<Database>, range: Range): Promise<{ clock: LocalClock; days: Days }> {
  const { rows } = await sql<LocalClock>`
    select time_zone as "timeZone", first_day_of_week as "firstDayOfWeek", now() as instant,
      to_char(now() at time zone time_zone, 'YYYY-MM-DD HH24:MI') as now,
      to_char(now() at time zone time_zone, 'YYYY-MM-DD') as today,
      (extract(epoch from (now() at time zone time_zone) - (now() at time zone 'UTC')) / 60)::integer as "offsetMinutes"
    from reporting.settings`.execute(trx)
  const [clock] = rows
  if (!clock) throw new Error('reporting.settings has no row')
  return { clock, days: localDays(range, clock.today) }
}

function localDays(range: Range, today: string): Days {
  if (typeof range !== 'string') return range
  const [first, last] = NAMED_RANGES[range]
  return { first: shiftDay(today, first), last: shiftDay(today, last) }
}

export interface Bounds {
  readonly start: RawBuilder<Date>
  readonly end: RawBuilder<Date>
}

/** The first instant of the first day, and the first one after the last day. */
export function boundsOf({ first, last }: Days, { timeZone }: Pick<LocalClock, 'timeZone'>): Bounds {
  return {
    start: sql`etl.local_midnight(${first}::date, ${timeZone})`,
    end: sql`etl.local_midnight(${shiftDay(last, 1)}::date, ${timeZone})`,
  }
}

/** An instant as local text, `2026-11-26 09:52`. */
export async function selectLocal(trx: Kysely<Database>, at: RawBuilder<Date>, timeZone: string): Promise<string> {
  const { rows } = await sql<{ local: string }>`
    select to_char(${at} at time zone ${timeZone}, 'YYYY-MM-DD HH24:MI') as local`.execute(trx)
  return rows[0]!.local
}

/** A condition on a column; true without a filter. */
export function matches(column: RawBuilder<unknown>, filter: IdFilter): RawBuilder<boolean> {
  return filter === undefined ? sql`true` : sql`${column} is not distinct from ${filter}::text`
}
