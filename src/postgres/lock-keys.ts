/** First key of the session-level locks of jobs (lock.ts); the second one is a hash of the job's name. */
export const LOCK_SPACE = 7_461_000

/**
 * Keys of our transaction-level advisory locks, in one place so that no two purposes share one. The numbers are arbitrary but must
 * stay: two versions of the program may run side by side.
 */
export const LockKey = {
  /** One process at a time creates partitions of the history. */
  partitions: 7_461_001,
  /** One process at a time applies views and comments. */
  views: 7_461_002,
  /** One process at a time fills columns from `_extra`. */
  fillColumns: 7_461_003,
  /** One process at a time creates partitions of the live tables. */
  livePartitions: 7_461_004,
  /** One process at a time adds up the intervals. */
  rollups: 7_461_005,
  /** One process at a time brings the rights of readers up to date. */
  readerRights: 7_461_006,
  /** Shared by whatever stores conversations; exclusively by the retention, once a month is marked as dropped. */
  droppedMonths: 7_461_007,
} as const
