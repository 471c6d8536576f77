/** Up to when the numbers of a range are complete, and what its loading left out. Pure. */
import { addDays } from '../model/interval.ts'

/** What the history leaves out when it is read, as in etl.windows. */
interface LoadFilter {
  readonly mediaTypes?: readonly string[]
  readonly direction?: string
  readonly minDurationSeconds?: number
}

/** A row of reporting.freshness. */
export interface FreshnessRow {
  /** UTC day, YYYY-MM-DD. */
  readonly day: string
  readonly filter: LoadFilter
  readonly status: string
  readonly loadedAt: Date
  readonly derived: boolean
  readonly emittedSettled: boolean
  readonly completeFrom: string | null
}

export interface RangeFreshness {
  /** The range is completely loaded up to this instant; null: not even its beginning is. */
  readonly completeUntil: Date | null
  /** UTC days, before today, that are not completely loaded or not derived. */
  readonly incompleteDays: readonly string[]
  /** UTC days whose numbers may still change, because conversations on them are not final. */
  readonly unsettledDays: number
  /** The first UTC day from which on numbers are whole, where that is after the beginning of the range. */
  readonly wholeFrom: string | null
  /** The filters of the history with which the days were read, where they have any. */
  readonly filters: readonly LoadFilter[]
}

/**
 * Judges the UTC days of a range.
 * @param rows rows of reporting.freshness of these days; where a day was read with several filters, the widest counts
 * @param utcDays the UTC days that the range touches, up to today
 */
export function summarizeFreshness(
  rows: readonly FreshnessRow[],
  utcDays: readonly string[],
  now: Date,
): RangeFreshness {
  const today = now.toISOString().slice(0, 10)
  const widest = new Map<string, FreshnessRow>()
  for (const row of rows) {
    const known = widest.get(row.day)
    if (!known || isWider(row, known)) widest.set(row.day, row)
  }
  const used = utcDays.map((day) => ({ day, row: widest.get(day) }))
  const firstGap = used.find(({ row }) => !isComplete(row))
  const last = utcDays.at(-1)
  return {
    completeUntil: firstGap ? untilIn(firstGap, utcDays[0]!) : last ? addDays(new Date(`${last}T00:00:00Z`), 1) : null,
    incompleteDays: used.filter(({ day, row }) => day !== today && !isComplete(row)).map(({ day }) => day),
    unsettledDays: used.filter(({ row }) => row && !row.emittedSettled).length,
    wholeFrom: wholeFrom(used[0]?.row, utcDays[0]),
    filters: filtersOf(used.flatMap(({ row }) => row ?? [])),
  }
}

/** A day that was read without a filter says more than one that was read with some; of two filters, the complete read does. */
function isWider(a: FreshnessRow, b: FreshnessRow): boolean {
  const keys = (row: FreshnessRow): number => Object.keys(row.filter).length
  return isComplete(a) === isComplete(b) ? keys(a) < keys(b) : isComplete(a)
}

function isComplete(row: FreshnessRow | undefined): boolean {
  return row !== undefined && row.status === 'done' && row.derived
}

/** How far the first day that is not complete was read. */
function untilIn(
  { day, row }: { readonly day: string; readonly row: FreshnessRow | undefined },
  firstDay: string,
): Date | null {
  if (row?.status === 'provisional' && row.derived) return row.loadedAt
  return day === firstDay ? null : new Date(`${day}T00:00:00Z`)
}

function wholeFrom(first: FreshnessRow | undefined, firstDay: string | undefined): string | null {
  if (!first?.completeFrom || firstDay === undefined) return null
  return first.completeFrom > firstDay ? first.completeFrom : null
}

function filtersOf(rows: readonly FreshnessRow[]): LoadFilter[] {
  const byText = new Map(rows.map(({ filter }) => [JSON.stringify(filter), filter]))
  return [...byText.values()].filter((filter) => Object.keys(filter).length > 0)
}
