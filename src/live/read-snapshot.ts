/** What is open now, read from Genesys and compared with the snapshot before. */
import type { JsonValue } from '../model/json.ts'
import { readAnalytics } from './from-analytics.ts'
import { readConversation } from './from-conversation.ts'
import { chooseOlder, type LastLook } from './older.ts'
import { judgeUnknown } from './plausibility.ts'
import type { LiveConversation, LiveReading } from './state.ts'
import { EtlError } from '../errors.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import type { ConversationActivity } from '../genesys/conversation-activity.ts'
import type { Interval } from '../model/interval.ts'
import { GenesysError } from '../genesys/errors.ts'
import { readByIds } from '../genesys/details-by-id.ts'
import { readAfterCallWork, readOpen, type ReadRecord } from '../genesys/open-conversations.ts'
import { readUserConversations } from '../genesys/user-conversations.ts'
import type { ReadPlan } from './memory.ts'

/** The picture of an instant, as it differs from the one before. */
export interface Picture {
  /** What was read and is open. */
  readonly read: ReadonlyMap<string, LiveConversation>
  /** What stays as it was without having been read. */
  readonly kept: readonly LiveConversation[]
  /** What was in the snapshot before and has ended. */
  readonly ended: readonly { readonly conversation: LiveConversation; readonly endedAt: string | null }[]
  /** Ids that leave: the ended, and those that Genesys does not know any more. */
  readonly leaving: readonly string[]
  /** Records of what has ended, for the history. */
  readonly endedRecords: readonly EndedRecord[]
  /** Records without a usable id or start. */
  readonly rejected: number
  /** How many Genesys does not know any more, where they were so many that this was not believed at first; else null. */
  readonly believedUnknown: number | null
  /** Null for the conversations of one user. */
  readonly beside: Beside | null
}

/** A record of a conversation that has ended. */
export interface EndedRecord extends ReadRecord {
  readonly conversationId: string
  readonly endedAt: string | null
  /** False: an agent's after-call work on it goes on, so that it stays among the open ones. */
  readonly isOver: boolean
}

/** What reading the organization has shown beside what is open. */
export interface Beside {
  /** When each older conversation was last read: to be remembered for the next snapshot. */
  readonly looks: ReadonlyMap<string, LastLook>
  /** Older windows that Genesys refused to read. */
  readonly refused: readonly Interval[]
  /** Records of conversations that had ended with open after-call work; null: they were not asked for. */
  readonly inAfterCallWork: number | null
}

type Conversations = ReadonlyMap<string, LiveConversation>

interface ReadOptions {
  readonly previous: Conversations
  /** The organization's time. */
  readonly now: Date
  readonly signal: AbortSignal
}

interface OrganizationOptions extends ReadOptions {
  readonly plan: ReadPlan
  /** When each older conversation was last read. */
  readonly looks: ReadonlyMap<string, LastLook>
  /** How many older conversations to read by id. */
  readonly olderIds: number
  /** Reads which conversations are active; null where that can't be read. */
  readonly activity: (genesys: GenesysClient, signal: AbortSignal) => Promise<ConversationActivity | null>
  /** Since how long each snapshot has ended as LIVE_IMPLAUSIBLE; null: the one before did not. */
  readonly disbelievedForMs: number | null
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/**
 * Reads the open conversations of the whole organization, however old. What started within a day is read by pages at each
 * snapshot. Older ones come by three ways: by id, those that the snapshot before had, and those that are active in a queue; and
 * by pages now and then, which finds those that nobody is at work on. Offset paging over a shrinking set can miss one, so whatever
 * the snapshot before had and the pages lack is asked for by id before it leaves.
 * @throws GenesysError; EtlError LIVE_IMPLAUSIBLE when most of what was open is neither open nor ended, for five minutes
 */
export async function readOrganization(genesys: GenesysClient, options: OrganizationOptions): Promise<Picture> {
  const { previous, now, looks } = options
  const dayAgo = now.getTime() - dayMs
  const isOlder = (each: LiveConversation): boolean => Date.parse(each.conversationStart) < dayAgo
  const { pages, activity, refused, inAfterCallWork } = await readQueries(genesys, options)
  const found = new Readings((record) => readAnalytics(record, now))
  for (const each of pages) found.add(each)

  const missing = [...previous.values()].filter(({ conversationId }) => !found.has(conversationId))
  const recent = missing.filter((each) => !isOlder(each)).map(({ conversationId }) => conversationId)
  const older = missing.filter(isOlder).map(({ conversationId }) => conversationId)
  const unseen = [...(activity?.keys() ?? [])].filter((id) => !found.has(id) && !previous.has(id))
  const chosen = new Set(chooseOlder([...unseen, ...older], activity, looks, options.olderIds))
  const ids = [...recent, ...chosen]
  const sending = { priority: 'live', signal: options.signal } as const
  for (const record of await readByIds(genesys, ids, sending)) found.add(record)

  const kept = missing.filter((each) => isOlder(each) && !chosen.has(each.conversationId))
  const unknown = ids.filter((id) => previous.has(id) && !found.has(id))
  const looked = previous.size - kept.length
  const verdict = judgeUnknown(unknown.length, looked, options.disbelievedForMs)
  if (verdict === 'implausible') throw implausible(unknown.length, looked)
  const picture = pictureOf(found, { previous, kept, unknown, asked: chosen })
  const newLooks = new Map<string, LastLook>()
  const olderRead = [...picture.read.values()].filter(isOlder).map(({ conversationId }) => conversationId)
  for (const id of [...olderRead, ...unseen, ...older]) {
    const look = looks.get(id)
    if (found.has(id) || chosen.has(id))
      newLooks.set(id, {
        readAt: now.getTime(),
        activity: activity ? (activity.get(id) ?? '') : (look?.activity ?? ''),
      })
    else if (look) newLooks.set(id, look)
  }
  return {
    ...picture,
    believedUnknown: verdict === 'believed' ? unknown.length : null,
    beside: { looks: newLooks, refused, inAfterCallWork },
  }
}

/** Asks for the last day, for the windows that are due, and for the activity, all at once. */
async function readQueries(
  genesys: GenesysClient,
  { now, plan, activity, signal }: OrganizationOptions,
): Promise<{
  readonly pages: readonly ReadRecord[]
  readonly activity: ConversationActivity | null
  readonly refused: readonly Interval[]
  readonly inAfterCallWork: number | null
}> {
  // The end lies ahead, since their clock need not be ours.
  const lastDay = { start: new Date(now.getTime() - dayMs), end: new Date(now.getTime() + hourMs) }
  const refused: Interval[] = []
  let active: ConversationActivity | null = null
  let inAfterCallWork: number | null = null
  const readWindow = async (window: Interval, position: number, sending: RequestOptions): Promise<ReadRecord[]> => {
    try {
      return await readOpen(genesys, window, sending)
    } catch (error) {
      // How far back the API can be asked is not documented: what it refuses is no reason to show nothing.
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
 * Reads the open conversations of the user whose token is used. What the snapshot before had and the answer lacks has left
 * the user; where the token may read analytics, it is told whether it has ended.
 */
export async function readUser(genesys: GenesysClient, { previous, now, signal }: ReadOptions): Promise<Picture> {
  const sending = { priority: 'live', signal } as const
  const answer = await readUserConversations(genesys, sending)
  const found = new Readings(readConversation)
  for (const record of answer.conversations) found.add({ record, sentAt: answer.sentAt })
  const missing = [...previous.keys()].filter((id) => !found.has(id))
  const ended = new Readings((record) => readAnalytics(record, now))
  for (const record of await unlessRefused(readByIds(genesys, missing, sending)))
    if (ended.reading(record.record).kind === 'ended') ended.add(record)
  const left = missing.filter((id) => !ended.has(id))
  const asked = new Set<string>()
  const picture = pictureOf(found, { previous, kept: [], unknown: left, asked })
  const over = pictureOf(ended, { previous, kept: [], unknown: [], asked })
  return {
    ...picture,
    ended: over.ended,
    endedRecords: over.endedRecords,
    leaving: [...picture.leaving, ...over.leaving],
  }
}

/** The newest reading of each conversation. */
class Readings {
  readonly reading: (record: JsonValue) => LiveReading
  readonly byId = new Map<string, { reading: LiveReading; record: ReadRecord }>()
  rejected = 0

  constructor(reading: (record: JsonValue) => LiveReading) {
    this.reading = reading
  }

  add(record: ReadRecord): void {
    const reading = this.reading(record.record)
    if (reading.kind === 'rejected') {
      this.rejected++
      return
    }
    const id = reading.kind === 'open' ? reading.conversation.conversationId : reading.conversationId
    const known = this.byId.get(id)
    if (!known || known.record.sentAt <= record.sentAt) this.byId.set(id, { reading, record })
  }

  has(id: string): boolean {
    return this.byId.has(id)
  }
}

interface Findings {
  readonly previous: Conversations
  readonly kept: readonly LiveConversation[]
  readonly unknown: readonly string[]
  /** Ids that were asked for although no snapshot had them: if they have ended, then just now. */
  readonly asked: ReadonlySet<string>
}

function pictureOf(found: Readings, { previous, kept, unknown, asked }: Findings): Picture {
  const read = new Map<string, LiveConversation>()
  const ended: { conversation: LiveConversation; endedAt: string | null }[] = []
  const endedRecords: EndedRecord[] = []
  for (const [id, { reading, record }] of found.byId) {
    const before = previous.get(id)
    if (reading.kind === 'open') {
      read.set(id, reading.conversation)
      // It has ended, and after-call work keeps it here: the history gets it now, and once more when that is done.
      if (reading.endedAt !== null && before?.state !== 'acw')
        endedRecords.push({ ...record, conversationId: id, endedAt: reading.endedAt, isOver: false })
    } else if (reading.kind === 'ended' && (before || asked.has(id))) {
      if (before) ended.push({ conversation: before, endedAt: reading.endedAt })
      endedRecords.push({ ...record, conversationId: id, endedAt: reading.endedAt, isOver: true })
    }
  }
  const leaving = [...ended.map(({ conversation }) => conversation.conversationId), ...unknown]
  return { read, kept, ended, leaving, endedRecords, rejected: found.rejected, believedUnknown: null, beside: null }
}

/** Waits for all; the first failure ends the others, and is thrown when they have ended. */
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

/** None where Genesys refuses to answer this token. */
async function unlessRefused(asked: Promise<ReadRecord[]>): Promise<ReadRecord[]> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) return []
    throw error
  }
}

function implausible(unknown: number, before: number): EtlError {
  return new EtlError(
    `Genesys knows nothing any more of ${unknown} of the ${before} conversations that were open: the snapshot is not believed`,
    {
      code: 'LIVE_IMPLAUSIBLE',
      kind: 'retryable',
      hint:
        'See that the roles of the OAuth client still cover all divisions (npm run etl -- doctor). ' +
        'If the conversations are really gone, the running service believes it after five minutes.',
    },
  )
}
