/**
 * The steps of one snapshot: readSnapshot → loadEnded (of the history) → deriveEvents → writeChanges. What they share, and what
 * lasts from one snapshot to the next, is in `SnapshotContext`.
 */
import { createHash } from 'node:crypto'
import { EtlError, Interrupted, reasonWithHint } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { intervalText, type DetailsFilter } from '../genesys/details-query.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { LIVE_CONCURRENCY } from '../genesys/open-conversations.ts'
import type { QueueUsers } from '../genesys/queue-observations.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import type { OnLoaded } from '../loader/load.ts'
import { claimForOrganization } from '../loader/organization.ts'
import type { ReferencedIds } from '../loader/referenced-ids.ts'
import type { Logger } from '../log.ts'
import { readDatabaseClock, type DatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import type { OutboxMessage } from '../webhooks/outbox.ts'
import type { LiveHistory } from './ended.ts'
import type { LiveMemory } from './memory.ts'
import { countQueues } from './queue-counts.ts'
import type { QueueUsersReader } from './queue-users.ts'
import { readOrganization, readUser, type OrganizationOptions, type ReadSnapshot } from './read-snapshot.ts'
import { olderIdsPerSnapshot, type LiveBudget } from './request-budget.ts'
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
import type { TodayRefresher } from './today.ts'
import { transitions, type EventRule, type LiveEvent } from './transitions.ts'

export interface LiveDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly live: LiveSettings
  /** Milliseconds since any instant; never goes back. For everything that is done only every now and then. */
  readonly elapsedMs: () => number
  /** For what is loaded into the history. */
  readonly onLoaded?: OnLoaded | undefined
  /** Called with the queues and users of each snapshot. */
  readonly onSnapshot?: ((ids: Pick<ReferencedIds, 'queues' | 'users'>) => void) | undefined
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

/** What the steps of a snapshot share. */
export interface SnapshotContext {
  readonly dependencies: LiveDependencies
  readonly log: Logger
  readonly history: LiveHistory
  readonly memory: LiveMemory
  readonly readActivity: OrganizationOptions['activity']
  readonly readQueueUsers: QueueUsersReader
  readonly refreshToday: TodayRefresher
  readonly state: SnapshotJobState
}

/** What changes from snapshot to snapshot. */
export interface SnapshotJobState {
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

/** Takes a snapshot and records it, or records why it failed. */
export async function takeSnapshot(context: SnapshotContext, signal: AbortSignal): Promise<LiveSummary> {
  const { dependencies, state } = context
  const attempt = await beginAttempt(dependencies)
  try {
    return await runSteps(context, attempt, signal)
  } catch (error) {
    if (signal.aborted || error instanceof Interrupted) throw error
    const facts = factsOf(context, attempt, reasonWithHint(error))
    await recordFailedSnapshot(dependencies.warehouse, facts).catch((recordError: unknown) =>
      context.log.warn({ err: recordError }, 'the failed snapshot could not be recorded'),
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

async function runSteps(context: SnapshotContext, attempt: Attempt, signal: AbortSignal): Promise<LiveSummary> {
  const { dependencies, history, state } = context
  const { at, clock, genesys, startedAt } = attempt
  if (!state.isOrganizationKnown) await claimForOrganization(genesys, dependencies.warehouse, signal, 'live')
  state.isOrganizationKnown = true

  const previous = await selectStoredSnapshot(dependencies.warehouse.db)
  const plan = context.memory.plan(at)
  const { snapshot, users } = await readSnapshot(context, attempt, { previous, plan, signal })
  const { changes, organization } = snapshot
  const { loaded, problem } = await history.loadEnded(changes.endedRecords, clock, signal)
  const conversations = [...changes.read.values(), ...changes.kept]
  const events = deriveEvents(context, previous, { at, conversations }, snapshot)
  signal.throwIfAborted()
  const facts = factsOf(context, attempt, problem)
  const { writes, messages } = await writeChanges(context, facts, { snapshot, conversations, users, events })

  dependencies.onSnapshot?.(idsOf(conversations))
  state.implausibleSince = null
  if (organization) {
    context.memory.keep(plan, organization.lastReads)
    reportFindings(context, organization, previous)
  }
  const ended = changes.ended.length
  const { requests, throttled } = facts
  const durationMs = Math.round(performance.now() - startedAt)
  const counts = { conversations: conversations.length, ended, messages, requests, throttled }
  context.log.info({ ...counts, ...writes, rejected: changes.rejected, durationMs }, 'snapshot taken')
  await history.runDueRereads(genesys, clock, at, signal)
  if (dependencies.live.source === 'analytics') await context.refreshToday(genesys, at, signal)
  return { at, conversations, writes, ended, loaded, messages, requests, durationMs, throttled }
}

/** Step 1: reads what is open and compares it with the snapshot before; for an organization also its users on queue. */
async function readSnapshot(
  { dependencies, memory, readActivity, readQueueUsers, state }: SnapshotContext,
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
  { dependencies }: SnapshotContext,
  previous: StoredSnapshot,
  current: { readonly at: Date; readonly conversations: readonly LiveConversation[] },
  { changes }: ReadSnapshot,
): LiveEvent[] {
  const before = previous.at && { at: previous.at, conversations: previous.conversations }
  return transitions(dependencies.live.events, before, current, changes.ended)
}

/** Step 4: writes the snapshot, its counts, its events and the re-reads that it makes due, in one transaction. */
async function writeChanges(
  { dependencies, history }: SnapshotContext,
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
  { dependencies, log }: SnapshotContext,
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
function factsOf({ dependencies, state }: SnapshotContext, attempt: Attempt, error: string | null): SnapshotFacts {
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

function idsOf(conversations: readonly LiveConversation[]): Pick<ReferencedIds, 'queues' | 'users'> {
  const some = (ids: readonly (string | null)[]): Set<string> => new Set(ids.filter((id) => id !== null))
  return {
    queues: some(conversations.map(({ queueId }) => queueId)),
    users: some(conversations.flatMap(({ userIds }) => userIds ?? [])),
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
