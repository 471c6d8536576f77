import { SendBudget, type Priority } from './send-budget.ts'

/** Stands for one send; its answer's headers are understood as of it. */
export interface Permit {
  readonly sequence: number
  /** On the limiter's clock. */
  readonly sentAt: number
}

/** A clock that only goes forward, in milliseconds, and its timer; tests bring their own. */
export interface LimiterClock {
  now(): number
  /** Calls back after `ms`; the returned function cancels that. */
  after(ms: number, callback: () => void): () => void
}

export interface RateLimiterOptions {
  /** Our own ceiling. Infinity switches it off; what the server says is still obeyed. */
  readonly requestsPerMinute: number
  /** Length of the window in which `requestsPerMinute` holds. Only tests and the bench shorten it. */
  readonly windowMs?: number
  readonly clock?: LimiterClock
}

export interface RateLimiter {
  /** Waits until a request of this priority may be sent; it counts as sent from then. Throws the signal's reason. */
  acquire(priority: Priority, signal: AbortSignal): Promise<Permit>
  /** Takes in `inin-ratelimit-count/-allowed/-reset` of an answer; absent or odd ones are ignored. */
  observe(headers: Readonly<Record<string, unknown>>, permit: Permit): void
  /** Lets nothing go for so many milliseconds: Genesys has answered 429. */
  pause(ms: number): void
  /** What counts at the moment: sends in the window, requests waiting, milliseconds of pause that are left. */
  stats(): { sent: number; live: number; waiting: number; pausedForMs: number; limit: number }
}

interface Waiter {
  readonly resolve: (permit: Permit) => void
}

const liveShare = 0.4
const order: readonly Priority[] = ['live', 'reference', 'history']

const systemClock: LimiterClock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * The one gate for all requests of an OAuth client in this process, whatever token they carry: Genesys counts by
 * client. Live goes before reference data, that before history. A second process on the same client is seen through the
 * server's count.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  const { requestsPerMinute: limit, windowMs = 60_000, clock = systemClock } = options
  // At a minute's window: 1.2 s for jitter on the way, 1.8 s for the first handshakes. A shortened one has timers to mind.
  const guardMs = Math.max(20, windowMs * 0.02)
  const budget = new SendBudget({ limit, windowMs, guardMs, coldMs: windowMs * 0.03, liveShare })
  const waiting: Record<Priority, Set<Waiter>> = { live: new Set(), reference: new Set(), history: new Set() }
  let cancelTimer: (() => void) | null = null

  function pump(): void {
    cancelTimer?.()
    cancelTimer = null
    let earliest = Number.POSITIVE_INFINITY
    for (const priority of order) {
      for (const waiter of waiting[priority]) {
        const now = clock.now()
        const at = budget.nextAt(priority, now)
        if (at > now) {
          earliest = Math.min(earliest, at)
          break
        }
        waiting[priority].delete(waiter)
        waiter.resolve({ sequence: budget.record(priority, now), sentAt: now })
      }
    }
    // Timers may fire a little early: rounding up keeps that from becoming a busy loop.
    if (earliest < Number.POSITIVE_INFINITY)
      cancelTimer = clock.after(Math.min(2 ** 31 - 1, Math.ceil(Math.max(1, earliest - clock.now()))), pump)
  }

  return {
    acquire(priority, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const queue = waiting[priority]
        const waiter: Waiter = {
          resolve(permit) {
            signal.removeEventListener('abort', giveUp)
            resolve(permit)
          },
        }
        function giveUp(): void {
          queue.delete(waiter)
          reject(signal.reason as Error)
          pump()
        }
        queue.add(waiter)
        signal.addEventListener('abort', giveUp, { once: true })
        pump()
      })
    },

    observe(headers, permit) {
      const count = amount(headers['inin-ratelimit-count'])
      const allowed = amount(headers['inin-ratelimit-allowed'])
      const reset = amount(headers['inin-ratelimit-reset'])
      budget.answered(clock.now())
      if (count === null || allowed === null || reset === null || allowed === 0) return
      // Counted, and so stamped, when the request came in, not when its answer was ready.
      budget.observe({ count, allowed, resetAt: permit.sentAt + reset * 1000 + guardMs }, permit.sequence)
      pump()
    },

    pause(ms) {
      budget.pause(clock.now() + ms)
      pump()
    },

    stats() {
      const now = clock.now()
      const { live, rest, pausedUntil } = budget.used(now)
      const waiters = order.reduce((sum, priority) => sum + waiting[priority].size, 0)
      return { sent: live + rest, live, waiting: waiters, pausedForMs: Math.max(0, pausedUntil - now), limit }
    },
  }
}

function amount(header: unknown): number | null {
  const text = typeof header === 'number' ? String(header) : header
  return typeof text === 'string' && /^\s*\d{1,9}(\.\d{1,9})?\s*$/.test(text) ? Number(text) : null
}
