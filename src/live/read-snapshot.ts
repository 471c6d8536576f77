/** Reads what is open now from Genesys, and compares it with the snapshot before. */
import { EtlError } from '../errors.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import type { ConversationActivity } from '../genesys/conversation-activity.ts'
import { readByIds } from '../genesys/details-by-id.ts'
import { GenesysError } from '../genesys/errors.ts'
import { readAfterCallWork, readOpen, type ReadRecord } from '../genesys/open-conversations.ts'
import { readUserConversations } from '../genesys/user-conversations.ts'
import type { Interval } from '../model/interval.ts'
import { readAnalytics } from './from-analytics.ts'
import { readConversation } from './from-conversation.ts'
import type { ReadPlan } from './memory.ts'
import { chooseOlder, type LastRead } from './older.ts'
import { plausibilityOfUnknown, Readings, type Conversations, type SnapshotChanges } from './readings.ts'
import type { LiveConversation } from './state.ts'

/** A snapshot that was read. */
export interface ReadSnapshot {
  readonly changes: SnapshotChanges
  /** Null for the conversations of one user. */
  readonly organization: OrganizationFindings | null
}

/** What reading the whole organization has shown beside the changes. */
interface OrganizationFindings {
  /** When each older conversation was last read: to be remembered for the next snapshot. */
  readonly lastReads: ReadonlyMap<string, LastRead>
  /** Older windows that Genesys refused to read. */
  readonly refused: readonly Interval[]
  /** How many conversations had ended with open after-call work; null: they were not queried. */
  readonly inAfterCallWork: number | null
  /** How many conversations Genesys no longer knows, if so many that this was implausible at first; else null. */
  readonly acceptedUnknown: number | null
}

interface ReadOptions {
  readonly previous: Conversations
  /** The time of the snapshot, by the clock of the database. */
  readonly now: Date
  readonly signal: AbortSignal
}

export interface OrganizationOptions extends ReadOptions {
  readonly plan: ReadPlan
  /** When each older conversation was last read. */
  readonly lastReads: ReadonlyMap<string, LastRead>
  /** How many older conversations to read by id. */
  readonly olderIds: number
  /** Reads which conversations are active; null: that can't be read. */
  readonly activity: (genesys: GenesysClient, signal: AbortSignal) => Promise<ConversationActivity | null>
  /** How long every snapshot has failed with LIVE_IMPLAUSIBLE; null: the one before did not. */
  readonly implausibleForMs: number | null
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/**
 * Reads the open conversations of the whole organization, however old. Those that started within a day are read by pages in each
 * snapshot. Older ones are found in three ways: by id, those of the snapshot before and those that are active in a queue; and
 * by pages every now and then, which finds those that nobody works on. Offset paging over a shrinking set can miss some, so
 * every conversation of the snapshot before that the pages lack is read by id before it leaves.
 * @throws GenesysError; EtlError LIVE_IMPLAUSIBLE when most of what was open is neither open nor ended, for five minutes
 */
export async function readOrganization(genesys: GenesysClient, options: OrganizationOptions): Promise<ReadSnapshot> {
  const { previous, now, lastReads, signal } = options
  const { pages, activity, refused, inAfterCallWork } = await readQueries(genesys, options)
  const readings = new Readings((record) => readAnalytics(record, now))
  for (const record of pages) readings.add(record)

  const dayAgo = now.getTime() - DAY_MS
  const isOlder = (each: LiveConversation): boolean => Date.parse(each.conversationStart) < dayAgo
  const missing = [...previous.values()].filter(({ conversationId }) => !readings.has(conversationId))
  const recent = missing.filter((each) => !isOlder(each)).map(({ conversationId }) => conversationId)
  const older = missing.filter(isOlder).map(({ conversationId }) => conversationId)
  const unseen = [...(activity?.keys() ?? [])].filter((id) => !readings.has(id) && !previous.has(id))
  const chosen = new Set(chooseOlder([...unseen, ...older], activity, lastReads, options.olderIds))
  const ids = [...recent, ...chosen]
  for (const record of await readByIds(genesys, ids, { priority: 'live', signal })) readings.add(record)

  const kept = missing.filter((each) => isOlder(each) && !chosen.has(each.conversationId))
  const unknown = ids.filter((id) => previous.has(id) && !readings.has(id))
  const compared = previous.size - kept.length
  const plausibility = plausibilityOfUnknown(unknown.length, compared, options.implausibleForMs)
  if (plausibility === 'implausible') throw implausible(unknown.length, compared)

  const changes = readings.changesSince(previous, { kept, unknown, requested: chosen })
  const olderRead = [...changes.read.values()].filter(isOlder).map(({ conversationId }) => conversationId)
  const wasRead = (id: string): boolean => readings.has(id) || chosen.has(id)
  return {
    changes,
    organization: {
      lastReads: nextLastReads([...olderRead, ...unseen, ...older], wasRead, { lastReads, activity, now }),
      refused,
      inAfterCallWork,
      acceptedUnknown: plausibility === 'accepted' ? unknown.length : null,
    },
  }
}

/** When each of these older conversations was last read, this snapshot included. */
function nextLastReads(
  ids: readonly string[],
  wasRead: (id: string) => boolean,
  {
    lastReads,
    activity,
    now,
  }: Pick<OrganizationOptions, 'lastReads' | 'now'> & { readonly activity: ConversationActivity | null },
): Map<string, LastRead> {
  const next = new Map<string, LastRead>()
  for (const id of ids) {
    const last = lastReads.get(id)
    // Where the activity can't be read, the last known one stays.
    const activityNow = activity ? (activity.get(id) ?? '') : (last?.activity ?? '')
    if (wasRead(id)) next.set(id, { readAt: now.getTime(), activity: activityNow })
    else if (last) next.set(id, last)
  }
  return next
}

/** Reads the last day, the windows that are due, and the activity, all at once. */
async function readQueries(
  genesys: GenesysClient,
  { now, plan, activity, signal }: OrganizationOptions,
): Promise<{
  readonly pages: readonly ReadRecord[]
  readonly activity: ConversationActivity | null
  readonly refused: readonly Interval[]
  readonly inAfterCallWork: number | null
}> {
  // The end lies ahead, because the clock of Genesys may differ from ours.
  const lastDay = { start: new Date(now.getTime() - DAY_MS), end: new Date(now.getTime() + HOUR_MS) }
  const refused: Interval[] = []
  let active: ConversationActivity | null = null
  let inAfterCallWork: number | null = null
  const readWindow = async (window: Interval, position: number, sending: RequestOptions): Promise<ReadRecord[]> => {
    try {
      return await readOpen(genesys, window, sending)
    } catch (error) {
      // How far back the API can be queried is not documented: a refused window is no reason to fail the snapshot.
      const isRefused = error instanceof GenesysError && error.status === 400
      if (!isRefused || position === 0) throw error
      refused.push(window)
      return []
    }
  }
  const readEnded = async (sending: RequestOptions): Promise<ReadRecord[]> => {
    const records = await readAfterCallWork(genesys, lastDay, sending)
    inAfterCallWork = records.length
    return records
  }
  const readActivity = async (sending: RequestOptions): Promise<ReadRecord[]> => {
    active = await activity(genesys, sending.signal)
    return []
  }
  const answers = await allOrNone(signal, (signal) => {
    const sending = { priority: 'live', signal } as const
    return [
      readOpen(genesys, lastDay, sending),
      readActivity(sending),
      ...(plan.withAfterCallWork ? [readEnded(sending)] : []),
      ...plan.windows.map((window, position) => readWindow(window, position, sending)),
    ]
  })
  return { pages: answers.flat(), activity: active, refused, inAfterCallWork }
}

/**
 * Reads the open conversations of the user whose token is used. A conversation of the snapshot before that the answer lacks has
 * left the user; if the token may read analytics, they say whether it has ended.
 * @throws GenesysError; EtlError LIVE_NEEDS_USER
 */
export async function readUser(genesys: GenesysClient, { previous, now, signal }: ReadOptions): Promise<ReadSnapshot> {
  const sending = { priority: 'live', signal } as const
  const answer = await readUserConversations(genesys, sending)
  const open = new Readings(readConversation)
  for (const record of answer.conversations) open.add({ record, sentAt: answer.sentAt })
  const missing = [...previous.keys()].filter((id) => !open.has(id))
  const ended = new Readings((record) => readAnalytics(record, now))
  for (const record of await noneIfRefused(readByIds(genesys, missing, sending)))
    if (readAnalytics(record.record, now).kind === 'ended') ended.add(record)
  const unknown = missing.filter((id) => !ended.has(id))
  const openChanges = open.changesSince(previous, { unknown })
  const endedChanges = ended.changesSince(previous, {})
  return {
    changes: {
      ...openChanges,
      ended: endedChanges.ended,
      endedRecords: endedChanges.endedRecords,
      leaving: [...openChanges.leaving, ...endedChanges.leaving],
    },
    organization: null,
  }
}

/** Waits for all; the first failure aborts the others, and is thrown when they have ended. */
async function allOrNone<T>(signal: AbortSignal, start: (signal: AbortSignal) => readonly Promise<T>[]): Promise<T[]> {
  const stop = new AbortController()
  const running = start(AbortSignal.any([signal, stop.signal]))
  try {
    return await Promise.all(running)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(running)
    throw error
  }
}

/** No records if Genesys refuses to answer this token. */
async function noneIfRefused(request: Promise<ReadRecord[]>): Promise<ReadRecord[]> {
  try {
    return await request
  } catch (error) {
    if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) return []
    throw error
  }
}

function implausible(unknown: number, open: number): EtlError {
  return new EtlError(
    `Genesys no longer knows ${unknown} of the ${open} conversations that were open, so the snapshot is implausible`,
    {
      code: 'LIVE_IMPLAUSIBLE',
      kind: 'retryable',
      hint:
        'Check that the roles of the OAuth client still cover all divisions (npm run etl -- doctor). ' +
        'If the conversations are really gone, the running service accepts it after five minutes.',
    },
  )
}
