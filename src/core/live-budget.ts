/** The share of the request limit that the live side may use at most, on average. */
export const LIVE_SHARE = 0.4

/** What the live side may still spend: a bucket that fills with its share of the limit and holds a minute of it. */
export interface LiveBudget {
  /** Requests; below zero they have been spent ahead. */
  readonly balance: number
  /** As of when, in milliseconds of any clock that only goes forward. */
  readonly at: number
}

/** A full bucket. */
export function fullBudget(requestsPerMinute: number, at: number): LiveBudget {
  return { balance: requestsPerMinute * LIVE_SHARE, at }
}

/**
 * The budget as of `at`. A single snapshot is never held back in the middle: it may overdraw, and the ticks after it are left
 * out until that is paid off.
 */
export function refill(budget: LiveBudget, requestsPerMinute: number, at: number): LiveBudget {
  const share = requestsPerMinute * LIVE_SHARE
  const minutes = Math.max(0, at - budget.at) / 60_000
  return { balance: Math.min(share, budget.balance + share * minutes), at }
}

/** Whether the next snapshot may start. */
export function maySnapshot(budget: LiveBudget): boolean {
  return budget.balance >= 0
}
