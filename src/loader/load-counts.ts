import { tables, type TableName } from '../model/columns.ts'

/** The results of a load. inserted + changed + unchanged + stale + rejected + erased + expired = received. */
export interface LoadCounts {
  readonly received: number
  readonly inserted: number
  readonly changed: number
  readonly unchanged: number
  /** Not newer than what is stored, or than another record of the same conversation in the batch. */
  readonly stale: number
  readonly rejected: number
  /** Erased on request, so that they are not loaded again. */
  readonly erased: number
  /** Started in a month that is not kept any more, so that they are not loaded. */
  readonly expired: number
  /** Of those that changed: they had ended, and have gone on since. */
  readonly reopened: number
  /** Stored before, and found to be missing at Genesys now; not received. */
  readonly missing: number
  /** Rows written, by table. */
  readonly rows: Readonly<Record<TableName, number>>
}

/** Nothing loaded. */
export function emptyLoadCounts(): LoadCounts {
  const rows = Object.fromEntries(tables.map((table) => [table, 0])) as Record<TableName, number>
  const outcomes = { received: 0, inserted: 0, changed: 0, unchanged: 0, stale: 0, rejected: 0, erased: 0, expired: 0 }
  return { ...outcomes, reopened: 0, missing: 0, rows }
}

/** The sum of two counts. */
export function addLoadCounts(a: LoadCounts, b: LoadCounts): LoadCounts {
  return {
    received: a.received + b.received,
    inserted: a.inserted + b.inserted,
    changed: a.changed + b.changed,
    unchanged: a.unchanged + b.unchanged,
    stale: a.stale + b.stale,
    rejected: a.rejected + b.rejected,
    erased: a.erased + b.erased,
    expired: a.expired + b.expired,
    reopened: a.reopened + b.reopened,
    missing: a.missing + b.missing,
    rows: Object.fromEntries(tables.map((table) => [table, a.rows[table] + b.rows[table]])) as Record<
      TableName,
      number
    >,
  }
}
