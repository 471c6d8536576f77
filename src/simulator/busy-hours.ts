/** When the organization is busy, and how long its customers wait then. Pure. */
import type { Org, Queue } from './org.ts'

/** Share of a day's conversations that start in each local hour: business hours with a dip at noon. */
export const HOUR_WEIGHTS = [2, 1, 1, 1, 2, 4, 10, 24, 46, 58, 60, 54, 44, 50, 56, 54, 48, 38, 26, 18, 12, 9, 6, 4]
const HOUR_MS = 3_600_000
const BUSIEST = Math.max(...HOUR_WEIGHTS)

/** The queue with too few agents. */
const TROUBLED_QUEUE = 'Technical Support'

/**
 * How much longer than usual a contact waits in a queue that it enters at an instant: short at night, longer in busy hours, and very long
 * in the one queue that has too few agents.
 * @param utcOffsetHours hours that the organization's local time is ahead of UTC
 */
export function createStrain({ queues }: Org, utcOffsetHours: number): (queue: Queue, at: number) => number {
  const troubled = queues.find(({ name }) => name === TROUBLED_QUEUE)?.id
  return ({ id }, at) => {
    const hour = (((Math.floor(at / HOUR_MS) + utcOffsetHours) % 24) + 24) % 24
    const load = (HOUR_WEIGHTS[hour] ?? 0) / BUSIEST
    return id === troubled ? 0.8 + 3 * load : 0.05 + 0.4 * load
  }
}
