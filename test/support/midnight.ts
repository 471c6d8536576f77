/** For tests of "today": the day must not change while they run. */
import { beforeEach } from 'vitest'
import { SETTLE_MS } from '../../src/history/plan.ts'

const DAY_MS = 86_400_000
/** Longer than any test. */
const LONGEST_TEST_MS = 120_000
/** Until then, yesterday is not settled and nothing of today is loaded. */
const SETTLED_MS = SETTLE_MS + 10_000

/** How long to wait at an instant, so that a test begins neither shortly before nor shortly after a midnight of UTC. Pure. */
export function waitForClearDay(now: number): number {
  const sinceMidnight = now % DAY_MS
  if (sinceMidnight < SETTLED_MS) return SETTLED_MS - sinceMidnight
  return sinceMidnight > DAY_MS - LONGEST_TEST_MS ? DAY_MS - sinceMidnight + SETTLED_MS : 0
}

/** Makes each test of the file wait when midnight UTC is near: four minutes at most, and only then. */
export function stayClearOfMidnight(): void {
  beforeEach(async () => {
    const milliseconds = waitForClearDay(Date.now())
    if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds))
  }, 300_000)
}
