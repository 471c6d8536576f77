/** Shows how far long work has come: one rewritten line on a terminal, a log line now and then elsewhere. */
import { type Logger } from './log.ts'

/** What jobs report to; they do not know whether anything is shown. */
export interface Progress {
  /** Sets what is being done and how many requests it should take; may be called again when the estimate changes. */
  plan(label: string, requests: number): void
  /** This many more requests were answered. */
  advance(requests: number): void
  /** The work ended, with or without success: leaves the terminal's line clean. */
  finish(): void
}

interface ProgressOptions {
  readonly stream: NodeJS.WriteStream
  readonly logger: Logger
  /** No estimate promises more than this limit. */
  readonly requestsPerMinute: number
  /** For how long the request limit holds back the next request; 0 when it does not. */
  readonly limitWaitMs?: () => number
  readonly now?: () => number
}

const REDRAW_MS = 100
/** While no request is answered, the line is redrawn this often, since the wait for the limit goes on. */
const IDLE_REDRAW_MS = 1000
const LOG_MS = 15_000
const BAR_WIDTH = 30

/** A progress that draws on `stream` when it is a terminal, and otherwise logs every 15 seconds. */
export function createProgress(options: ProgressOptions): Progress {
  const { stream, logger, requestsPerMinute, limitWaitMs = () => 0, now = Date.now } = options
  let label = ''
  let planned = 0
  let done = 0
  let startedAt = now()
  let shownAt = 0
  let idleTimer: NodeJS.Timeout | undefined

  const show = (isForced: boolean): void => {
    if (!isForced && now() - shownAt < (stream.isTTY ? REDRAW_MS : LOG_MS)) return
    shownAt = now()
    const elapsedSeconds = (now() - startedAt) / 1000
    const waitSeconds = Math.round(limitWaitMs() / 1000)
    const secondsLeft = secondsRemaining({ planned, done, elapsedSeconds, requestsPerMinute, waitSeconds })
    if (stream.isTTY) stream.write(`\r\u001B[2K${progressLine({ label, planned, done, secondsLeft, waitSeconds })}`)
    else if (!isForced)
      logger.info({ label, requestsDone: done, requestsPlanned: planned, secondsLeft, waitSeconds }, 'progress')
  }

  return {
    plan(nextLabel, requests) {
      label = nextLabel
      planned = requests
      done = 0
      startedAt = now()
      shownAt = stream.isTTY ? 0 : now()
      clearInterval(idleTimer)
      idleTimer = setInterval(() => show(false), stream.isTTY ? IDLE_REDRAW_MS : LOG_MS).unref()
      show(false)
    },
    advance(requests) {
      done += requests
      // Reading an unstable window again takes more requests than planned; the bar must not run past its end.
      planned = Math.max(planned, done)
      show(false)
    },
    finish() {
      clearInterval(idleTimer)
      if (planned === 0) return
      show(true)
      if (stream.isTTY) stream.write('\n')
      planned = 0
    },
  }
}

/** A progress that shows nothing, for scheduled runs and tests. */
export const silentProgress: Progress = { plan() {}, advance() {}, finish() {} }

/**
 * Seconds until the planned requests are answered: at the pace so far, but no faster than the request limit allows, and not
 * before the current wait for it is over. Null while there is nothing to extrapolate from. Pure.
 */
export function secondsRemaining(inputs: {
  readonly planned: number
  readonly done: number
  readonly elapsedSeconds: number
  readonly requestsPerMinute: number
  /** What is left of the wait for the request limit. */
  readonly waitSeconds?: number
}): number | null {
  const { planned, done, elapsedSeconds, requestsPerMinute, waitSeconds = 0 } = inputs
  const left = planned - done
  if (left === 0) return 0
  if (done === 0) return null
  const atThisPace = (left * elapsedSeconds) / done
  // The first `requestsPerMinute` requests may go out in a burst, so the limit binds only beyond the current minute.
  const atTheLimit = ((planned - requestsPerMinute) / requestsPerMinute) * 60 - elapsedSeconds
  return Math.max(0, Math.round(Math.max(atThisPace, atTheLimit, waitSeconds)))
}

/** `sync  ███░░░ 120/240 requests, about 1 min 5 s left (the request limit is used up for 12 s)`. Pure. */
export function progressLine(state: {
  readonly label: string
  readonly planned: number
  readonly done: number
  readonly secondsLeft: number | null
  readonly waitSeconds?: number
}): string {
  const { label, planned, done, secondsLeft, waitSeconds = 0 } = state
  const share = planned === 0 ? 1 : Math.min(1, done / planned)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const counts = `${label} ${bar} ${done}/${planned} requests`
  if (done >= planned) return counts
  const left = secondsLeft === null ? '' : `, about ${formatDuration(secondsLeft)} left`
  const wait = waitSeconds === 0 ? '' : ` (the request limit is used up for ${formatDuration(waitSeconds)})`
  return `${counts}${left}${wait}`
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. Pure. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`
}
