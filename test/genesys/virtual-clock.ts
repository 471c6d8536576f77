/** Simulated time for the rate limiter, and workers that send requests in it. */
import { type LimiterClock, type RateLimiter } from '../../src/genesys/rate-limiter.ts'
import { type Priority } from '../../src/genesys/send-budget.ts'
import { never } from './support.ts'

/** Time that passes only in `runUntil`, event by event. */
export class VirtualClock implements LimiterClock {
  #now = 0
  readonly #events = new Set<{ at: number; callback: () => void }>()

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const event = { at: this.#now + ms, callback }
    this.#events.add(event)
    return () => this.#events.delete(event)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Lets all happen that is due until then. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = [...this.#events].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#events.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = end
  }
}

/** The most arrivals in any window that is as long as this. */
export function mostInAnyWindow(times: readonly number[], windowMs: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let most = 0
  let first = 0
  for (let last = 0; last < sorted.length; last++) {
    while (sorted[first]! <= sorted[last]! - windowMs) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** Sends from several workers without end; gives the times at which each arrived at the server. */
export function workers(
  limiter: RateLimiter,
  clock: VirtualClock,
  count: number,
  options: { priority: Priority; latencyMs: number; jitterMs?: number; handshakeMs?: number },
): number[] {
  const arrivals: number[] = []
  let state = 1
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const work = async (): Promise<void> => {
    for (;;) {
      const permit = await limiter.acquire(options.priority, never)
      const handshake = clock.now() < 1000 ? (options.handshakeMs ?? 0) : 0
      const onTheWay = handshake + random() * (options.jitterMs ?? 0)
      arrivals.push(clock.now() + onTheWay)
      await clock.sleep(onTheWay + options.latencyMs)
      limiter.observe({}, permit)
    }
  }
  for (let i = 0; i < count; i++) void work()
  return arrivals
}
