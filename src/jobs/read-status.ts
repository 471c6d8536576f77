/** Reads the books and tells what state the pipeline is in. */
import { statusDocument, type StatusDocument } from '../core/status.ts'
import type { Warehouse } from '../warehouse/connect.ts'
import { readDatabaseClock } from '../warehouse/database-clock.ts'
import { selectRuns, selectWindows } from '../warehouse/ledger.ts'
import { countRejected } from '../warehouse/rejected.ts'
import { windowKey, type HistorySettings } from './history.ts'

const RUNS_SHOWN = 20

/** The state as of the database's clock, for the history that these settings describe. */
export async function readStatus(
  warehouse: Warehouse,
  history: Pick<HistorySettings, 'filter' | 'lookbackDays' | 'start'>,
): Promise<StatusDocument> {
  const [clock, windows, runs, rejectedRecords] = await Promise.all([
    readDatabaseClock(warehouse.db),
    selectWindows(warehouse.db, windowKey(history)),
    selectRuns(warehouse.db, RUNS_SHOWN),
    countRejected(warehouse.db),
  ])
  return statusDocument({
    now: clock.now(),
    lookbackDays: history.lookbackDays,
    historyStart: history.start,
    windows,
    runs,
    rejectedRecords,
  })
}
