import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRateLimiter, type RateLimiter, type SharedBudget } from '../../src/genesys/rate-limiter.ts'
import { grant, NOTHING_LEASED, type SharedState } from '../../src/request-budget/grant.ts'
import { never } from '../genesys/support.ts'
import { mostInAnyWindow, VirtualClock, workers } from '../genesys/virtual-clock.ts'

const LIMIT = 270

/** A budget in memory, on the virtual clock, that takes `roundTripMs` for each lease. */
function budgetOn(clock: VirtualClock, roundTripMs = 5): SharedBudget & { leases: number } {
  let state: SharedState = NOTHING_LEASED
  const budget = {
    leases: 0,
    async lease(priority: 'live' | 'history', wanted: number) {
      budget.leases++
      await clock.sleep(roundTripMs / 2)
      const given = grant(state, { priority, wanted, limit: LIMIT }, clock.now())
      state = given.state
      await clock.sleep(roundTripMs / 2)
      return given
    },
  }
  return budget
}

const limiterOn = (clock: VirtualClock, shared: SharedBudget | null): RateLimiter =>
  createRateLimiter({ requestsPerMinute: LIMIT, shared, clock })

describe('one process', () => {
  test.each([
    [50, 5],
    [1000, 5],
    [2000, 40],
  ])('uses 95 %% of the limit at a latency of %i ms and %i ms to the database', async (latencyMs, roundTripMs) => {
    const clock = new VirtualClock()
    const shared = budgetOn(clock, roundTripMs)
    const arrivals = workers(limiterOn(clock, shared), clock, 10, { priority: 'history', latencyMs, jitterMs: 300 })
    await clock.runUntil(10 * 60_000)
    expect(mostInAnyWindow(arrivals, 60_000)).toBeLessThanOrEqual(LIMIT)
    expect(arrivals.length / (10 * LIMIT)).toBeGreaterThan(0.95)
    // never more often than there are requests, and a wait for the limit does not become polling
    expect(shared.leases).toBeLessThan(arrivals.length)
  })
})

describe('several processes', () => {
  test('send no more than the limit together, and use 95 % of it', async () => {
    const clock = new VirtualClock()
    const shared = budgetOn(clock)
    const all = [1, 2, 3].map(() =>
      workers(limiterOn(clock, shared), clock, 10, { priority: 'history', latencyMs: 200, jitterMs: 100 }),
    )
    await clock.runUntil(10 * 60_000)
    expect(mostInAnyWindow(all.flat(), 60_000)).toBeLessThanOrEqual(LIMIT)
    expect(all.flat().length / (10 * LIMIT)).toBeGreaterThan(0.95)
    for (const arrivals of all) expect(arrivals.length).toBeGreaterThan(0)
  })

  test('snapshots do not wait behind the backfill of another process, once the first has been', async () => {
    const clock = new VirtualClock()
    const shared = budgetOn(clock)
    const history = workers(limiterOn(clock, shared), clock, 10, { priority: 'history', latencyMs: 20 })
    const service = limiterOn(clock, shared)
    const waits: number[] = []
    for (let minute = 1; minute <= 10; minute++) {
      clock.after(minute * 60_000, () => {
        const asked = clock.now()
        const requests = Array.from({ length: 50 }, () => service.acquire('live', never))
        void Promise.all(requests).then(() => waits.push(clock.now() - asked))
      })
    }
    await clock.runUntil(11 * 60_000)
    expect(waits).toHaveLength(10)
    expect(waits[0]).toBeLessThan(65_000)
    for (const wait of waits.slice(2)) expect(wait).toBeLessThan(3000)
    expect(history.length).toBeGreaterThan(0.9 * 11 * 162)
  })

  test('live that waits goes before the history of every process', () => {
    const full: SharedState = { slots: [[1000, 0, LIMIT]], liveWaitsUntil: 0 }
    const refused = grant(full, { priority: 'live', wanted: 10, limit: LIMIT }, 60_000)
    expect(refused.granted).toBe(0)
    expect(refused.waitMs).toBe(2200)
    const freed = 62_300
    expect(grant(refused.state, { priority: 'history', wanted: 5, limit: LIMIT }, freed).granted).toBe(0)
    const live = grant(refused.state, { priority: 'live', wanted: 10, limit: LIMIT }, freed)
    expect(live.granted).toBe(10)
    expect(grant(live.state, { priority: 'history', wanted: 5, limit: LIMIT }, freed).granted).toBe(5)
  })

  test('while the budget cannot be reached each goes by its own limit, and comes back to it', async () => {
    const clock = new VirtualClock()
    const shared = budgetOn(clock)
    let isAway = true
    const flaky: SharedBudget = {
      lease: async (...request) => (isAway ? null : await shared.lease(...request)),
    }
    const arrivals = workers(limiterOn(clock, flaky), clock, 5, { priority: 'history', latencyMs: 100 })
    await clock.runUntil(60_000)
    expect(arrivals).toHaveLength(LIMIT)
    isAway = false
    await clock.runUntil(3 * 60_000)
    expect(shared.leases).toBeGreaterThan(0)
    expect(mostInAnyWindow(arrivals, 60_000)).toBeLessThanOrEqual(LIMIT)
  })

  test('a wait for the limit is shown as one', async () => {
    const clock = new VirtualClock()
    const shared = budgetOn(clock)
    await Promise.all([shared.lease('history', LIMIT), clock.runUntil(1000)])
    const limiter = limiterOn(clock, shared)
    void limiter.acquire('history', never)
    await clock.runUntil(2000)
    const { waitMs, waiting } = limiter.stats()
    expect(waiting).toBe(1)
    expect(waitMs).toBeGreaterThan(55_000)
    expect(waitMs).toBeLessThan(61_000)
  })
})

describe('any sequence of leases', () => {
  const step = fc.record({
    passMs: fc.integer({ min: 0, max: 20_000 }),
    priority: fc.constantFrom('live' as const, 'history' as const),
    wanted: fc.integer({ min: 1, max: 30 }),
  })

  test('keeps the limit in every window, and says when to come back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(step, { maxLength: 200 }), (limit, steps) => {
        let state: SharedState = NOTHING_LEASED
        let now = 1_000_000
        const times: number[] = []
        for (const { passMs, priority, wanted } of steps) {
          now += passMs
          const given = grant(state, { priority, wanted, limit }, now)
          expect(given.granted).toBeLessThanOrEqual(wanted)
          expect(given.waitMs === 0).toBe(given.granted === wanted)
          expect(given.waitMs).toBeLessThan(62_000)
          expect(given.state.slots.length).toBeLessThan(300)
          for (let i = 0; i < given.granted; i++) times.push(now)
          state = JSON.parse(JSON.stringify(given.state)) as SharedState
        }
        expect(mostInAnyWindow(times, 60_000)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test('frees the limit again when all is over, also when the clock of the database is set back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), fc.integer({ min: 0, max: 1e9 }), (steps, backMs) => {
        let state: SharedState = NOTHING_LEASED
        let now = 2e9
        for (const { passMs, priority, wanted } of steps) {
          now += passMs
          state = grant(state, { priority, wanted, limit: 50 }, now).state
        }
        now -= backMs
        state = grant(state, { priority: 'live', wanted: 1, limit: 50 }, now).state
        const later = now + 2 * 62_000
        expect(grant(state, { priority: 'history', wanted: 50, limit: 50 }, later).granted).toBe(50)
      }),
    )
  })
})
