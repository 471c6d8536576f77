/** What every job run has in common: one at a time, a row in etl.runs, a classified end. */
import { EtlError, Interrupted } from '../errors.ts'
import type { Logger } from '../log.ts'
import { finishRun, startRun, type Run, type RunTrigger } from './run-history.ts'
import { toEtlError } from '../postgres/errors.ts'
import { withJobLock } from '../postgres/lock.ts'
import type { Warehouse } from '../postgres/connect.ts'

export interface JobDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
}

export interface JobRequest {
  /** The job's name in `etl.runs`; also the name of its lock. */
  readonly job: string
  readonly trigger: RunTrigger
  /** What the run was asked to do; an interrupted run with the same parameters is resumed. */
  readonly parameters: Readonly<Record<string, unknown>>
}

/**
 * Runs `work` under the job's lock and records it in `etl.runs`.
 * @returns what `work` returned
 * @throws EtlError JOB_ALREADY_RUNNING when another process runs the job; otherwise what `work` threw, errors of the database
 * classified, after recording it
 */
export async function runJob<T extends { readonly counts: object }>(
  dependencies: JobDependencies,
  request: JobRequest,
  signal: AbortSignal,
  work: (run: Run, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { warehouse } = dependencies
  const logger = dependencies.logger.child({ job: request.job })
  let isStarted = false
  try {
    return await withJobLock(warehouse, request.job, signal, async (lockedSignal) => {
      const run = await startRun(warehouse.db, request)
      isStarted = true
      return await recorded(warehouse, run, logger.child({ runId: run.id }), request.trigger, () =>
        work(run, lockedSignal),
      )
    })
  } catch (error) {
    if (!isStarted) logFailedStart(logger, error)
    throw error
  }
}

async function recorded<T extends { readonly counts: object }>(
  warehouse: Warehouse,
  run: Run,
  log: Logger,
  trigger: RunTrigger,
  work: () => Promise<T>,
): Promise<T> {
  log.info({ trigger }, 'run started')
  try {
    const result = await work()
    await finishRun(warehouse.db, run, { status: 'done', counts: result.counts })
    log.info({ counts: result.counts }, 'run done')
    return result
  } catch (error) {
    // a query that is no part of a load may fail as it comes from the driver
    const classified = toEtlError(error, `running ${run.job}`)
    await recordFailure(warehouse, run, classified, log)
    throw classified
  }
}

/** A run that failed before it had its row in `etl.runs` shows in the log alone. */
function logFailedStart(logger: Logger, error: unknown): void {
  if (error instanceof Interrupted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
  if (error instanceof EtlError) logger.warn({ code: error.code, reason: error.message }, 'run could not start')
  else logger.error({ err: error }, 'run could not start')
}

/** Records how a run failed; a database that can't be reached must not hide the error that ended the run. */
async function recordFailure(warehouse: Warehouse, run: Run, error: unknown, log: Logger): Promise<void> {
  const known = error instanceof EtlError ? error : undefined
  const interrupted = error instanceof Interrupted
  if (interrupted) log.info('run interrupted')
  else log.error({ err: error }, 'run failed')
  try {
    await finishRun(warehouse.db, run, {
      status: interrupted ? 'interrupted' : 'failed',
      errorCode: interrupted ? 'INTERRUPTED' : (known?.code ?? 'UNEXPECTED'),
      errorKind: known?.kind,
      error: error instanceof Error ? error.message : String(error),
      hint: known?.hint,
    })
  } catch (recordingError) {
    log.warn({ err: recordingError }, 'the end of the run could not be recorded; the next run resumes it')
  }
}
