/** How much of a request limit a load uses, by the times at which requests came in at the simulator. */

export interface CeilingUse {
  /** Requests : what our own ceiling allows, without the run-up and the run-out, a window each. */
  readonly share: number
  /** The most requests that arrived in any stretch of the window's length : our own ceiling. */
  readonly densest: number
  readonly requests: number
  /** Whole windows of the limit that the share is about. */
  readonly windows: number
}

/**
 * `times`: arrivals in milliseconds, ascending. A backfill lasts hours, so its first steps and its last pages, which
 * nothing can fill up, do not count. Throws when there is no whole window between them.
 */
export function ceilingUse(
  times: readonly number[],
  limit: { readonly requests: number; readonly windowMs: number },
): CeilingUse {
  const from = (times[0] ?? 0) + limit.windowMs
  const windows = Math.floor(((times.at(-1) ?? 0) - limit.windowMs - from) / limit.windowMs)
  if (windows < 1) throw new Error('the load was over too soon for its use of the limit: load more conversations')
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
