import { backoffMs, withJitter } from '../backoff.ts'

/** Why an attempt is made again; the label of the retry metric, too. */
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
  /** `bad-body`: truncated, HTML, or anything else that is not the JSON that was asked for. */
  | { readonly kind: 'network' | 'timeout' | 'bad-body' | 'certificate' }

export type RetryDecision =
  | { readonly action: 'retry'; readonly reason: RetryReason; readonly waitMs: number }
  /** `permanent`: trying again can't help · `exhausted`: it may help later · `told-to-wait`: the server wants more patience than a request has. */
  | { readonly action: 'give-up'; readonly why: 'permanent' | 'exhausted' }
  | { readonly action: 'give-up'; readonly why: 'told-to-wait'; readonly waitMs: number }

export interface Backoff {
  /** Milliseconds before the first retry, before jitter. It doubles with each one. */
  readonly baseMs: number
  readonly ceilingMs: number
}

export const defaultBackoff: Backoff = { baseMs: 500, ceilingMs: 30_000 }

/** The longest Retry-After that is waited for inside a request; Genesys' own SDKs draw the line at the same place. */
const longestRetryAfterMs = 180_000

/**
 * How many retries of one request each group of reasons gets. A details query is a read although it is a POST, so
 * repeating it is harmless. 500 is not among the statuses that Genesys calls transient, hence the small number; a
 * query that ran into a timeout will most likely do so again and should be made smaller instead.
 */
const budgets: readonly { readonly reasons: readonly RetryReason[]; readonly retries: number }[] = [
  { reasons: ['unavailable', 'network', 'bad-body'], retries: 6 },
  { reasons: ['server-error'], retries: 2 },
  { reasons: ['timeout'], retries: 1 },
  { reasons: ['unauthorized'], retries: 1 },
  { reasons: ['rate-limited'], retries: 10 },
]

/**
 * Whether an attempt that failed is made again, and after how many milliseconds. `earlier` has the reasons of the
 * retries this request had already; `random` is in [0, 1) and spreads the waits (half of each wait is jitter).
 */
export function decideRetry(
  failure: Failure,
  earlier: readonly RetryReason[],
  random: number,
  backoff: Backoff = defaultBackoff,
): RetryDecision {
  const reason = reasonToRetry(failure)
  if (reason === null) return { action: 'give-up', why: 'permanent' }

  const told = failure.kind === 'status' ? failure.retryAfterMs : undefined
  const honoursTold = reason === 'rate-limited' || reason === 'unavailable'
  if (honoursTold && told !== undefined && told > longestRetryAfterMs)
    return { action: 'give-up', why: 'told-to-wait', waitMs: told }

  const budget = budgets.find((group) => group.reasons.includes(reason))
  const spent = earlier.filter((each) => budget?.reasons.includes(each)).length
  if (budget === undefined || spent >= budget.retries) return { action: 'give-up', why: 'exhausted' }

  if (reason === 'unauthorized') return { action: 'retry', reason, waitMs: 0 }
  const jittered = withJitter(backoffMs(spent + 1, backoff), random)
  return { action: 'retry', reason, waitMs: honoursTold && told ? told : jittered }
}

function reasonToRetry(failure: Failure): RetryReason | null {
  if (failure.kind === 'certificate') return null
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
 * Milliseconds that a Retry-After header asks for, given as seconds or as an HTTP date (which is measured from `now`, an
 * epoch in milliseconds, best the answer's own Date). `undefined` when it is absent or says nothing usable.
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string' && typeof header !== 'number') return undefined
  const text = String(header).trim()
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  // Date.parse takes far too much for a date ("-5" is one); an HTTP date begins with the day's name.
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
