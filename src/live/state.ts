/**
 * The state of an open conversation. Both models of the API (sessions and segments of analytics, communications of
 * GET /conversations) are first read as activities: which participant is doing what, and since when. This file decides which
 * activity gives the conversation its state: the one that its customer experiences. Pure.
 */

/** Every state of genesys.live_conversations, in the order of a conversation's life. */
export const LIVE_STATES = [
  'ivr',
  'waiting',
  'alerting',
  'dialing',
  'interacting',
  'hold',
  'acw',
  'scheduled',
  'other',
] as const

export type LiveState = (typeof LIVE_STATES)[number]

/** What an agent, or another user, is doing in a conversation; an element of genesys.live_conversations.agents. */
export interface LiveAgent {
  readonly user_id: string
  readonly state: LiveState
  readonly state_since: string | null
  readonly queue_id: string | null
}

/**
 * The longest id that is stored, in characters. The live tables, the outbox and the re-reads have ids in their keys, and an
 * index entry of Postgres takes at most 2704 bytes. Ids of Genesys have 36 characters.
 */
const MAX_ID_CHARACTERS = 255

/** Whether a text can be an id in the tables of the live side. */
export function isStorableId(id: string): boolean {
  return id.length <= MAX_ID_CHARACTERS
}

/** A row of genesys.live_conversations without its snapshot_at. Times are canonical texts (see model/timestamps.ts). */
export interface LiveConversation {
  readonly conversationId: string
  readonly conversationStart: string
  readonly mediaType: string | null
  readonly messageType: string | null
  /** The direction in which it began. */
  readonly direction: string | null
  readonly state: LiveState
  readonly stateSince: string | null
  readonly queueId: string | null
  readonly userId: string | null
  /** Users who take part, after-call work included; supervisors who only monitor are excluded. */
  readonly userIds: readonly string[] | null
  /** What each of these users is doing, sorted by user id. */
  readonly agents: readonly LiveAgent[] | null
  /** When it entered its queue; set only while it is waiting or alerting. */
  readonly waitingSince: string | null
  readonly divisionIds: readonly string[] | null
  readonly participants: number
  readonly skillIds: readonly string[] | null
  readonly languageId: string | null
  /** When a callback is due. */
  readonly scheduledAt: string | null
}

/** The result of reading one record. */
export type LiveReading =
  | { readonly kind: 'open'; readonly conversation: LiveConversation; readonly endedAt: string | null }
  | { readonly kind: 'ended'; readonly conversationId: string; readonly endedAt: string | null }
  /** The record has no usable id or start. */
  | { readonly kind: 'rejected'; readonly reason: string }

/** Which side of the conversation a participant is on. */
export type Side = 'customer' | 'queue' | 'machine' | 'organization'

/** One thing that is going on in a conversation: an open segment, or a connected communication. */
export interface Activity {
  readonly side: Side
  /** Index of the participant: one person can do several things at once. */
  readonly participant: number
  readonly state: LiveState
  /** An agent has parked the conversation: any other activity ranks higher, except after-call work and `other`. */
  readonly parked: boolean
  readonly since: string | null
  readonly conference: boolean
  readonly mediaType: string | null
  readonly messageType: string | null
  readonly queueId: string | null
  readonly userId: string | null
  readonly skillIds: readonly string[] | null
  readonly languageId: string | null
  readonly scheduledAt: string | null
}

/**
 * Which state wins when several activities are going on: a person talking with the customer over one who has them on hold; a
 * call being dialed over one that rings; ringing at an agent over waiting for one; waiting over the menu, since a flow can run
 * while the conversation is queued; after-call work only when no other participant is left with the customer.
 */
const PRECEDENCE: readonly LiveState[] = [
  'interacting',
  'hold',
  'dialing',
  'alerting',
  'waiting',
  'ivr',
  'scheduled',
  'acw',
  'other',
]
const PARKED_RANK = PRECEDENCE.indexOf('acw') - 0.5

/** Media that accompany another one. */
const ACCOMPANYING_MEDIA: ReadonlySet<string | null> = new Set(['cobrowse', 'screenshare', 'screenmonitoring'])

/** After this long, after-call work without an end is taken for a record that lost its end. */
export const MAX_AFTER_CALL_WORK_MS = 3_600_000

const SIDE_BY_PURPOSE: Readonly<Record<string, Side>> = {
  agent: 'organization',
  user: 'organization',
  station: 'organization',
  group: 'organization',
  acd: 'queue',
  ivr: 'machine',
  botflow: 'machine',
  workflow: 'machine',
  voicesurveyflow: 'machine',
  voicemail: 'machine',
}

/** The side of a participant by its purpose; of an unknown purpose, a participant with a user id belongs to the organization. */
export function sideOf(purpose: unknown, userId: unknown): Side {
  if (typeof purpose === 'string' && Object.hasOwn(SIDE_BY_PURPOSE, purpose))
    return SIDE_BY_PURPOSE[purpose] ?? 'customer'
  return typeof userId === 'string' ? 'organization' : 'customer'
}

/** The part of a live conversation that follows from its activities. */
export type StateOfConversation = Pick<
  LiveConversation,
  | 'mediaType'
  | 'messageType'
  | 'state'
  | 'stateSince'
  | 'queueId'
  | 'userId'
  | 'userIds'
  | 'agents'
  | 'waitingSince'
  | 'skillIds'
  | 'languageId'
  | 'scheduledAt'
>

/**
 * Derives the state of a conversation from its activities. Among activities of equal rank those of the organization come
 * before the customer's, and earlier ones first, so that a colleague who joins changes nothing.
 */
export function stateOfConversation(activities: readonly Activity[]): StateOfConversation {
  const deciding = ranked(withoutConsulted(withoutCarriers(activities)))[0]
  const people = activities.filter((each) => each.side === 'organization' && each.userId !== null)
  const userIds = [...new Set(people.flatMap((each) => each.userId ?? []))].sort()
  const queued = ranked(activities.filter((each) => each.state === 'waiting'))[0]
  const agents = userIds.flatMap((userId) => agentOf(userId, activities, queued) ?? [])
  const waits = deciding?.state === 'waiting' || deciding?.state === 'alerting'
  const fallback = ranked([...activities])
  const first = <Name extends 'mediaType' | 'messageType' | 'skillIds' | 'languageId' | 'scheduledAt'>(name: Name) =>
    deciding?.[name] ?? fallback.find((each) => each[name] !== null)?.[name] ?? null
  return {
    mediaType: first('mediaType'),
    messageType: first('messageType'),
    state: deciding?.state ?? 'other',
    stateSince: deciding?.since ?? null,
    queueId: deciding ? queueOf(deciding, activities, waits ? queued : undefined) : null,
    userId: deciding?.userId ?? null,
    userIds: userIds.length > 0 ? userIds : null,
    agents: agents.length > 0 ? agents : null,
    waitingSince: waits ? (queued?.since ?? null) : null,
    skillIds: first('skillIds'),
    languageId: first('languageId'),
    scheduledAt: first('scheduledAt'),
  }
}

/**
 * What one user is doing; undefined if nothing. A user who consults a colleague has the customer on hold, so `hold` wins, as it
 * does for the conversation.
 */
function agentOf(userId: string, activities: readonly Activity[], queued: Activity | undefined): LiveAgent | undefined {
  const own = withoutCarriers(activities).filter((each) => each.side === 'organization' && each.userId === userId)
  const holds = own.some((each) => each.state === 'hold')
  const deciding = ranked(own.filter((each) => !holds || each.conference || each.state !== 'interacting'))[0]
  if (!deciding) return undefined
  const queueId = queueOf(deciding, activities, deciding.state === 'alerting' ? queued : undefined)
  return { user_id: userId, state: deciding.state, state_since: deciding.since, queue_id: queueId }
}

/** The queue of the deciding activity. A call that an agent dials for a callback has its queue on the callback's session. */
function queueOf(deciding: Activity, activities: readonly Activity[], queued: Activity | undefined): string | null {
  const own = ranked(activities).find((each) => each.participant === deciding.participant && each.queueId !== null)
  return deciding.queueId ?? own?.queueId ?? queued?.queueId ?? null
}

function ranked(activities: readonly Activity[]): Activity[] {
  const rank = (each: Activity): number => (each.parked ? PARKED_RANK : PRECEDENCE.indexOf(each.state))
  const began = (each: Activity): number => (each.since === null ? Number.POSITIVE_INFINITY : Date.parse(each.since))
  return [...activities].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      Number(ACCOMPANYING_MEDIA.has(a.mediaType)) - Number(ACCOMPANYING_MEDIA.has(b.mediaType)) ||
      Number(a.side === 'customer') - Number(b.side === 'customer') ||
      compare(began(a), began(b)) ||
      // Not by position: the same activities must give the same row, in whatever order the API returns them.
      compare(a.userId ?? '', b.userId ?? '') ||
      compare(a.queueId ?? '', b.queueId ?? ''),
  )
}

/**
 * A callback or a preview lasts as long as the call that it leads to. During the call, the call decides. Before it, the agent
 * working on the callback counts as interacting, as in Genesys' own oInteracting.
 */
function withoutCarriers(activities: readonly Activity[]): Activity[] {
  const calling = new Set(
    activities
      .filter((each) => each.side === 'organization' && each.mediaType !== 'callback' && each.state !== 'acw')
      .map((each) => each.participant),
  )
  const carries = (each: Activity): boolean =>
    each.mediaType === 'callback' && each.state === 'interacting' && calling.has(each.participant)
  return activities.filter((each) => !carries(each))
}

/**
 * An agent who has one party on hold and talks with (or dials) another is consulting: the customer is on hold, and the
 * consulted colleague does not talk with the customer. In a conference all parties talk with each other.
 */
function withoutConsulted(activities: readonly Activity[]): Activity[] {
  const people = activities.filter((each) => each.side === 'organization')
  const speaks = (each: Activity): boolean => each.state === 'interacting' || each.state === 'dialing'
  const consulting = people
    .filter((each) => each.state === 'hold')
    .some((held) => people.some((other) => other.participant === held.participant && speaks(other)))
  if (!consulting) return [...activities]
  return activities.filter((each) => each.side !== 'organization' || each.conference || each.state !== 'interacting')
}

function compare<T extends number | string>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1
}
