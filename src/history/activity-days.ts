/**
 * Activity days: each UTC day is read once by a job that delivers whatever lived in it, however old. So what happens in a thread weeks
 * after it began is not lost, and participant attributes come, which only jobs deliver.
 */
import { isJobRefusal } from '../genesys/details-jobs.ts'
import { addDays, type Interval } from '../model/interval.ts'
import { activityKey } from './context.ts'
import { createJobsContext, jobsAvailableUntil, warnWithoutJobs } from './jobs-context.ts'
import { selectWindows } from './ledger.ts'
import type { LoadedWindow, WindowContext, WindowFailure } from './load-window.ts'
import type { EstimatedWindow } from './plan.ts'
import { planActivity } from './plan-jobs.ts'

/** A job of a day, its results, and what is around them. */
const REQUESTS_EACH = 10

/** What of activity a run reads. */
interface ActivityPlan {
  readonly windows: readonly EstimatedWindow[]
  readonly requests: number
  /** Days that are over, and not complete in the data lake yet. */
  readonly waiting: readonly Interval[]
  /** How the windows are to be loaded. */
  readonly context: WindowContext
}

/** How the reading of activity ended, for the summary of a run. */
export interface ActivitySummary {
  readonly planned: number
  readonly done: number
  readonly failed: number
  readonly waiting: readonly Interval[]
}

/**
 * The days of activity that are due; null where the run does without jobs.
 * @throws GenesysError or a database error; GENESYS_FORBIDDEN only where attributes are demanded
 */
async function planActivityDays(context: WindowContext): Promise<ActivityPlan | null> {
  const { warehouse, history, clock, signal } = context
  const availableUntil = await jobsAvailableUntil(context, history.jobs?.attributes === 'true', signal)
  if (availableUntil === null) return null
  const key = activityKey(history)
  const ledger = await selectWindows(warehouse.db, key)
  const { due, waiting } = planActivity({ now: clock.now(), availableUntil, ledger })
  const windows = due.map((day) => ({ ...day, hits: 0, requests: REQUESTS_EACH, isCounted: false }))
  const given = { availableUntil, isOptional: false }
  const jobs = due.length === 0 ? undefined : await createJobsContext(context, given, signal)
  return { windows, requests: windows.length * REQUESTS_EACH, waiting, context: { ...context, key, jobs } }
}

/** What became of the days of activity of a run. */
export interface LoadedActivity {
  readonly loaded: readonly LoadedWindow[]
  readonly failures: readonly WindowFailure[]
  /** Why none could be planned. */
  readonly error?: unknown
  readonly summary: ActivitySummary | null
}

/** The run has read no day of activity. */
export const NO_ACTIVITY: LoadedActivity = { loaded: [], failures: [], summary: null }

/**
 * Reads the days of activity that are due. Whatever fails is returned: the windows of the run are loaded by then.
 * @param load reads and loads windows
 * @throws the signal's reason
 */
export async function loadActivity(
  context: WindowContext,
  load: (
    context: WindowContext,
    plan: Pick<ActivityPlan, 'windows' | 'requests'>,
  ) => Promise<{ loaded: LoadedWindow[]; failures: WindowFailure[] }>,
): Promise<LoadedActivity> {
  try {
    const plan = await planActivityDays(context)
    if (plan === null) return NO_ACTIVITY
    const { loaded, failures } = await load(plan.context, plan)
    const refusal = failures.find(({ error }) => isJobRefusal(error))
    if (refusal && context.history.jobs?.attributes !== 'true') {
      warnWithoutJobs(context, refusal.error)
      return { ...NO_ACTIVITY, loaded }
    }
    const { length: planned } = plan.windows
    return {
      loaded,
      failures,
      summary: { planned, done: loaded.length, failed: planned - loaded.length, waiting: plan.waiting },
    }
  } catch (error) {
    context.signal.throwIfAborted()
    context.logger.warn({ err: error }, 'the activity of the days could not be read; the next run reads it')
    return { ...NO_ACTIVITY, error }
  }
}

/** An e-mail thread can be reopened for 30 days after each disconnect; more than this is rare. */
const LONGEST_THREAD_DAYS = 40

/** The windows with the months before them in which what lived in them may have started: what their loads may have written. */
export function reachOf(loaded: readonly LoadedWindow[]): LoadedWindow[] {
  return loaded.map((each) => ({
    ...each,
    window: { start: addDays(each.window.start, -LONGEST_THREAD_DAYS), end: each.window.end },
  }))
}
