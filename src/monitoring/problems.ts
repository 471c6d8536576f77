/** What is wrong, since when, and what to do about it. Pure. */
import { type EmptyMonth } from '../history/missing-rows.ts'
import { addDays, formatWindow, startOfDay, type Interval } from '../model/interval.ts'
import { STUCK_AFTER_DAYS } from '../settled/ages.ts'
import { LIVE_LATE_SECONDS, type LiveStatus } from './live-status.ts'
import {
  type DeliveryRecord,
  type ErasureRecord,
  type FutureDates,
  type JobRecord,
  type ReferenceRecord,
  type ReconciliationRecord,
  type SettlingRecord,
  type UnsettledRecord,
} from './records.ts'

export interface Problem {
  /** `trouble`: somebody has to act. `notice`: it resolves itself, or can wait. */
  readonly severity: 'trouble' | 'notice'
  readonly title: string
  readonly detail: string | null
  /** What to do now. */
  readonly hint: string | null
  readonly since: Date | null
  /** Set on trouble that a later run may end by itself, so that nobody has to act yet. */
  readonly isTemporary?: boolean
}

export interface ProblemInputs {
  readonly now: Date
  readonly jobs: readonly JobRecord[]
  readonly unsettled: readonly UnsettledRecord[]
  readonly owed: readonly Interval[]
  readonly due: readonly Interval[]
  readonly emptyMonths: readonly EmptyMonth[]
  readonly future: FutureDates & { readonly windows: readonly Interval[] }
  readonly rejectedRecords: number
  readonly live: LiveStatus | null
  readonly deliveries: DeliveryRecord
  readonly reference: readonly ReferenceRecord[]
  readonly reconciliation: ReconciliationRecord
  readonly settling: SettlingRecord
  readonly erasures: ErasureRecord
}

/** More names would hide the rest of the page. */
const MAX_NAMES = 3
/** What has failed more often in a row has a cause that does not go away by itself. */
const TEMPORARY_FAILURES = 2
/** A message pending for longer than this is more than a hiccup of the receiver. */
const DELIVERY_LATE_MS = 15 * 60_000
/** An erasure that is older was interrupted, and no later run has completed it. */
const ERASURE_LATE_MS = 24 * 3_600_000

/** Lists the problems, those that need action first. */
export function findProblems(inputs: ProblemInputs): Problem[] {
  return [
    ...inputs.jobs.flatMap(jobProblem),
    ...liveProblems(inputs.live),
    ...emptyMonthsProblem(inputs.emptyMonths),
    ...clockProblem(inputs.future),
    ...windowProblems(inputs.unsettled),
    ...reconciliationProblems(inputs.reconciliation),
    ...deliveryProblems(inputs.deliveries, inputs.now),
    ...erasureProblem(inputs.erasures, inputs.now),
    ...missingProblem(inputs.owed),
    ...missedRereadProblem(inputs.due),
    ...stuckProblem(inputs.settling),
    ...rejectedProblem(inputs.rejectedRecords),
    ...referenceProblems(inputs.reference),
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
      isTemporary: lastFailure.errorKind === 'retryable' && failuresInARow <= TEMPORARY_FAILURES,
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
      hint: live.failure ? null : 'Check that the service is running, and read its log.',
      since: live.snapshotAt,
      isTemporary: live.ageSeconds !== null && live.ageSeconds < LIVE_LATE_SECONDS,
    })
  } else if (live.failure) {
    const { error, at } = live.failure
    problems.push({ severity: 'notice', title: 'The last snapshot failed', detail: error, hint: null, since: at })
  }
  if (live.stretched) {
    problems.push({
      severity: 'notice',
      title: 'Live snapshots are throttled',
      detail: 'A snapshot takes more requests than live may use of the limit, so some ticks are skipped.',
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
      title: `Failed to load: ${nameIntervals(failed)}`,
      detail: failed[0]?.error ?? null,
      hint: 'The next sync tries again. If a day keeps failing, fix the cause first.',
      since: null,
      isTemporary: failed.every(({ attempts }) => attempts <= TEMPORARY_FAILURES),
    })
  }
  if (unstable.length > 0) {
    problems.push({
      severity: 'notice',
      title: `Possibly incomplete: ${nameIntervals(unstable)}`,
      detail: unstable[0]?.error ?? null,
      hint: 'Everything that was read is loaded. It is read again automatically.',
      since: null,
    })
  }
  return problems
}

/** Lists that could not be read, one problem for each reason: those of one permission belong together. */
function referenceProblems(reference: readonly ReferenceRecord[]): Problem[] {
  const failed = reference.filter(({ error }) => error !== null)
  const byReason = Map.groupBy(failed, ({ errorCode, hint, error }) =>
    errorCode === 'GENESYS_FORBIDDEN' ? `${errorCode} ${hint}` : `${errorCode} ${error}`,
  )
  return [...byReason.values()].map((records): Problem => {
    const [{ error, hint }] = records as [ReferenceRecord]
    return {
      severity: 'notice',
      title: `Names that could not be read: ${records.map(({ list }) => list.replaceAll('_', ' ')).join(', ')}`,
      detail: error,
      hint,
      since: null,
    }
  })
}

function deliveryProblems(deliveries: DeliveryRecord, now: Date): Problem[] {
  const { oldestPendingAt, givenUp, lastError, pending } = deliveries
  if (deliveries.isStopped) {
    return [
      {
        severity: 'trouble',
        title: `The receiver of WEBHOOK_URL has ended the deliveries; ${count(pending, 'message')} pending`,
        detail: lastError,
        hint: 'Fix the receiver or change WEBHOOK_URL, then restart the service.',
        since: oldestPendingAt,
      },
    ]
  }
  const isLate = oldestPendingAt !== null && +now - +oldestPendingAt > DELIVERY_LATE_MS
  if (!isLate && givenUp === 0) return []
  return [
    {
      severity: isLate ? 'trouble' : 'notice',
      title: isLate
        ? `${count(pending, 'message')} to WEBHOOK_URL cannot be delivered`
        : `Delivery of ${count(givenUp, 'message')} to WEBHOOK_URL was abandoned`,
      detail: lastError,
      hint: 'Check that the receiver is running and answers with 2xx.',
      since: oldestPendingAt,
    },
  ]
}

function reconciliationProblems(reconciliation: ReconciliationRecord): Problem[] {
  const { differences, differingDays, missingPermission, differingSwitches, reconciledAt } = reconciliation
  const problems: Problem[] = []
  if (differingDays.length > 0) {
    const days = differingDays.map(({ day }) => ({ start: day, end: addDays(day, 1) }))
    problems.push({
      severity: 'trouble',
      title: `Numbers differ from Genesys' own: ${nameIntervals(days)}`,
      detail: `${count(differences, 'figure')} of the interval views ${differences === 1 ? 'is' : 'are'} not what Genesys' aggregates say.`,
      hint:
        'reconcile --from … --to … over these days names the conversations, and etl.reconciliations has them. What to do: see ' +
        '"When numbers differ" in docs/operations.md.',
      since: reconciledAt,
    })
  }
  if (missingPermission !== null) {
    problems.push({
      severity: 'notice',
      title: 'Numbers are not compared with Genesys',
      detail: `The OAuth client lacks the permission ${missingPermission}. Nothing else needs it to load.`,
      hint: `Grant ${missingPermission} to a role of the OAuth client, for all divisions, or set RECONCILE_CRON=off.`,
      since: null,
    })
  }
  const switches = Object.entries(differingSwitches).map(([column, value]) => `${column} = ${value}`)
  if (switches.length > 0) {
    problems.push({
      severity: 'notice',
      title: 'The service level is not calculated as Genesys does',
      detail: `By the figures of Genesys, reporting.settings should have ${switches.join(', ')}.`,
      hint: `update reporting.settings set ${switches.join(', ')}`,
      since: null,
    })
  }
  return problems
}

function missingProblem(owed: readonly Interval[]): Problem[] {
  if (owed.length === 0) return []
  return [
    {
      severity: 'notice',
      title: `Not loaded yet: ${nameIntervals(owed)}`,
      detail: null,
      hint: 'The next sync loads it. To load it now: npm run etl -- sync',
      since: null,
    },
  ]
}

function missedRereadProblem(due: readonly Interval[]): Problem[] {
  if (due.length === 0) return []
  return [
    {
      severity: 'notice',
      title: `Re-read overdue: ${nameIntervals(due)}`,
      detail: 'The data is loaded, but later corrections by Genesys may be missing because syncs were missed.',
      hint: 'The next sync reads it again, as far as its request budget allows. To do it now: npm run etl -- sync',
      since: null,
    },
  ]
}

function stuckProblem({ stuck, oldestStuck }: SettlingRecord): Problem[] {
  if (stuck === 0) return []
  return [
    {
      severity: 'notice',
      title: `Open for more than ${STUCK_AFTER_DAYS} days: ${count(stuck, 'conversation')}`,
      detail: `They are not read again any more. The oldest: ${oldestStuck.join(', ')}.`,
      hint:
        'Disconnect them in Genesys where they are over, then load the days on which they started: backfill --from … --to … --reload. ' +
        'etl.unsettled has all of them.',
      since: null,
    },
  ]
}

function emptyMonthsProblem(months: readonly EmptyMonth[]): Problem[] {
  const [first] = months
  if (!first) return []
  const named = months.slice(0, MAX_NAMES).map(({ month }) => month)
  const rest = months.length - named.length
  return [
    {
      severity: 'trouble',
      title: `Loaded according to the ledger, but missing from the tables: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
      detail:
        `The ledger says that ${count(first.conversations, 'conversation')} of ${first.month} were loaded, ` +
        `but there is no row of that month in ${first.tables.map((table) => `genesys.${table}`).join(', ')}.`,
      hint:
        'Load the month again: backfill --from … --to … --reload (after verify over the same range, if only some tables are empty). ' +
        'If it was dropped on purpose, remove it from the ledger too: see "Dropping a month" in docs/operations.md.',
      since: null,
    },
  ]
}

function clockProblem({ windows, snapshotAt, loadedAt }: ProblemInputs['future']): Problem[] {
  const parts = [
    ...(windows.length > 0 ? [`the ledger's ${nameIntervals(windows)}`] : []),
    ...(snapshotAt ? [`the live snapshot of ${snapshotAt.toISOString().slice(0, 16)}Z`] : []),
    ...(loadedAt ? [`conversations loaded until ${loadedAt.toISOString().slice(0, 16)}Z`] : []),
  ]
  if (parts.length === 0) return []
  return [
    {
      severity: 'trouble',
      title: "Dated in the future: the database's clock was ahead, or is behind now",
      detail: `${parts.join('; ')}. Such windows count as not loaded, and such a snapshot as stale.`,
      hint:
        'Check the clock of the database server (doctor compares it with Genesys). Once it is correct, the next sync reads what is due; ' +
        'for older days: backfill --reload.',
      since: null,
    },
  ]
}

function erasureProblem({ unfinished, conversations, oldestAt }: ErasureRecord, now: Date): Problem[] {
  if (oldestAt === null) return []
  return [
    {
      severity: +now - +oldestAt > ERASURE_LATE_MS ? 'trouble' : 'notice',
      title: `${count(unfinished, 'erasure')} ${unfinished === 1 ? 'is' : 'are'} not complete`,
      detail: `${count(conversations, 'conversation')} ${conversations === 1 ? 'is' : 'are'} yet to be deleted. None of them is loaded again meanwhile.`,
      hint: 'The next run of the history completes it, and so does the command erase when it is run again. If it stays: read the log for why it failed.',
      since: oldestAt,
    },
  ]
}

function rejectedProblem(records: number): Problem[] {
  if (records === 0) return []
  return [
    {
      severity: 'notice',
      title: `${count(records, 'record')} could not be loaded`,
      detail: null,
      hint: 'Each is kept in etl.rejected_records with its raw JSON and the reason. A record that Genesys corrects later is loaded automatically.',
      since: null,
    },
  ]
}

function nameIntervals(intervals: readonly Interval[]): string {
  const named = intervals.slice(0, MAX_NAMES).map(formatInterval).join(', ')
  const rest = intervals.length - MAX_NAMES
  return rest > 0 ? `${named} and ${rest} more` : named
}

/** An interval for people: `2026-11-20 to 2026-11-21` for whole UTC days, anything else as formatWindow writes it. */
export function formatInterval({ start, end }: Interval): string {
  const lastDay = addDays(end, -1)
  const isWholeDays = +start === +startOfDay(start) && +end === +startOfDay(end) && lastDay > start
  if (!isWholeDays) return formatWindow({ start, end })
  return `${start.toISOString().slice(0, 10)} to ${lastDay.toISOString().slice(0, 10)}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
