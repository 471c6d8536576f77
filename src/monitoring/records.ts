/** What the books in schema etl and the live tables say, as the status is computed from it. */
import type { LedgerWindow } from '../history/plan.ts'

/** A run as the books have it. */
export interface RunRecord {
  readonly id: number
  readonly job: string
  readonly trigger: string
  readonly status: string
  readonly startedAt: Date
  readonly finishedAt: Date | null
  readonly counts: unknown
  readonly errorCode: string | null
  readonly error: string | null
  readonly hint: string | null
}

/** A job as its runs tell of it. */
export interface JobRecord {
  readonly job: string
  readonly lastRun: RunRecord
  /** When its latest run that ended well ended. */
  readonly lastSuccessAt: Date | null
  /** Failed runs since then. */
  readonly failuresInARow: number
  /** The latest of them: what is wrong until a run has ended well, also while one tries again. null: there is none. */
  readonly lastFailure: RunRecord | null
}

/** A window as the books have it, with why it failed. */
export interface WindowRecord extends LedgerWindow {
  readonly attempts: number
  readonly error: string | null
}

/** What could not be loaded, by why. */
export interface RejectedReason {
  readonly reason: string
  readonly records: number
  readonly lastAt: Date
}

/** The live side as its tables have it. */
export interface LiveRecord {
  /** The newest complete snapshot; null: there is none. */
  readonly snapshot: {
    readonly at: Date
    readonly source: string
    readonly conversations: number
    readonly durationMs: number
    readonly requests: number
    readonly stretched: boolean
  } | null
  /** Why the newest attempt failed, if it did, and how many have failed since the newest complete one; absent: one. */
  readonly failure: { readonly at: Date; readonly error: string; readonly inARow?: number } | null
  /** Open conversations by state. */
  readonly byState: Readonly<Record<string, number>>
}

/** What waits to be told to WEBHOOK_URL. */
export interface DeliveryRecord {
  readonly pending: number
  readonly oldestPendingAt: Date | null
  /** Given up during the last day. */
  readonly givenUp: number
  readonly lastError: string | null
}

/** What is dated later than the database's clock: it was written while that clock was ahead. */
export interface FutureDates {
  /** The latest complete snapshot that is; null: none is. */
  readonly snapshotAt: Date | null
  /** The latest _loaded_at of genesys.conversations that is; null: none is. */
  readonly loadedAt: Date | null
}
