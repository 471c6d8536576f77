/** What a history run does at its beginning and its end for the tables that it writes, and for what has outlived its use. */
import { analyzeMonths, monthsOf, summarizeMonths } from '../loader/partitions.ts'
import { deleteErasedRejected, fillRejectedIds, pruneRejected } from '../loader/rejected.ts'
import { MOST_AHEAD_MS, retentionFloor } from '../model/retention.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import { advanceFloor } from '../postgres/personal-policy.ts'
import { forgetOldDetails } from '../runs/run-history.ts'
import type { HistoryDependencies, HistoryRequest } from './context.ts'
import type { LoadedWindow } from './load-window.ts'

/**
 * Moves the floor of the retention of personal data to where the settings want it by now, so that what the run loads follows it. What is
 * stored already follows after the next sync.
 * @param aheadMs by how much the clock is ahead of Genesys; null: not known
 * @throws EtlError PII_POLICY_CHANGED; a database error
 */
export async function advanceRetention(
  { warehouse, history, logger }: Pick<HistoryDependencies, 'warehouse' | 'history' | 'logger'>,
  clock: DatabaseClock,
  aheadMs: number | null,
): Promise<void> {
  const { personalMonths = null } = history
  if (personalMonths === null) return
  if (aheadMs !== null && aheadMs > MOST_AHEAD_MS) {
    logger.warn('no personal data of further months is dropped while the clock of the database is ahead')
    return
  }
  const floor = retentionFloor(clock.now(), personalMonths).toISOString()
  if (await advanceFloor(warehouse.db, warehouse.personalPolicy, floor))
    logger.info({ floor }, 'conversations that started before this instant hold no personal data from now on')
}

/**
 * Summarizes the indexes of the months that the run has written; a backfill also gathers their statistics, and the nightly sync
 * deletes rejected records that were erased or whose time is over, and details of old runs. A failure is logged: the next run makes up for it.
 */
export async function afterLoading(
  { warehouse, logger }: Pick<HistoryDependencies, 'warehouse' | 'logger'>,
  job: HistoryRequest['job'],
  loaded: readonly LoadedWindow[],
): Promise<void> {
  const { db } = warehouse
  const written = loaded.filter(({ counts }) => Object.values(counts.rows).some((rows) => rows > 0))
  const months = [...new Set(written.flatMap(({ window }) => monthsOf(window)))].sort()
  try {
    await summarizeMonths(db, months)
    if (job === 'backfill') await analyzeMonths(db, months)
    if (job !== 'sync') return
    await fillRejectedIds(db)
    const erased = await deleteErasedRejected(db)
    if (erased > 0) logger.info({ records: erased }, 'deleted rejected records of what was erased')
    const pruned = await pruneRejected(db)
    if (pruned > 0) logger.info({ records: pruned }, 'deleted rejected records whose retention is over')
    await forgetOldDetails(db)
  } catch (error) {
    logger.warn({ err: error }, 'the upkeep after the run failed; the next run makes up for it')
  }
}
