/** What of the history is loaded. */
import { type Kysely } from 'kysely'
import { union, type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { windowKey, type HistorySettings } from './context.ts'
import { selectWindows } from './ledger.ts'
import { believedWindows } from './plan.ts'

/** The intervals that are loaded completely, merged, as far as the ledger can be true at `now`. */
export async function selectCovered(
  db: Kysely<Database>,
  history: Pick<HistorySettings, 'filter'>,
  now: Date,
): Promise<Interval[]> {
  const windows = believedWindows(await selectWindows(db, windowKey(history)), now)
  return union(windows.filter(({ status }) => status === 'done'))
}
