/**
 * node-cron wakes jobs; the ledger decides what they do. A tick that comes while its job is still running is skipped and
 * counted. A tick that was missed while the service was down is made up at start.
 */
import { createTask, setLogger } from 'node-cron'
import type { Logger } from './log.ts'

/** A job and when it runs. */
export interface ScheduledJob {
  readonly name: string
  /** A cron line; a leading seconds field is allowed. */
  readonly cron: string
  /** Runs the job once. Its errors are booked by the job itself and end here. */
  run(signal: AbortSignal): Promise<unknown>
  /** When the job last started; null: never. Where given, a missed tick is made up at start. */
  lastStartedAt?(): Promise<Date | null>
}

export interface Scheduler {
  /** When a job's next tick is due. */
  nextRun(name: string): Date | null
  /** Ticks skipped because the job was still running. */
  overlaps(name: string): number
  /** No more ticks; resolves when what is running has ended. */
  stop(): Promise<void>
}

interface SchedulerOptions {
  readonly timezone: string
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly now?: () => Date
}

/** Starts the schedule of `jobs`. Aborting the signal interrupts the jobs that run. */
export async function startScheduler(jobs: readonly ScheduledJob[], options: SchedulerOptions): Promise<Scheduler> {
  const { timezone, logger, signal, now = () => new Date() } = options
  adoptCronMessages(logger)
  const running = new Set<Promise<void>>()
  const overlaps = new Map<string, number>()

  const start = (job: ScheduledJob): Promise<void> => {
    const run = job.run(signal).then(
      () => {},
      (error: unknown) => {
        // The job has logged and booked its failure; an error that it did not expect must not end the service either.
        logger.debug({ job: job.name, err: error }, 'scheduled run ended with an error')
      },
    )
    running.add(run)
    return run.finally(() => running.delete(run))
  }

  const tasks = new Map(
    jobs.map((job) => {
      const task = createTask(job.cron, () => start(job), {
        timezone,
        name: job.name,
        noOverlap: true,
        logger: cronLogger(logger),
      })
      task.on('execution:overlap', () => {
        overlaps.set(job.name, (overlaps.get(job.name) ?? 0) + 1)
        logger.warn({ job: job.name }, 'tick skipped: the job is still running')
      })
      return [job.name, task] as const
    }),
  )
  for (const job of jobs) {
    if (!job.lastStartedAt) continue
    const last = await job.lastStartedAt()
    if (missedTick(job.cron, timezone, last, now())) {
      logger.info({ job: job.name, lastStartedAt: last }, 'a tick was missed while the service was down; made up now')
      void start(job)
    }
  }
  for (const task of tasks.values()) await task.start()

  return {
    nextRun: (name) => tasks.get(name)?.getNextRun() ?? null,
    overlaps: (name) => overlaps.get(name) ?? 0,
    async stop() {
      for (const task of tasks.values()) await task.destroy()
      await Promise.all(running)
    },
  }
}

const MINUTE = 60_000
/** How far back a missed tick is looked for; a job that never ran, or not for so long, is due anyway. */
const HORIZON_MINUTES = 8 * 24 * 60

/** Whether a tick of the cron line fell between the job's last start and now. A job that never ran is due. */
export function missedTick(cron: string, timezone: string, lastStartedAt: Date | null, now: Date): boolean {
  if (!lastStartedAt || +now - +lastStartedAt > HORIZON_MINUTES * MINUTE) return true
  const task = createTask(cron, () => {}, { timezone })
  try {
    const newest = Math.floor(+now / MINUTE) * MINUTE
    for (let minute = newest; minute > +lastStartedAt; minute -= MINUTE) if (task.match(new Date(minute))) return true
    return false
  } finally {
    void task.destroy()
  }
}

function adoptCronMessages(logger: Logger): void {
  setLogger(cronLogger(logger))
}

function cronLogger(logger: Logger): Parameters<typeof setLogger>[0] {
  const log = logger.child({ component: 'node-cron' })
  const text = (message: string | Error): string => (message instanceof Error ? message.message : message)
  return {
    info: (message) => log.debug(message),
    warn: (message) => log.warn(message),
    error: (message, error) => log.error({ err: error }, text(message)),
    debug: (message) => log.debug(text(message)),
  }
}
