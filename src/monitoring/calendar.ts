/** The history day by day: which days are loaded, due, failed or being loaded. Pure. */
import { type LedgerWindow } from '../history/plan.ts'
import { addDays, ageInDays, splitByDay, startOfDay, subtract, type Interval } from '../model/interval.ts'

/**
 * State of a day:
 * - `loaded`: completely loaded.
 * - `due`: completely loaded, but its re-read was missed, so late changes may be missing.
 * - `loading`: a running job is going to read it.
 * - `failed`: the last read failed, and the day is not loaded.
 * - `unstable`: loaded, but it kept changing while it was read; it is read again.
 * - `provisional`: loaded up to the instant of the last read.
 * - `owed`: not completely loaded.
 * - `open`: today, and nothing of it is loaded yet.
 */
export type DayState = 'loaded' | 'due' | 'loading' | 'failed' | 'unstable' | 'provisional' | 'owed' | 'open'

export interface CalendarDay {
  /** YYYY-MM-DD, UTC. */
  readonly day: string
  readonly state: DayState
  /** Conversations that the latest read found; null: the day has never been read. */
  readonly conversations: number | null
}

export interface CalendarInputs {
  readonly now: Date
  readonly firstDay: Date
  readonly windows: readonly LedgerWindow[]
  /** Loaded intervals whose last re-read was missed. */
  readonly due: readonly Interval[]
  /** Only running ones count. Their recorded plan is ignored if it has an unexpected shape. */
  readonly runs: readonly { readonly status: string; readonly startedAt: Date; readonly plan?: unknown }[]
}

const DAYS_SHOWN = 366

/** The days from the first that is due or loaded (at most a year) to today, oldest first. */
export function calendarDays({ now, firstDay, windows, due, runs }: CalendarInputs): CalendarDay[] {
  const today = startOfDay(now)
  const earliest = windows.reduce((first, { start }) => (start < first ? start : first), firstDay)
  const start = startOfDay(ageInDays(earliest, now) < DAYS_SHOWN ? earliest : addDays(today, 1 - DAYS_SHOWN))
  const relevant = windows.filter(({ end }) => end > start)
  const expected = runs.filter(({ status }) => status === 'running').flatMap((run) => unreadWindows(run, relevant))
  return splitByDay({ start, end: addDays(today, 1) }).map((day) => {
    const touching = relevant.filter((window) => overlaps(window, day))
    return {
      day: day.start.toISOString().slice(0, 10),
      state: stateOf(day, touching, { expected, due, today }),
      conversations: touching.some(({ hits }) => hits !== null)
        ? touching.reduce((sum, { hits }) => sum + (hits ?? 0), 0)
        : null,
    }
  })
}

function stateOf(
  day: Interval,
  windows: readonly LedgerWindow[],
  { expected, due, today }: { expected: readonly Interval[]; due: readonly Interval[]; today: Date },
): DayState {
  const withStatus = (status: string) => windows.filter((window) => window.status === status)
  if (expected.some((window) => overlaps(window, day))) return 'loading'
  if (subtract(day, withStatus('done')).length === 0)
    return due.some((window) => overlaps(window, day)) ? 'due' : 'loaded'
  if (withStatus('failed').length > 0) return 'failed'
  if (withStatus('unstable').length > 0) return 'unstable'
  if (withStatus('provisional').length > 0) return 'provisional'
  return day.start >= today ? 'open' : 'owed'
}

/** The windows of a run's plan that have not been read since the run started. */
function unreadWindows(
  { plan, startedAt }: CalendarInputs['runs'][number],
  windows: readonly LedgerWindow[],
): Interval[] {
  const readSince = windows.filter(({ readAt }) => readAt >= startedAt)
  return plannedWindows(plan).filter((window) => subtract(window, readSince).length > 0)
}

function plannedWindows(plan: unknown): Interval[] {
  const { windows } = (plan ?? {}) as { windows?: unknown }
  if (!Array.isArray(windows)) return []
  return windows.flatMap((entry) => parseWindow((entry as { window?: unknown } | null)?.window))
}

/** The inverse of formatWindow; empty for any other text. */
function parseWindow(text: unknown): Interval[] {
  if (typeof text !== 'string') return []
  const [from = '', to] = text.split('/')
  const start = new Date(from)
  const end = to === undefined ? addDays(start, 1) : new Date(to)
  return start < end ? [{ start, end }] : []
}

function overlaps(a: Interval, b: Interval): boolean {
  return a.start < b.end && a.end > b.start
}
