/** The nightly comparison with Genesys: the day that has settled, and what earlier nights have missed. */
import { GenesysError } from '../genesys/errors.ts'
import { AGGREGATES_PERMISSION } from '../genesys/conversation-aggregates.ts'
import { addDays, splitByDay, startOfDay, type Interval } from '../model/interval.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { judgeDays } from './comparable-days.ts'
import { reconcileDays, type ReconcileDependencies } from './reconcile.ts'
import { selectEqualDays } from './reconciliation-store.ts'
import { selectSettings } from './settings.ts'

/** Days before the one that has settled that are caught up: nights that were missed, and days that differed and may have been repaired. */
const CATCH_UP_DAYS = 14

/**
 * Compares the day that has settled (`settle_days` ago), and those of the two weeks before it that are not known to equal Genesys,
 * as far as they are loaded and derived; where none is, there is no run. Without the permission it only warns.
 * @throws EtlError as reconcileDays, but for the permission
 */
export async function reconcileDueDays(dependencies: ReconcileDependencies, signal: AbortSignal): Promise<void> {
  const { warehouse, history, logger } = dependencies
  const now = (await readDatabaseClock(warehouse.db)).now()
  const { settle_days } = await selectSettings(warehouse.db)
  const due = dueDays(now, settle_days, await selectEqualDays(warehouse.db, history.filter))
  const judged = await judgeDays(warehouse.db, due, await dependencies.readCovered(now), now)
  const days = judged.flatMap(({ day, refusal }) => (refusal === null ? [day] : []))
  if (days.length === 0) return
  try {
    await reconcileDays(dependencies, { days, byUser: false }, 'cron', signal)
  } catch (error) {
    if (!(error instanceof GenesysError) || error.code !== 'GENESYS_FORBIDDEN') throw error
    logger.warn(
      { job: 'reconcile', hint: error.hint },
      `numbers are not compared with Genesys: the client lacks ${AGGREGATES_PERMISSION}`,
    )
  }
}

/** The days to compare, oldest first. Pure. @param equal days that are known to equal Genesys, as `2026-11-20` */
export function dueDays(now: Date, settleDays: number, equal: ReadonlySet<string>): Interval[] {
  const end = addDays(startOfDay(now), 1 - settleDays)
  const days = splitByDay({ start: addDays(end, -1 - CATCH_UP_DAYS), end: end < now ? end : startOfDay(now) })
  return days.filter(({ start }) => !equal.has(start.toISOString().slice(0, 10)))
}
