/**
 * The live job: every minute a snapshot of the open conversations in genesys.live_conversations. Conversations that have ended go
 * into the history in the same tick, events into the outbox of the webhooks. Each snapshot is recorded in
 * genesys.live_snapshots, not in etl.runs.
 */
import { createHash } from 'node:crypto'
import { EtlError, Interrupted, reasonWithHint } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { intervalText, type DetailsFilter } from '../genesys/details-query.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { LIVE_CONCURRENCY } from '../genesys/open-conversations.ts'
import type { QueueUsers } from '../genesys/queue-observations.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import { claimForOrganization } from '../loader/organization-guard.ts'
import type { Logger } from '../log.ts'
import { readDatabaseClock, type DatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { withJobLock } from '../postgres/lock.ts'
import type { OutboxMessage } from '../webhooks/outbox.ts'
import { createActivityReader } from './activity.ts'
import { createLiveHistory, type LiveHistory } from './ended.ts'
import { createLiveMemory, type LiveMemory } from './memory.ts'
import { countQueues } from './queue-counts.ts'
import { createQueueUsersReader } from './queue-users.ts'
import { readOrganization, readUser, type OrganizationOptions, type ReadSnapshot } from './read-snapshot.ts'
import { fullBudget, maySnapshot, olderIdsPerSnapshot, refill, type LiveBudget } from './request-budget.ts'
import { dropLivePartitions } from './snapshot-partitions.ts'
import {
  recordFailedSnapshot,
  selectStoredSnapshot,
  writeSnapshot,
  type SnapshotFacts,
  type SnapshotWrites,
  type StoredSnapshot,
  type WrittenSnapshot,
} from './snapshot-store.ts'
import type { LiveConversation } from './state.ts'
import { transitions, type EventRule, type LiveEvent } from './transitions.ts'

export interface LiveDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly live: LiveSettings
  /** Milliseconds since any instant; never goes back. For everything that is done only every now and then. */
  readonly elapsedMs: () => number
  /** Called with the counts of each batch that was loaded into the history: for metrics. */
  readonly onLoaded?: ((counts: LoadCounts) => void) | undefined
  /** Called with how many conversations had ended with open after-call work, whenever they were queried. */
  readonly onEndedInAfterCallWork?: (conversations: number) => void
}

export interface LiveSettings {
  readonly source: 'analytics' | 'conversations'
  readonly requestsPerMinute: number
  readonly retentionHours: number
  /** Which conversations belong to the history: ended ones that do not are not loaded. */
  readonly historyFilter: DetailsFilter
  /** Rules of the webhooks; empty without WEBHOOK_URL. */
  readonly events: readonly EventRule[]
}

export interface LiveSummary {
  readonly at: Date
  /** All open conversations. */
  readonly conversations: readonly LiveConversation[]
  readonly writes: SnapshotWrites
  /** Conversations that have ended since the snapshot before. */
  readonly ended: number
  /** The result of loading them into the history. */
  readonly loaded: LoadCounts
  /** New messages in the outbox of the webhooks. */
  readonly messages: number
  readonly requests: number
  readonly durationMs: number
  /** Whether ticks before it were skipped for the request budget. */
  readonly throttled: boolean
}

export interface LiveJob {
  /**
   * Takes a snapshot; null: the tick was skipped, because live has used up its share of the request limit.
   * @throws EtlError JOB_ALREADY_RUNNING when another process is taking one; whatever made the snapshot fail, which is recorded
   */
  tick(signal: AbortSignal): Promise<LiveSummary | null>
}

/** What the steps of a snapshot share. */
interface Job {
  readonly dependencies: LiveDependencies
  readonly log: Logger
  readonly history: LiveHistory
  readonly memory: LiveMemory
  readonly readActivity: OrganizationOptions['activity']
  readonly readQueueUsers: ReturnType<typeof createQueueUsersReader>
  readonly state: JobState
}

/** What changes from snapshot to snapshot. */
interface JobState {
  budget: LiveBudget
  /** Whether ticks were skipped since the last snapshot. */
  throttled: boolean
  isOrganizationKnown: boolean
  /** Since when every snapshot has been implausible; null: the last one was not. */
  implausibleSince: number | null
}

/** One attempt to take a snapshot. */
interface Attempt {
  readonly at: Date
  readonly clock: DatabaseClock
  readonly genesys: CountingClient
  readonly startedAt: number
}

const RETENTION_INTERVAL_MS = 3_600_000

/**
 * Creates the live job of a process. Jobs of several processes on one database exclude each other by a lock per snapshot: this
 * costs a connection per minute, lets the `snapshot` command or another service run between two ticks, and lets one take over
 * when another has died.
 */
export function createLiveJob(dependencies: LiveDependencies): LiveJob {
  const { warehouse, logger, live, elapsedMs, onLoaded } = dependencies
  const log = logger.child({ job: 'live' })
  const { requestsPerMinute, historyFilter: filter } = live
  const state: JobState = {
    budget: fullBudget(requestsPerMinute, elapsedMs()),
    throttled: false,
    isOrganizationKnown: false,
    implausibleSince: null,
  }
  const job: Job = {
    dependencies,
    log,
    history: createLiveHistory({ warehouse, logger: log, filter, requestsPerMinute, onLoaded }),
    memory: createLiveMemory(elapsedMs),
    readActivity: createActivityReader(log, elapsedMs),
    readQueueUsers: createQueueUsersReader(log, elapsedMs),
    state,
  }
  let retentionAppliedAt = Number.NEGATIVE_INFINITY

  async function applyRetention(at: Date): Promise<void> {
    if (elapsedMs() - retentionAppliedAt < RETENTION_INTERVAL_MS) return
    try {
      const dropped = await dropLivePartitions(warehouse, new Date(at.getTime() - live.retentionHours * 3_600_000))
      retentionAppliedAt = elapsedMs()
      if (dropped.length > 0) log.info({ dropped }, 'old snapshots dropped')
    } catch (error) {
      log.warn({ err: error }, 'old snapshots could not be dropped; the next tick will try again')
    }
  }

  return {
    async tick(signal) {
      state.budget = refill(state.budget, requestsPerMinute, elapsedMs())
      if (!maySnapshot(state.budget)) {
        state.throttled = true
        log.warn(
          { requestsOverdrawn: Math.ceil(-state.budget.balance) },
          'snapshot skipped: live request budget exhausted',
        )
        return null
      }
      const summary = await withJobLock(warehouse, 'live', signal, (signal) => takeSnapshot(job, signal)).catch(
        (error: unknown) => {
          const isTaken = error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING'
          if (!isTaken && !signal.aborted) log.error({ err: error }, 'snapshot failed; the previous one stays')
          throw error
        },
      )
      state.throttled = false
      await applyRetention(summary.at)
      return summary
    },
  }
}

/** Takes a snapshot and records it, or records why it failed. */
async function takeSnapshot(job: Job, signal: AbortSignal): Promise<LiveSummary> {
  const { dependencies, state } = job
  const attempt = await beginAttempt(dependencies)
  try {
    return await runSteps(job, attempt, signal)
  } catch (error) {
    if (signal.aborted || error instanceof Interrupted) throw error
    const facts = factsOf(job, attempt, reasonWithHint(error))
    await recordFailedSnapshot(dependencies.warehouse, facts).catch((recordError: unknown) =>
      job.log.warn({ err: recordError }, 'the failed snapshot could not be recorded'),
    )
    throw error
  } finally {
    state.budget = { ...state.budget, balance: state.budget.balance - attempt.genesys.requests() }
  }
}

async function beginAttempt({ genesys, warehouse }: LiveDependencies): Promise<Attempt> {
  const startedAt = performance.now()
  const clock = await readDatabaseClock(warehouse.db).catch((error: unknown) => {
    throw toEtlError(error, 'reading the clock of the database')
  })
  return { at: clock.now(), clock, genesys: countRequests(limitInFlight(genesys, LIVE_CONCURRENCY)), startedAt }
}

async function runSteps(job: Job, attempt: Attempt, signal: AbortSignal): Promise<LiveSummary> {
  const { dependencies, history, state } = job
  const { at, clock, genesys, startedAt } = attempt
  if (!state.isOrganizationKnown) await claimForOrganization(genesys, dependencies.warehouse, signal, 'live')
  state.isOrganizationKnown = true

  const previous = await selectStoredSnapshot(dependencies.warehouse.db)
  const plan = job.memory.plan(at)
  const { snapshot, users } = await readSnapshot(job, attempt, { previous, plan, signal })
  const { changes, organization } = snapshot
  const { loaded, problem } = await history.loadEnded(changes.endedRecords, clock, signal)
  const conversations = [...changes.read.values(), ...changes.kept]
  const events = deriveEvents(job, previous, { at, conversations }, snapshot)
  signal.throwIfAborted()
  const facts = factsOf(job, attempt, problem)
  const { writes, messages } = await writeChanges(job, facts, { snapshot, conversations, users, events })

  state.implausibleSince = null
  if (organization) {
    job.memory.keep(plan, organization.lastReads)
    reportFindings(job, organization, previous)
  }
  const ended = changes.ended.length
  const { requests, throttled } = facts
  const durationMs = Math.round(performance.now() - startedAt)
  const counts = { conversations: conversations.length, ended, messages, requests, throttled }
  job.log.info({ ...counts, ...writes, rejected: changes.rejected, durationMs }, 'snapshot taken')
  await history.runDueRereads(genesys, clock, at, signal)
  return { at, conversations, writes, ended, loaded, messages, requests, durationMs, throttled }
}

/** Step 1: reads what is open and compares it with the snapshot before; for an organization also its users on queue. */
async function readSnapshot(
  { dependencies, memory, readActivity, readQueueUsers, state }: Job,
  { at, genesys }: Attempt,
  {
    previous,
    plan,
    signal,
  }: {
    readonly previous: StoredSnapshot
    readonly plan: OrganizationOptions['plan']
    readonly signal: AbortSignal
  },
): Promise<{ readonly snapshot: ReadSnapshot; readonly users: ReadonlyMap<string, QueueUsers> | null }> {
  const options = { previous: previous.conversations, now: at, signal }
  if (dependencies.live.source === 'conversations') return { snapshot: await readUser(genesys, options), users: null }
  const now = dependencies.elapsedMs()
  const implausibleForMs = state.implausibleSince === null ? null : now - state.implausibleSince
  try {
    const [snapshot, users] = await Promise.all([
      readOrganization(genesys, {
        ...options,
        plan,
        lastReads: memory.lastReads(),
        olderIds: olderIdsPerSnapshot(dependencies.live.requestsPerMinute),
        activity: readActivity,
        implausibleForMs,
      }),
      readQueueUsers(genesys, signal),
    ])
    return { snapshot, users }
  } catch (error) {
    if (error instanceof EtlError && error.code === 'LIVE_IMPLAUSIBLE') state.implausibleSince ??= now
    throw error
  }
}

/** Step 3 (step 2 is `loadEnded` of the history): the events since the snapshot before that the webhooks ask for. */
function deriveEvents(
  { dependencies }: Job,
  previous: StoredSnapshot,
  current: { readonly at: Date; readonly conversations: readonly LiveConversation[] },
  { changes }: ReadSnapshot,
): LiveEvent[] {
  const before = previous.at && { at: previous.at, conversations: previous.conversations }
  return transitions(dependencies.live.events, before, current, changes.ended)
}

/** Step 4: writes the snapshot, its counts, its events and the re-reads that it makes due, in one transaction. */
async function writeChanges(
  { dependencies, history }: Job,
  facts: SnapshotFacts,
  {
    snapshot: { changes },
    conversations,
    users,
    events,
  }: {
    readonly snapshot: ReadSnapshot
    readonly conversations: readonly LiveConversation[]
    readonly users: ReadonlyMap<string, QueueUsers> | null
    readonly events: readonly LiveEvent[]
  },
): Promise<WrittenSnapshot> {
  return await writeSnapshot(dependencies.warehouse, {
    ...facts,
    read: [...changes.read.values()],
    leaving: changes.leaving,
    ended: changes.ended.length,
    queues: countQueues(conversations, users, facts.at),
    messages: events.map((event) => messageOf(event, facts.at)),
    rereads: history.rereads(changes.endedRecords, facts.at),
  })
}

/** Reports what reading the organization has shown beside the snapshot. */
function reportFindings(
  { dependencies, log }: Job,
  { refused, inAfterCallWork, acceptedUnknown }: NonNullable<ReadSnapshot['organization']>,
  previous: StoredSnapshot,
): void {
  if (inAfterCallWork !== null) dependencies.onEndedInAfterCallWork?.(inAfterCallWork)
  if (refused.length > 0)
    log.warn(
      { windows: refused.map(intervalText) },
      'Genesys refuses to list open conversations that are this old; those that are active in a queue are found anyway',
    )
  if (acceptedUnknown !== null)
    log.warn(
      { unknown: acceptedUnknown, open: previous.conversations.size },
      'Genesys has not known most of the open conversations for minutes: accepted as real; check that the role covers all divisions',
    )
}

/** @param error why the snapshot failed; of a complete one, what went wrong beside it */
function factsOf({ dependencies, state }: Job, attempt: Attempt, error: string | null): SnapshotFacts {
  return {
    at: attempt.at,
    source: dependencies.live.source,
    durationMs: performance.now() - attempt.startedAt,
    requests: attempt.genesys.requests(),
    throttled: state.throttled,
    error,
  }
}

function messageOf(event: LiveEvent, at: Date): OutboxMessage {
  return {
    messageId: `msg_${createHash('sha256').update(event.key).digest('hex').slice(0, 32)}`,
    conversationId: event.conversationId,
    event: event.event,
    payload: { type: `conversation.${event.event}`, timestamp: at.toISOString(), data: event.data },
  }
}

interface CountingClient extends GenesysClient {
  /** Requests so far. */
  requests(): number
}

function countRequests(client: GenesysClient): CountingClient {
  let requests = 0
  return {
    requests: () => requests,
    request(request) {
      requests++
      return client.request(request)
    },
    close: () => client.close(),
  }
}
