/** The gate that every request of an OAuth client passes. */
import { MAX_WAIT_IN_REQUEST_MS } from './retry.ts'
import { SendBudget, type Priority } from './send-budget.ts'

/** Stands for one request; its answer's headers are understood as of it. */
export interface Permit {
  readonly sequence: number
  /** On the limiter's clock. */
  readonly sentAt: number
}

/** A clock that only goes forward, in milliseconds, and its timer. */
export interface LimiterClock {
  now(): number
  /** Calls back after `ms`; the returned function cancels that. */
  after(ms: number, callback: () => void): () => void
}

/** The answer of a shared budget. */
export interface Lease {
  /** Requests that may be sent now. */
  readonly granted: number
  /** Milliseconds until more can be granted; 0 when all that was wanted is granted. */
  readonly waitMs: number
}

/** The request budget of one OAuth client that several processes share. */
export interface SharedBudget {
  /**
   * Leases up to `wanted` requests. They count as sent from now on, so they have to be used at once. Null when the budget cannot
   * be reached: then the limit of this process alone holds for a while. Never rejects.
   */
  lease(priority: Priority, wanted: number): Promise<Lease | null>
}

export interface RateLimiterOptions {
  /** Our own limit. Infinity switches it and the shared budget off; what the server says still holds. */
  readonly requestsPerMinute: number
  /** Null: no other process uses the OAuth client. */
  readonly shared?: SharedBudget | null
  readonly clock?: LimiterClock
}

export interface RateLimiterStats {
  /** Requests of the last minute. */
  readonly sent: number
  readonly live: number
  /** Requests that wait for their permit. */
  readonly waiting: number
  /** What is left of a pause that Genesys has asked for. */
  readonly pausedForMs: number
  /** How long the next request that waits will still have to, as far as known; 0 when none waits. */
  readonly waitMs: number
  readonly limit: number
}

export interface RateLimiter {
  /**
   * Waits until a request of this priority may be sent; it counts as sent from then on.
   * @throws the signal's reason
   */
  acquire(priority: Priority, signal: AbortSignal): Promise<Permit>
  /** Takes `inin-ratelimit-count/-allowed/-reset` from an answer; absent or invalid ones are ignored. */
  observe(headers: Readonly<Record<string, unknown>>, permit: Permit): void
  /** Sends nothing for this time: Genesys has answered 429. */
  pause(ms: number): void
  stats(): RateLimiterStats
}

interface Waiter {
  readonly resolve: (permit: Permit) => void
}

const PRIORITIES: readonly Priority[] = ['live', 'history']
/** Requests of one lease: few enough to be used at once, enough to ask the shared budget rarely. */
const MAX_LEASE = 10
/** A lease that has not been used by then is void, since the requests already count as sent. */
const LEASE_VALID_MS = 250
const MIN_LEASE_WAIT_MS = 50
/** More may be free before the shared budget has said: live needs less, or another process has ended. */
const MAX_LEASE_WAIT_MS = 5000
/** How long this process goes by its own limit before it asks an unreachable shared budget again. */
const UNSHARED_MS = 30_000
/** How long after its announced end a window of the server may still count. */
const RESET_GUARD_MS = 1200
const MAX_TIMER_MS = 2 ** 31 - 1

const SYSTEM_CLOCK: LimiterClock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * The one gate for all requests of an OAuth client in this process, whatever token they carry: Genesys counts by client. Live
 * goes before history. Other processes on the same client take their part through the shared budget; programs that do not
 * know it are noticed by the server's count.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  return new Gate(options)
}

class Gate implements RateLimiter {
  readonly #limit: number
  readonly #clock: LimiterClock
  readonly #budget: SendBudget
  readonly #leases: Readonly<Record<Priority, LeaseHolder>> | null
  readonly #waiting: Readonly<Record<Priority, Set<Waiter>>> = { live: new Set(), history: new Set() }
  #cancelTimer: (() => void) | null = null
  /** When the next waiter is expected to go. */
  #expectedAt = 0

  constructor({ requestsPerMinute, shared = null, clock = SYSTEM_CLOCK }: RateLimiterOptions) {
    this.#limit = requestsPerMinute
    this.#clock = clock
    this.#budget = new SendBudget(requestsPerMinute)
    const holder = (priority: Priority, budget: SharedBudget): LeaseHolder =>
      new LeaseHolder(priority, budget, clock, () => this.#pump())
    this.#leases =
      shared === null || requestsPerMinute === Number.POSITIVE_INFINITY
        ? null
        : { live: holder('live', shared), history: holder('history', shared) }
  }

  acquire(priority: Priority, signal: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      const queue = this.#waiting[priority]
      const waiter: Waiter = {
        resolve(permit) {
          signal.removeEventListener('abort', giveUp)
          resolve(permit)
        },
      }
      const giveUp = (): void => {
        queue.delete(waiter)
        reject(signal.reason as Error)
        this.#pump()
      }
      queue.add(waiter)
      signal.addEventListener('abort', giveUp, { once: true })
      this.#pump()
    })
  }

  observe(headers: Readonly<Record<string, unknown>>, permit: Permit): void {
    const count = amount(headers['inin-ratelimit-count'])
    const allowed = amount(headers['inin-ratelimit-allowed'])
    const reset = amount(headers['inin-ratelimit-reset'])
    this.#budget.answered(this.#clock.now())
    if (count === null || allowed === null || reset === null || allowed === 0) return
    // The windows of Genesys Cloud last a minute: a reset in ten days must not silence us for days.
    const resetMs = Math.min(reset * 1000, MAX_WAIT_IN_REQUEST_MS) + RESET_GUARD_MS
    // Counted, and so stamped, when the request arrived, not when its answer was ready.
    this.#budget.observe({ count, allowed, resetAt: permit.sentAt + resetMs }, permit.sequence)
    this.#pump()
  }

  pause(ms: number): void {
    this.#budget.pause(this.#clock.now() + ms)
    this.#pump()
  }

  stats(): RateLimiterStats {
    const now = this.#clock.now()
    const { live, history, pausedUntil } = this.#budget.used(now)
    const waiting = this.#waiting.live.size + this.#waiting.history.size
    return {
      sent: live + history,
      live,
      waiting,
      pausedForMs: Math.max(0, pausedUntil - now),
      waitMs: waiting === 0 ? 0 : Math.max(0, this.#expectedAt - now),
      limit: this.#limit,
    }
  }

  /** Lets all waiters go that may, and sets the timer for the next one. */
  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
    let wakeAt = Number.POSITIVE_INFINITY
    this.#expectedAt = Number.POSITIVE_INFINITY
    for (const priority of PRIORITIES) {
      const turn = this.#serve(priority)
      wakeAt = Math.min(wakeAt, turn.wakeAt)
      this.#expectedAt = Math.min(this.#expectedAt, turn.expectedAt)
    }
    if (this.#expectedAt === Number.POSITIVE_INFINITY) this.#expectedAt = 0
    // Timers may fire a little early: rounding up keeps that from becoming a busy loop.
    if (wakeAt < Number.POSITIVE_INFINITY) {
      const delayMs = Math.min(MAX_TIMER_MS, Math.ceil(Math.max(1, wakeAt - this.#clock.now())))
      this.#cancelTimer = this.#clock.after(delayMs, () => this.#pump())
    }
  }

  /** Lets the waiters of a priority go until one has to wait; when to check again, and when that one is expected to go. */
  #serve(priority: Priority): { wakeAt: number; expectedAt: number } {
    const queue = this.#waiting[priority]
    for (const waiter of queue) {
      const now = this.#clock.now()
      const at = this.#budget.nextAt(priority, now)
      if (at > now) return { wakeAt: at, expectedAt: at }
      const lease = this.#leases?.[priority].take(queue.size) ?? 'taken'
      if (lease !== 'taken') return lease
      queue.delete(waiter)
      waiter.resolve({ sequence: this.#budget.record(priority, now), sentAt: now })
    }
    return { wakeAt: Number.POSITIVE_INFINITY, expectedAt: Number.POSITIVE_INFINITY }
  }
}

/** What this process holds of the shared budget for one priority. At most one lease is asked for at a time. */
class LeaseHolder {
  readonly #priority: Priority
  readonly #shared: SharedBudget
  readonly #clock: LimiterClock
  readonly #onChange: () => void
  #left = 0
  #validUntil = 0
  #isAsking = false
  #askAgainAt = 0
  #expectedAt = 0
  #unsharedUntil = Number.NEGATIVE_INFINITY

  constructor(priority: Priority, shared: SharedBudget, clock: LimiterClock, onChange: () => void) {
    this.#priority = priority
    this.#shared = shared
    this.#clock = clock
    this.#onChange = onChange
  }

  /** Uses one request of the lease; otherwise asks for another lease when it is time, and says when to come back. */
  take(wanted: number): 'taken' | { wakeAt: number; expectedAt: number } {
    const now = this.#clock.now()
    if (now < this.#unsharedUntil) return 'taken'
    if (this.#left > 0 && now <= this.#validUntil) {
      this.#left--
      return 'taken'
    }
    if (this.#isAsking) return { wakeAt: Number.POSITIVE_INFINITY, expectedAt: Math.max(now, this.#expectedAt) }
    if (now < this.#askAgainAt) return { wakeAt: this.#askAgainAt, expectedAt: this.#expectedAt }
    this.#isAsking = true
    void this.#ask(Math.min(MAX_LEASE, wanted))
    return { wakeAt: Number.POSITIVE_INFINITY, expectedAt: Math.max(now, this.#expectedAt) }
  }

  async #ask(wanted: number): Promise<void> {
    const lease = await this.#shared.lease(this.#priority, wanted).catch(() => null)
    const now = this.#clock.now()
    this.#isAsking = false
    if (lease === null) this.#unsharedUntil = now + UNSHARED_MS
    else {
      this.#left = lease.granted
      this.#validUntil = now + LEASE_VALID_MS
      const askAgainMs = lease.granted === 0 ? Math.max(lease.waitMs, MIN_LEASE_WAIT_MS) : lease.waitMs
      this.#askAgainAt = now + Math.min(askAgainMs, MAX_LEASE_WAIT_MS)
      this.#expectedAt = now + lease.waitMs
    }
    this.#onChange()
  }
}

function amount(header: unknown): number | null {
  const text = typeof header === 'number' ? String(header) : header
  return typeof text === 'string' && /^\s*\d{1,9}(\.\d{1,9})?\s*$/.test(text) ? Number(text) : null
}
