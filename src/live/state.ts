/**
 * What an open conversation is doing. Either model of the API (analytics' sessions and segments, or the communications of
 * GET /conversations) is first read as activities: who is doing what at the moment, since when. Which of them is the
 * conversation's state is decided here, by what its customer experiences.
 */

export type LiveState =
  | 'ivr'
  | 'waiting'
  | 'alerting'
  | 'dialing'
  | 'interacting'
  | 'hold'
  | 'acw'
  | 'scheduled'
  | 'other'

/** What an agent, or another user, does in a conversation; spelled as in genesys.live_conversations.agents. */
export interface LiveAgent {
  readonly user_id: string
  readonly state: LiveState
  readonly state_since: string | null
  readonly queue_id: string | null
}

/** A row of genesys.live_conversations without its snapshot_at. Times are in canonical spelling. */
export interface LiveConversation {
  readonly conversationId: string
  readonly conversationStart: string
  readonly mediaType: string | null
  readonly messageType: string | null
  /** In which it began. */
  readonly direction: string | null
  readonly state: LiveState
  readonly stateSince: string | null
  readonly queueId: string | null
  readonly userId: string | null
  /** Everyone of the organization who takes part, after-call work included, supervisors who only watch excluded. */
  readonly userIds: readonly string[] | null
  /** What each of them does themself, by user id. */
  readonly agents: readonly LiveAgent[] | null
  /** When it entered its queue; only while waiting or alerting. */
  readonly waitingSince: string | null
  readonly divisionIds: readonly string[] | null
  readonly participants: number
  readonly skillIds: readonly string[] | null
  readonly languageId: string | null
  /** When a callback is due. */
  readonly scheduledAt: string | null
}

/** What a record says about its conversation. */
export type LiveReading =
  | { readonly kind: 'open'; readonly conversation: LiveConversation; readonly endedAt: string | null }
  | { readonly kind: 'ended'; readonly conversationId: string; readonly endedAt: string | null }
  /** It has no usable id or start. */
  | { readonly kind: 'rejected'; readonly reason: string }

/** Which side of the conversation a participant is on. */
export type Side = 'customer' | 'queue' | 'machine' | 'organization'

/** One thing that goes on in a conversation at the moment: an open segment, or a connected communication. */
export interface Activity {
  readonly side: Side
  /** The participant's position: a person can do several things at once. */
  readonly participant: number
  readonly state: LiveState
  /** An agent has put the conversation aside: more than nothing, less than anything else. */
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
 * What wins where several things go on. A person who speaks with the customer before a person who has them on hold; a call
 * being placed before one ringing; ringing at an agent before waiting for one; waiting before the menu, since a flow can go on
 * beside the queue; after-call work only when the customer has nobody left.
 */
const precedence: readonly LiveState[] = [
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
const parkedRank = precedence.indexOf('acw') - 0.5

/** Media that run beside another one. */
const sideMedia: ReadonlySet<string | null> = new Set(['cobrowse', 'screenshare', 'screenmonitoring'])

/** After-call work that nothing has ended for this long never will be: its record has lost the end. */
export const LONGEST_AFTER_CALL_WORK_MS = 3_600_000

const purposes: Readonly<Record<string, Side>> = {
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

/** The side of a participant by its purpose; who has a user's id is of the organization, everyone else is the other party. */
export function sideOf(purpose: unknown, userId: unknown): Side {
  if (typeof purpose === 'string' && Object.hasOwn(purposes, purpose)) return purposes[purpose] ?? 'customer'
  return typeof userId === 'string' ? 'organization' : 'customer'
}

/** The part of a live conversation that follows from what goes on in it. */
export type Decision = Pick<
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
 * Decides about a conversation by its activities, in document order. Of equals the organization's side decides
 * before the customer's, and the one that began first, so that a colleague who joins changes nothing.
 */
export function decide(activities: readonly Activity[]): Decision {
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
 * What one of them does. Who consults is not talking with the customer, whom they have on hold: as for the conversation, the
 * hold is what counts.
 */
function agentOf(userId: string, activities: readonly Activity[], queued: Activity | undefined): LiveAgent | undefined {
  const own = withoutCarriers(activities).filter((each) => each.side === 'organization' && each.userId === userId)
  const holds = own.some((each) => each.state === 'hold')
  const deciding = ranked(own.filter((each) => !holds || each.conference || each.state !== 'interacting'))[0]
  if (!deciding) return undefined
  const queueId = queueOf(deciding, activities, deciding.state === 'alerting' ? queued : undefined)
  return { user_id: userId, state: deciding.state, state_since: deciding.since, queue_id: queueId }
}

/** The queue of the deciding activity; the leg that an agent dials on behalf of a callback has it on the callback's own. */
function queueOf(deciding: Activity, activities: readonly Activity[], queued: Activity | undefined): string | null {
  const own = ranked(activities).find((each) => each.participant === deciding.participant && each.queueId !== null)
  return deciding.queueId ?? own?.queueId ?? queued?.queueId ?? null
}

function ranked(activities: readonly Activity[]): Activity[] {
  const rank = (each: Activity): number => (each.parked ? parkedRank : precedence.indexOf(each.state))
  const began = (each: Activity): number => (each.since === null ? Number.POSITIVE_INFINITY : Date.parse(each.since))
  return [...activities].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      Number(sideMedia.has(a.mediaType)) - Number(sideMedia.has(b.mediaType)) ||
      Number(a.side === 'customer') - Number(b.side === 'customer') ||
      compare(began(a), began(b)) ||
      // Not by position: the same picture has to give the same row, in whatever order it comes.
      compare(a.userId ?? '', b.userId ?? '') ||
      compare(a.queueId ?? '', b.queueId ?? ''),
  )
}

/**
 * A callback or a preview lasts as long as the call that it led to: while that call goes on, the call tells what happens.
 * Before, the agent at work on it counts as interacting, as in Genesys' own oInteracting.
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
 * Who holds one party and speaks, or is about to, with another is consulting: the customer is on hold, and whoever is
 * consulted does not speak with them. In a conference everyone speaks with everyone.
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
