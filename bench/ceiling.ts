/** How much of a request limit a load uses, computed from the times at which requests arrived at the simulator. */

export interface CeilingUse {
  /** Requests relative to our own limit, without the first and the last window. */
  readonly share: number
  /** The most requests that arrived within the length of a window, relative to our own limit. */
  readonly densest: number
  readonly requests: number
  /** Whole windows of the limit that the share covers. */
  readonly windows: number
}

/**
 * Computes the use of a limit. A backfill lasts hours, so its first requests and its last pages, which nothing can fill up,
 * do not count.
 * @param times arrivals in milliseconds, ascending
 * @throws Error when there is no whole window between the first and the last one
 */
export function ceilingUse(
  times: readonly number[],
  limit: { readonly requests: number; readonly windowMs: number },
): CeilingUse {
  const from = (times[0] ?? 0) + limit.windowMs
  const windows = Math.floor(((times.at(-1) ?? 0) - limit.windowMs - from) / limit.windowMs)
  if (windows < 1) throw new Error('the load was too short to measure its use of the limit: load more conversations')
  const to = from + windows * limit.windowMs
  const used = times.filter((time) => time >= from && time < to).length
  let densest = 0
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! >= limit.windowMs) first++
    densest = Math.max(densest, last - first + 1)
  }
  return {
    share: used / (windows * limit.requests),
    densest: densest / limit.requests,
    requests: times.length,
    windows,
  }
}
