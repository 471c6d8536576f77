/** How the live side finds, and follows, open conversations that started more than a day ago. Pure. */

const DAY_MS = 86_400_000
/** The details query takes at most 31 days with a filter. */
const WINDOW_DAYS = 30
/** Genesys keeps conversations whole for 558 days (18 months); what is open for longer is found by its activity only. */
const OLDEST_OPEN_DAYS = 558

interface Interval {
  readonly start: Date
  readonly end: Date
}

/** Windows of the details query that together reach from a day ago back to 558 days ago, newest first. */
export function olderWindows(now: Date): Interval[] {
  const daysAgo = (days: number): Date => new Date(now.getTime() - days * DAY_MS)
  const windows: Interval[] = []
  for (let days = 0; days < OLDEST_OPEN_DAYS; days += WINDOW_DAYS) {
    const start = daysAgo(Math.min(OLDEST_OPEN_DAYS, days + WINDOW_DAYS))
    windows.push({ start, end: daysAgo(Math.max(1, days)) })
  }
  return windows
}

/** When an older conversation was last read, and the activity that Genesys listed for it then (empty: none). */
export interface LastLook {
  readonly readAt: number
  readonly activity: string
}

/**
 * Chooses which older conversations to read by id: first those whose activity differs from that at their last reading, then
 * those that were read the longest ago, so that with more of them than fit each has its turn.
 * @param activity what Genesys lists now; null: it could not be read
 */
export function chooseOlder(
  ids: readonly string[],
  activity: ReadonlyMap<string, string> | null,
  looks: ReadonlyMap<string, LastLook>,
  limit: number,
): string[] {
  if (ids.length <= limit) return [...ids]
  const order = ids.map((id) => {
    const look = looks.get(id)
    const changed = activity !== null && (activity.get(id) ?? '') !== (look?.activity ?? '')
    return { id, changed, readAt: look?.readAt ?? Number.NEGATIVE_INFINITY }
  })
  order.sort(
    (a, b) => Number(b.changed) - Number(a.changed) || (a.readAt < b.readAt ? -1 : Number(a.readAt > b.readAt)),
  )
  return order.slice(0, limit).map(({ id }) => id)
}
