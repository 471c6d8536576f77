/** Shows the progress of long work: one rewritten line on a terminal, a log line every 15 seconds elsewhere. */
import { type Logger } from './log.ts'
import { type Terminal } from './terminal.ts'

/** What jobs report their progress to. */
export interface Progress {
  /** Sets what is being done and how many requests it should take; may be called again when the estimate changes. */
  plan(label: string, requests: number): void
  /** Counts requests that were answered since the last call. */
  advance(requests: number): void
  /** The work has ended, successfully or not; a bar stays where it is. */
  finish(): void
}

interface ProgressOptions {
  /** Where the bar is drawn; null: standard error is no terminal, so progress is logged. */
  readonly terminal: Pick<Terminal, 'showProgress' | 'endProgress'> | null
  readonly logger: Logger
  /** The API's limit: no estimate promises more than that. */
  readonly requestsPerMinute: number
  readonly now?: () => number
}

const DRAW_EVERY_MS = 100
const LOG_EVERY_MS = 15_000
const BAR_WIDTH = 30

/** A progress that draws one line on a terminal, and without one logs every 15 seconds. */
export function createProgress({ terminal, logger, requestsPerMinute, now = Date.now }: ProgressOptions): Progress {
  let label = ''
  let planned = 0
  let done = 0
  let startedAt = now()
  let shownAt = 0

  const show = (force: boolean): void => {
    const everyMs = terminal ? DRAW_EVERY_MS : LOG_EVERY_MS
    if (!force && now() - shownAt < everyMs) return
    shownAt = now()
    const elapsedSeconds = (now() - startedAt) / 1000
    const secondsLeft = secondsRemaining({ planned, done, elapsedSeconds, requestsPerMinute })
    if (terminal) terminal.showProgress(progressLine({ label, planned, done, secondsLeft }))
    else if (!force) logger.info({ label, requestsDone: done, requestsPlanned: planned, secondsLeft }, 'progress')
  }

  return {
    plan(nextLabel, requests) {
      label = nextLabel
      planned = requests
      done = 0
      startedAt = now()
      shownAt = terminal ? 0 : now()
      show(false)
    },
    advance(requests) {
      done += requests
      // Reading an unstable window again takes more requests than planned; the bar must not run past its end.
      planned = Math.max(planned, done)
      show(false)
    },
    finish() {
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
 * Seconds until the planned requests are answered: at the pace so far, but never faster than the rate limit allows.
 * Null while there is nothing to extrapolate from.
 */
export function secondsRemaining(inputs: {
  readonly planned: number
  readonly done: number
  readonly elapsedSeconds: number
  readonly requestsPerMinute: number
}): number | null {
  const { planned, done, elapsedSeconds, requestsPerMinute } = inputs
  const left = planned - done
  if (done === 0) return null
  const atThisPace = (left * elapsedSeconds) / done
  // The first `requestsPerMinute` requests may go out in a burst, so the limit binds only beyond the current minute.
  const atTheLimit = ((planned - requestsPerMinute) / requestsPerMinute) * 60 - elapsedSeconds
  return Math.max(0, Math.round(Math.max(atThisPace, atTheLimit)))
}

/** `sync  [#####.....] 120/240 requests, about 1 min 5 s left`. */
export function progressLine(state: {
  readonly label: string
  readonly planned: number
  readonly done: number
  readonly secondsLeft: number | null
}): string {
  const share = state.planned === 0 ? 1 : Math.min(1, state.done / state.planned)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const left = state.secondsLeft === null ? '' : `, about ${formatDuration(state.secondsLeft)} left`
  return `${state.label} ${bar} ${state.done}/${state.planned} requests${state.done >= state.planned ? '' : left}`
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  const rounded = Math.round(seconds)
  if (rounded < 60) return `${rounded} s`
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`
  const minutes = Math.round(rounded / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
