/** Days, weeks, months and steps of a time zone, by brute force with Intl: shares nothing with the SQL. */

const QUARTER_MS = 15 * 60_000
const DAY_MS = 86_400_000

export interface Period {
  readonly start: number
  readonly end: number
}

/** A function that gives the local date (YYYY-MM-DD) of an instant. */
export function localDates(zone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const known = new Map<number, string>()
  return (at) => {
    const quarter = Math.floor(at / QUARTER_MS) * QUARTER_MS
    if (!known.has(quarter)) known.set(quarter, format.format(quarter))
    return known.get(quarter)!
  }
}

/** A function that gives the period of a granularity that an interval is in. */
export function localPeriods(zone: string, granularity: string, firstDayOfWeek: number): (at: number) => Period {
  const dateOf = localDates(zone)
  const labelOf = (at: number): string => {
    const date = dateOf(at)
    if (granularity === '1 week') return weekStart(date, firstDayOfWeek)
    return granularity === '1 month' ? date.slice(0, 7) : date
  }
  const stretches = new Map<string, Period>()
  const stretchOf = (at: number): Period => {
    const label = labelOf(at)
    if (!stretches.has(label))
      stretches.set(
        label,
        stretch(at, (other) => labelOf(other) === label),
      )
    return stretches.get(label)!
  }
  const minutes = { '15 minutes': 15, '30 minutes': 30, '1 hour': 60 }[granularity]
  if (minutes === undefined) return stretchOf
  return (at) => {
    const day = stretchOf(at)
    const stepMs = minutes * 60_000
    const start = day.start + Math.floor((at - day.start) / stepMs) * stepMs
    return { start, end: Math.min(start + stepMs, day.end) }
  }
}

/** The first day of the week of a date. */
export function weekStart(date: string, firstDayOfWeek: number): string {
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay() || 7
  return new Date(Date.parse(date) - ((weekday - firstDayOfWeek + 7) % 7) * DAY_MS).toISOString().slice(0, 10)
}

/** The quarter hours around an instant for which something holds. */
function stretch(at: number, holds: (at: number) => boolean): Period {
  let start = at
  while (holds(start - QUARTER_MS)) start -= QUARTER_MS
  let end = at + QUARTER_MS
  while (holds(end)) end += QUARTER_MS
  return { start, end }
}
