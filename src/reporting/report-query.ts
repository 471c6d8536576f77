/** Reads what a report shows: figures by group and by step of its chart, the same of the weeks before, and how complete they are. */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { summarizeFreshness, type FreshnessRow, type RangeFreshness } from './report-freshness.ts'
import { comparisonShift, eachDay, shiftDay, shiftSlot, slotsOf, usualGranularity, type Days } from './report-range.ts'
import {
  GRANULARITIES,
  NAMED_RANGES,
  type FigureName,
  type Granularity,
  type IdFilter,
  type Range,
  type ReportRequest,
} from './report-request.ts'

/** Figures by the names of the views' columns: counts, ratios of 0 to 1, means in seconds; null where a denominator is 0. */
export type Figures = Readonly<Record<FigureName, number | null>>

export interface Group {
  /** null: metrics that belong to no queue, media type or agent. */
  readonly id: string | null
  readonly name: string | null
  /** Of an agent. */
  readonly team: string | null
  readonly figures: Figures
}

/** A step of the chart; null: nothing counts in it. */
export interface Point {
  /** Its local start, as slotsOf gives it. */
  readonly slot: string
  readonly figures: Figures | null
  readonly before: Figures | null
}

/** Local times are text, `2026-11-26 09:52`, in the time zone of the settings. */
export interface LocalClock {
  readonly timeZone: string
  /** Minutes that it is ahead of UTC now. */
  readonly offsetMinutes: number
  readonly now: string
  readonly today: string
  readonly firstDayOfWeek: number
}

export interface Report {
  readonly clock: LocalClock
  readonly days: Days
  /** The same weekdays before. */
  readonly comparison: Days
  readonly granularity: Granularity
  readonly groups: readonly Group[]
  readonly total: Figures
  /** What the filters of the page leave out; null: nothing. */
  readonly hidden: Figures | null
  readonly points: readonly Point[]
  /** The figures of the comparison, up to the time of day that the range is loaded to; null: nothing counts in it. */
  readonly before: Figures | null
  /** The local time up to which `before` counts, where the range is not over. */
  readonly beforeUntil: string | null
  readonly freshness: RangeFreshness & {
    /** Local time of completeUntil. */
    readonly completeUntilLocal: string | null
    /** Whether the range is complete to its end. */
    readonly isComplete: boolean
  }
  /** What a viewer can filter by: what has metrics in the range. */
  readonly choices: {
    readonly queues: readonly { readonly id: string; readonly name: string }[]
    readonly mediaTypes: readonly string[]
  }
}

/** A query of a page that takes longer is ended, so that it does not occupy a connection for a viewer who has given up. */
const STATEMENT_TIMEOUT_MS = 10_000
const DAY_MS = 86_400_000
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

/** Reads the report that is asked for. */
export async function readReport(db: Kysely<Database>, request: ReportRequest): Promise<Report> {
  return await readOnSnapshot(db, async (trx) => {
    const { clock, now } = await selectClock(trx)
    const days = localDays(request.range, clock.today)
    const shift = comparisonShift(days)
    const comparison = { first: shiftDay(days.first, -shift), last: shiftDay(days.last, -shift) }
    const granularity = request.granularity ?? usualGranularity(days)
    const bounds = boundsOf(days, clock)
    const rows = await selectFigures(trx, request, granularity, clock, bounds)
    const beforeRows = await selectFigures(trx, request, granularity, clock, boundsOf(comparison, clock))
    const { freshness, cutAt } = await readFreshness(trx, days, clock, now)
    const cut =
      cutAt === null
        ? null
        : sql<Date>`((${cutAt}::timestamptz at time zone ${clock.timeZone}) - ${shift} * interval '1 day') at time zone ${clock.timeZone}`
    const cutRows =
      cut === null
        ? beforeRows
        : await selectFigures(trx, request, granularity, clock, { ...boundsOf(comparison, clock), end: cut })
    const ofKind = (all: readonly FigureRow[], kind: FigureRow['kind'], shown = true): FigureRow[] =>
      all.filter((row) => row.kind === kind && (row.shown ?? true) === shown)
    const slots = new Map(ofKind(rows, 'slot').map((row) => [row.slot, row]))
    const slotsBefore = new Map(ofKind(beforeRows, 'slot').map((row) => [shiftSlot(row.slot ?? '', shift), row]))
    return {
      clock,
      days,
      comparison,
      granularity,
      groups: ofKind(rows, 'group').map(toGroup),
      total: ofKind(rows, 'total')[0] ?? NO_FIGURES,
      hidden: ofKind(rows, 'total', false)[0] ?? null,
      points: slotsOf(days, granularity, clock.firstDayOfWeek).map((slot) => ({
        slot,
        figures: slots.get(slot) ?? null,
        before: slotsBefore.get(slot) ?? null,
      })),
      before: ofKind(cutRows, 'total')[0] ?? null,
      beforeUntil: cut === null ? null : await selectLocal(trx, cut, clock.timeZone),
      freshness,
      choices: {
        queues: ofKind(rows, 'queue').flatMap(({ id, name }) => (id === null ? [] : { id, name: name ?? id })),
        mediaTypes: ofKind(rows, 'media').flatMap(({ id }) => id ?? []),
      },
    }
  })
}

const NO_FIGURES: Figures = {
  offered: 0,
  answered: 0,
  abandoned: 0,
  handled: 0,
  transferred: 0,
  abandon_rate: null,
  service_level: null,
  average_speed_of_answer_seconds: null,
  average_handle_seconds: null,
  average_talk_seconds: null,
  average_hold_seconds: null,
  average_acw_seconds: null,
  transfer_rate: null,
}

function localDays(range: Range, today: string): Days {
  if (typeof range !== 'string') return range
  const [first, last] = NAMED_RANGES[range]
  return { first: shiftDay(today, first), last: shiftDay(today, last) }
}

/** The local days of a range, and the local clock. */
export async function selectDays(trx: Kysely<Database>, range: Range): Promise<{ clock: LocalClock; days: Days }> {
  const { clock } = await selectClock(trx)
  return { clock, days: localDays(range, clock.today) }
}

async function selectClock(trx: Kysely<Database>): Promise<{ clock: LocalClock; now: Date }> {
  const { rows } = await sql<LocalClock & { at: Date }>`
    select time_zone as "timeZone", first_day_of_week as "firstDayOfWeek", now() as at,
      to_char(now() at time zone time_zone, 'YYYY-MM-DD HH24:MI') as now,
      to_char(now() at time zone time_zone, 'YYYY-MM-DD') as today,
      (extract(epoch from (now() at time zone time_zone) - (now() at time zone 'UTC')) / 60)::integer as "offsetMinutes"
    from reporting.settings`.execute(trx)
  const [row] = rows
  if (!row) throw new Error('reporting.settings has no row')
  const { at, ...clock } = row
  return { clock, now: at }
}

interface Bounds {
  readonly start: RawBuilder<Date>
  readonly end: RawBuilder<Date>
}

/** The first instant of the first day, and the first one after the last day. */
export function boundsOf({ first, last }: Days, { timeZone }: LocalClock): Bounds {
  return {
    start: sql`etl.local_midnight(${first}::date, ${timeZone})`,
    end: sql`etl.local_midnight(${shiftDay(last, 1)}::date, ${timeZone})`,
  }
}

/** A condition on a column; true without a filter. */
export function matches(column: RawBuilder<unknown>, filter: IdFilter): RawBuilder<boolean> {
  return filter === undefined ? sql`true` : sql`${column} is not distinct from ${filter}::text`
}

interface FigureRow extends Figures {
  readonly kind: 'group' | 'slot' | 'total' | 'queue' | 'media'
  /** Whether the filters of the page let it through; null: they do not concern it. */
  readonly shown: boolean | null
  readonly id: string | null
  readonly name: string | null
  readonly team: string | null
  readonly slot: string | null
}

function toGroup({ id, name, team, ...figures }: FigureRow): Group {
  return { id, name, team, figures }
}

const GROUPED = {
  queue: { id: sql`p.queue_id`, name: sql`p.queue_name`, team: sql`null::text` },
  media: { id: sql`p.media_type`, name: sql`p.media_type`, team: sql`null::text` },
  agent: { id: sql`p.user_id`, name: sql`p.user_name`, team: sql`p.team_name` },
} as const

/** All groupings of the figures of a range in one pass over it. */
async function selectFigures(
  trx: Transaction<Database>,
  { by, queue, media }: ReportRequest,
  granularity: Granularity,
  { timeZone }: LocalClock,
  { start, end }: Bounds,
): Promise<FigureRow[]> {
  const { name: step } = GRANULARITIES[granularity]
  const source = sql.raw(by === 'agent' ? 'reporting.agent_performance' : 'reporting.queue_performance')
  const local = sql`p.interval_start at time zone ${timeZone}`
  const isLong = granularity === '1-day' || granularity === '1-week'
  const slot = isLong
    ? sql`to_char(${local}, 'YYYY-MM-DD')`
    : sql`to_char(date_bin(${step}::interval, ${local}, timestamp '2000-01-01'), 'YYYY-MM-DD HH24:MI')`
  const group = GROUPED[by]
  // Offered, abandoned and over the service level are metrics of the queue, which no agent has.
  const serviceLevel =
    by === 'agent'
      ? sql`null::float8`
      : sql`reporting.service_level(sum(answered), sum(over_service_level), sum(abandoned), sum(short_abandoned), sum(flow_outs))`
  const { rows } = await sql<FigureRow>`
    with x as materialized (
      select ${slot} as slot, ${matches(sql`p.queue_id`, queue)} and ${matches(sql`p.media_type`, media)} as shown,
        ${group.id} as group_id, left(${group.name}, ${MAX_NAME_CHARACTERS}) as group_name, ${group.team} as team, p.queue_id,
        left(p.queue_name, ${MAX_NAME_CHARACTERS}) as queue_name, p.media_type, p.offered, p.over_service_level, p.answered, p.answer_ms,
        p.abandoned, p.short_abandoned, p.flow_outs, p.handled, p.handle_ms, p.talks, p.talk_ms, p.holds, p.hold_ms, p.acws, p.acw_ms,
        p.transferred
      from ${source}(${start}, ${end}, ${step}) p
    )
    select
      case when grouping(group_id) = 0 then 'group' when grouping(slot) = 0 then 'slot' when grouping(queue_id) = 0 then 'queue'
        when grouping(media_type) = 0 then 'media' else 'total' end as kind,
      shown, slot, case when grouping(group_id) = 0 then group_id when grouping(queue_id) = 0 then queue_id else media_type end as id,
      case when grouping(group_id) = 0 then max(group_name) else max(queue_name) end as name, max(team) as team,
      sum(offered)::float8 as offered, sum(answered)::float8 as answered, sum(abandoned)::float8 as abandoned,
      sum(handled)::float8 as handled, sum(transferred)::float8 as transferred,
      reporting.ratio(sum(abandoned), sum(offered)) as abandon_rate, ${serviceLevel} as service_level,
      reporting.seconds(sum(answer_ms), sum(answered)) as average_speed_of_answer_seconds,
      reporting.seconds(sum(handle_ms), sum(handled)) as average_handle_seconds,
      reporting.seconds(sum(talk_ms), sum(talks)) as average_talk_seconds,
      reporting.seconds(sum(hold_ms), sum(holds)) as average_hold_seconds,
      reporting.seconds(sum(acw_ms), sum(acws)) as average_acw_seconds,
      reporting.ratio(sum(transferred), sum(handled)) as transfer_rate
    from x
    group by grouping sets ((shown, group_id), (shown, slot), (shown), (queue_id), (media_type))
    having sum(offered) + sum(answered) + sum(abandoned) + sum(handled) + sum(transferred) > 0
    order by name, id`.execute(trx)
  return rows
}

interface ReadFreshness {
  readonly freshness: Report['freshness']
  /** Where the comparison ends for a range that is not over; null: at its own end. */
  readonly cutAt: Date | null
}

async function readFreshness(
  trx: Transaction<Database>,
  days: Days,
  clock: LocalClock,
  now: Date,
): Promise<ReadFreshness> {
  const { start, end } = boundsOf(days, clock)
  const { rows: bounds } = await sql<{ first: string; last: string; end: Date }>`
    select (b.start at time zone 'UTC')::date::text as first,
      (least(b."end" - interval '1 microsecond', ${now}::timestamptz) at time zone 'UTC')::date::text as last, b."end"
    from (select ${start} as start, ${end} as "end") b`.execute(trx)
  const { first, last, end: rangeEnd } = bounds[0]!
  const utcDays = first > last ? [] : eachDay({ first, last })
  const { rows } = await sql<FreshnessRow>`
    select day::text, filter, status, loaded_at as "loadedAt", derived, emitted_settled as "emittedSettled",
      complete_from::text as "completeFrom"
    from reporting.freshness where day >= ${first}::date and day <= ${last}::date`.execute(trx)
  const summary = summarizeFreshness(rows, utcDays, now)
  const { completeUntil } = summary
  const isComplete = completeUntil !== null && completeUntil >= rangeEnd
  const completeUntilLocal =
    completeUntil === null ? null : await selectLocal(trx, sql`${completeUntil}::timestamptz`, clock.timeZone)
  // a gap of days ago says nothing about how much of today is loaded
  const isRead = completeUntil !== null && +now - +completeUntil < DAY_MS
  return {
    freshness: { ...summary, completeUntilLocal, isComplete },
    cutAt: rangeEnd <= now ? null : isRead ? completeUntil : now,
  }
}

async function selectLocal(trx: Kysely<Database>, at: RawBuilder<Date>, timeZone: string): Promise<string> {
  const { rows } = await sql<{ local: string }>`
    select to_char(${at} at time zone ${timeZone}, 'YYYY-MM-DD HH24:MI') as local`.execute(trx)
  return rows[0]!.local
}
