/**
 * Which windows are owed. Pure: the ledger, the settings and the instant go in, the windows to read come out. A crash, a
 * missed night, a redeploy and a backfill differ only in what the ledger says.
 */
import { addDays, ageInDays, splitByDay, startOfDay, subtract, type Window } from './window.ts'

export type WindowStatus = 'done' | 'provisional' | 'unstable' | 'failed'

/** A row of the ledger, as far as planning needs it. */
export interface LedgerWindow extends Window {
  readonly status: WindowStatus
  /** When its last read ended, by the database's clock. */
  readonly readAt: Date
  /** Unstable windows rest until then. */
  readonly nextAttemptAt: Date | null
  /** What the last read of it found; the estimate for the next one. */
  readonly hits: number | null
}

/** Why a window is in a plan: never loaded whole, or loaded and read again because its records may have changed. */
type Reason = 'owed' | 'lookback' | 'reload'

export interface PlannedWindow extends Window {
  readonly reason: Reason
}

/**
 * A read ends this long before now: younger records are still arriving, and offset paging over arriving records slips
 * (Genesys: keep the current time out of the interval). Younger conversations belong to the live side.
 */
export const SETTLE_MILLISECONDS = 2 * 60_000

/** A nightly plan beyond this many requests reads only the ages of `SPARSE_LOOKBACK_AGES`. */
const NIGHTLY_REQUEST_BUDGET = 5000

/**
 * Ages in days that a large org reads again each night. Genesys' own corrections begin after 48 to 72 hours
 * (help.mypurecloud.com/faqs/why-can-my-data-change), so the days between bring little.
 */
const SPARSE_LOOKBACK_AGES: readonly number[] = [1, 2, 4, 7]

export interface SyncInputs {
  readonly now: Date
  readonly lookbackDays: number
  /** First day that is owed at all; null: the lookback is all that is owed. */
  readonly historyStart: Date | null
  readonly ledger: readonly LedgerWindow[]
  /** Windows read since then by the run that this one resumes (or by this one) are not read again. */
  readonly cycleStart: Date
}

/**
 * The nightly plan: the closed UTC days of the lookback, whatever their state, and every older stretch since
 * `historyStart` that no done window covers. Newest first: yesterday matters most to its readers.
 */
export function planSync({ now, lookbackDays, historyStart, ledger, cycleStart }: SyncInputs): PlannedWindow[] {
  const today = startOfDay(now)
  const lookbackStart = addDays(today, -lookbackDays)
  const firstDay = historyStart ?? lookbackStart
  const lookback = splitByDay({ start: later(firstDay, lookbackStart), end: earlier(today, settledUntil(now)) })
    .filter((day) => !wasReadInCycle(day, ledger, cycleStart))
    .map((day): PlannedWindow => ({ ...day, reason: owedParts(day, ledger).length > 0 ? 'owed' : 'lookback' }))
  const older = owedWindows({ start: firstDay, end: earlier(lookbackStart, today) }, now, ledger)
  return [...lookback, ...older].sort((a, b) => +b.start - +a.start)
}

/**
 * What of a range is owed: cut by UTC day, without what done windows cover and without unstable windows that still rest.
 * Parts younger than `SETTLE_MILLISECONDS` before `now` are not owed yet.
 */
export function owedWindows(range: Window, now: Date, ledger: readonly LedgerWindow[]): PlannedWindow[] {
  const settled = { start: range.start, end: earlier(range.end, settledUntil(now)) }
  const resting = ledger.filter(
    ({ status, nextAttemptAt }) => status === 'unstable' && nextAttemptAt && nextAttemptAt > now,
  )
  const covered = [...ledger.filter(({ status }) => status === 'done'), ...resting]
  return subtract(settled, covered)
    .flatMap(splitByDay)
    .map((day) => ({ ...day, reason: 'owed' }))
}

/**
 * The plan of a backfill, oldest first: what of the range is owed, or, with `reload`, all of it that was not read since
 * `cycleStart`.
 */
export function planBackfill(inputs: {
  readonly range: Window
  readonly now: Date
  readonly ledger: readonly LedgerWindow[]
  readonly reload: boolean
  readonly cycleStart: Date
}): PlannedWindow[] {
  const { range, now, ledger, reload, cycleStart } = inputs
  if (!reload) return owedWindows(range, now, ledger)
  return splitByDay({ start: range.start, end: earlier(range.end, settledUntil(now)) })
    .filter((day) => !wasReadInCycle(day, ledger, cycleStart))
    .map((day) => ({ ...day, reason: 'reload' }))
}

/** The current UTC day so far, for the intraday tick; none in its first minutes, when nothing has settled. */
export function planIntraday(now: Date): PlannedWindow[] {
  const window = { start: startOfDay(now), end: settledUntil(now) }
  return window.start < window.end ? [{ ...window, reason: 'owed' }] : []
}

/** A window with what reading it should take. */
export interface EstimatedWindow extends PlannedWindow {
  readonly hits: number
  readonly requests: number
}

/** Keeps a nightly plan within the request budget: owed windows stay, the lookback thins out to `SPARSE_LOOKBACK_AGES`. */
export function withinBudget(plan: readonly EstimatedWindow[], now: Date): EstimatedWindow[] {
  const requests = plan.reduce((sum, window) => sum + window.requests, 0)
  if (requests <= NIGHTLY_REQUEST_BUDGET) return [...plan]
  return plan.filter(
    (window) => window.reason !== 'lookback' || SPARSE_LOOKBACK_AGES.includes(ageInDays(window.start, now)),
  )
}

/** `provisional` for a window that reaches into the current UTC day: more will start in it, or has just not arrived. */
export function statusAfterRead(window: Window, outcome: 'done' | 'unstable', now: Date): WindowStatus {
  return window.end > startOfDay(now) ? 'provisional' : outcome
}

/** When an unstable window is read again: after 15 minutes, doubling with each attempt, a day at most. */
export function nextAttemptAt(now: Date, attempts: number): Date {
  const minutes = Math.min(15 * 2 ** Math.max(0, attempts - 1), 24 * 60)
  return new Date(now.getTime() + minutes * 60_000)
}

/** The parts of a window that no done window covers. */
function owedParts(window: Window, ledger: readonly LedgerWindow[]): Window[] {
  return subtract(
    window,
    ledger.filter(({ status }) => status === 'done'),
  )
}

function wasReadInCycle(window: Window, ledger: readonly LedgerWindow[], cycleStart: Date): boolean {
  const read = ledger.filter(
    ({ status, readAt }) => (status === 'done' || status === 'unstable') && readAt >= cycleStart,
  )
  return subtract(window, read).length === 0
}

function settledUntil(now: Date): Date {
  return new Date(now.getTime() - SETTLE_MILLISECONDS)
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b
}
