/** What the reporting rows need when a run of the history has ended. */
import { EtlError } from '../errors.ts'
import { deriveDue, type DerivationDependencies } from './walk.ts'

/** The service goes on every minute; a sync that is started by cron instead gets this much done each night. */
const BUDGET_MS = 60_000

/** Derives what is due, for a minute at most. A failure is logged: the next pass makes up for it. */
export async function deriveAfterRun(dependencies: DerivationDependencies, signal: AbortSignal): Promise<void> {
  try {
    await deriveDue(dependencies, { budgetMs: BUDGET_MS }, signal)
  } catch (error) {
    if (signal.aborted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
    dependencies.logger.warn(
      { err: error },
      'the reporting rows could not be derived after the run; the next pass tries again',
    )
  }
}
