/** What the jobs of the history have in common. */
import type PQueue from 'p-queue'
import type { GenesysClient } from '../genesys/client.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import type { OnLoaded } from '../loader/load.ts'
import type { Interval } from '../model/interval.ts'
import type { ReadLimits } from './read-window.ts'
import type { Logger } from '../log.ts'
import type { Progress } from '../progress.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Run } from '../runs/run-history.ts'
import type { JobTiming } from './run-details-job.ts'
import type { WindowKey } from './ledger.ts'

export interface HistoryDependencies {
  /** Every entry point bounds the requests in flight through it by `history.concurrency`. */
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly progress: Progress
  readonly history: HistorySettings
  readonly onLoaded?: OnLoaded | undefined
  /** Called when a run has ended, after its lock is released; it must not throw. */
  readonly afterRun?: (signal: AbortSignal) => Promise<void>
  /** Called when a sync has ended, even if windows or parts of it have failed, after `afterRun`; it must not throw. */
  readonly afterSync?: (signal: AbortSignal, progress: Progress) => Promise<void>
  /** Counts a window that had conversations and now has none. */
  readonly onEmptied?: () => void
  /** What a sync does after its windows, in this order; absent: nothing. */
  readonly syncParts?: readonly SyncPart[]
}

/** What the windows and the parts of one run share. */
export interface RunContext extends HistoryDependencies {
  readonly run: Run
  readonly clock: DatabaseClock
  /** Bounds how many batches are written at once. */
  readonly writes: PQueue
  readonly signal: AbortSignal
}

/** Something that a sync reads beside its windows. What it throws fails the run, but not the other parts. */
export interface SyncPart {
  /** Key of its counts in etl.runs, in camelCase. */
  readonly name: string
  run(context: RunContext): Promise<PartCounts>
}

/** What a part of a sync has read and loaded. */
export interface PartCounts extends LoadCounts {
  readonly requests: number
  /** What Genesys refuses, so that it was left out: the OAuth client lacks a permission, or Genesys does not take the filter. */
  readonly refused?: readonly string[]
}

export type HistoryRequest =
  | { readonly job: 'sync' | 'intraday' | 'deep' }
  | {
      readonly job: 'backfill'
      readonly range: Interval
      readonly reload: boolean
      /** Default: query. */
      readonly source?: BackfillSource
    }

/** `auto`: by jobs what they have, where that is long enough to be worth it; the rest by query. */
export type BackfillSource = 'query' | 'jobs' | 'auto'

export interface HistorySettings {
  readonly lookbackDays: number
  readonly deepLookbackDays: number
  /** Days after its end from which on a conversation is not expected to change. */
  readonly settleDays: number
  readonly start: Date | null
  /** Months before the current one whose conversations keep personal data; null or absent: the retention stays as it is. */
  readonly personalMonths?: number | null
  readonly filter: DetailsFilter
  /** Requests in flight. */
  readonly concurrency: number
  readonly requestsPerMinute: number
  /** From how many conversations on a window is split. Default: what the API documents. */
  readonly limits?: ReadLimits
  /** Absent: jobs are used by no run. */
  readonly jobs?: JobsSettings
}

/** How details jobs are used. */
export interface JobsSettings {
  /**
   * Whether participant attributes are loaded. `auto`: where jobs are permitted; `true`: a run fails where they are not; `false`: jobs
   * are used as in `auto`, and what they deliver is loaded without attributes.
   */
  readonly attributes: 'auto' | 'true' | 'false'
  /** Conversations per page of results. Default: what the API is known to deliver. */
  readonly pageSize?: number
  /** Default: seconds to a minute between two looks at a job, and two hours for all of it. */
  readonly timing?: JobTiming
}

/** The ledger's key of activity days: what lived in a window, for what changes long after it started. */
export function activityKey(history: Pick<HistorySettings, 'filter'>): WindowKey {
  return { stream: 'activity', filter: history.filter }
}

/** The ledger's key of what these settings read. */
export function windowKey(history: Pick<HistorySettings, 'filter'>): WindowKey {
  return { stream: 'conversations', filter: history.filter }
}
