/** The history day by day: what is loaded, owed, failed or being loaded. Pure. */
import type { LedgerWindow } from '../history/plan.ts'
import { addDays, ageInDays, splitByDay, startOfDay, subtract, type Interval } from '../model/interval.ts'

/**
 * `loaded`: whole. `due`: loaded whole, but not read again when it should have been, so that late changes may be missing.
 * `loading`: a run under way is going to read it. `failed`: the last reading failed and it is not loaded.
 * `unstable`: loaded, but it kept changing; it is read again. `provisional`: loaded as far as it had gone. `owed`: not
 * loaded whole. `open`: today, of which nothing is loaded yet.
 */
export type DayState = 'loaded' | 'due' | 'loading' | 'failed' | 'unstable' | 'provisional' | 'owed' | 'open'

export interface CalendarDay {
  /** YYYY-MM-DD, UTC. */
  readonly day: string
  readonly state: DayState
  /** Conversations that its latest reading found; null: none has. */
  readonly conversations: number | null
}

export interface CalendarInputs {
  readonly now: Date
  readonly firstDay: Date
  readonly windows: readonly LedgerWindow[]
  /** Loaded stretches whose last re-read was missed. */
  readonly due: readonly Interval[]
  /** Those under way count; their plan is read as it was booked, and ignored where it is anything else. */
  readonly runs: readonly { readonly status: string; readonly startedAt: Date; readonly plan?: unknown }[]
}

const MOST_DAYS = 366

/** The days from the first that is owed or loaded (a year at most) to today, oldest first. */
export function calendarDays({ now, firstDay, windows, due, runs }: CalendarInputs): CalendarDay[] {
  const today = startOfDay(now)
  const earliest = windows.reduce((first, { start }) => (start < first ? start : first), firstDay)
  const start = startOfDay(ageInDays(earliest, now) < MOST_DAYS ? earliest : addDays(today, 1 - MOST_DAYS))
  const relevant = windows.filter(({ end }) => end > start)
  const expected = runs.filter(({ status }) => status === 'running').flatMap((run) => stillToRead(run, relevant))
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
  const having = (status: string) => windows.filter((window) => window.status === status)
  if (expected.some((window) => overlaps(window, day))) return 'loading'
  if (subtract(day, having('done')).length === 0) return due.some((window) => overlaps(window, day)) ? 'due' : 'loaded'
  if (having('failed').length > 0) return 'failed'
  if (having('unstable').length > 0) return 'unstable'
  if (having('provisional').length > 0) return 'provisional'
  return day.start >= today ? 'open' : 'owed'
}

/** The windows of a run's plan that have not been read since it started. */
function stillToRead(
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

/** The inverse of formatWindow; nothing for any other text. */
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
