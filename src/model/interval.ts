/**
 * Half-open windows of time, [start, end), and their algebra. The unit of the history is one UTC day, because that is
 * how the details query selects: by the UTC day on which a conversation started.
 */
export interface Interval {
  readonly start: Date
  readonly end: Date
}

/** The clocks of a primary server and its standby may differ by this much; what is dated later comes from a wrong clock. */
export const CLOCK_TOLERANCE_MS = 60_000

const MS_PER_DAY = 86_400_000

/** The instant at which the UTC day of `instant` began. */
export function startOfDay(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / MS_PER_DAY) * MS_PER_DAY)
}

/** The instant `days` UTC days after `instant` (before it where negative). */
export function addDays(instant: Date, days: number): Date {
  return new Date(instant.getTime() + days * MS_PER_DAY)
}

/** Whole days from the UTC day of `instant` to that of `now`: 0 today, 1 yesterday. */
export function ageInDays(instant: Date, now: Date): number {
  return (startOfDay(now).getTime() - startOfDay(instant).getTime()) / MS_PER_DAY
}

/** Whole seconds from one instant to a later one; 0 if it is not later. */
export function secondsBetween(from: Date, to: Date): number {
  return Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000))
}

/** Splits a range at every UTC midnight; the first and last part may be parts of a day. Empty for an empty range. */
export function splitByDay(range: Interval): Interval[] {
  const days: Interval[] = []
  let start = range.start
  while (start < range.end) {
    const midnight = addDays(startOfDay(start), 1)
    const end = midnight < range.end ? midnight : range.end
    days.push({ start, end })
    start = end
  }
  return days
}

/** The same instants as sorted windows that neither overlap nor touch. */
export function union(windows: readonly Interval[]): Interval[] {
  const merged: { start: Date; end: Date }[] = []
  for (const window of windows.filter(({ start, end }) => start < end).sort((a, b) => +a.start - +b.start)) {
    const last = merged.at(-1)
    if (last && window.start <= last.end) {
      if (window.end > last.end) last.end = window.end
    } else {
      merged.push({ ...window })
    }
  }
  return merged
}

/** The parts of `range` that no window of `covered` covers, sorted. */
export function subtract(range: Interval, covered: readonly Interval[]): Interval[] {
  const gaps: Interval[] = []
  let start = range.start
  for (const window of union(covered)) {
    if (window.end <= start) continue
    if (window.start >= range.end) break
    if (window.start > start) gaps.push({ start, end: window.start })
    start = window.end
  }
  if (start < range.end) gaps.push({ start, end: range.end })
  return gaps
}

/** The parts of `range` that lie within one of these windows, sorted. */
export function intersect(range: Interval, windows: readonly Interval[]): Interval[] {
  return subtract(range, subtract(range, windows))
}

/** A window for people: `2026-11-21` for a whole UTC day, else `2026-11-21T10:00Z/2026-11-21T12:30Z`. */
export function formatWindow({ start, end }: Interval): string {
  const isWholeDay = +start === +startOfDay(start) && +end === +addDays(start, 1)
  if (isWholeDay) return start.toISOString().slice(0, 10)
  return `${formatInstant(start)}/${formatInstant(end)}`
}

function formatInstant(instant: Date): string {
  return instant.toISOString().replace(/(:00)?\.000Z$/, 'Z')
}

/** The earlier of two instants. */
export function earlier(a: Date, b: Date): Date {
  return a < b ? a : b
}

/** The later of two instants. */
export function later(a: Date, b: Date): Date {
  return a > b ? a : b
}
