/** What a history run does at its end for the tables that it has written, and for what has outlived its use. */
import { analyzeMonths, monthsOf, summarizeMonths } from '../loader/partitions.ts'
import { deleteErasedRejected, fillRejectedIds, pruneRejected } from '../loader/rejected.ts'
import { forgetOldDetails } from '../runs/run-history.ts'
import type { HistoryDependencies, HistoryRequest } from './context.ts'
import type { LoadedWindow } from './load-window.ts'

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
