/** Decides whether a failed attempt is made again, and after how long. Pure. */

import { backoffMs, withJitter } from '../backoff.ts'

/** Why an attempt is made again; also the label of the retry metric. */
export type RetryReason =
  | 'rate-limited'
  | 'unavailable'
  | 'server-error'
  | 'timeout'
  | 'network'
  | 'bad-body'
  | 'unauthorized'

/** What went wrong with one attempt, as far as the decision needs it. */
export type Failure =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs?: number | undefined }
  /** A proxy has answered CONNECT with this status instead of opening a tunnel. */
  | { readonly kind: 'proxy'; readonly status: number }
  /** `bad-body`: truncated, HTML, or anything else that is not the JSON that was asked for. */
  | { readonly kind: 'network' | 'timeout' | 'bad-body' | 'too-large' | 'certificate' }

export type RetryDecision =
  | { readonly action: 'retry'; readonly reason: RetryReason; readonly waitMs: number }
  /** `permanent`: another attempt cannot help · `exhausted`: it may help later · `long-wait`: the server asks for a longer wait than a request allows. */
  | { readonly action: 'give-up'; readonly why: 'permanent' | 'exhausted' }
  | { readonly action: 'give-up'; readonly why: 'long-wait'; readonly waitMs: number }

export interface Backoff {
  /** The wait before the first retry, before jitter. It doubles with each retry. */
  readonly baseMs: number
  readonly ceilingMs: number
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 500, ceilingMs: 30_000 }

/** The longest Retry-After that a request waits for, and the longest reset that is believed; Genesys' own SDKs use the same limit. */
export const MAX_WAIT_IN_REQUEST_MS = 180_000
/** The longest Retry-After that is believed at all; the rate limits of Genesys Cloud are per minute. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000

/**
 * How many retries of one request each group of reasons gets. A details query is a read although it is a POST, so
 * repeating it is harmless. 500 is not among the statuses that Genesys calls transient, hence the small number; a
 * query that ran into a timeout will most likely do so again and should be made smaller instead. A fresh token can be refused
 * while a login is still spreading through the region, so that is given some seconds.
 */
const RETRY_BUDGETS: readonly { readonly reasons: readonly RetryReason[]; readonly retries: number }[] = [
  { reasons: ['unavailable', 'network', 'bad-body'], retries: 6 },
  { reasons: ['server-error'], retries: 2 },
  { reasons: ['timeout'], retries: 1 },
  { reasons: ['unauthorized'], retries: 3 },
  { reasons: ['rate-limited'], retries: 10 },
]

/**
 * Whether an attempt that failed is made again, and after how many milliseconds.
 * @param earlier the reasons of the retries that this request has had already
 * @param random in [0, 1); spreads the waits (half of each wait is jitter)
 */
export function decideRetry(
  failure: Failure,
  earlier: readonly RetryReason[],
  random: number,
  backoff: Backoff = DEFAULT_BACKOFF,
): RetryDecision {
  const reason = reasonToRetry(failure)
  if (reason === null) return { action: 'give-up', why: 'permanent' }

  const mayAskForWait = reason === 'rate-limited' || reason === 'unavailable'
  const askedMs = mayAskForWait && failure.kind === 'status' ? (failure.retryAfterMs ?? 0) : 0
  if (askedMs > MAX_WAIT_IN_REQUEST_MS) return { action: 'give-up', why: 'long-wait', waitMs: askedMs }

  const budget = RETRY_BUDGETS.find((group) => group.reasons.includes(reason))
  const spent = earlier.filter((each) => budget?.reasons.includes(each)).length
  if (budget === undefined || spent >= budget.retries) return { action: 'give-up', why: 'exhausted' }

  // The first 401 usually means that the token has expired.
  if (reason === 'unauthorized' && spent === 0) return { action: 'retry', reason, waitMs: 0 }
  const jittered = withJitter(backoffMs(spent + 1, backoff), random)
  return { action: 'retry', reason, waitMs: askedMs > 0 ? askedMs : jittered }
}

function reasonToRetry(failure: Failure): RetryReason | null {
  if (failure.kind === 'certificate' || failure.kind === 'too-large') return null
  // What a proxy refuses now it refuses later, too; 5xx, 408 and 429 are its trouble with the network or with its load.
  if (failure.kind === 'proxy')
    return failure.status >= 500 || failure.status === 408 || failure.status === 429 ? 'network' : null
  if (failure.kind !== 'status') return failure.kind
  switch (failure.status) {
    case 401:
      return 'unauthorized'
    case 408:
    case 504:
      return 'timeout'
    case 429:
      return 'rate-limited'
    case 500:
      return 'server-error'
    case 501:
      return null
    default:
      return failure.status > 501 ? 'unavailable' : null
  }
}

/**
 * Milliseconds that a Retry-After header asks for, a day at most; undefined when it is absent or has no usable value.
 * @param header seconds or an HTTP date
 * @param now what a date is measured from, in epoch milliseconds: the answer's own Date, if it has one
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string' && typeof header !== 'number') return undefined
  const text = String(header).trim()
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(MAX_RETRY_AFTER_MS, Number(text) * 1000)
  // Date.parse accepts far too much ("-5" is a date to it); an HTTP date begins with the name of the day.
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, at - now))
}
