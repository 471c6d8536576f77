/** What state the pipeline is in, computed from its books. Pure: rows and an instant in, a document out. */
import type { EmptyMonth } from '../history/missing-rows.ts'
import type {
  DeliveryRecord,
  FutureDates,
  JobRecord,
  LiveRecord,
  RejectedReason,
  RunRecord,
  WindowRecord,
} from './records.ts'
import { calendarDays, type CalendarDay } from './calendar.ts'
import { LIVE_STALE_SECONDS, liveStatus, type LiveStatus } from './live-status.ts'
import {
  believedWindows,
  dueWindows,
  firstDueDay,
  isFromFuture,
  unloadedWindows,
  type WindowStatus,
} from '../history/plan.ts'
import { findProblems, type Problem } from './problems.ts'
import { secondsBetween, startOfDay, subtract, union, type Interval } from '../model/interval.ts'

export interface StatusInputs {
  readonly now: Date
  readonly lookbackDays: number
  readonly historyStart: Date | null
  /** When the first sync ran; null or absent: none has. */
  readonly firstSyncAt?: Date | null
  readonly windows: readonly WindowRecord[]
  /** The newest runs, newest first; `plan` of those that are running tells what is being loaded. */
  readonly runs: readonly (RunRecord & { readonly plan?: unknown })[]
  readonly jobs: readonly JobRecord[]
  readonly rejectedRecords: number
  readonly rejectedReasons: readonly RejectedReason[]
  /** null: there has never been a snapshot, or live is off. */
  readonly live: LiveRecord | null
  /** Default: LIVE_STALE_SECONDS. */
  readonly liveStaleSeconds?: number | undefined
  readonly deliveries: DeliveryRecord
  /** Default: none. */
  readonly emptyMonths?: readonly EmptyMonth[]
  /** Default: nothing is. */
  readonly futureDates?: FutureDates
}

export interface StatusDocument {
  readonly at: Date
  /** `ok`; `behind`: something is owed, or due to be read again; `failing`: a human should look. */
  readonly state: 'ok' | 'behind' | 'failing'
  /** What is wrong and what to do, worst first. */
  readonly problems: readonly Problem[]
  readonly history: {
    /** First day that is owed at all. */
    readonly firstDay: Date
    /** Everything from firstDay up to here is loaded; null: not even the first instant. */
    readonly coveredUntil: Date | null
    /** Seconds from coveredUntil (or firstDay) to now. */
    readonly lagSeconds: number
    /** Loaded stretches, merged. */
    readonly covered: readonly Interval[]
    /** Closed stretches that are not loaded whole. */
    readonly owed: readonly Interval[]
    /** Loaded stretches that were not read again when they should have been: late changes of them may be missing. */
    readonly due: readonly Interval[]
    /** Months that the ledger has and the tables lack. */
    readonly emptyMonths: readonly EmptyMonth[]
    /** The newest instant that was read provisionally, within the current UTC day. */
    readonly provisionalUntil: Date | null
    readonly unsettled: readonly Pick<
      WindowRecord,
      'start' | 'end' | 'status' | 'attempts' | 'error' | 'nextAttemptAt'
    >[]
    /** Each UTC day of the last year that is loaded or owed, oldest first. */
    readonly days: readonly CalendarDay[]
  }
  /** Windows of the history by state. */
  readonly windows: Readonly<Record<WindowStatus, number>>
  readonly jobs: readonly JobRecord[]
  readonly runs: readonly RunRecord[]
  readonly rejectedRecords: number
  readonly rejectedReasons: readonly RejectedReason[]
  readonly live: LiveStatus | null
  readonly deliveries: DeliveryRecord
}

/** Computes the document. A failed last run of any job, a failed window, or stale live data makes it `failing`. */
export function statusDocument(inputs: StatusInputs): StatusDocument {
  const { now, runs, jobs, rejectedRecords, rejectedReasons, deliveries, emptyMonths = [] } = inputs
  const today = startOfDay(now)
  const firstDay = firstDueDay(inputs)
  const windows = believedWindows(inputs.windows, now)
  const done = windows.filter(({ status }) => status === 'done')
  const closed = { start: firstDay, end: today }
  const covered = union(done)
  const owed = union(unloadedWindows(closed, now, done))
  const due = union(dueWindows({ ...inputs, ledger: windows }))
  const coveredUntil = covered.find(({ start, end }) => start <= firstDay && end > firstDay)?.end ?? null
  const provisional = windows.filter(({ status, end }) => status === 'provisional' && end > today && end <= now)
  const unsettled = windows.filter(
    (window) => (window.status === 'failed' || window.status === 'unstable') && subtract(window, done).length > 0,
  )
  const live = inputs.live && liveStatus(inputs.live, now, inputs.liveStaleSeconds ?? LIVE_STALE_SECONDS)
  const future = {
    windows: inputs.windows.filter((window) => isFromFuture(window, now)),
    snapshotAt: inputs.futureDates?.snapshotAt ?? null,
    loadedAt: inputs.futureDates?.loadedAt ?? null,
  }
  const problems = findProblems({
    now,
    jobs,
    unsettled,
    owed,
    due,
    emptyMonths,
    future,
    rejectedRecords,
    live,
    deliveries,
  })
  const isBehind = owed.length > 0 || due.length > 0
  return {
    at: now,
    state: problems.some(({ severity }) => severity === 'trouble') ? 'failing' : isBehind ? 'behind' : 'ok',
    problems,
    history: {
      firstDay,
      coveredUntil,
      lagSeconds: secondsBetween(coveredUntil ?? firstDay, now),
      covered: covered.map(({ start, end }) => ({ start, end })),
      owed: owed.map(({ start, end }) => ({ start, end })),
      due,
      emptyMonths,
      provisionalUntil: provisional.reduce<Date | null>(
        (latest, { end }) => (!latest || end > latest ? end : latest),
        null,
      ),
      unsettled: unsettled.map(({ start, end, status, attempts, error, nextAttemptAt }) => ({
        start,
        end,
        status,
        attempts,
        error,
        nextAttemptAt,
      })),
      days: calendarDays({ now, firstDay, windows, due, runs }),
    },
    windows: countByStatus(windows),
    jobs,
    runs: runs.map(withoutPlan),
    rejectedRecords,
    rejectedReasons,
    live,
    deliveries,
  }
}

function countByStatus(windows: readonly WindowRecord[]): Record<WindowStatus, number> {
  const counts: Record<WindowStatus, number> = { done: 0, provisional: 0, unstable: 0, failed: 0 }
  for (const { status } of windows) counts[status] += 1
  return counts
}

function withoutPlan(run: RunRecord): RunRecord {
  const { id, job, trigger, status, startedAt, finishedAt, counts, errorCode, error, hint } = run
  return { id, job, trigger, status, startedAt, finishedAt, counts, errorCode, error, hint }
}
