/** Reads schema etl and the live tables, and computes the status from them. */
import { activityKey, windowKey, type HistorySettings } from '../history/context.ts'
import { selectWindows } from '../history/ledger.ts'
import { selectEmptyMonths } from '../history/missing-rows.ts'
import { countRejected } from '../loader/rejected.ts'
import { selectReconciliation } from './reconciliation-query.ts'
import { selectDerivation } from '../reporting/derivation.ts'
import { outside } from '../model/retention.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { selectFirstSync, selectRuns } from '../runs/run-history.ts'
import {
  selectDeliveries,
  selectErasures,
  selectFutureDates,
  selectJobRecords,
  selectLiveRecord,
  selectReferenceRecords,
  selectRejectedReasons,
  selectRetentionRecord,
  selectSettling,
} from './status-queries.ts'
import { statusDocument, type StatusDocument } from './status.ts'

const RUNS_SHOWN = 20

/**
 * The state as of the database's clock, for the history that these settings describe.
 * @param options.live false if live is off: the rows that its tables still hold mean nothing then
 * @param options.liveStaleSeconds the age from which on live data is stale; default: LIVE_STALE_SECONDS
 */
export async function readStatus(
  warehouse: Warehouse,
  history: Pick<HistorySettings, 'filter' | 'lookbackDays' | 'start'>,
  options: { readonly live?: boolean; readonly liveStaleSeconds?: number | undefined } = {},
): Promise<StatusDocument> {
  const { db } = warehouse
  const [
    clock,
    windows,
    activityWindows,
    firstSyncAt,
    runs,
    jobs,
    rejectedRecords,
    rejectedReasons,
    live,
    deliveries,
    futureDates,
    derivation,
    reference,
    reconciliation,
    settling,
    erasures,
    retention,
  ] = await Promise.all([
    readDatabaseClock(db),
    selectWindows(db, windowKey(history)),
    selectWindows(db, activityKey(history)),
    selectFirstSync(db, history),
    selectRuns(db, RUNS_SHOWN),
    selectJobRecords(db),
    countRejected(db),
    selectRejectedReasons(db),
    options.live === false ? null : selectLiveRecord(db),
    selectDeliveries(db),
    selectFutureDates(db),
    selectDerivation(db),
    selectReferenceRecords(db),
    selectReconciliation(db, history.filter),
    selectSettling(db),
    selectErasures(db),
    selectRetentionRecord(warehouse),
  ])
  return statusDocument({
    now: clock.now(),
    lookbackDays: history.lookbackDays,
    historyStart: history.start,
    firstSyncAt,
    windows,
    activityWindows,
    runs,
    jobs,
    rejectedRecords,
    rejectedReasons,
    live,
    liveStaleSeconds: options.liveStaleSeconds,
    deliveries,
    derivation,
    reference,
    reconciliation,
    settling,
    erasures,
    retention,
    emptyMonths: await selectEmptyMonths(db, outside(windows, retention.notDue)),
    futureDates: options.live === false ? { ...futureDates, snapshotAt: null } : futureDates,
  })
}
