/**
 * The live job: every minute a snapshot of the open conversations in genesys.live_conversations. Conversations that have ended go
 * into the history in the same tick, events into the outbox of the webhooks. Each snapshot is recorded in
 * genesys.live_snapshots, not in etl.runs.
 */
import { EtlError } from '../errors.ts'
import { withJobLock } from '../postgres/lock.ts'
import { createActivityReader } from './activity.ts'
import { createLiveHistory } from './ended.ts'
import { createLiveMemory } from './memory.ts'
import { createQueueUsersReader } from './queue-users.ts'
import { fullBudget, maySnapshot, refill } from './request-budget.ts'
import { dropLivePartitions } from './snapshot-partitions.ts'
import {
  takeSnapshot,
  type SnapshotJobState,
  type LiveDependencies,
  type LiveSummary,
  type SnapshotContext,
} from './take-snapshot.ts'
import { createTodayRefresher } from './today.ts'

export interface LiveJob {
  /**
   * Takes a snapshot; null: the tick was skipped, because live has used up its share of the request limit.
   * @throws EtlError JOB_ALREADY_RUNNING when another process is taking one; whatever made the snapshot fail, which is recorded
   */
  tick(signal: AbortSignal): Promise<LiveSummary | null>
}

const RETENTION_INTERVAL_MS = 3_600_000

/**
 * Creates the live job of a process. Jobs of several processes on one database exclude each other by a lock per snapshot: this
 * costs a connection per minute, lets the `snapshot` command or another service run between two ticks, and lets one take over
 * when another has died.
 */
export function createLiveJob(dependencies: LiveDependencies): LiveJob {
  const { warehouse, logger, live, elapsedMs, onLoaded } = dependencies
  const log = logger.child({ job: 'live' })
  const { requestsPerMinute, historyFilter: filter } = live
  const state: SnapshotJobState = {
    budget: fullBudget(requestsPerMinute, elapsedMs()),
    throttled: false,
    isOrganizationKnown: false,
    implausibleSince: null,
  }
  const context: SnapshotContext = {
    dependencies,
    log,
    history: createLiveHistory({ warehouse, logger: log, filter, requestsPerMinute, onLoaded }),
    memory: createLiveMemory(elapsedMs),
    readActivity: createActivityReader(log, elapsedMs),
    readQueueUsers: createQueueUsersReader(log, elapsedMs),
    refreshToday: createTodayRefresher({ warehouse, logger: log, elapsedMs }),
    state,
  }
  let retentionAppliedAt = Number.NEGATIVE_INFINITY

  async function applyRetention(at: Date): Promise<void> {
    if (elapsedMs() - retentionAppliedAt < RETENTION_INTERVAL_MS) return
    try {
      const dropped = await dropLivePartitions(warehouse, new Date(at.getTime() - live.retentionHours * 3_600_000))
      retentionAppliedAt = elapsedMs()
      if (dropped.length > 0) log.info({ dropped }, 'old snapshots dropped')
    } catch (error) {
      log.warn({ err: error }, 'old snapshots could not be dropped; the next tick will try again')
    }
  }

  return {
    async tick(signal) {
      state.budget = refill(state.budget, requestsPerMinute, elapsedMs())
      if (!maySnapshot(state.budget)) {
        state.throttled = true
        log.warn(
          { requestsOverdrawn: Math.ceil(-state.budget.balance) },
          'snapshot skipped: live request budget exhausted',
        )
        return null
      }
      const summary = await withJobLock(warehouse, 'live', signal, (signal) => takeSnapshot(context, signal)).catch(
        (error: unknown) => {
          const isTaken = error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING'
          if (!isTaken && !signal.aborted) log.error({ err: error }, 'snapshot failed; the previous one stays')
          throw error
        },
      )
      state.throttled = false
      await applyRetention(summary.at)
      return summary
    },
  }
}
