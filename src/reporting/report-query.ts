/** Reads what a report shows: figures by group and by step of its chart, the same of the weeks before, and how complete they are. */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../postgres/database.ts'
import {
  boundsOf,
  matches,
  MAX_NAME_CHARACTERS,
  readOnSnapshot,
  selectDays,
  selectLocal,
  type Bounds,
  type LocalClock,
} from './local-days.ts'
import { summarizeFreshness, type FreshnessRow, type RangeFreshness } from './report-freshness.ts'
import { comparisonShift, eachDay, shiftDay, shiftSlot, slotsOf, usualGranularity, type Days } from './report-range.ts'
import { GRANULARITIES, type FigureName, type Granularity, type ReportRequest } from './report-request.ts'

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
  /** Whether all of the comparison is loaded; otherwise nothing follows from it. */
  readonly isBeforeComplete: boolean
  readonly freshness: RangeFreshness & {
    /** Local time of completeUntil. */
    readonly completeUntilLocal: string | null
    /** Whether the range is complete to its end. */
    readonly isComplete: boolean
    /** Whether its end has passed. */
    readonly isOver: boolean
  }
  /** What a viewer can filter by: what has metrics in the range. */
  readonly choices: {
    readonly queues: readonly { readonly id: string; readonly name: string }[]
    readonly mediaTypes: readonly string[]
  }
}

const DAY_MS = 86_400_000

/** Reads the report that is asked for. */
export async function readReport(db: Kysely<Database>, request: ReportRequest): Promise<Report> {
  return await readOnSnapshot(db, async (trx) => {
    const { clock, days } = await selectDays(trx, request.range)
    const shift = comparisonShift(days)
    const comparison = { first: shiftDay(days.first, -shift), last: shiftDay(days.last, -shift) }
    const granularity = request.granularity ?? usualGranularity(days)
    const select = (bounds: Bounds): Promise<FigureRow[]> => selectFigures(trx, request, granularity, clock, bounds)
    const rows = await select(boundsOf(days, clock))
    const beforeBounds = boundsOf(comparison, clock)
    const beforeRows = await select(beforeBounds)
    const freshness = await readFreshness(trx, days, clock)
    const cut = cutOf(freshness, clock, shift)
    const cutRows = cut === null ? beforeRows : await select({ ...beforeBounds, end: cut })
    return {
      clock,
      days,
      comparison,
      granularity,
      groups: ofKind(rows, 'group').map(toGroup),
      total: ofKind(rows, 'total')[0] ?? NO_FIGURES,
      hidden: ofKind(rows, 'total', false)[0] ?? null,
      points: pointsOf(slotsOf(days, granularity, clock.firstDayOfWeek), rows, beforeRows, shift),
      before: ofKind(cutRows, 'total')[0] ?? null,
      beforeUntil: cut === null ? null : await selectLocal(trx, cut, clock.timeZone),
      isBeforeComplete: (await readFreshness(trx, comparison, clock)).isComplete,
      freshness,
      choices: {
        queues: ofKind(rows, 'queue').flatMap(({ id, name }) => (id === null ? [] : { id, name: name ?? id })),
        mediaTypes: ofKind(rows, 'media').flatMap(({ id }) => id ?? []),
      },
    }
  })
}

/** Rows of one kind that the filters of the page let through, or that they hide. */
function ofKind(rows: readonly FigureRow[], kind: FigureRow['kind'], shown = true): FigureRow[] {
  return rows.filter((row) => row.kind === kind && (row.shown ?? true) === shown)
}

function pointsOf(
  slots: readonly string[],
  rows: readonly FigureRow[],
  beforeRows: readonly FigureRow[],
  shift: number,
): Point[] {
  const current = new Map(ofKind(rows, 'slot').map((row) => [row.slot, row]))
  const before = new Map(ofKind(beforeRows, 'slot').map((row) => [shiftSlot(row.slot ?? '', shift), row]))
  return slots.map((slot) => ({ slot, figures: current.get(slot) ?? null, before: before.get(slot) ?? null }))
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

/** How complete a range of local days is, by the UTC days that it touches up to now. */
async function readFreshness(
  trx: Transaction<Database>,
  days: Days,
  { instant: now, timeZone }: LocalClock,
): Promise<Report['freshness']> {
  const { start, end } = boundsOf(days, { timeZone })
  const { rows: bounds } = await sql<{ first: string; last: string; end: Date }>`
    select (b.start at time zone 'UTC')::date::text as first,
      (least(b."end" - interval '1 microsecond', ${now}::timestamptz) at time zone 'UTC')::date::text as last, b."end"
    from (select ${start} as start, ${end} as "end") b`.execute(trx)
  const { first, last, end: rangeEnd } = bounds[0]!
  const { rows } = await sql<FreshnessRow>`
    select day::text, filter, status, loaded_at as "loadedAt", derived, emitted_settled as "emittedSettled",
      complete_from::text as "completeFrom"
    from reporting.freshness where day >= ${first}::date and day <= ${last}::date`.execute(trx)
  const summary = summarizeFreshness(rows, first > last ? [] : eachDay({ first, last }), now)
  const { completeUntil } = summary
  return {
    ...summary,
    isOver: rangeEnd <= now,
    isComplete: completeUntil !== null && completeUntil >= rangeEnd,
    completeUntilLocal:
      completeUntil === null ? null : await selectLocal(trx, sql`${completeUntil}::timestamptz`, timeZone),
  }
}

/** Where the comparison of a range that is not over ends: at the local time to which today is loaded. Null: at its own end. */
function cutOf(
  { isOver, completeUntil }: Report['freshness'],
  { instant: now, timeZone }: LocalClock,
  shift: number,
): RawBuilder<Date> | null {
  if (isOver) return null
  // a gap of days ago says nothing about how much of today is loaded
  const at = completeUntil !== null && +now - +completeUntil < DAY_MS ? completeUntil : now
  return sql`((${at}::timestamptz at time zone ${timeZone}) - ${shift} * interval '1 day') at time zone ${timeZone}`
}
