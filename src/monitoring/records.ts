/** The rows of schema etl and of the live tables from which the status is computed. */
import { type Interval } from '../model/interval.ts'
import { type WindowRecord } from '../history/ledger.ts'
import { type RunRecord } from '../runs/run-history.ts'

/** A window of the ledger, as far as the status needs it. */
export type StatusWindow = Pick<
  WindowRecord,
  'start' | 'end' | 'status' | 'attempts' | 'hits' | 'readAt' | 'nextAttemptAt' | 'error'
>

/** A window whose last read failed or was unstable, and whose time no other window covers. */
export type UnsettledRecord = Pick<StatusWindow, 'start' | 'end' | 'status' | 'attempts' | 'error' | 'nextAttemptAt'>

/** A run, as far as the status shows it. */
export type RunSummary = Pick<
  RunRecord,
  | 'id'
  | 'job'
  | 'trigger'
  | 'status'
  | 'startedAt'
  | 'finishedAt'
  | 'counts'
  | 'errorCode'
  | 'errorKind'
  | 'error'
  | 'hint'
>

/** A job, summarized from its runs. */
export interface JobRecord {
  readonly job: string
  readonly lastRun: RunSummary
  /** When its latest successful run finished. */
  readonly lastSuccessAt: Date | null
  /** Failed runs since then. */
  readonly failuresInARow: number
  /** The latest failed run since the last success, also while a new attempt is running. null: none failed. */
  readonly lastFailure: RunSummary | null
}

/** How many records were rejected for one reason. */
export interface RejectedReason {
  readonly reason: string
  readonly records: number
  readonly lastAt: Date
}

/** The state of the live tables. */
export interface LiveRecord {
  /** The newest complete snapshot; null: there is none. */
  readonly snapshot: {
    readonly at: Date
    readonly source: string
    readonly conversations: number
    readonly durationMs: number
    readonly requests: number
    /** Column `stretched`: the snapshot was throttled to stay within live's share of the request limit. */
    readonly stretched: boolean
  } | null
  /** Why the newest attempt failed, if it did, and how many have failed since the newest complete one; absent: one. */
  readonly failure: { readonly at: Date; readonly error: string; readonly inARow?: number } | null
  /** Open conversations by state. */
  readonly byState: Readonly<Record<string, number>>
}

/** What may still change of the stored conversations. */
export interface SettlingRecord {
  /** Conversations that are open as far as the history knows. */
  readonly open: number
  /** Those of them that are too old to be read again. */
  readonly stuck: number
  /** The ids of some stuck ones, the oldest first. */
  readonly oldestStuck: readonly string[]
  /** Ended conversations that should have been read once more by now to be final. */
  readonly overdue: number
  /** When the latest deep re-read started that ended well; null: none has. */
  readonly deepReadAt: Date | null
}

/** Erasures that have begun and have not deleted everything yet. */
export interface ErasureRecord {
  readonly unfinished: number
  /** Conversations that they have yet to delete. */
  readonly conversations: number
  /** When the oldest of them began; null: there is none. */
  readonly oldestAt: Date | null
}

/** How the latest reads of one list of reference data ended. */
export interface ReferenceRecord {
  /** The table genesys.dim_… without the prefix. */
  readonly list: string
  /** When it was last read completely; null: never. */
  readonly readAt: Date | null
  /** Rows that existed then; null: it was never read. */
  readonly rows: number | null
  readonly errorCode: string | null
  /** Why the latest attempt failed, and what to do; null: it did not. */
  readonly error: string | null
  readonly hint: string | null
}

/** The state of the webhook outbox. */
export interface DeliveryRecord {
  readonly pending: number
  readonly oldestPendingAt: Date | null
  /** Messages whose delivery was abandoned during the last day. */
  readonly givenUp: number
  readonly lastError: string | null
  /** Whether the receiver has ended the deliveries with 410. */
  readonly isStopped: boolean
}

/** How far the reporting rows of the history are derived. */
export interface DerivationRecord {
  /** What starts later has been derived; null: everything has, or nothing yet. */
  readonly filledBackTo: Date | null
  readonly isFilled: boolean
  /** From when on the reporting views show rows; null: whatever there is, or nothing yet. */
  readonly shownFrom: Date | null
  /**
   * Conversations of what has been derived that have changed since, by a process of an older release; null: not known, since their index
   * is yet to be built.
   */
  readonly staleConversations: number | null
}

/** How our numbers compare with Genesys' own. */
export interface ReconciliationRecord {
  /** The newest day that was compared (its start); null: none was. */
  readonly newestDay: Date | null
  /** When the latest comparison ended; null: none has. */
  readonly reconciledAt: Date | null
  /** Days that were compared during the last quarter. */
  readonly days: number
  /** Figures of theirs that differ from Genesys' for no expected cause. */
  readonly differences: number
  /** Figures of theirs that differ for an expected cause. */
  readonly expected: number
  /** The days with such differences, newest first. */
  readonly differingDays: readonly { readonly day: Date; readonly differences: number }[]
  /** The permission that the client lacked at the latest comparison; null: none. */
  readonly missingPermission: string | null
  /** Columns of reporting.settings that are not as Genesys has them, with Genesys' value. */
  readonly differingSwitches: Readonly<Record<string, boolean>>
}

/** Data dated later than the database's clock: written while that clock was ahead. */
export interface FutureDates {
  /** The latest complete snapshot that is dated in the future; null: none. */
  readonly snapshotAt: Date | null
  /** The latest _loaded_at of genesys.conversations that is dated in the future; null: none. */
  readonly loadedAt: Date | null
}

/** What of the history is not kept any more. */
export interface RetentionRecord {
  /** How many months before the current one are kept; null: all of them. */
  readonly months: number | null
  /** The first instant that is kept by that; null: everything is. */
  readonly floor: Date | null
  /** Months that are dropped. */
  readonly dropped: number
  /** Months that were brought back, or brought in, although they are older. */
  readonly restored: number
  /** When the last month was dropped; null: none was. */
  readonly lastDroppedAt: Date | null
  /** What no job reads by itself, since it is not kept any more. */
  readonly notDue: readonly Interval[]
}
