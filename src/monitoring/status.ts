/** Computes the state of the pipeline. Pure: rows and an instant in, a document out. */
import { type EmptyMonth } from '../history/missing-rows.ts'
import { believedWindows, dueWindows, firstDueDay, isFromFuture, unloadedWindows } from '../history/plan.ts'
import { missingActivity } from '../history/plan-jobs.ts'
import { secondsBetween, startOfDay, subtract, union, type Interval } from '../model/interval.ts'
import { type WindowStatus } from '../postgres/database.ts'
import { outside } from '../model/retention.ts'
import { calendarDays, type CalendarDay } from './calendar.ts'
import { LIVE_STALE_SECONDS, liveStatus, type LiveStatus } from './live-status.ts'
import { findProblems, type Problem } from './problems.ts'
import { filledShare } from './filled-share.ts'
import {
  type DeliveryRecord,
  type DerivationRecord,
  type ErasureRecord,
  type FutureDates,
  type JobRecord,
  type LiveRecord,
  type ReferenceRecord,
  type ReconciliationRecord,
  type RejectedReason,
  type RetentionRecord,
  type RunSummary,
  type SettlingRecord,
  type StatusWindow,
  type UnsettledRecord,
} from './records.ts'

export interface StatusInputs {
  readonly now: Date
  readonly lookbackDays: number
  readonly historyStart: Date | null
  /** When the first sync ran; null or absent: never. */
  readonly firstSyncAt?: Date | null
  readonly windows: readonly StatusWindow[]
  /** Those of activity days. Default: none. */
  readonly activityWindows?: readonly StatusWindow[]
  /** The newest runs, newest first. The `plan` of a running one says what is being loaded. */
  readonly runs: readonly (RunSummary & { readonly plan?: unknown })[]
  readonly jobs: readonly JobRecord[]
  readonly rejectedRecords: number
  readonly rejectedReasons: readonly RejectedReason[]
  /** null: there has never been a snapshot, or live is off. */
  readonly live: LiveRecord | null
  /** Default: LIVE_STALE_SECONDS. */
  readonly liveStaleSeconds?: number | undefined
  readonly deliveries: DeliveryRecord
  /** Default: the reporting rows are complete. */
  readonly derivation?: DerivationRecord
  /** Default: nothing was compared. */
  readonly reconciliation?: ReconciliationRecord
  /** Default: everything has settled. */
  readonly settling?: SettlingRecord
  /** Default: none is unfinished. */
  readonly erasures?: ErasureRecord
  /** Default: everything is kept. */
  readonly retention?: RetentionRecord
  /** Default: none. */
  readonly reference?: readonly ReferenceRecord[]
  /** Default: none. */
  readonly emptyMonths?: readonly EmptyMonth[]
  /** Default: none. */
  readonly futureDates?: FutureDates
}

export interface StatusDocument {
  readonly at: Date
  /** `behind`: some days are due, or due for a re-read; `failing`: somebody has to act. */
  readonly state: 'ok' | 'behind' | 'failing'
  /** What is wrong and what to do, those that need action first. */
  readonly problems: readonly Problem[]
  readonly history: {
    /** The earliest day to load. */
    readonly firstDay: Date
    /** The watermark: everything from firstDay up to here is loaded; null: firstDay itself is missing. */
    readonly coveredUntil: Date | null
    /** Seconds from coveredUntil (or firstDay) to now. */
    readonly lagSeconds: number
    /** Loaded intervals, merged. */
    readonly covered: readonly Interval[]
    /** Intervals of closed days that are not completely loaded. */
    readonly owed: readonly Interval[]
    /** Loaded intervals whose re-read was missed: late changes may be missing. */
    readonly due: readonly Interval[]
    /** Months that are loaded according to the ledger but have no rows in the tables. */
    readonly emptyMonths: readonly EmptyMonth[]
    /** The latest instant of the current UTC day up to which a provisional window was read. */
    readonly provisionalUntil: Date | null
    readonly unsettled: readonly UnsettledRecord[]
    /** What lived in a day, read by details jobs; null: no day was read yet. */
    readonly activity: ActivityStatus | null
    /** Each UTC day of the last year that is loaded or due, oldest first. */
    readonly days: readonly CalendarDay[]
  }
  /** Windows of the history by status. */
  readonly windows: Readonly<Record<WindowStatus, number>>
  readonly jobs: readonly JobRecord[]
  readonly runs: readonly RunSummary[]
  readonly rejectedRecords: number
  readonly rejectedReasons: readonly RejectedReason[]
  readonly live: LiveStatus | null
  readonly deliveries: DeliveryRecord
  readonly reporting: DerivationRecord & {
    /** Part of the loaded conversations that the walk has derived, 0 to 1. */
    readonly filledShare: number
  }
  /** The lists of reference data, by name. */
  readonly reference: readonly ReferenceRecord[]
  readonly reconciliation: ReconciliationRecord
  readonly settling: SettlingRecord
  readonly erasures: ErasureRecord
  readonly retention: Omit<RetentionRecord, 'notDue'>
}

const KEPT: RetentionRecord = { months: null, floor: null, dropped: 0, restored: 0, lastDroppedAt: null, notDue: [] }
const SETTLED: SettlingRecord = { open: 0, stuck: 0, oldestStuck: [], overdue: 0, deepReadAt: null }
const NO_ERASURES: ErasureRecord = { unfinished: 0, conversations: 0, oldestAt: null }
const NOT_RECONCILED: ReconciliationRecord = {
  newestDay: null,
  reconciledAt: null,
  days: 0,
  differences: 0,
  expected: 0,
  differingDays: [],
  missingPermission: null,
  differingSwitches: {},
}
const FILLED: DerivationRecord = { filledBackTo: null, isFilled: true, shownFrom: null, staleConversations: null }

/** Computes the document. A failed last run of any job, a failed window, or stale live data makes the state `failing`. */
export function statusDocument(inputs: StatusInputs): StatusDocument {
  const { now, runs, jobs, rejectedRecords, rejectedReasons, deliveries, reference = [], emptyMonths = [] } = inputs
  const { derivation = FILLED, reconciliation = NOT_RECONCILED, settling = SETTLED, erasures = NO_ERASURES } = inputs
  const { notDue, ...retention } = inputs.retention ?? KEPT
  const windows = believedWindows(inputs.windows, now)
  const history = historyStatus(inputs, windows, notDue)
  const live = inputs.live && liveStatus(inputs.live, now, inputs.liveStaleSeconds ?? LIVE_STALE_SECONDS)
  const future = {
    windows: inputs.windows.filter((window) => isFromFuture(window, now)),
    snapshotAt: inputs.futureDates?.snapshotAt ?? null,
    loadedAt: inputs.futureDates?.loadedAt ?? null,
  }
  const { unsettled, owed, due } = history
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
    reference,
    reconciliation,
    settling,
    erasures,
  })
  const isBehind = owed.length > 0 || due.length > 0
  return {
    at: now,
    state: problems.some(({ severity }) => severity === 'trouble') ? 'failing' : isBehind ? 'behind' : 'ok',
    problems,
    history,
    windows: countByStatus(windows),
    jobs,
    runs: runs.map(withoutPlan),
    rejectedRecords,
    rejectedReasons,
    live,
    deliveries,
    reporting: { ...derivation, filledShare: filledShare(derivation, windows) },
    reference,
    reconciliation,
    settling,
    erasures,
    retention,
  }
}

/** The coverage of the history by `windows`, which are not dated in the future. */
function historyStatus(
  inputs: StatusInputs,
  windows: readonly StatusWindow[],
  notDue: readonly Interval[],
): StatusDocument['history'] {
  const { now, runs, emptyMonths = [] } = inputs
  const today = startOfDay(now)
  const firstSet = firstDueDay(inputs)
  const firstDay = subtract({ start: firstSet, end: now }, notDue)[0]?.start ?? firstSet
  const done = windows.filter(({ status }) => status === 'done')
  const covered = union(done)
  const owed = union(outside(unloadedWindows({ start: firstDay, end: today }, now, done), notDue))
  const due = union(outside(dueWindows({ ...inputs, ledger: windows }), notDue))
  const coveredUntil = covered.find(({ start, end }) => start <= firstDay && end > firstDay)?.end ?? null
  const provisional = windows.filter(({ status, end }) => status === 'provisional' && end > today && end <= now)
  const unsettled = outside(windows, notDue).filter(
    (window) => (window.status === 'failed' || window.status === 'unstable') && subtract(window, done).length > 0,
  )
  return {
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
    activity: activityStatus(inputs.activityWindows ?? [], now),
    days: calendarDays({ now, firstDay, windows: outside(windows, notDue), due, runs }),
  }
}

interface ActivityStatus {
  /** Every day before this one was read. */
  readonly readUntil: Date
  /** Days that are over and were not read: they failed, or wait for the data of jobs. */
  readonly waiting: readonly Interval[]
}

function activityStatus(windows: readonly StatusWindow[], now: Date): ActivityStatus | null {
  if (!windows.some(({ status }) => status === 'done')) return null
  const waiting = missingActivity(windows, now)
  return { readUntil: waiting[0]?.start ?? startOfDay(now), waiting }
}

function countByStatus(windows: readonly StatusWindow[]): Record<WindowStatus, number> {
  const counts: Record<WindowStatus, number> = { done: 0, provisional: 0, unstable: 0, failed: 0 }
  for (const { status } of windows) counts[status] += 1
  return counts
}

function withoutPlan(run: RunSummary): RunSummary {
  const { id, job, trigger, status, startedAt, finishedAt, counts, errorCode, errorKind = null, error, hint } = run
  return { id, job, trigger, status, startedAt, finishedAt, counts, errorCode, errorKind, error, hint }
}
