/** How open conversations that started more than a day ago are found and followed. Pure. */
import type { Interval } from '../model/interval.ts'

const DAY_MS = 86_400_000
/** The details query takes at most 31 days with a filter. */
const WINDOW_DAYS = 30
/** Genesys keeps conversations for 558 days (18 months); older open ones are found by their activity only. */
const MAX_AGE_DAYS = 558

/** Windows of the details query that together reach from a day ago back to 558 days ago, newest first. */
export function olderWindows(now: Date): Interval[] {
  const daysAgo = (days: number): Date => new Date(now.getTime() - days * DAY_MS)
  const windows: Interval[] = []
  for (let days = 0; days < MAX_AGE_DAYS; days += WINDOW_DAYS) {
    const start = daysAgo(Math.min(MAX_AGE_DAYS, days + WINDOW_DAYS))
    windows.push({ start, end: daysAgo(Math.max(1, days)) })
  }
  return windows
}

/** When an older conversation was last read, and the activity that Genesys listed for it then (empty: none). */
export interface LastRead {
  /** Milliseconds since 1970. */
  readonly readAt: number
  readonly activity: string
}

/**
 * Chooses which older conversations to read by id: first those whose activity has changed since they were last read, then those
 * that were read the longest ago, so that each gets its turn even when they do not all fit.
 * @param activity what Genesys lists now, by id; null: it could not be read
 * @param lastReads when each was last read, by id
 */
export function chooseOlder(
  ids: readonly string[],
  activity: ReadonlyMap<string, string> | null,
  lastReads: ReadonlyMap<string, LastRead>,
  limit: number,
): string[] {
  if (ids.length <= limit) return [...ids]
  const order = ids.map((id) => {
    const last = lastReads.get(id)
    const changed = activity !== null && (activity.get(id) ?? '') !== (last?.activity ?? '')
    return { id, changed, readAt: last?.readAt ?? Number.NEGATIVE_INFINITY }
  })
  order.sort(
    (a, b) => Number(b.changed) - Number(a.changed) || (a.readAt < b.readAt ? -1 : Number(a.readAt > b.readAt)),
  )
  return order.slice(0, limit).map(({ id }) => id)
}
