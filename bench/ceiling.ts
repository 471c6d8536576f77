/** How much of a request limit a load uses, by the times at which requests came in at the simulator. */

export interface CeilingUse {
  /** Requests in whole windows since the first one : what our own ceiling allows in them. */
  readonly share: number
  /** The most requests in any stretch of the window's length : our own ceiling. */
  readonly densest: number
  readonly requests: number
  readonly windows: number
}

/**
 * `times`: arrivals in milliseconds, ascending. The unfinished window at the end does not count. Throws when there is no
 * whole window.
 */
export function ceilingUse(
  times: readonly number[],
  limit: { readonly requests: number; readonly windowMs: number },
): CeilingUse {
  const first = times[0] ?? 0
  const windows = Math.floor(((times.at(-1) ?? 0) - first) / limit.windowMs)
  if (windows < 1) throw new Error('the load was over before a window of the limit was: load more conversations')
  const end = first + windows * limit.windowMs
  const used = times.filter((time) => time < end).length
  let densest = 0
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! >= limit.windowMs) from++
    densest = Math.max(densest, to - from + 1)
  }
  return {
    share: used / (windows * limit.requests),
    densest: densest / limit.requests,
    requests: times.length,
    windows,
  }
}
