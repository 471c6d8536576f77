/** Shows the progress of long work: one rewritten line on a terminal, a log line every 15 seconds elsewhere. */
import { type Logger } from './log.ts'
import { type Terminal } from './terminal.ts'

/** What jobs report their progress to. */
export interface Progress {
  /** Sets what is being done and how many requests (or other units) it should take; may be called again when the estimate changes. */
  plan(label: string, requests: number): void
  /** Counts requests that were answered, or units of work that were done, since the last call. */
  advance(requests: number): void
  /** The work has ended, successfully or not; a bar stays where it is. */
  finish(): void
}

interface ProgressOptions {
  /** Where the bar is drawn; null: standard error is no terminal, so progress is logged. */
  readonly terminal: Pick<Terminal, 'showProgress' | 'endProgress'> | null
  readonly logger: Logger
  /** No estimate promises more than this limit; absent: there is none. */
  readonly requestsPerMinute?: number
  /** What is counted, in the plural; default: requests. */
  readonly unit?: string
  /** For how long the request limit holds back the next request; 0 when it does not. */
  readonly limitWaitMs?: () => number
  readonly now?: () => number
}

const DRAW_EVERY_MS = 100
/** While no request is answered, the line is redrawn this often, since the wait for the limit goes on. */
const IDLE_DRAW_EVERY_MS = 1000
const LOG_EVERY_MS = 15_000
const BAR_WIDTH = 30

/** A progress that draws one line on a terminal, and without one logs every 15 seconds. */
export function createProgress(options: ProgressOptions): Progress {
  const { terminal, logger, requestsPerMinute, unit = 'requests', limitWaitMs = () => 0, now = Date.now } = options
  let label = ''
  let planned = 0
  let done = 0
  let startedAt = now()
  let shownAt = 0
  let idleTimer: NodeJS.Timeout | undefined

  const show = (isForced: boolean): void => {
    if (!isForced && now() - shownAt < (terminal ? DRAW_EVERY_MS : LOG_EVERY_MS)) return
    shownAt = now()
    const elapsedSeconds = (now() - startedAt) / 1000
    const waitSeconds = Math.round(limitWaitMs() / 1000)
    const secondsLeft = secondsRemaining({ planned, done, elapsedSeconds, requestsPerMinute, waitSeconds })
    if (terminal) terminal.showProgress(progressLine({ label, planned, done, unit, secondsLeft, waitSeconds }))
    else if (!isForced)
      logger.info({ label, [`${unit}Done`]: done, [`${unit}Planned`]: planned, secondsLeft, waitSeconds }, 'progress')
  }

  return {
    plan(nextLabel, requests) {
      label = nextLabel
      planned = requests
      done = 0
      startedAt = now()
      shownAt = terminal ? 0 : now()
      clearInterval(idleTimer)
      idleTimer = setInterval(() => show(false), terminal ? IDLE_DRAW_EVERY_MS : LOG_EVERY_MS).unref()
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
      terminal?.endProgress()
      planned = 0
    },
  }
}

/** Shows nothing, and reports each step of the work: for scheduled runs, where a run without progress is stuck. */
export function observeProgress(onProgress: () => void): Progress {
  return { plan: onProgress, advance: onProgress, finish: onProgress }
}

/** A progress that is shown nowhere. */
export const silentProgress: Progress = { plan() {}, advance() {}, finish() {} }

/**
 * Seconds until the planned requests are answered: at the pace so far, but no faster than the request limit allows, and not
 * before the current wait for it is over. Null while there is nothing to extrapolate from. Pure.
 */
export function secondsRemaining(inputs: {
  readonly planned: number
  readonly done: number
  readonly elapsedSeconds: number
  /** Absent: no limit. */
  readonly requestsPerMinute?: number | undefined
  /** What is left of the wait for the request limit. */
  readonly waitSeconds?: number
}): number | null {
  const { planned, done, elapsedSeconds, requestsPerMinute, waitSeconds = 0 } = inputs
  const left = planned - done
  if (left === 0) return 0
  if (done === 0) return null
  const atThisPace = (left * elapsedSeconds) / done
  // The first `requestsPerMinute` requests may go out in a burst, so the limit binds only beyond the current minute.
  const atTheLimit = requestsPerMinute ? ((planned - requestsPerMinute) / requestsPerMinute) * 60 - elapsedSeconds : 0
  return Math.max(0, Math.round(Math.max(atThisPace, atTheLimit, waitSeconds)))
}

/** `sync  ███░░░ 120/240 requests, about 1 min 5 s left (the request limit is used up for 12 s)`. Pure. */
export function progressLine(state: {
  readonly label: string
  readonly planned: number
  readonly done: number
  /** Default: requests. */
  readonly unit?: string
  readonly secondsLeft: number | null
  readonly waitSeconds?: number
}): string {
  const { label, planned, done, unit = 'requests', secondsLeft, waitSeconds = 0 } = state
  const share = planned === 0 ? 1 : Math.min(1, done / planned)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const counts = `${label} ${bar} ${done}/${planned} ${unit}`
  if (done >= planned) return counts
  const left = secondsLeft === null ? '' : `, about ${formatDuration(secondsLeft)} left`
  const wait = waitSeconds === 0 ? '' : ` (the request limit is used up for ${formatDuration(waitSeconds)})`
  return `${counts}${left}${wait}`
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. Pure. */
export function formatDuration(seconds: number): string {
  const rounded = Math.round(seconds)
  if (rounded < 60) return `${rounded} s`
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`
  const minutes = Math.round(rounded / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
