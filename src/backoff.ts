/** Exponential backoff, for everything that is tried again. Pure. */

/** How waits grow, in milliseconds. */
export interface BackoffLimits {
  /** The wait after the first failure. It doubles with each further one. */
  readonly baseMs: number
  readonly ceilingMs: number
}

/** Milliseconds to wait after `failures` failures in a row (1 or more). */
export function backoffMs(failures: number, { baseMs, ceilingMs }: BackoffLimits): number {
  return Math.min(ceilingMs, baseMs * 2 ** Math.max(0, failures - 1))
}

/** A wait of which half is jitter, so that those who failed together do not come back together; `random` is in [0, 1). */
export function withJitter(waitMs: number, random: number): number {
  return waitMs * (0.5 + random / 2)
}
