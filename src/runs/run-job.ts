/** What every job run has in common: one at a time, a row in the books, a classified end. */
import { EtlError, Interrupted } from '../errors.ts'
import type { Logger } from '../log.ts'
import { finishRun, startRun, type Run, type RunTrigger } from './run-history.ts'
import { withJobLock } from '../postgres/lock.ts'
import type { Warehouse } from '../postgres/connect.ts'

export interface JobDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
}

export interface JobRequest {
  /** The job's name in `etl.runs`; also what its lock is called. */
  readonly job: string
  readonly trigger: RunTrigger
  /** What the run was asked to do; an interrupted run with the same parameters is resumed. */
  readonly parameters: Readonly<Record<string, unknown>>
}

/**
 * Runs `work` under the job's lock and books it in `etl.runs`.
 * @returns what `work` returned
 * @throws EtlError JOB_ALREADY_RUNNING when another process runs the job; otherwise what `work` threw, after booking it
 */
export async function runJob<T extends { readonly counts: object }>(
  { warehouse, logger }: JobDependencies,
  request: JobRequest,
  signal: AbortSignal,
  work: (run: Run, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await withJobLock(warehouse, request.job, signal, async (lockedSignal) => {
    const run = await startRun(warehouse.db, request)
    const log = logger.child({ job: request.job, runId: run.id })
    log.info({ trigger: request.trigger }, 'run started')
    try {
      const result = await work(run, lockedSignal)
      await finishRun(warehouse.db, run, { status: 'done', counts: result.counts })
      log.info({ counts: result.counts }, 'run done')
      return result
    } catch (error) {
      await bookFailure(warehouse, run, error, log)
      throw error
    }
  })
}

/** Books how a run ended badly; a database that can't be reached must not hide the error that ended the run. */
async function bookFailure(warehouse: Warehouse, run: Run, error: unknown, log: Logger): Promise<void> {
  const known = error instanceof EtlError ? error : undefined
  const interrupted = error instanceof Interrupted
  if (interrupted) log.info('run interrupted')
  else log.error({ err: error }, 'run failed')
  try {
    await finishRun(warehouse.db, run, {
      status: interrupted ? 'interrupted' : 'failed',
      errorCode: interrupted ? 'INTERRUPTED' : (known?.code ?? 'UNEXPECTED'),
      error: error instanceof Error ? error.message : String(error),
      hint: known?.hint,
    })
  } catch (bookingError) {
    log.warn({ err: bookingError }, 'the end of the run could not be booked; the next run resumes it')
  }
}
