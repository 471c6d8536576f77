/** Decides which conditions raise an alert and which notifications are due. Pure. */
import { secondsBetween } from '../model/interval.ts'
import { type StatusDocument } from './status.ts'

/** A larger lag means that the history is late. Just before a nightly sync the lag is a little more than a day. */
export const HISTORY_LATE_SECONDS = 36 * 3600
/** A history run in progress that is younger than this counts as progress: the history is not late. */
const HISTORY_RUN_SECONDS = 24 * 3600
/** Consecutive failures before a transient failure raises an alert. A failure that needs somebody to act raises one at once. */
const FAILURES_BEFORE_ALERT = 2
/** A database that has not answered for this long raises an alert. */
export const DATABASE_AWAY_SECONDS = 300
/** A message to WEBHOOK_URL that has been pending for this long raises an alert. */
const DELIVERY_LATE_SECONDS = 3600
/** A condition must be absent for this long before it counts as resolved, so that a flapping one does not flood the receiver. */
export const CLEAR_SECONDS = 300

/** Something that is wrong. */
export interface Condition {
  /** Stable for as long as the condition lasts: `job-failed:sync`, `history-late` … */
  readonly key: string
  readonly title: string
  readonly detail: string | null
  /** What to do now. */
  readonly hint: string | null
}

/** The alerts that were sent and not resolved, by the condition's key. Kept in etl.meta across restarts. */
export type SentAlerts = Readonly<Record<string, SentAlert>>

interface SentAlert extends Condition {
  /** When the condition was first seen, ISO 8601. */
  readonly since: string
  /** Since when the condition has been absent, ISO 8601; null: it is present. */
  readonly clearSince: string | null
}

export interface AlertFacts {
  readonly now: Date
  /** null: the database cannot be read. */
  readonly document: StatusDocument | null
  /** Since when the database has not answered; null: it answers. */
  readonly databaseAwaySince: Date | null
  readonly databaseReason: string | null
  readonly serviceStartedAt: Date
  readonly isLiveOn: boolean
  /** LIVE_LATE_SECONDS, or three ticks of a slower schedule. */
  readonly liveLateSeconds: number
  /** Jobs whose latest run in this process failed for a reason that is not transient. */
  readonly fatalJobs: readonly string[]
}

export interface AlertMessage {
  readonly status: 'raised' | 'resolved'
  readonly condition: Condition
  readonly since: Date
}

/** The conditions that deserve an alert. One that was sent lasts until it has recovered; a restart does not end it. */
export function alertConditions(facts: AlertFacts, sent: SentAlerts): Condition[] {
  const { document, databaseAwaySince, databaseReason, now } = facts
  if (!document) {
    if (!databaseAwaySince || secondsBetween(databaseAwaySince, now) < DATABASE_AWAY_SECONDS) return []
    const title = 'The database does not answer'
    return [{ key: 'database-away', title, detail: databaseReason, hint: null }]
  }
  return [
    ...document.jobs.flatMap((job) => failedJob(job, facts.fatalJobs, sent)),
    ...lateHistory(document, now),
    ...lateLive(document, facts, sent),
    ...lateDeliveries(document, now),
  ]
}

function failedJob(
  { job, lastRun, failuresInARow, lastFailure }: StatusDocument['jobs'][number],
  fatalJobs: readonly string[],
  sent: SentAlerts,
): Condition[] {
  const key = `job-failed:${job}`
  if (lastRun.trigger === 'manual' || failuresInARow === 0) return []
  if (failuresInARow < FAILURES_BEFORE_ALERT && !fatalJobs.includes(job) && !sent[key]) return []
  const times = failuresInARow === 1 ? '' : ` ${failuresInARow} times in a row`
  return [
    { key, title: `${job} has failed${times}`, detail: lastFailure?.error ?? null, hint: lastFailure?.hint ?? null },
  ]
}

function lateHistory({ history, runs }: StatusDocument, now: Date): Condition[] {
  const isRunning = runs.some(
    ({ job, status, startedAt }) =>
      status === 'running' &&
      ['sync', 'backfill'].includes(job) &&
      secondsBetween(startedAt, now) < HISTORY_RUN_SECONDS,
  )
  if (isRunning || history.owed.length === 0 || history.lagSeconds <= HISTORY_LATE_SECONDS) return []
  const until = history.coveredUntil ?? history.firstDay
  return [
    {
      key: 'history-late',
      title: `The history is complete only until ${until.toISOString().slice(0, 16)}Z`,
      detail: history.unsettled[0]?.error ?? null,
      hint: 'The status page shows what failed. To load what is due now: npm run etl -- sync',
    },
  ]
}

function lateLive({ live }: StatusDocument, facts: AlertFacts, sent: SentAlerts): Condition[] {
  if (!facts.isLiveOn) return []
  const key = 'live-late'
  // A service that was down gets time to catch up, unless the alert was sent already.
  const snapshotAt = live?.ageSeconds === null ? null : live?.snapshotAt
  const since = sent[key] || (snapshotAt && snapshotAt > facts.serviceStartedAt) ? snapshotAt : facts.serviceStartedAt
  const ageSeconds = since ? secondsBetween(since, facts.now) : Number.POSITIVE_INFINITY
  if (ageSeconds <= facts.liveLateSeconds) return []
  const last = live?.snapshotAt
    ? `the last complete snapshot is from ${live.snapshotAt.toISOString().slice(0, 16)}Z`
    : 'no snapshot has ever completed'
  return [
    {
      key,
      title: `Live data is late: ${last}`,
      detail: live?.failure?.error ?? null,
      hint: 'Check the log of the service for the job "live".',
    },
  ]
}

function lateDeliveries({ deliveries }: StatusDocument, now: Date): Condition[] {
  const { oldestPendingAt, pending, lastError, isStopped } = deliveries
  if (!oldestPendingAt) return []
  const messages = pending === 1 ? '1 message is' : `${pending} messages are`
  if (isStopped)
    return [
      {
        key: 'delivery-stopped',
        title: `The receiver of WEBHOOK_URL has ended the deliveries with 410; ${messages} pending`,
        detail: lastError,
        hint: 'Fix the receiver or change WEBHOOK_URL, then restart the service.',
      },
    ]
  if (secondsBetween(oldestPendingAt, now) <= DELIVERY_LATE_SECONDS) return []
  const title = `${messages} pending for WEBHOOK_URL, the oldest since ${oldestPendingAt.toISOString().slice(0, 16)}Z`
  return [
    {
      key: 'delivery-late',
      title,
      detail: lastError,
      hint: 'Check that the receiver is running and answers with 2xx.',
    },
  ]
}

/**
 * The notifications that are due, and the sent alerts updated with which conditions are present.
 * @param canReadDatabase false: nothing is known but that the database is away, so no alert counts as resolved
 */
export function planNotifications(
  sent: SentAlerts,
  conditions: readonly Condition[],
  now: Date,
  canReadDatabase: boolean,
): { readonly messages: readonly AlertMessage[]; readonly sent: SentAlerts } {
  const current = new Set(conditions.map(({ key }) => key))
  const messages: AlertMessage[] = []
  const updated: Record<string, SentAlert> = {}
  for (const [key, alert] of Object.entries(sent)) {
    if (current.has(key) || !canReadDatabase) {
      updated[key] = { ...alert, clearSince: null }
      continue
    }
    const clearSince = alert.clearSince ?? now.toISOString()
    updated[key] = { ...alert, clearSince }
    if (secondsBetween(new Date(clearSince), now) >= CLEAR_SECONDS) {
      messages.push({ status: 'resolved', condition: conditionOf(alert), since: new Date(alert.since) })
    }
  }
  for (const condition of conditions) {
    if (!sent[condition.key]) messages.push({ status: 'raised', condition, since: now })
  }
  return { messages, sent: updated }
}

/** The sent alerts after a message was delivered. */
export function afterNotification(sent: SentAlerts, { status, condition, since }: AlertMessage): SentAlerts {
  const { [condition.key]: _, ...others } = sent
  if (status === 'resolved') return others
  return { ...others, [condition.key]: { ...condition, since: since.toISOString(), clearSince: null } }
}

function conditionOf({ key, title, detail, hint }: SentAlert): Condition {
  return { key, title, detail, hint }
}
