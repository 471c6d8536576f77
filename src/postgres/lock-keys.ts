/**
 * Keys of our transaction-level advisory locks, in one place so that no two purposes share one. The numbers are arbitrary but must
 * stay: two versions of the program may run side by side. Job locks have a key space of their own (lock.ts).
 */
export const LockKey = {
  /** One process at a time makes partitions of the history. */
  partitions: 7_461_001,
  /** One process at a time applies views and comments. */
  views: 7_461_002,
  /** One process at a time fills columns from `_extra`. */
  fillColumns: 7_461_003,
  /** One process at a time makes partitions of the live tables. */
  livePartitions: 7_461_004,
} as const
