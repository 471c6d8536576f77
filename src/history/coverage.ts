/** What of the history is loaded. */
import { type Kysely } from 'kysely'
import { readRetention } from '../loader/dropped-months.ts'
import { union, type Interval } from '../model/interval.ts'
import { outside, timesNotDue } from '../model/retention.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { windowKey, type HistorySettings } from './context.ts'
import { selectWindows } from './ledger.ts'
import { believedWindows } from './plan.ts'

/**
 * The intervals that are loaded completely, merged, as far as the ledger can be true at `now`. Those of months that were dropped are among
 * them, since their numbers stay.
 */
export async function selectCovered(
  db: Kysely<Database>,
  history: Pick<HistorySettings, 'filter'>,
  now: Date,
): Promise<Interval[]> {
  const windows = believedWindows(await selectWindows(db, windowKey(history)), now)
  return union(windows.filter(({ status }) => status === 'done'))
}

/** The intervals that are loaded completely and are still read again: those of selectCovered without months that are not kept any more. */
export async function selectMaintained(
  warehouse: Warehouse,
  history: Pick<HistorySettings, 'filter'>,
  now: Date,
): Promise<Interval[]> {
  const covered = await selectCovered(warehouse.db, history, now)
  return outside(covered, timesNotDue(await readRetention(warehouse)))
}
