/** Which windows are read by details jobs, and which days of activity are due. Pure. */
import { addDays, splitByDay, startOfDay, subtract, union, type Interval } from '../model/interval.ts'
import type { BackfillSource } from './context.ts'
import { believedWindows, type LedgerWindow, type PlannedWindow } from './plan.ts'

/** A job takes minutes however little it reads, so up to so many days are read faster by queries. */
const WORTH_JOBS_DAYS = 3
/** How far back activity is read at first. */
const FIRST_ACTIVITY_DAYS = 7
const MS_PER_DAY = 86_400_000

/** Whether so much is due that jobs may be worth it. */
export function isWorthJobs(windows: readonly Interval[]): boolean {
  return windows.reduce((sum, { start, end }) => sum + (+end - +start), 0) > WORTH_JOBS_DAYS * MS_PER_DAY
}

/**
 * Decides by which source each window of a backfill is read. Jobs never read what is not complete in the data lake yet: with `jobs` such
 * windows wait, with `auto` queries read them.
 * @param availableUntil up to when the data of jobs are complete; null: jobs can't be used
 */
export function chooseSources(
  windows: readonly PlannedWindow[],
  source: BackfillSource,
  availableUntil: Date | null,
): { windows: PlannedWindow[]; waiting: PlannedWindow[] } {
  const isAvailable = ({ end }: Interval): boolean => availableUntil !== null && end <= availableUntil
  if (source === 'query') return { windows: [...windows], waiting: [] }
  if (source === 'jobs')
    return {
      windows: windows.filter(isAvailable).map(byJobs),
      waiting: windows.filter((window) => !isAvailable(window)),
    }
  if (!isWorthJobs(windows.filter(isAvailable))) return { windows: [...windows], waiting: [] }
  return { windows: windows.map((window) => (isAvailable(window) ? byJobs(window) : window)), waiting: [] }
}

function byJobs(window: PlannedWindow): PlannedWindow {
  return { ...window, source: 'jobs' }
}

/**
 * The UTC days whose activity was not read yet, oldest first: all since the earliest day in the ledger, at first the last seven that are
 * complete in the data lake. `waiting`: days that are over, but not complete there.
 */
export function planActivity(inputs: {
  readonly now: Date
  readonly availableUntil: Date
  readonly ledger: readonly LedgerWindow[]
}): { due: PlannedWindow[]; waiting: Interval[] } {
  const { now, ledger } = inputs
  const availableUntil = inputs.availableUntil < now ? inputs.availableUntil : now
  const end = startOfDay(availableUntil)
  const first = ledger.reduce(
    (earliest, { start }) => (start < earliest ? start : earliest),
    addDays(end, -FIRST_ACTIVITY_DAYS),
  )
  const done = believedWindows(ledger, now).filter(({ status }) => status === 'done')
  const since = (until: Date): Interval[] =>
    subtract({ start: startOfDay(first), end: until }, done).flatMap(splitByDay)
  return {
    due: since(end).map((day) => ({ ...day, reason: 'owed', source: 'jobs' })),
    waiting: since(startOfDay(now)).filter((day) => day.end > end),
  }
}

/** Days of activity that are over and were not read, by the ledger alone; none before any was read. */
export function missingActivity(ledger: readonly LedgerWindow[], now: Date): Interval[] {
  const [first] = ledger.map(({ start }) => start).sort((a, b) => +a - +b)
  if (!first) return []
  const done = believedWindows(ledger, now).filter(({ status }) => status === 'done')
  return union(subtract({ start: first, end: startOfDay(now) }, done))
}
