/** What is wrong, since when, and what to do now. Pure. */
import type { EmptyMonth } from '../history/missing-rows.ts'
import type { DeliveryRecord, FutureDates, JobRecord, WindowRecord } from './records.ts'
import type { LiveStatus } from './live-status.ts'
import { formatWindow, type Interval } from '../model/interval.ts'

export interface Problem {
  /** `trouble`: a human should look. `notice`: it heals by itself, or can wait. */
  readonly severity: 'trouble' | 'notice'
  readonly title: string
  readonly detail: string | null
  /** What to do now. */
  readonly hint: string | null
  readonly since: Date | null
}

export interface ProblemInputs {
  readonly now: Date
  readonly jobs: readonly JobRecord[]
  readonly unsettled: readonly Pick<WindowRecord, 'start' | 'end' | 'status' | 'attempts' | 'error' | 'nextAttemptAt'>[]
  readonly owed: readonly Interval[]
  readonly due: readonly Interval[]
  readonly emptyMonths: readonly EmptyMonth[]
  readonly future: FutureDates & { readonly windows: readonly Interval[] }
  readonly rejectedRecords: number
  readonly live: LiveStatus | null
  readonly deliveries: DeliveryRecord
}

/** Names at most so many windows; more would hide the rest of the page. */
const WINDOWS_NAMED = 3
/** A message that waits longer than this is no hiccup of its receiver any more. */
const DELIVERY_LATE_MS = 15 * 60_000

/** The problems, worst first. */
export function findProblems(inputs: ProblemInputs): Problem[] {
  return [
    ...inputs.jobs.flatMap(jobProblem),
    ...liveProblems(inputs.live),
    ...emptyMonthsProblem(inputs.emptyMonths),
    ...clockProblem(inputs.future),
    ...windowProblems(inputs.unsettled),
    ...deliveryProblems(inputs.deliveries, inputs.now),
    ...owedProblem(inputs.owed),
    ...dueProblem(inputs.due),
    ...rejectedProblem(inputs.rejectedRecords),
  ].sort((a, b) => Number(b.severity === 'trouble') - Number(a.severity === 'trouble'))
}

function jobProblem({ job, lastFailure, failuresInARow }: JobRecord): Problem[] {
  if (!lastFailure) return []
  return [
    {
      severity: 'trouble',
      title: failuresInARow > 1 ? `${job} has failed ${failuresInARow} times in a row` : `${job} has failed`,
      detail: lastFailure.error,
      hint: lastFailure.hint,
      since: lastFailure.finishedAt,
    },
  ]
}

function liveProblems(live: LiveStatus | null): Problem[] {
  if (!live) return []
  const problems: Problem[] = []
  if (live.isStale) {
    problems.push({
      severity: 'trouble',
      title: live.snapshotAt ? 'Live data is stale' : 'There is no live data yet',
      detail: live.failure?.error ?? null,
      hint: live.failure ? null : 'See that the service runs, and its log.',
      since: live.snapshotAt,
    })
  } else if (live.failure) {
    const { error, at } = live.failure
    problems.push({ severity: 'notice', title: 'The last snapshot failed', detail: error, hint: null, since: at })
  }
  if (live.stretched) {
    problems.push({
      severity: 'notice',
      title: 'Live snapshots come less often than scheduled',
      detail: 'One takes more requests than live may use of the limit, so ticks are left out.',
      hint: 'Set LIVE_CRON to a longer interval, or ask Genesys for a higher limit.',
      since: null,
    })
  }
  return problems
}

function windowProblems(unsettled: ProblemInputs['unsettled']): Problem[] {
  const failed = unsettled.filter(({ status }) => status === 'failed')
  const unstable = unsettled.filter(({ status }) => status === 'unstable')
  const problems: Problem[] = []
  if (failed.length > 0) {
    problems.push({
      severity: 'trouble',
      title: `Could not be read: ${nameWindows(failed)}`,
      detail: failed[0]?.error ?? null,
      hint: 'The next sync tries again; a day that keeps failing needs its reason mended first.',
      since: null,
    })
  }
  if (unstable.length > 0) {
    problems.push({
      severity: 'notice',
      title: `Not known to be whole: ${nameWindows(unstable)}`,
      detail: unstable[0]?.error ?? null,
      hint: 'What was read is loaded, and it will be read again.',
      since: null,
    })
  }
  return problems
}

function deliveryProblems({ oldestPendingAt, givenUp, lastError, pending }: DeliveryRecord, now: Date): Problem[] {
  const isLate = oldestPendingAt !== null && +now - +oldestPendingAt > DELIVERY_LATE_MS
  if (!isLate && givenUp === 0) return []
  return [
    {
      severity: isLate ? 'trouble' : 'notice',
      title: isLate
        ? `${count(pending, 'message')} to WEBHOOK_URL can't be delivered`
        : `${count(givenUp, 'message')} to WEBHOOK_URL ${givenUp === 1 ? 'was' : 'were'} given up`,
      detail: lastError,
      hint: 'See that its receiver runs and answers with 2xx.',
      since: oldestPendingAt,
    },
  ]
}

function owedProblem(owed: readonly Interval[]): Problem[] {
  if (owed.length === 0) return []
  return [
    {
      severity: 'notice',
      title: `Owed: ${nameWindows(owed)}`,
      detail: null,
      hint: 'The next sync loads it; for now: npm run etl -- sync',
      since: null,
    },
  ]
}

function dueProblem(due: readonly Interval[]): Problem[] {
  if (due.length === 0) return []
  return [
    {
      severity: 'notice',
      title: `Not read again in time: ${nameWindows(due)}`,
      detail: 'It is loaded, but what Genesys changed in it later may be missing, because syncs were missed.',
      hint: 'The next sync reads it again, or as much of it as its requests allow; for now: npm run etl -- sync',
      since: null,
    },
  ]
}

function emptyMonthsProblem(months: readonly EmptyMonth[]): Problem[] {
  const [first] = months
  if (!first) return []
  const named = months.slice(0, WINDOWS_NAMED).map(({ month }) => month)
  const rest = months.length - named.length
  return [
    {
      severity: 'trouble',
      title: `Loaded by the ledger, but not in the tables: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
      detail:
        `The ledger says that ${count(first.conversations, 'conversation')} of ${first.month} were loaded, ` +
        `but there is no row of that month in ${first.tables.map((table) => `genesys.${table}`).join(', ')}.`,
      hint:
        'Load the month again: backfill --from … --to … --reload (after verify over the same range, if only some tables are empty). ' +
        'If it was dropped on purpose, remove it from the ledger, too: see "Dropping a month" in docs/operations.md.',
      since: null,
    },
  ]
}

function clockProblem({ windows, snapshotAt, loadedAt }: ProblemInputs['future']): Problem[] {
  const parts = [
    ...(windows.length > 0 ? [`the ledger's ${nameWindows(windows)}`] : []),
    ...(snapshotAt ? [`the live snapshot of ${snapshotAt.toISOString().slice(0, 16)}Z`] : []),
    ...(loadedAt ? [`conversations loaded until ${loadedAt.toISOString().slice(0, 16)}Z`] : []),
  ]
  if (parts.length === 0) return []
  return [
    {
      severity: 'trouble',
      title: "Dated in the future: the database's clock was ahead, or is behind now",
      detail: `${parts.join('; ')}. Windows with such dates count as not loaded, such a snapshot as stale.`,
      hint:
        'Check the clock of the database server (doctor compares it with Genesys). Once it is right, the next sync reads again what it owes; ' +
        'for older days: backfill --reload.',
      since: null,
    },
  ]
}

function rejectedProblem(records: number): Problem[] {
  if (records === 0) return []
  return [
    {
      severity: 'notice',
      title: `${count(records, 'record')} could not be loaded and ${records === 1 ? 'is' : 'are'} kept`,
      detail: null,
      hint: 'See etl.rejected_records: the raw record and the reason are there; one that Genesys mends later is loaded by itself.',
      since: null,
    },
  ]
}

function nameWindows(windows: readonly Interval[]): string {
  const named = windows.slice(0, WINDOWS_NAMED).map(nameStretch).join(', ')
  const rest = windows.length - WINDOWS_NAMED
  return rest > 0 ? `${named} and ${rest} more` : named
}

/** A stretch of whole days by its first and last day, anything else as it is. */
function nameStretch(window: Interval): string {
  const last = new Date(+window.end - 86_400_000)
  const isDays = +window.start % 86_400_000 === 0 && +window.end % 86_400_000 === 0 && last > window.start
  return isDays
    ? `${window.start.toISOString().slice(0, 10)} to ${last.toISOString().slice(0, 10)}`
    : formatWindow(window)
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
