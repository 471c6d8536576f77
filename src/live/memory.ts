/** What the live job remembers between its snapshots. It ends with the process, which costs requests and nothing else. */
import { olderWindows, type LastLook } from './older.ts'
import type { Interval } from '../model/interval.ts'

/** Open conversations of the newest older window may be found late by this much where their activity can't be read. */
const NEWEST_WINDOW_EVERY_MS = 15 * 60_000
const ALL_WINDOWS_EVERY_MS = 3_600_000
const AFTER_CALL_WORK_EVERY_MS = 15 * 60_000

/** What a snapshot reads beside the last day and single conversations. */
export interface ReadPlan {
  /** Older windows, newest first; the first one is always the newest. */
  readonly windows: readonly Interval[]
  /** Whether to look for conversations that have ended with open after-call work. */
  readonly withAfterCallWork: boolean
}

export interface LiveMemory {
  /** When older conversations were last read, by id. */
  looks(): ReadonlyMap<string, LastLook>
  /** What the snapshot at this time has to read. */
  plan(now: Date): ReadPlan
  /** Keeps what a snapshot has read. To be called when it is written: one that fails has seen nothing. */
  keep(plan: ReadPlan, looks: ReadonlyMap<string, LastLook>): void
}

/** @param elapsedMs milliseconds since any instant */
export function createLiveMemory(elapsedMs: () => number): LiveMemory {
  let looks: ReadonlyMap<string, LastLook> = new Map()
  let newestAt = Number.NEGATIVE_INFINITY
  let allAt = Number.NEGATIVE_INFINITY
  let afterCallWorkAt = Number.NEGATIVE_INFINITY
  let plannedAt = elapsedMs()
  return {
    looks: () => looks,
    plan(now) {
      plannedAt = elapsedMs()
      const windows = olderWindows(now)
      const withAll = plannedAt - allAt >= ALL_WINDOWS_EVERY_MS
      const withNewest = withAll || plannedAt - newestAt >= NEWEST_WINDOW_EVERY_MS
      return {
        windows: withAll ? windows : withNewest ? windows.slice(0, 1) : [],
        withAfterCallWork: plannedAt - afterCallWorkAt >= AFTER_CALL_WORK_EVERY_MS,
      }
    },
    keep(plan, newLooks) {
      looks = newLooks
      if (plan.windows.length > 0) newestAt = plannedAt
      if (plan.windows.length > 1) allAt = plannedAt
      if (plan.withAfterCallWork) afterCallWorkAt = plannedAt
    },
  }
}
