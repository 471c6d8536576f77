/** Ranges of local days, and the steps of a chart over them. Days are text, YYYY-MM-DD: no time zone is needed to count them. Pure. */

/** The first and the last day, both included. */
export interface Days {
  readonly first: string
  readonly last: string
}

const DAY_MS = 86_400_000
/** A chart of more days is by weeks. */
const MAX_DAYS_BY_DAY = 100

/** Older days have no conversations of Genesys Cloud, and some of them never were in some time zone. */
const FIRST_DAY = '2015-01-01'

/** Whether a text is a day of the calendar since 2015. */
export function isDay(text: string): boolean {
  if (!/^2\d{3}-\d\d-\d\d$/.test(text) || text < FIRST_DAY) return false
  const at = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(+at) && at.toISOString().startsWith(text)
}

/** The day `by` days later, or earlier where negative. */
export function shiftDay(day: string, by: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + by * DAY_MS).toISOString().slice(0, 10)
}

/** How many days, at least one. */
export function dayCount({ first, last }: Days): number {
  return (Date.parse(`${last}T00:00:00Z`) - Date.parse(`${first}T00:00:00Z`)) / DAY_MS + 1
}

/** Every day from the first to the last. */
export function eachDay(days: Days): string[] {
  return Array.from({ length: dayCount(days) }, (_, index) => shiftDay(days.first, index))
}

/** By how many days a range is shifted to be compared with: whole weeks, so that weekdays meet, and no day is in both. */
export function comparisonShift(days: Days): number {
  return Math.ceil(dayCount(days) / 7) * 7
}

/** The step of a chart of this range, unless the viewer chooses one. */
export function usualGranularity(days: Days): '30-minutes' | '1-day' | '1-week' {
  const count = dayCount(days)
  return count === 1 ? '30-minutes' : count <= MAX_DAYS_BY_DAY ? '1-day' : '1-week'
}

/**
 * The steps of a chart by their local start: `2026-11-26 09:30`, or the day for days and weeks; the first week may be cut. They are those of
 * the wall clock: on a day on which clocks go back an hour comes twice, and counts in one step.
 * @param firstDayOfWeek 1 = Monday … 7 = Sunday
 */
export function slotsOf(
  days: Days,
  granularity: '30-minutes' | '1-hour' | '1-day' | '1-week',
  firstDayOfWeek: number,
): string[] {
  const all = eachDay(days)
  if (granularity === '1-day') return all
  if (granularity === '1-week') return all.filter((day, index) => index === 0 || isoWeekday(day) === firstDayOfWeek)
  const minutes = granularity === '1-hour' ? 60 : 30
  const times = Array.from({ length: (24 * 60) / minutes }, (_, index) => clock(index * minutes))
  return all.flatMap((day) => times.map((time) => `${day} ${time}`))
}

/** A slot of the comparison as that of the range. */
export function shiftSlot(slot: string, days: number): string {
  return shiftDay(slot.slice(0, 10), days) + slot.slice(10)
}

function isoWeekday(day: string): number {
  return ((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7) + 1
}

function clock(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
