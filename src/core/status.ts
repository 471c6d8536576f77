/** What state the pipeline is in, computed from its books. Pure: rows and an instant in, a document out. */
import { owedWindows, type LedgerWindow } from './plan.ts'
import { addDays, startOfDay, subtract, union, type Window } from './window.ts'

/** A run as the books have it. */
export interface RunRecord {
  readonly id: number
  readonly job: string
  readonly trigger: string
  readonly status: string
  readonly startedAt: Date
  readonly finishedAt: Date | null
  readonly counts: unknown
  readonly errorCode: string | null
  readonly error: string | null
  readonly hint: string | null
}

/** A window as the books have it, with why it failed. */
export interface WindowRecord extends LedgerWindow {
  readonly attempts: number
  readonly error: string | null
}

export interface StatusInputs {
  readonly now: Date
  readonly lookbackDays: number
  readonly historyStart: Date | null
  readonly windows: readonly WindowRecord[]
  /** The newest runs, newest first. */
  readonly runs: readonly RunRecord[]
  readonly rejectedRecords: number
}

export interface StatusDocument {
  readonly at: Date
  /** `ok`; `behind`: something is owed; `failing`: a human should look. */
  readonly state: 'ok' | 'behind' | 'failing'
  readonly history: {
    /** First day that is owed at all. */
    readonly firstDay: Date
    /** Everything from firstDay up to here is loaded; null: not even the first instant. */
    readonly coveredUntil: Date | null
    /** Seconds from coveredUntil (or firstDay) to now. */
    readonly lagSeconds: number
    /** Loaded stretches, merged. */
    readonly covered: readonly Window[]
    /** Closed stretches that are not loaded whole. */
    readonly owed: readonly Window[]
    /** The newest instant that was read provisionally, within the current UTC day. */
    readonly provisionalUntil: Date | null
    readonly unsettled: readonly Pick<WindowRecord, 'start' | 'end' | 'status' | 'attempts' | 'error' | 'nextAttemptAt'>[]
  }
  readonly runs: readonly RunRecord[]
  readonly rejectedRecords: number
}

/** Computes the document. A failed last run of any job, or a failed window, makes it `failing`. */
export function statusDocument(inputs: StatusInputs): StatusDocument {
  const { now, windows, runs, rejectedRecords } = inputs
  const today = startOfDay(now)
  const firstDay = inputs.historyStart ?? addDays(today, -inputs.lookbackDays)
  const done = windows.filter(({ status }) => status === 'done')
  const closed = { start: firstDay, end: today }
  const covered = union(done)
  const owed = union(owedWindows(closed, now, done))
  const coveredUntil = covered.find(({ start, end }) => start <= firstDay && end > firstDay)?.end ?? null
  const provisional = windows.filter(({ status, end }) => status === 'provisional' && end > today)
  const unsettled = windows.filter(
    (window) => (window.status === 'failed' || window.status === 'unstable') && subtract(window, done).length > 0,
  )
  const lastRuns = new Map<string, RunRecord>()
  for (const run of runs) if (!lastRuns.has(run.job)) lastRuns.set(run.job, run)
  const isFailing = [...lastRuns.values()].some(({ status }) => status === 'failed') || unsettled.some(({ status }) => status === 'failed')
  return {
    at: now,
    state: isFailing ? 'failing' : owed.length > 0 ? 'behind' : 'ok',
    history: {
      firstDay,
      coveredUntil,
      lagSeconds: Math.max(0, Math.round((+now - +(coveredUntil ?? firstDay)) / 1000)),
      covered,
      owed,
      provisionalUntil: provisional.reduce<Date | null>((latest, { end }) => (!latest || end > latest ? end : latest), null),
      unsettled: unsettled.map(({ start, end, status, attempts, error, nextAttemptAt }) => ({ start, end, status, attempts, error, nextAttemptAt })),
    },
    runs,
    rejectedRecords,
  }
}
