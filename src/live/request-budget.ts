/** How many requests the live side may send. Pure. */

import { LIVE_SHARE } from '../genesys/send-budget.ts'

/** The parts of that share which a snapshot may spend on older conversations by id, and on re-reads. */
const OLDER_SHARE = 0.5
const REREAD_SHARE = 0.25
/** As in a request for conversations by id. */
const IDS_PER_REQUEST = 50

/** What the live side may still spend: a token bucket that fills with its share of the limit and holds a minute of it. */
export interface LiveBudget {
  /** Requests; negative after a snapshot that cost more than there was. */
  readonly balance: number
  /** The time of the balance, in milliseconds of any clock that never goes back. */
  readonly at: number
}

/** A full bucket. */
export function fullBudget(requestsPerMinute: number, at: number): LiveBudget {
  return { balance: requestsPerMinute * LIVE_SHARE, at }
}

/**
 * The budget at a later time. A snapshot is never interrupted for its budget: it may overdraw, and the ticks after it are
 * skipped until the balance is positive again.
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

/** How many open conversations older than a day a snapshot may read by id: half of a minute's share. */
export function olderIdsPerSnapshot(requestsPerMinute: number): number {
  return idsFor(requestsPerMinute * LIVE_SHARE * OLDER_SHARE)
}

/** How many ended conversations a snapshot may read again: a quarter of a minute's share. */
export function rereadIdsPerSnapshot(requestsPerMinute: number): number {
  return idsFor(requestsPerMinute * LIVE_SHARE * REREAD_SHARE)
}

/** The ids of that many requests, at least of one. */
function idsFor(requests: number): number {
  return Math.max(1, Math.floor(requests)) * IDS_PER_REQUEST
}
