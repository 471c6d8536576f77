import { describe, expect, test } from 'vitest'
import { fullBudget, maySnapshot, refill } from '../../src/live/request-budget.ts'
import { createRateLimiter, type LimiterClock } from '../../src/genesys/rate-limiter.ts'
import { never } from './support.ts'
import { mostInAnyWindow, VirtualClock, workers } from './virtual-clock.ts'

/** The real clock, this many times as fast. */
function fastClock(speed: number): LimiterClock {
  return {
    now: () => performance.now() * speed,
    after(ms, callback) {
      const timer = setTimeout(callback, ms / speed)
      return () => clearTimeout(timer)
    },
  }
}

describe('our own ceiling', () => {
  test.each([
    [1000, 10],
    [2000, 10],
    [50, 10],
  ])('at %i ms latency, 95 %% of it is used and it is never exceeded at the server', async (latencyMs, concurrency) => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const arrivals = workers(limiter, clock, concurrency, {
      priority: 'history',
      latencyMs,
      jitterMs: 300,
      handshakeMs: 1500,
    })
    const minutes = 10
    await clock.runUntil(minutes * 60_000)
    expect(mostInAnyWindow(arrivals, 60_000)).toBeLessThanOrEqual(270)
    expect(arrivals.length / (270 * minutes)).toBeGreaterThan(0.95)
  })

  test('holds on a real clock', async () => {
    const windowMs = 1000
    const limiter = createRateLimiter({ requestsPerMinute: 25, clock: fastClock(60_000 / windowMs) })
    const sent: number[] = []
    let asked = 0
    const start = performance.now()
    const work = async (): Promise<void> => {
      while (asked++ < 75) {
        limiter.observe({}, await limiter.acquire('history', never))
        sent.push(performance.now())
      }
    }
    await Promise.all([work(), work(), work()])
    expect(mostInAnyWindow(sent, windowMs)).toBeLessThanOrEqual(25)
    // 75 requests: the limit of three windows, so two waits
    expect(performance.now() - start).toBeLessThan(2 * windowMs * 1.25)
  })

  test('infinite means no ceiling', async () => {
    const limiter = createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY })
    for (let i = 0; i < 5000; i++) await limiter.acquire(i % 2 === 0 ? 'history' : 'live', never)
    expect(limiter.stats()).toMatchObject({ sent: 5000, waiting: 0 })
  })
})

describe('priorities', () => {
  test('live goes before history', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 1, clock })
    await limiter.acquire('history', never)
    const order: string[] = []
    for (const priority of ['history', 'live', 'history'] as const)
      void limiter.acquire(priority, never).then(() => order.push(priority))
    await clock.runUntil(10 * 60_000)
    expect(order).toEqual(['live', 'history', 'history'])
  })

  test('a snapshot is not held back in the middle: live may use the whole ceiling at once', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 100, clock })
    const live = workers(limiter, clock, 5, { priority: 'live', latencyMs: 10 })
    await clock.runUntil(5 * 60_000)
    expect(mostInAnyWindow(live, 60_000)).toBe(100)
  })

  test('snapshots of more than 40 % of a minute wait seconds behind a backfill, not a window; it keeps half the ceiling', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const history = workers(limiter, clock, 10, { priority: 'history', latencyMs: 20 })
    const waits: number[] = []
    const live: number[] = []
    let running = false
    let budget = fullBudget(270, 0)
    const tick = (): void => {
      budget = refill(budget, 270, clock.now())
      if (running || !maySnapshot(budget)) return
      running = true
      budget = { ...budget, balance: budget.balance - 115 }
      const asked = clock.now()
      const requests = Array.from({ length: 115 }, () =>
        limiter.acquire('live', never).then(() => live.push(clock.now())),
      )
      void Promise.all(requests).then(() => {
        running = false
        waits.push(clock.now() - asked)
      })
    }
    for (let minute = 1; minute <= 30; minute++) clock.after(minute * 60_000, tick)
    await clock.runUntil(31 * 60_000)
    expect(mostInAnyWindow([...live, ...history], 60_000)).toBeLessThanOrEqual(270)
    expect(live.length / 30).toBeLessThanOrEqual(0.4 * 270 + 115 / 30)
    expect(waits.length).toBeGreaterThan(25)
    for (const wait of waits) expect(wait).toBeLessThan(20_000)
    for (const wait of waits.slice(10)) expect(wait).toBeLessThan(10_000)
    expect(history.length).toBeGreaterThan(0.95 * 135 * 31)
  })

  test('a snapshot every minute does not wait behind a backfill, once the first has been', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const history = workers(limiter, clock, 10, { priority: 'history', latencyMs: 20 })
    const waits: number[] = []
    for (let minute = 1; minute <= 10; minute++) {
      clock.after(minute * 60_000, () => {
        const asked = clock.now()
        const requests = Array.from({ length: 50 }, () => limiter.acquire('live', never))
        void Promise.all(requests).then(() => waits.push(clock.now() - asked))
      })
    }
    await clock.runUntil(11 * 60_000)
    expect(waits).toHaveLength(10)
    for (const wait of waits.slice(2)) expect(wait).toBeLessThan(3000)
    expect(history.length).toBeGreaterThan(0.95 * 11 * 162)
  })

  test('a snapshot every 90 s finds its room beside a backfill, though its predecessor has left the window', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    workers(limiter, clock, 10, { priority: 'history', latencyMs: 1000 })
    const durations: number[] = []
    const snapshot = async (): Promise<void> => {
      const begun = clock.now()
      let left = 100
      const work = async (): Promise<void> => {
        while (left-- > 0) {
          const permit = await limiter.acquire('live', never)
          await clock.sleep(1000)
          limiter.observe({}, permit)
        }
      }
      await Promise.all(Array.from({ length: 15 }, work))
      durations.push(clock.now() - begun)
    }
    for (let tick = 1; tick <= 10; tick++) clock.after(tick * 90_000, () => void snapshot())
    await clock.runUntil(11 * 90_000)
    expect(durations).toHaveLength(10)
    // 100 requests of a second each, 15 at once, take 7 s without any wait
    for (const duration of durations.slice(2)) expect(duration).toBeLessThan(9000)
  })

  test('live that is asleep leaves the whole ceiling to history', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 100, clock })
    for (let i = 0; i < 40; i++) await limiter.acquire('live', never)
    await clock.runUntil(3 * 60_000)
    const history = workers(limiter, clock, 5, { priority: 'history', latencyMs: 10 })
    await clock.runUntil(4 * 60_000)
    expect(history).toHaveLength(100)
  })
})

describe('what the server says', () => {
  const headers = (count: number, allowed: number, reset: number) => ({
    'inin-ratelimit-count': String(count),
    'inin-ratelimit-allowed': String(allowed),
    'inin-ratelimit-reset': String(reset),
  })

  test('requests of other processes count: at the limit, all wait for the reset and a moment', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const permit = await limiter.acquire('history', never)
    limiter.observe(headers(298, 300, 20), permit)
    const sent: number[] = []
    for (let i = 0; i < 5; i++) void limiter.acquire('history', never).then(() => sent.push(clock.now()))
    await clock.runUntil(60_000)
    expect(sent).toEqual([0, 0, 21_200, 21_200, 21_200])
  })

  test('what we have sent since that answer is added to its count', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const first = await limiter.acquire('history', never)
    await limiter.acquire('history', never)
    await limiter.acquire('history', never)
    limiter.observe(headers(297, 300, 20), first)
    const sent: number[] = []
    for (let i = 0; i < 3; i++) void limiter.acquire('history', never).then(() => sent.push(clock.now()))
    await clock.runUntil(60_000)
    expect(sent).toEqual([0, 21_200, 21_200])
  })

  test('a reset in ten days is believed for three minutes', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    limiter.observe(headers(300, 300, 900_000), await limiter.acquire('history', never))
    const sent: number[] = []
    void limiter.acquire('live', never).then(() => sent.push(clock.now()))
    expect(limiter.stats().waitMs).toBe(181_200)
    await clock.runUntil(200_000)
    expect(sent).toEqual([181_200])
  })

  test('an answer that was overtaken changes nothing, a new window frees us', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    const first = await limiter.acquire('history', never)
    const second = await limiter.acquire('history', never)
    limiter.observe(headers(1, 300, 60), second)
    limiter.observe(headers(300, 300, 60), first)
    await limiter.acquire('history', never)
    expect(clock.now()).toBe(0)
  })

  test.each([
    [{}],
    [{ 'inin-ratelimit-count': '300', 'inin-ratelimit-allowed': '300' }],
    [{ 'inin-ratelimit-count': 'many', 'inin-ratelimit-allowed': '300', 'inin-ratelimit-reset': '9' }],
    [{ 'inin-ratelimit-count': '-1', 'inin-ratelimit-allowed': '0', 'inin-ratelimit-reset': '9' }],
  ])('headers that are absent or odd are ignored: %j', async (odd) => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    limiter.observe(odd, await limiter.acquire('history', never))
    await limiter.acquire('history', never)
    expect(clock.now()).toBe(0)
  })

  test('another process on the same client is made room for: the server never has to refuse', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    let count = 0
    let windowEnds = 60_000
    let refused = 0
    const arrive = (): void => {
      if (clock.now() >= windowEnds) {
        windowEnds += 60_000
        count = 0
      }
      if (++count > 300) refused++
    }
    const other = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(500)
        if (count < 280) arrive()
      }
    }
    const ours = async (): Promise<void> => {
      for (;;) {
        const permit = await limiter.acquire('history', never)
        arrive()
        const stamped = headers(count, 300, Math.ceil((windowEnds - clock.now()) / 1000))
        await clock.sleep(1000)
        limiter.observe(stamped, permit)
      }
    }
    void other()
    for (let i = 0; i < 10; i++) void ours()
    await clock.runUntil(5 * 60_000)
    expect(refused).toBe(0)
  })
})

describe('pauses', () => {
  test('hold everything back, live included, and a shorter one does not end a longer one', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 270, clock })
    limiter.pause(5000)
    limiter.pause(1000)
    const sent: number[] = []
    for (const priority of ['live', 'history'] as const)
      void limiter.acquire(priority, never).then(() => sent.push(clock.now()))
    expect(limiter.stats()).toMatchObject({ waiting: 2, pausedForMs: 5000 })
    await clock.runUntil(10_000)
    expect(sent).toEqual([5000, 5000])
  })
})

describe('abort', () => {
  test('ends a wait at once, with its reason, and leaves the place to others', async () => {
    const clock = new VirtualClock()
    const limiter = createRateLimiter({ requestsPerMinute: 1, clock })
    await limiter.acquire('history', never)
    const abort = new AbortController()
    const reason = new Error('stop')
    const waiting = limiter.acquire('live', abort.signal)
    const behind = limiter.acquire('history', never)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(limiter.acquire('live', abort.signal)).rejects.toBe(reason)
    await clock.runUntil(70_000)
    await behind
    expect(limiter.stats().waiting).toBe(0)
  })
})
