/** What is worth waking somebody for, and what of it is to be told. Pure. */
import type { StatusDocument } from './status.ts'
import { secondsBetween } from '../model/interval.ts'

/** Beyond this the history is late: a nightly sync leaves it a bit more than a day behind just before the next one. */
export const HISTORY_LATE_SECONDS = 36 * 3600
/** While a run of the history younger than this is under way, it is at work rather than late. */
const HISTORY_RUN_SECONDS = 24 * 3600
/** A job that failed for a reason that passes is told of after so many failures in a row, one that needs a human at once. */
const FAILURES_TOLD = 2
/** Without a complete snapshot for so long, live has failed; a slower schedule gets three ticks. */
export const LIVE_LATE_SECONDS = 600
/** A database that has not answered for so long is told of. */
export const DATABASE_AWAY_SECONDS = 300
/** A message to WEBHOOK_URL that waits for so long is told of. */
const DELIVERY_LATE_SECONDS = 3600
/** A condition must be gone for so long before its end is told, lest one that comes and goes makes a storm. */
export const CLEAR_SECONDS = 300

/** Something that is wrong. */
export interface Condition {
  /** The same for as long as it lasts: `job-failed:sync`, `history-late` … */
  readonly key: string
  readonly title: string
  readonly detail: string | null
  /** What to do now. */
  readonly hint: string | null
}

/** What was told, by the condition's key. Kept across restarts. */
export type Told = Readonly<Record<string, ToldCondition>>

interface ToldCondition extends Condition {
  /** ISO text. */
  readonly since: string
  /** Since when it is gone; null: it is not. */
  readonly clearSince: string | null
}

export interface AlertFacts {
  readonly now: Date
  /** null: the books can't be read. */
  readonly document: StatusDocument | null
  /** Since when they can't; null: they can. */
  readonly databaseAwaySince: Date | null
  readonly databaseReason: string | null
  readonly serviceStartedAt: Date
  readonly isLiveOn: boolean
  /** LIVE_LATE_SECONDS, or three ticks of a slower schedule. */
  readonly liveLateSeconds: number
  /** Jobs whose latest run in this process failed for a reason that does not pass. */
  readonly fatalJobs: readonly string[]
}

export interface AlertMessage {
  readonly status: 'raised' | 'resolved'
  readonly condition: Condition
  readonly since: Date
}

/** What is wrong enough to be told. What was told stays wrong until it has ended well, not merely until a restart. */
export function alertConditions(facts: AlertFacts, told: Told): Condition[] {
  const { document, databaseAwaySince, databaseReason, now } = facts
  if (!document) {
    if (!databaseAwaySince || secondsBetween(databaseAwaySince, now) < DATABASE_AWAY_SECONDS) return []
    const title = 'The database does not answer'
    return [{ key: 'database-away', title, detail: databaseReason, hint: null }]
  }
  return [
    ...document.jobs.flatMap((job) => failedJob(job, facts.fatalJobs, told)),
    ...lateHistory(document, now),
    ...lateLive(document, facts, told),
    ...lateDeliveries(document, now),
  ]
}

function failedJob(
  { job, lastRun, failuresInARow, lastFailure }: StatusDocument['jobs'][number],
  fatalJobs: readonly string[],
  told: Told,
): Condition[] {
  const key = `job-failed:${job}`
  if (lastRun.trigger === 'manual' || failuresInARow === 0) return []
  if (failuresInARow < FAILURES_TOLD && !fatalJobs.includes(job) && !told[key]) return []
  const times = failuresInARow === 1 ? '' : ` ${failuresInARow} times in a row`
  return [
    { key, title: `${job} has failed${times}`, detail: lastFailure?.error ?? null, hint: lastFailure?.hint ?? null },
  ]
}

function lateHistory({ history, runs }: StatusDocument, now: Date): Condition[] {
  const isAtWork = runs.some(
    ({ job, status, startedAt }) =>
      status === 'running' &&
      ['sync', 'backfill'].includes(job) &&
      secondsBetween(startedAt, now) < HISTORY_RUN_SECONDS,
  )
  if (isAtWork || history.owed.length === 0 || history.lagSeconds <= HISTORY_LATE_SECONDS) return []
  const until = history.coveredUntil ?? history.firstDay
  return [
    {
      key: 'history-late',
      title: `The history is complete only until ${until.toISOString().slice(0, 16)}Z`,
      detail: history.unsettled[0]?.error ?? null,
      hint: 'See the status page for what failed; npm run etl -- sync loads what is owed.',
    },
  ]
}

function lateLive({ live }: StatusDocument, facts: AlertFacts, told: Told): Condition[] {
  if (!facts.isLiveOn) return []
  const key = 'live-late'
  // a service that was away for a while gets the time to catch up, unless it was told already
  const snapshotAt = live?.ageSeconds === null ? null : live?.snapshotAt
  const since = told[key] || (snapshotAt && snapshotAt > facts.serviceStartedAt) ? snapshotAt : facts.serviceStartedAt
  const ageSeconds = since ? secondsBetween(since, facts.now) : Number.POSITIVE_INFINITY
  if (ageSeconds <= facts.liveLateSeconds) return []
  const last = live?.snapshotAt
    ? `the last is of ${live.snapshotAt.toISOString().slice(0, 16)}Z`
    : 'there has been none'
  return [
    {
      key,
      title: `No live snapshot is complete: ${last}`,
      detail: live?.failure?.error ?? null,
      hint: 'See the log of the service for the job live.',
    },
  ]
}

function lateDeliveries({ deliveries }: StatusDocument, now: Date): Condition[] {
  const { oldestPendingAt, pending, lastError } = deliveries
  if (!oldestPendingAt || secondsBetween(oldestPendingAt, now) <= DELIVERY_LATE_SECONDS) return []
  const title = `${pending} messages to WEBHOOK_URL wait, the oldest since ${oldestPendingAt.toISOString().slice(0, 16)}Z`
  return [{ key: 'delivery-late', title, detail: lastError, hint: 'See that its receiver runs and answers with 2xx.' }]
}

/**
 * What to tell now, and what is noted without telling. `canSee` false: the books can't be read, so that nothing but the
 * database itself can be said to have ended.
 */
export function alertSteps(
  told: Told,
  conditions: readonly Condition[],
  now: Date,
  canSee: boolean,
): { readonly messages: readonly AlertMessage[]; readonly noted: Told } {
  const current = new Map(conditions.map((condition) => [condition.key, condition]))
  const messages: AlertMessage[] = []
  const noted: Record<string, ToldCondition> = {}
  for (const [key, entry] of Object.entries(told)) {
    if (current.has(key) || !canSee) {
      noted[key] = { ...entry, clearSince: null }
      continue
    }
    const clearSince = entry.clearSince ?? now.toISOString()
    noted[key] = { ...entry, clearSince }
    if (secondsBetween(new Date(clearSince), now) >= CLEAR_SECONDS) {
      messages.push({ status: 'resolved', condition: conditionOf(entry), since: new Date(entry.since) })
    }
  }
  for (const condition of conditions) {
    if (!told[condition.key]) messages.push({ status: 'raised', condition, since: now })
  }
  return { messages, noted }
}

/** What has been told once a message was delivered. */
export function afterTelling(told: Told, { status, condition, since }: AlertMessage): Told {
  const { [condition.key]: _, ...others } = told
  if (status === 'resolved') return others
  return { ...others, [condition.key]: { ...condition, since: since.toISOString(), clearSince: null } }
}

function conditionOf({ key, title, detail, hint }: ToldCondition): Condition {
  return { key, title, detail, hint }
}
