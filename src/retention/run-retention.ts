/** The retention of the history, as a job: after each sync, the months that are not kept any more are dropped. */
import { EtlError } from '../errors.ts'
import { floorOf } from '../loader/dropped-months.ts'
import type { Logger } from '../log.ts'
import type { Interval } from '../model/interval.ts'
import { MOST_AHEAD_MS } from '../model/retention.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { runJob } from '../runs/run-job.ts'
import { dropMonth } from './drop-month.ts'
import { selectDueMonths } from './due-months.ts'
import { Postponed } from './short-transaction.ts'

interface RetentionDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
  /** By how many milliseconds the database's clock is ahead of that of Genesys; null: Genesys did not tell. */
  readonly readClockAhead: (signal: AbortSignal) => Promise<number | null>
}

/** What a run has dropped. */
interface RetentionCounts {
  readonly months: number
  readonly conversations: number
  /** Months that could not be dropped now; the next run tries again. */
  readonly postponed: number
}

/**
 * Drops what is due, if anything is. A failure is logged: the next sync tries again, and `doctor` names the months.
 * @throws nothing
 */
export async function dropMonthsAfterSync(dependencies: RetentionDependencies, signal: AbortSignal): Promise<void> {
  const { warehouse, logger } = dependencies
  try {
    const floor = await floorOf(warehouse)
    if ((await selectDueMonths(warehouse.db, floor)).length === 0) return
    if (((await dependencies.readClockAhead(signal)) ?? 0) > MOST_AHEAD_MS) {
      logger.warn('no month is dropped while the clock of the database is ahead')
      return
    }
    const parameters = { retentionMonths: warehouse.retentionMonths }
    const request = { job: 'retention', trigger: 'cron', parameters } as const
    await runJob(dependencies, request, signal, async (_run, jobSignal) => ({
      counts: await dropMonths(dependencies, await selectDueMonths(warehouse.db, floor), jobSignal),
    }))
  } catch (error) {
    if (signal.aborted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
    logger.warn({ err: error }, 'the months that are not kept any more could not be dropped; the next sync tries again')
  }
}

/** Drops months, oldest first, until one cannot be dropped now: what is in its way is hardly gone for the next one. */
async function dropMonths(
  { warehouse, logger }: RetentionDependencies,
  months: readonly Interval[],
  signal: AbortSignal,
): Promise<RetentionCounts> {
  let conversations = 0
  for (const [index, month] of months.entries()) {
    const name = month.start.toISOString().slice(0, 7)
    try {
      const dropped = await dropMonth(warehouse, month, signal)
      conversations += dropped
      logger.info({ month: name, conversations: dropped }, 'dropped a month that is not kept any more')
    } catch (error) {
      if (!(error instanceof Postponed)) throw error
      logger.warn(
        { month: name, reason: error.message },
        'a month that is not kept any more could not be dropped now; the next sync tries again',
      )
      return { months: index, conversations, postponed: months.length - index }
    }
  }
  return { months: months.length, conversations, postponed: 0 }
}
