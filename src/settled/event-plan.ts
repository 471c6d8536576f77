/** Which conversations a re-read by events looks through. Pure. */
import { addDays, earlier, later, startOfDay, type Interval } from '../model/interval.ts'

/** The details query takes at most 31 days with a filter. */
const LONGEST_DAYS = 31
/** Genesys has complete conversations for 558 days. */
const OLDEST_DAYS = 558
/** Without an earlier re-read, events since so many days ago are looked for. */
const FIRST_DAYS = 31
/** Events may become visible some time after they happened. */
const OVERLAP_MS = 3_600_000

/** The events to look for: since the re-read before, with an overlap. */
export function eventsSince(readUntil: Date | null, now: Date): Interval {
  const start = readUntil && readUntil < now ? new Date(+readUntil - OVERLAP_MS) : addDays(now, -FIRST_DAYS)
  return { start, end: now }
}

/**
 * Intervals of starts, newest first, that together hold what is loaded and older than the nightly lookback: the lookback's own days are read
 * as a whole, the last time at the age of `lookbackDays`.
 */
export function startsToSearch(covered: readonly Interval[], now: Date, lookbackDays: number): Interval[] {
  const today = startOfDay(now)
  const oldest = addDays(today, -OLDEST_DAYS)
  const end = addDays(today, -lookbackDays)
  const intervals: Interval[] = []
  for (const loaded of covered) {
    let until = earlier(loaded.end, end)
    const from = later(loaded.start, oldest)
    while (until > from) {
      const start = addDays(until, -LONGEST_DAYS)
      intervals.push({ start: later(start, from), end: until })
      until = start
    }
  }
  return intervals.sort((a, b) => +b.start - +a.start)
}
