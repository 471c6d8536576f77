/**
 * The live side: a snapshot of what is open, every minute, in genesys.live_conversations; what has ended goes into the history
 * in the same tick; changes go into the outbox of the webhooks. It books itself in genesys.live_snapshots, not in etl.runs.
 */
import { createHash } from 'node:crypto'
import { fullBudget, maySnapshot, olderIdsPerSnapshot, refill } from './request-budget.ts'
import { reasonWithHint } from './failure.ts'
import { countQueues } from './queue-counts.ts'
import type { LiveConversation } from './state.ts'
import { parseRules, transitions, type LiveEvent } from './transitions.ts'
import { EtlError, Interrupted } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { intervalText, type DetailsFilter } from '../genesys/details-query.ts'
import { LIVE_CONCURRENCY } from '../genesys/open-conversations.ts'
import type { Logger } from '../log.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { toEtlError } from '../postgres/errors.ts'
import { dropLivePartitions } from './snapshot-partitions.ts'
import { recordFailedSnapshot, selectStoredSnapshot, writeSnapshot, type SnapshotWrites } from './snapshot-store.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import { withJobLock } from '../postgres/lock.ts'
import type { OutboxMessage } from '../webhooks/outbox.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { createActivityReader } from './activity.ts'
import { createLiveHistory } from './ended.ts'
import { createLiveMemory } from './memory.ts'
import { readOrganization, readUser, type Beside } from './read-snapshot.ts'
import { claimForOrganization } from '../loader/organization.ts'
import { createQueueUsers } from './queue-users.ts'

export interface LiveDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly live: LiveSettings
  /** Called with what became of each batch that was loaded into the history: for metrics. */
  readonly onLoaded?: ((counts: LoadCounts) => void) | undefined
  /** Called with how many conversations had ended with open after-call work, whenever they were asked for. */
  readonly onEndedInAfterCallWork?: (conversations: number) => void
  /** Milliseconds since any instant, for what is done now and then; tests let it jump. */
  readonly elapsedMs?: () => number
}

export interface LiveSettings {
  readonly source: 'analytics' | 'conversations'
  readonly requestsPerMinute: number
  readonly retentionHours: number
  /** What the history is narrowed to: what has ended and is not of it is not loaded. */
  readonly historyFilter: DetailsFilter
  /** Rules of the webhooks; none where nothing is to be told. */
  readonly events: readonly string[]
}

export interface LiveSummary {
  readonly at: Date
  /** All that is open. */
  readonly conversations: readonly LiveConversation[]
  readonly writes: SnapshotWrites
  /** Conversations that ended since the snapshot before. */
  readonly ended: number
  /** What became of them in the history. */
  readonly loaded: LoadCounts
  /** Written for the webhooks; what had been told before is not among them. */
  readonly messages: number
  readonly requests: number
  readonly durationMs: number
  readonly stretched: boolean
}

export interface LiveJob {
  /**
   * Takes a snapshot; null where the tick is left out, since live has used up its share of the request limit.
   * @throws EtlError JOB_ALREADY_RUNNING when another process is taking one; what made the snapshot fail, which is booked
   */
  tick(signal: AbortSignal): Promise<LiveSummary | null>
  /** Ticks left out for the budget since the start. */
  skipped(): number
}

const RETENTION_EVERY_MS = 3_600_000

/**
 * The live job of a process. Two on one database exclude each other by a lock a snapshot: it costs a connection a minute, and
 * lets the `snapshot` command, or another service, take its turn between two ticks, and the other go on where one has died.
 */
export function createLiveJob(dependencies: LiveDependencies): LiveJob {
  const { warehouse, logger, live, elapsedMs = () => performance.now() } = dependencies
  const log = logger.child({ job: 'live' })
  const rules = parseRules(live.events)
  const queueUsers = createQueueUsers(log)
  const activity = createActivityReader(log, elapsedMs)
  const memory = createLiveMemory(elapsedMs)
  const { requestsPerMinute, historyFilter: filter } = live
  const history = createLiveHistory({
    warehouse,
    logger: log,
    filter,
    requestsPerMinute,
    onLoaded: dependencies.onLoaded,
  })
  let budget = fullBudget(live.requestsPerMinute, elapsedMs())
  let skipped = 0
  let stretched = false
  let retainedAt = Number.NEGATIVE_INFINITY
  let isOrganizationKnown = false
  /** Since when each snapshot has been implausible; null: the last one was not. */
  let disbelievedAt: number | null = null

  async function snapshot(signal: AbortSignal): Promise<LiveSummary> {
    const startedAt = performance.now()
    const genesys = counted(limitInFlight(dependencies.genesys, LIVE_CONCURRENCY))
    const clock = await readDatabaseClock(warehouse.db).catch((error: unknown) => {
      throw toEtlError(error, 'telling the time')
    })
    const at = clock.now()
    const facts = (error: string | null) => ({
      at,
      source: live.source,
      durationMs: performance.now() - startedAt,
      requests: genesys.requests(),
      stretched,
      error,
    })
    try {
      if (!isOrganizationKnown) await claimForOrganization(genesys, warehouse, signal, 'live')
      isOrganizationKnown = true
      const previous = await selectStoredSnapshot(warehouse.db)
      const readAt = elapsedMs()
      const plan = memory.plan(at)
      const disbelievedForMs = disbelievedAt === null ? null : readAt - disbelievedAt
      const options = { previous: previous.conversations, now: at, signal }
      const beside = { plan, looks: memory.looks(), olderIds: olderIdsPerSnapshot(requestsPerMinute), activity }
      const isOrganization = live.source === 'analytics'
      const [picture, users] = await Promise.all([
        isOrganization
          ? readOrganization(genesys, { ...options, ...beside, disbelievedForMs })
          : readUser(genesys, options),
        isOrganization ? queueUsers(genesys, signal) : null,
      ]).catch((error: unknown) => {
        if (error instanceof EtlError && error.code === 'LIVE_IMPLAUSIBLE') disbelievedAt ??= readAt
        throw error
      })
      const { loaded, problem } = await history.loadEnded(picture.endedRecords, clock, signal)
      const conversations = [...picture.read.values(), ...picture.kept]
      const before = previous.at && { at: previous.at, conversations: previous.conversations }
      const events = transitions(rules, before, { at, conversations }, picture.ended)
      signal.throwIfAborted()
      const written = {
        ...facts(problem),
        read: [...picture.read.values()],
        leaving: picture.leaving,
        conversations: conversations.length,
        ended: picture.ended.length,
        queues: countQueues(conversations, users, at),
        messages: events.map((event) => messageOf(event, at)),
        rereads: history.rereads(picture.endedRecords, at),
      }
      const { writes, messages } = await writeSnapshot(warehouse, written)
      if (picture.beside) {
        memory.keep(plan, picture.beside.looks)
        report(picture.beside)
      }
      disbelievedAt = null
      if (picture.believedUnknown !== null) {
        log.warn(
          { unknown: picture.believedUnknown, open: previous.conversations.size },
          'most of what was open is unknown to Genesys for minutes now: believed; see that the role covers all divisions',
        )
      }
      const { ended, requests } = written
      const durationMs = Math.round(performance.now() - startedAt)
      const counts = {
        conversations: conversations.length,
        ended: ended,
        messages,
        requests,
        stretched,
      }
      log.info({ ...counts, ...writes, rejected: picture.rejected, durationMs }, 'snapshot taken')
      await history.readAgain(genesys, clock, at, signal)
      return { at, conversations, writes, ended, loaded, messages, requests, durationMs, stretched }
    } catch (error) {
      if (signal.aborted || error instanceof Interrupted) throw error
      await recordFailedSnapshot(warehouse, facts(reasonWithHint(error))).catch((bookingError: unknown) =>
        log.warn({ err: bookingError }, 'the failed snapshot could not be booked'),
      )
      throw error
    } finally {
      budget = { ...budget, balance: budget.balance - genesys.requests() }
    }
  }

  /** Reports what reading the organization has shown beside the snapshot. */
  function report({ refused, inAfterCallWork }: Beside): void {
    if (inAfterCallWork !== null) dependencies.onEndedInAfterCallWork?.(inAfterCallWork)
    if (refused.length > 0)
      log.warn(
        { windows: refused.map(intervalText) },
        'Genesys refuses to list open conversations that are this old; those that are active in a queue are found all the same',
      )
  }

  async function keepRetention(at: Date): Promise<void> {
    if (elapsedMs() - retainedAt < RETENTION_EVERY_MS) return
    try {
      const dropped = await dropLivePartitions(warehouse, new Date(at.getTime() - live.retentionHours * 3_600_000))
      retainedAt = elapsedMs()
      if (dropped.length > 0) log.info({ dropped }, 'old snapshots dropped')
    } catch (error) {
      log.warn({ err: error }, 'old snapshots could not be dropped; tried again at the next tick')
    }
  }

  return {
    skipped: () => skipped,
    async tick(signal) {
      budget = refill(budget, live.requestsPerMinute, elapsedMs())
      if (!maySnapshot(budget)) {
        skipped++
        stretched = true
        log.warn(
          { requestsOverdrawn: Math.ceil(-budget.balance) },
          'tick left out: live has used up its share of the limit',
        )
        return null
      }
      const summary = await withJobLock(warehouse, 'live', signal, snapshot).catch((error: unknown) => {
        const isTaken = error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING'
        if (!isTaken && !signal.aborted) log.error({ err: error }, 'snapshot failed; the one before stays')
        throw error
      })
      stretched = false
      await keepRetention(summary.at)
      return summary
    },
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

/** The same client, counting what goes through it. */
function counted(client: GenesysClient): GenesysClient & { requests(): number } {
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
