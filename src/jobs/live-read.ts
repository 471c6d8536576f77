/** What is open now, read from Genesys and compared with the snapshot before. */
import type { JsonValue } from '../core/json.ts'
import { readAnalytics } from '../core/live-from-analytics.ts'
import { readConversation } from '../core/live-from-conversation.ts'
import { judgeUnknown } from '../core/live-plausible.ts'
import type { LiveConversation, LiveReading } from '../core/live-state.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { GenesysError } from '../genesys/errors.ts'
import { readByIds } from '../genesys/multi-get.ts'
import { OLDEST_OPEN_DAYS, readAfterCallWork, readOpen, type ReadRecord } from '../genesys/open-conversations.ts'
import { readUserConversations } from '../genesys/user-conversations.ts'

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
  readonly endedRecords: readonly ReadRecord[]
  /** Records without a usable id or start. */
  readonly rejected: number
  /** How many Genesys does not know any more, where they were so many that this was not believed at first; else null. */
  readonly believedUnknown: number | null
}

type Conversations = ReadonlyMap<string, LiveConversation>

interface ReadOptions {
  readonly previous: Conversations
  /** The organization's time. */
  readonly now: Date
  readonly signal: AbortSignal
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/**
 * Reads the open conversations of the whole organization. Offset paging over a shrinking set can miss one, so whatever the
 * snapshot before had and the answers lack is asked for by id before it leaves.
 * @param options.withOlder reads what started more than 24 hours ago too; else those stay as they were
 * @param options.disbelievedForMs since how long each snapshot has ended as LIVE_IMPLAUSIBLE; null: the one before did not
 * @throws GenesysError; EtlError LIVE_IMPLAUSIBLE when most of what was open is neither open nor ended, for five minutes
 */
export async function readOrganization(
  genesys: GenesysClient,
  options: ReadOptions & { readonly withOlder: boolean; readonly disbelievedForMs: number | null },
): Promise<Picture> {
  const { previous, now, withOlder } = options
  const dayAgo = new Date(now.getTime() - dayMs)
  // The end lies ahead, since their clock need not be ours.
  const recent = { start: dayAgo, end: new Date(now.getTime() + hourMs) }
  const older = { start: new Date(now.getTime() - OLDEST_OPEN_DAYS * dayMs), end: dayAgo }
  const answers = await allOrNone(options.signal, (signal) => {
    const sending = { priority: 'live', signal } as const
    return [
      readAfterCallWork(genesys, recent, sending),
      readOpen(genesys, recent, sending),
      ...(withOlder ? [readOpen(genesys, older, sending)] : []),
    ]
  })
  const found = new Readings((record) => readAnalytics(record, now))
  answers.flat().forEach((each) => found.add(each))

  const kept: LiveConversation[] = []
  const missing: LiveConversation[] = []
  for (const conversation of previous.values()) {
    if (found.has(conversation.conversationId)) continue
    const isOld = Date.parse(conversation.conversationStart) < dayAgo.getTime()
    if (isOld && !withOlder) kept.push(conversation)
    else missing.push(conversation)
  }
  const sending = { priority: 'live', signal: options.signal } as const
  const ids = missing.map(({ conversationId }) => conversationId)
  for (const record of await readByIds(genesys, ids, sending)) found.add(record)
  const unknown = ids.filter((id) => !found.has(id))
  const verdict = judgeUnknown(unknown.length, previous.size, options.disbelievedForMs)
  if (verdict === 'implausible') throw implausible(unknown.length, previous.size)
  return {
    ...pictureOf(found, previous, kept, unknown),
    believedUnknown: verdict === 'believed' ? unknown.length : null,
  }
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
  const picture = pictureOf(found, previous, [], left)
  const over = pictureOf(ended, previous, [], [])
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

function pictureOf(
  found: Readings,
  previous: Conversations,
  kept: readonly LiveConversation[],
  unknown: readonly string[],
): Picture {
  const read = new Map<string, LiveConversation>()
  const ended: { conversation: LiveConversation; endedAt: string | null }[] = []
  const endedRecords: ReadRecord[] = []
  for (const [id, { reading, record }] of found.byId) {
    const before = previous.get(id)
    if (reading.kind === 'open') {
      read.set(id, reading.conversation)
      // It has ended, and after-call work keeps it here: the history gets it now, and once more when that is done.
      if (reading.endedAt !== null && before?.state !== 'acw') endedRecords.push(record)
    } else if (reading.kind === 'ended' && before) {
      ended.push({ conversation: before, endedAt: reading.endedAt })
      endedRecords.push(record)
    }
  }
  const leaving = [...ended.map(({ conversation }) => conversation.conversationId), ...unknown]
  return { read, kept, ended, leaving, endedRecords, rejected: found.rejected, believedUnknown: null }
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
