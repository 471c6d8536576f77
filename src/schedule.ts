/**
 * node-cron wakes jobs; the ledger decides what they do. A tick that comes while its job is still running is skipped and
 * counted. A tick that was missed is made up, be it that the service was down, that the process stood still, or that the clock
 * of the machine jumped over it. A run that failed for a reason that passes is tried again before the next tick. One job's
 * failure concerns no other.
 */
import { createTask, setLogger, type ScheduledTask } from 'node-cron'
import { backoffMs } from './backoff.ts'
import { EtlError, Interrupted, type ErrorKind } from './errors.ts'
import type { Logger } from './log.ts'

/** A job and when it runs. */
export interface ScheduledJob {
  readonly name: string
  /** A cron line; a leading seconds field is allowed. */
  readonly cron: string
  /** Runs the job once. Its errors are booked by the job itself and end here. */
  run(signal: AbortSignal): Promise<unknown>
  /** When the job last started a run that need not be made up; null: never. Where given, a missed tick is made up at start. */
  lastStartedAt?(): Promise<Date | null>
}

/** How a run ended badly, as far as a reader of the status needs it. */
interface JobFailure {
  readonly at: Date
  readonly code: string
  /** `bug`: an error that the pipeline does not expect. */
  readonly kind: ErrorKind | 'bug'
  readonly message: string
  readonly hint: string | null
}

/** What the scheduler knows of a job. It begins anew with each start of the service; the books remember more. */
export interface JobState {
  readonly name: string
  readonly running: boolean
  /** Its next tick, or the retry before that. */
  readonly nextRun: Date | null
  /** Set while a run that failed is due to be tried again before the next tick. */
  readonly retryAt: Date | null
  /** Ticks skipped because the job was still running. */
  readonly overlaps: number
  /** How its latest run failed; null: it did not. */
  readonly failure: JobFailure | null
  /** From one tick to the next, the next one's; null where the line has no two. */
  readonly intervalMs: number | null
}

export interface Scheduler {
  /** When a job starts next: its next tick, or the retry before that. */
  nextRun(name: string): Date | null
  /** Ticks skipped because the job was still running. */
  overlaps(name: string): number
  /** All jobs, in the order in which they were given. */
  states(): JobState[]
  /** No more ticks or retries; resolves when what is running has ended. */
  stop(): Promise<void>
}

interface SchedulerOptions {
  readonly timezone: string
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly now?: () => Date
}

const MINUTE = 60_000
/** The first retry of a run comes after this long, where the other side named no time; each further one after twice as long. */
const FIRST_RETRY_MS = 5 * MINUTE
const LONGEST_RETRY_MS = 60 * MINUTE
/** Not even at a named time sooner than this: clocks differ. */
const SHORTEST_RETRY_MS = 10_000
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** The clock of the machine is compared so often with one that can't be set; what differs by more than this is a jump. */
const CLOCK_LOOK_MS = 5_000
const CLOCK_JUMP_MS = 2_000

/** A job with what has become of it. */
interface Entry {
  readonly job: ScheduledJob
  task: ScheduledTask
  current: Promise<void> | null
  overlaps: number
  /** Retries since the last tick. */
  retries: number
  retry: { readonly at: Date; readonly timer: NodeJS.Timeout } | null
  failure: JobFailure | null
}

/** Starts the schedule of `jobs`. Aborting the signal interrupts the jobs that run, and ends ticks and retries. */
export async function startScheduler(jobs: readonly ScheduledJob[], options: SchedulerOptions): Promise<Scheduler> {
  const { timezone, logger, signal, now = () => new Date() } = options
  adoptCronMessages(logger)

  const entries = jobs.map((job): Entry => {
    const entry: Entry = {
      job,
      task: createTask(job.cron, () => tick(entry), { timezone, name: job.name, logger: cronLogger(logger) }),
      current: null,
      overlaps: 0,
      retries: 0,
      retry: null,
      failure: null,
    }
    return entry
  })
  const byName = new Map(entries.map((entry) => [entry.job.name, entry]))

  // Not awaited by node-cron: it would count the next tick as missed. Whether the job still runs is minded here.
  function tick(entry: Entry): void {
    if (signal.aborted) return
    if (entry.current) {
      entry.overlaps += 1
      logger.warn({ job: entry.job.name }, 'tick skipped: the job is still running')
      return
    }
    dropRetry(entry)
    entry.retries = 0
    start(entry)
  }

  async function setAnew({ job, task }: Entry): Promise<void> {
    try {
      await task.stop()
      if (!signal.aborted) await task.start()
    } catch (error) {
      logger.error({ job: job.name, err: error }, 'the schedule of the job could not be set anew: restart the service')
    }
  }

  /** Of several missed ticks the first is made up; that its run is under way at the next is no overlap. */
  function makeUp(entry: Entry): void {
    if (entry.current || signal.aborted) return
    logger.warn({ job: entry.job.name }, 'a tick was missed, the process stood still or the clock jumped; made up now')
    tick(entry)
  }

  function start(entry: Entry): void {
    if (entry.current || signal.aborted) return
    entry.current = runOnce(entry).finally(() => {
      entry.current = null
    })
  }

  async function runOnce(entry: Entry): Promise<void> {
    try {
      await entry.job.run(signal)
      entry.failure = null
    } catch (error) {
      // The job has logged and booked its failure; an error that it did not expect must not end the service either.
      logger.debug({ job: entry.job.name, err: error }, 'scheduled run ended with an error')
      if (signal.aborted || error instanceof Interrupted || isRunningElsewhere(error)) return
      entry.failure = failureOf(error, now())
      if (error instanceof EtlError && error.kind === 'retryable') planRetry(entry, error.retryAt)
    }
  }

  function planRetry(entry: Entry, retryAt: Date | undefined): void {
    const delay = retryAt
      ? Math.max(SHORTEST_RETRY_MS, +retryAt - +now())
      : backoffMs(entry.retries + 1, { baseMs: FIRST_RETRY_MS, ceilingMs: LONGEST_RETRY_MS })
    const at = new Date(+now() + delay)
    const nextTick = entry.task.getNextRun()
    if (delay > LONGEST_TIMER_MS || (nextTick && at >= nextTick)) return
    dropRetry(entry)
    const timer = setTimeout(() => {
      entry.retry = null
      entry.retries += 1
      logger.info({ job: entry.job.name, retry: entry.retries }, 'trying again after a failure')
      start(entry)
    }, delay)
    entry.retry = { at, timer }
    logger.info({ job: entry.job.name, retryAt: at }, 'will be tried again')
  }

  signal.addEventListener('abort', () => entries.forEach(dropRetry), { once: true })

  for (const entry of entries) {
    const { job } = entry
    if (!job.lastStartedAt) continue
    const last = await job.lastStartedAt()
    if (missedTick(job.cron, timezone, last, now())) {
      logger.info({ job: job.name, lastStartedAt: last }, 'a tick was missed while the service was down; made up now')
      start(entry)
    }
  }
  for (const entry of entries) {
    entry.task.on('execution:missed', () => makeUp(entry))
    await entry.task.start()
  }
  const unwatch = onClockJump(now, (jumpedMs, from) => {
    logger.warn({ jumpedMs: Math.round(jumpedMs) }, 'the clock of this machine has jumped; the schedule follows it')
    for (const entry of entries) {
      // its timer was set by the old time
      void setAnew(entry)
      if (jumpedMs > 0 && missedTick(entry.job.cron, timezone, from, now())) makeUp(entry)
    }
  })
  signal.addEventListener('abort', unwatch, { once: true })

  const nextRun = ({ task, retry }: Entry): Date | null => retry?.at ?? task.getNextRun()
  return {
    nextRun(name) {
      const entry = byName.get(name)
      return entry ? nextRun(entry) : null
    },
    overlaps: (name) => byName.get(name)?.overlaps ?? 0,
    states: () =>
      entries.map((entry) => ({
        name: entry.job.name,
        running: entry.current !== null,
        nextRun: nextRun(entry),
        retryAt: entry.retry?.at ?? null,
        overlaps: entry.overlaps,
        failure: entry.failure,
        intervalMs: intervalOf(entry.task),
      })),
    async stop() {
      unwatch()
      entries.forEach(dropRetry)
      for (const { task } of entries) await task.destroy()
      await Promise.all(entries.map(({ current }) => current ?? Promise.resolve()))
      // a run that ended only now may have planned its retry
      entries.forEach(dropRetry)
    },
  }
}

/**
 * Tells by how much the clock `now` has jumped (back: less than 0), and where it stood at the last look before. A machine that
 * was suspended jumps ahead.
 * @returns what ends it
 */
function onClockJump(now: () => Date, told: (jumpedMs: number, from: Date) => void): () => void {
  let seen = { at: now(), steady: performance.now() }
  const timer = setInterval(() => {
    const { at: from, steady } = seen
    seen = { at: now(), steady: performance.now() }
    const jumpedMs = +seen.at - +from - (seen.steady - steady)
    if (Math.abs(jumpedMs) >= CLOCK_JUMP_MS) told(jumpedMs, from)
  }, CLOCK_LOOK_MS)
  return () => clearInterval(timer)
}

function dropRetry(entry: Entry): void {
  clearTimeout(entry.retry?.timer)
  entry.retry = null
}

/** Another process on this database runs the job: nothing has failed, and nothing is to be tried again. */
function isRunningElsewhere(error: unknown): boolean {
  return error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING'
}

function failureOf(error: unknown, at: Date): JobFailure {
  if (error instanceof EtlError) {
    return { at, code: error.code, kind: error.kind, message: error.message, hint: error.hint ?? null }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { at, code: 'UNEXPECTED', kind: 'bug', message, hint: 'This is a bug in genesys-etl: report it with the log.' }
}

function intervalOf(task: ScheduledTask): number | null {
  const [first, second] = task.getNextRuns(2)
  return first && second ? +second - +first : null
}

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
