/**
 * Which windows are due. Pure: the ledger, the settings and the instant go in, the windows to read come out. A crash, a
 * missed night, a redeploy and a backfill differ only in what the ledger contains.
 */
import { backoffMs } from '../backoff.ts'
import {
  CLOCK_TOLERANCE_MS,
  addDays,
  earlier,
  later,
  splitByDay,
  startOfDay,
  subtract,
  union,
  type Interval,
} from '../model/interval.ts'
import { type WindowStatus } from '../postgres/database.ts'
import type { WindowSource } from './ledger.ts'

/** A row of the ledger, as far as planning needs it. */
export interface LedgerWindow extends Interval {
  readonly status: WindowStatus
  /** As of when its data are current, by the database's clock: for a query, when its last read ended. */
  readonly readAt: Date
  /** When that read was recorded. Default: readAt. */
  readonly loadedAt?: Date
  /** Unstable windows rest until then. */
  readonly nextAttemptAt: Date | null
  /** The hits of its last read; the estimate for the next one. */
  readonly hits: number | null
}

/**
 * Why a window is in a plan: `owed`, it was never read completely; `lookback` or `deep`, it is read again because its records may have
 * changed; `reload`, on request. They are stored in etl.runs.plan and printed as JSON, so the words stay.
 */
type Reason = 'owed' | 'lookback' | 'deep' | 'reload'

export interface PlannedWindow extends Interval {
  readonly reason: Reason
  /** How it is read. Default: query. */
  readonly source?: WindowSource
}

/**
 * A read ends this long before now: younger records are still arriving, and offset paging over arriving records slips
 * (Genesys: keep the current time out of the interval). Younger conversations belong to the live side.
 */
export const SETTLE_MS = 2 * 60_000

/** How long an unstable window rests: see nextAttemptAt. */
const FIRST_REST_MS = 15 * 60_000
const LONGEST_REST_MS = 24 * 3_600_000

export interface SyncInputs {
  readonly now: Date
  readonly lookbackDays: number
  /** The earliest day to load (HISTORY_START); null: not set, see firstDueDay. */
  readonly historyStart: Date | null
  /** When the first sync ran; null or absent: none has. */
  readonly firstSyncAt?: Date | null
  readonly ledger: readonly LedgerWindow[]
  /** Windows read since then by the run that this one resumes (or by this one) are not read again. */
  readonly cycleStart: Date
}

/**
 * The earliest day to load: `historyStart`, or without one the start of the first sync's lookback, so that after a long outage the
 * days that passed meanwhile are due.
 */
export function firstDueDay({
  now,
  lookbackDays,
  historyStart,
  firstSyncAt,
}: Pick<SyncInputs, 'now' | 'lookbackDays' | 'historyStart' | 'firstSyncAt'>): Date {
  if (historyStart) return historyStart
  return addDays(startOfDay(firstSyncAt ? earlier(firstSyncAt, now) : now), -lookbackDays)
}

/**
 * The nightly plan: the closed UTC days of the lookback, whatever their state; every older interval since the first due day
 * that no done window covers; and every older loaded interval that was never read again at the last age of the lookback,
 * because the nights in which that was due were missed. Newest first: yesterday matters most to readers of the data.
 */
export function planSync(inputs: SyncInputs): PlannedWindow[] {
  const { now, lookbackDays, ledger, cycleStart } = inputs
  const believed = believedWindows(ledger, now)
  const today = startOfDay(now)
  const lookbackStart = addDays(today, -lookbackDays)
  const firstDay = firstDueDay(inputs)
  const lookback = splitByDay({ start: later(firstDay, lookbackStart), end: earlier(today, settledUntil(now)) })
    .filter((day) => !wasReadInCycle(day, believed, cycleStart))
    .map((day): PlannedWindow => ({ ...day, reason: uncoveredParts(day, believed).length > 0 ? 'owed' : 'lookback' }))
  const older = unloadedWindows({ start: firstDay, end: earlier(lookbackStart, today) }, now, ledger)
  return [...lookback, ...older, ...dueWindows(inputs)].sort((a, b) => +b.start - +a.start)
}

/**
 * Loaded intervals older than the lookback that were last read at a younger age than its last one, cut by UTC day, oldest
 * first: their late changes were missed while nothing ran, or are missing in a restored backup. An interval stays due until it
 * was read at an age of `lookbackDays` or more. Those before `historyStart` are no longer maintained; without one, all that
 * is loaded counts.
 */
export function dueWindows({
  now,
  lookbackDays,
  historyStart,
  ledger,
}: Pick<SyncInputs, 'now' | 'lookbackDays' | 'historyStart' | 'ledger'>): PlannedWindow[] {
  const done = believedWindows(ledger, now).filter(({ status }) => status === 'done')
  const settled = done.map((window) => settledPart(window, lookbackDays))
  const end = addDays(startOfDay(now), -lookbackDays)
  return union(done)
    .map((loaded) => ({ start: later(loaded.start, historyStart ?? loaded.start), end: earlier(loaded.end, end) }))
    .flatMap((loaded) => subtract(loaded, settled))
    .flatMap(splitByDay)
    .map((day) => ({ ...day, reason: 'lookback' }))
}

/** The part of a done window that was read at an age of the lookback's last day or more, so that none of it is due again. */
function settledPart({ start, end, readAt }: LedgerWindow, lookbackDays: number): Interval {
  return { start, end: earlier(end, addDays(startOfDay(readAt), 1 - lookbackDays)) }
}

/**
 * The ledger as far as it can be true at `now`. A window that ends in the future, or was read in the future, comes from a
 * time when the database's clock was ahead: what it covers was read at an unknown time, perhaps before it was over. Such
 * windows count as read so far (`provisional`), whatever they say; once read again they are true.
 */
export function believedWindows<Row extends LedgerWindow>(ledger: readonly Row[], now: Date): Row[] {
  return ledger.map((window) => (isFromFuture(window, now) ? { ...window, status: 'provisional' } : window))
}

/** Whether a row of the ledger is dated later than `now`, beyond what clocks may differ by. */
export function isFromFuture({ end, readAt }: Pick<LedgerWindow, 'end' | 'readAt'>, now: Date): boolean {
  return end > now || +readAt > +now + CLOCK_TOLERANCE_MS
}

/**
 * What of a range was never read completely: cut by UTC day, without unstable windows that still rest. Parts younger than `SETTLE_MS`
 * before `now` are not due yet.
 */
export function unloadedWindows(range: Interval, now: Date, ledger: readonly LedgerWindow[]): PlannedWindow[] {
  const settled = { start: range.start, end: earlier(range.end, settledUntil(now)) }
  const believed = believedWindows(ledger, now)
  const resting = believed.filter(({ status, nextAttemptAt: next }) => status === 'unstable' && isAhead(next, now))
  return subtract(settled, [...believed.filter(({ status }) => status === 'done'), ...resting])
    .flatMap(splitByDay)
    .map((day) => ({ ...day, reason: 'owed' }))
}

/** Whether the next attempt is still to come; one further ahead than any rest was set by a clock that was ahead. */
function isAhead(next: Date | null, now: Date): boolean {
  return next !== null && next > now && +next - +now <= LONGEST_REST_MS
}

/**
 * The plan of a backfill, oldest first: what of the range was never read completely, or, with `reload`, all of it that was not read
 * since `cycleStart`.
 */
export function planBackfill(inputs: {
  readonly range: Interval
  readonly now: Date
  readonly ledger: readonly LedgerWindow[]
  readonly reload: boolean
  readonly cycleStart: Date
}): PlannedWindow[] {
  const { range, now, ledger, reload, cycleStart } = inputs
  if (!reload) return unloadedWindows(range, now, ledger)
  const believed = believedWindows(ledger, now)
  return splitByDay({ start: range.start, end: earlier(range.end, settledUntil(now)) })
    .filter((day) => !wasReadInCycle(day, believed, cycleStart))
    .map((day) => ({ ...day, reason: 'reload' }))
}

/**
 * The weekly plan, newest first: what is loaded of the UTC days between the ages of `lookbackDays` and `deepLookbackDays`. The days of the
 * nightly lookback, and what was never read completely, are the nightly plan's matter.
 */
export function planDeep({
  now,
  lookbackDays,
  deepLookbackDays,
  historyStart,
  ledger,
  cycleStart,
}: Omit<SyncInputs, 'firstSyncAt'> & { readonly deepLookbackDays: number }): PlannedWindow[] {
  const believed = believedWindows(ledger, now)
  const first = addDays(startOfDay(now), -deepLookbackDays)
  const range = { start: later(historyStart ?? first, first), end: addDays(startOfDay(now), -lookbackDays) }
  return union(believed.filter(({ status }) => status === 'done'))
    .map(({ start, end }) => ({ start: later(start, range.start), end: earlier(end, range.end) }))
    .flatMap(splitByDay)
    .filter((day) => !wasReadInCycle(day, believed, cycleStart))
    .map((day): PlannedWindow => ({ ...day, reason: 'deep' }))
    .sort((a, b) => +b.start - +a.start)
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
  /** Whether `hits` are those of this window; otherwise they are its share of a longer interval. */
  readonly isCounted: boolean
}

/** A plan with no more windows than this to count is counted window by window, which is exact. */
const COUNTED_SINGLY = 31

/**
 * Unknown windows in groups that one query counts: windows that touch, `mostDays` long at most. A few windows stay single.
 */
export function countableGroups(windows: readonly PlannedWindow[], mostDays: number): PlannedWindow[][] {
  if (windows.length <= COUNTED_SINGLY) return windows.map((window) => [window])
  const groups: PlannedWindow[][] = []
  for (const window of windows.toSorted((a, b) => +a.start - +b.start)) {
    const group = groups.at(-1)
    const [first, last] = [group?.[0], group?.at(-1)]
    const fits = first && last && +last.end === +window.start && window.end <= addDays(first.start, mostDays)
    if (group && fits) group.push(window)
    else groups.push([window])
  }
  return groups
}

/** The hits of a group, shared among its windows by their length; whole numbers that add up. */
export function shareHits(hits: number, group: readonly Interval[]): number[] {
  const whole = group.reduce((sum, { start, end }) => sum + (+end - +start), 0)
  let passed = 0
  let shared = 0
  return group.map(({ start, end }) => {
    passed += +end - +start
    const share = Math.round((hits * passed) / whole) - shared
    shared += share
    return share
  })
}

/** `provisional` for a window that reaches into the current UTC day: more will start in it, or has just not arrived. */
export function statusAfterRead(window: Interval, outcome: 'done' | 'unstable', now: Date): WindowStatus {
  return window.end > startOfDay(now) ? 'provisional' : outcome
}

/** When an unstable window is read again: after 15 minutes, doubling with each attempt, a day at most. */
export function nextAttemptAt(now: Date, attempts: number): Date {
  return new Date(+now + backoffMs(attempts, { baseMs: FIRST_REST_MS, ceilingMs: LONGEST_REST_MS }))
}

/** The parts of a window that no done window covers. */
function uncoveredParts(window: Interval, ledger: readonly LedgerWindow[]): Interval[] {
  return subtract(
    window,
    ledger.filter(({ status }) => status === 'done'),
  )
}

function wasReadInCycle(window: Interval, ledger: readonly LedgerWindow[], cycleStart: Date): boolean {
  const read = ledger.filter(
    ({ status, readAt, loadedAt = readAt }) => (status === 'done' || status === 'unstable') && loadedAt >= cycleStart,
  )
  return subtract(window, read).length === 0
}

function settledUntil(now: Date): Date {
  return new Date(now.getTime() - SETTLE_MS)
}
