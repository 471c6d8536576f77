/**
 * Runs jobs by their cron lines; the ledger decides what a run does. node-cron wakes the scheduler in UTC, and cron.ts says which
 * jobs are due. A tick is skipped and counted while its job is still running. A missed tick is caught up, whether the service was
 * down, the process was suspended, or the system clock jumped. A run that failed for a temporary reason is retried before the next
 * tick. No job affects another.
 */
import { createTask, setLogger } from 'node-cron'
import { backoffMs } from './backoff.ts'
import { hasMissedTick, parseCronLine, type CronLine } from './cron.ts'
import { EtlError, Interrupted, type ErrorKind } from './errors.ts'
import { type Logger } from './log.ts'

/** A job and when it runs. */
export interface ScheduledJob {
  readonly name: string
  /** A cron line; a leading seconds field is allowed. */
  readonly cron: string
  /** A run that shows no progress for this long counts as stuck; absent: no run does. */
  readonly stuckAfterMs?: number
  /**
   * Runs the job once. The job records its own failures; whatever it throws ends in the scheduler.
   * @param onProgress to be called while the run makes progress
   */
  run(signal: AbortSignal, onProgress: () => void): Promise<unknown>
  /**
   * When the latest run started that need not be repeated, also by another process; null: there is none. Where given, a tick that
   * was missed before the start of the service is caught up.
   */
  lastStartedAt?(): Promise<Date | null>
}

/** How a run failed, as far as a reader of the status needs it. */
interface JobFailure {
  readonly at: Date
  readonly code: string
  /** `bug`: an error that the pipeline does not expect. */
  readonly kind: ErrorKind | 'bug'
  readonly message: string
  readonly hint: string | null
}

/** What the scheduler knows of a job. Reset on every start; etl.runs keeps the full history. */
export interface JobState {
  readonly name: string
  readonly running: boolean
  /** Its next tick, or the retry before that. */
  readonly nextRun: Date | null
  /** Set while a failed run is due to be retried before the next tick. */
  readonly retryAt: Date | null
  /** Ticks skipped because the job was still running. */
  readonly overlaps: number
  /** How its latest run failed; null: it did not. */
  readonly failure: JobFailure | null
  /** Time between its next two ticks; null where there are no two. */
  readonly intervalMs: number | null
  /** Since when a run has shown no progress, where that is longer than its job allows; null: it is not stuck. */
  readonly stuckSince: Date | null
}

export interface Scheduler {
  /** All jobs, in the order in which they were given. */
  states(): JobState[]
  /** No more ticks or retries; resolves when all runs have ended. */
  stop(): Promise<void>
}

export interface SchedulerOptions {
  /** Zone of the cron lines. */
  readonly timezone: string
  readonly logger: Logger
  /** Interrupts running jobs, and ends ticks and retries. */
  readonly signal: AbortSignal
  readonly now?: () => Date
}

const MINUTE_MS = 60_000
/** Retries where the other side named no time. */
const RETRY_BACKOFF = { baseMs: 5 * MINUTE_MS, ceilingMs: 60 * MINUTE_MS }
/** Not even at a named time sooner than this: clocks differ. */
const SHORTEST_RETRY_MS = 10_000
/** The longest delay that setTimeout takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** A tick that comes later than this was missed, by a suspended process or a clock that jumped. */
const LATE_MS = 10_000
/** The system clock is compared this often with one that cannot be set; a greater difference is a jump. */
const CLOCK_CHECK_MS = 5_000
const CLOCK_JUMP_MS = 2_000

/** Starts the schedule of the jobs; what was missed while the service was down is caught up first. */
export async function startScheduler(jobs: readonly ScheduledJob[], options: SchedulerOptions): Promise<Scheduler> {
  const { timezone, logger, signal, now = () => new Date() } = options
  const cronLogger = cronLoggerOf(logger)
  // node-cron logs through its global logger what is no task's own
  setLogger(cronLogger)
  const schedules = jobs.map((job) => new JobSchedule(job, parseCronLine(job.cron, timezone), { logger, signal, now }))
  for (const schedule of schedules) await schedule.catchUpAtStart()

  const wake = (): void => schedules.forEach((schedule) => schedule.wake())
  // In UTC no hour is skipped or repeated.
  const wakesEverySecond = schedules.some(({ line }) => line.hasSeconds)
  const alarm = createTask(wakesEverySecond ? '* * * * * *' : '* * * * *', wake, {
    timezone: 'UTC',
    logger: cronLogger,
  })
  alarm.on('execution:missed', wake)
  await alarm.start()
  const stopWatching = watchClock(now, (jumpedMs) => {
    logger.warn({ jumpedMs: Math.round(jumpedMs) }, 'the system clock jumped; the schedule follows it')
    if (jumpedMs < 0) schedules.forEach((schedule) => schedule.planNextTick())
    wake()
    // node-cron set its timer by the old time
    void Promise.resolve(alarm.stop()).then(() => (signal.aborted ? undefined : alarm.start()))
  })

  const end = (): void => {
    stopWatching()
    schedules.forEach((schedule) => schedule.dropRetry())
  }
  signal.addEventListener('abort', end, { once: true })
  return {
    states: () => schedules.map((schedule) => schedule.state()),
    async stop() {
      end()
      await alarm.destroy()
      await Promise.all(schedules.map((schedule) => schedule.stop()))
    },
  }
}

/** One job on its schedule: when it is due, its current run, and the retry of a failed one. */
class JobSchedule {
  readonly line: CronLine
  readonly #job: ScheduledJob
  readonly #logger: Logger
  readonly #signal: AbortSignal
  readonly #now: () => Date
  #nextTick: Date | null = null
  #run: Promise<void> | null = null
  #progressAt: Date | null = null
  #overlaps = 0
  /** Failed runs since the last tick. */
  #failures = 0
  #failure: JobFailure | null = null
  #retry: { readonly at: Date; readonly timer: NodeJS.Timeout } | null = null
  #isStopped = false

  constructor(
    job: ScheduledJob,
    line: CronLine,
    { logger, signal, now }: Required<Omit<SchedulerOptions, 'timezone'>>,
  ) {
    this.#job = job
    this.line = line
    this.#logger = logger.child({ job: job.name })
    this.#signal = signal
    this.#now = now
    this.planNextTick()
  }

  /** Runs the job if it has no earlier run, if its latest tick came while the service was down, or if that is not known. */
  async catchUpAtStart(): Promise<void> {
    if (!this.#job.lastStartedAt) return
    try {
      const lastStartedAt = await this.#job.lastStartedAt()
      if (!hasMissedTick(this.line, lastStartedAt, this.#now())) return
      if (lastStartedAt === null) this.#tick()
      else this.#catchUp('missed a tick while the service was down; running it now', { lastStartedAt })
    } catch (error) {
      this.#catchUp('could not read when the job last ran; running it now', { err: error })
    }
  }

  /** Runs the job if its tick has come. */
  wake(): void {
    const now = this.#now()
    if (this.#nextTick === null || now < this.#nextTick) return
    const lateMs = +now - +this.#nextTick
    this.planNextTick()
    if (lateMs > LATE_MS) this.#catchUp('missed a tick (process suspended or clock jump); running it now', { lateMs })
    else this.#tick()
  }

  /** The next tick by the clock as it is now. */
  planNextTick(): void {
    this.#nextTick = this.line.next(this.#now())
  }

  state(): JobState {
    const next = this.#nextTick
    const afterNext = next && this.line.next(next)
    return {
      name: this.#job.name,
      running: this.#run !== null,
      nextRun: this.#retry?.at ?? next,
      retryAt: this.#retry?.at ?? null,
      overlaps: this.#overlaps,
      failure: this.#failure,
      intervalMs: next && afterNext ? +afterNext - +next : null,
      stuckSince: this.#stuckSince(),
    }
  }

  dropRetry(): void {
    clearTimeout(this.#retry?.timer)
    this.#retry = null
  }

  /** Resolves when the current run has ended; there is no other one. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.dropRetry()
    await this.#run
  }

  #stuckSince(): Date | null {
    const { stuckAfterMs } = this.#job
    if (this.#run === null || this.#progressAt === null || stuckAfterMs === undefined) return null
    return +this.#now() - +this.#progressAt > stuckAfterMs ? this.#progressAt : null
  }

  /** One run for all ticks that were missed; a run in progress is no overlap then. */
  #catchUp(message: string, details: object): void {
    if (this.#run !== null) return
    this.#logger.warn(details, message)
    this.#tick()
  }

  #tick(): void {
    if (this.#run !== null) {
      this.#overlaps += 1
      this.#logger.warn('tick skipped: the job is still running')
      return
    }
    this.dropRetry()
    this.#failures = 0
    this.#start()
  }

  #start(): void {
    if (this.#run !== null || this.#isStopped || this.#signal.aborted) return
    const onProgress = (): void => {
      this.#progressAt = this.#now()
    }
    onProgress()
    this.#run = this.#runOnce(onProgress).finally(() => {
      this.#run = null
    })
  }

  async #runOnce(onProgress: () => void): Promise<void> {
    try {
      await this.#job.run(this.#signal, onProgress)
      this.#failure = null
    } catch (error) {
      this.#handleFailure(error)
    }
  }

  /** Logs every failure: one that came before the run had its row in etl.runs is logged nowhere else. */
  #handleFailure(error: unknown): void {
    if (this.#signal.aborted || this.#isStopped || error instanceof Interrupted) return
    this.#failures += 1
    if (isRunningElsewhere(error)) {
      const retryAt = this.#job.lastStartedAt ? this.#planRetry(undefined) : null
      this.#logger.info({ retryAt }, 'not started: another process is running the job')
      return
    }
    this.#failure = failureOf(error, this.#now())
    const { code, message } = this.#failure
    const retryAt = isTemporary(error) ? this.#planRetry(error.retryAt) : null
    const details = error instanceof EtlError ? { code, reason: message, retryAt } : { err: error }
    this.#logger.warn(details, retryAt ? 'scheduled run failed; it will be retried' : 'scheduled run failed')
  }

  /** Plans a retry; null where the next tick comes before it. */
  #planRetry(earliest: Date | undefined): Date | null {
    const now = this.#now()
    const delayMs = earliest ? Math.max(SHORTEST_RETRY_MS, +earliest - +now) : backoffMs(this.#failures, RETRY_BACKOFF)
    const at = new Date(+now + delayMs)
    if (delayMs > LONGEST_TIMER_MS || (this.#nextTick && at >= this.#nextTick)) return null
    this.dropRetry()
    this.#retry = { at, timer: setTimeout(() => void this.#retryNow(), delayMs) }
    return at
  }

  async #retryNow(): Promise<void> {
    if (await this.#isDoneElsewhere()) {
      this.#retry = null
      this.#failure = null
      return
    }
    // a tick or the end of the service may have come while the database was asked
    if (this.#retry === null) return
    this.#retry = null
    this.#logger.info({ retry: this.#failures }, 'retrying after a failure')
    this.#start()
  }

  /** Whether another process has meanwhile done what the latest tick of this job was for. */
  async #isDoneElsewhere(): Promise<boolean> {
    try {
      const lastStartedAt = (await this.#job.lastStartedAt?.()) ?? null
      return lastStartedAt !== null && !hasMissedTick(this.line, lastStartedAt, this.#now())
    } catch {
      // the run will say what is wrong
      return false
    }
  }
}

/**
 * Reports by how much the clock `now` jumped (negative: it was set back). A suspended machine sees a jump ahead.
 * @returns what ends it
 */
function watchClock(now: () => Date, onJump: (jumpedMs: number) => void): () => void {
  let seen = { at: now(), steadyMs: performance.now() }
  const timer = setInterval(() => {
    const { at, steadyMs } = seen
    seen = { at: now(), steadyMs: performance.now() }
    const jumpedMs = +seen.at - +at - (seen.steadyMs - steadyMs)
    if (Math.abs(jumpedMs) >= CLOCK_JUMP_MS) onJump(jumpedMs)
  }, CLOCK_CHECK_MS)
  return () => clearInterval(timer)
}

/** Another process on this database is running the job: nothing has failed. */
function isRunningElsewhere(error: unknown): boolean {
  return error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING'
}

/**
 * Whether the same run may succeed later. What the database refuses (a login during a change of passwords, a full disk) is put
 * right without a restart of this service, so it counts.
 */
function isTemporary(error: unknown): error is EtlError {
  return error instanceof EtlError && (error.kind === 'retryable' || error.code.startsWith('DATABASE_'))
}

function failureOf(error: unknown, at: Date): JobFailure {
  if (error instanceof EtlError) {
    return { at, code: error.code, kind: error.kind, message: error.message, hint: error.hint ?? null }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { at, code: 'UNEXPECTED', kind: 'bug', message, hint: 'This is a bug in genesys-etl: report it with the log.' }
}

function cronLoggerOf(logger: Logger): Parameters<typeof setLogger>[0] {
  const log = logger.child({ component: 'node-cron' })
  const text = (message: string | Error): string => (message instanceof Error ? message.message : message)
  return {
    info: (message) => log.debug(message),
    warn: (message) => log.warn(message),
    error: (message, error) => log.error({ err: error }, text(message)),
    debug: (message) => log.debug(text(message)),
  }
}
