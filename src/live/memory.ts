/** What the live job remembers between its snapshots. It is lost with the process, which costs only requests. */
import type { Interval } from '../model/interval.ts'
import { olderWindows, type LastRead } from './older.ts'

/** Where activity can't be read, open conversations of the newest older window may be found late by this much. */
const NEWEST_WINDOW_INTERVAL_MS = 15 * 60_000
const ALL_WINDOWS_INTERVAL_MS = 3_600_000
const AFTER_CALL_WORK_INTERVAL_MS = 15 * 60_000

/** What a snapshot reads beside the last day and single conversations. */
export interface ReadPlan {
  /** Older windows, newest first; the first one is always the newest. */
  readonly windows: readonly Interval[]
  /** Whether to look for conversations that have ended with open after-call work. */
  readonly withAfterCallWork: boolean
}

export interface LiveMemory {
  /** When older conversations were last read, by id. */
  lastReads(): ReadonlyMap<string, LastRead>
  /** What the snapshot at this time has to read. */
  plan(now: Date): ReadPlan
  /** Remembers what a snapshot has read. Call it after the snapshot was written: a failed one must be repeated. */
  keep(plan: ReadPlan, lastReads: ReadonlyMap<string, LastRead>): void
}

/** @param elapsedMs milliseconds since any instant; never goes back */
export function createLiveMemory(elapsedMs: () => number): LiveMemory {
  let lastReads: ReadonlyMap<string, LastRead> = new Map()
  let newestAt = Number.NEGATIVE_INFINITY
  let allAt = Number.NEGATIVE_INFINITY
  let afterCallWorkAt = Number.NEGATIVE_INFINITY
  let plannedAt = elapsedMs()
  return {
    lastReads: () => lastReads,
    plan(now) {
      plannedAt = elapsedMs()
      const windows = olderWindows(now)
      const withAll = plannedAt - allAt >= ALL_WINDOWS_INTERVAL_MS
      const withNewest = withAll || plannedAt - newestAt >= NEWEST_WINDOW_INTERVAL_MS
      return {
        windows: withAll ? windows : withNewest ? windows.slice(0, 1) : [],
        withAfterCallWork: plannedAt - afterCallWorkAt >= AFTER_CALL_WORK_INTERVAL_MS,
      }
    },
    keep(plan, newLastReads) {
      lastReads = newLastReads
      if (plan.windows.length > 0) newestAt = plannedAt
      if (plan.windows.length > 1) allAt = plannedAt
      if (plan.withAfterCallWork) afterCallWorkAt = plannedAt
    },
  }
}
