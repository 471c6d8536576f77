/** An open conversation in the model of the details query → its row in genesys.live_conversations. Pure. */
import { objects, storableText, type JsonObject, type JsonValue } from '../model/json.ts'
import {
  isStorableId,
  MAX_AFTER_CALL_WORK_MS,
  sideOf,
  stateOfConversation,
  type Activity,
  type LiveReading,
  type LiveState,
  type Side,
} from './state.ts'
import { canonicalTime } from '../model/timestamps.ts'
import { conversationKey } from '../model/transform.ts'

/** Segments of one session that mean the same count as one if the gap between them is not longer than this. */
const MAX_GAP_MS = 1000

/**
 * Reads a record of the details query or of its by-id form. Genesys sets `conversationEnd` when the last segment ends,
 * after-call work included, so a conversation in after-call work is open. Whether it then has an open segment of type
 * `wrapup` or no open segment at all is not documented; both are handled. A record with a `conversationEnd` and an open
 * segment of type `wrapup` counts as open as well, for an hour at most.
 * @param now decides whether after-call work without an end is still going on
 */
export function readAnalytics(raw: JsonValue, now: Date): LiveReading {
  const key = conversationKey(raw)
  if ('rejected' in key) return { kind: 'rejected', reason: key.rejected }
  const record = raw as JsonObject
  const { conversationId, conversationStart } = key
  const participants = objects(record['participants'])
  const ended = !isMissing(record['conversationEnd'])
  const endedAt = time(record['conversationEnd'])
  let activities = participants.flatMap(activitiesOf)
  if (!ended) activities.push(...inferAfterCallWork(participants, activities.length > 0, now))
  if (ended) {
    activities = activities.filter((each) => each.state === 'acw' && each.side === 'organization')
    const tooOld = endedAt === null || now.getTime() - Date.parse(endedAt) > MAX_AFTER_CALL_WORK_MS
    if (activities.length === 0 || tooOld) return { kind: 'ended', conversationId, endedAt }
  }
  const sessions = byStart(
    participants.flatMap((each) => objects(each['sessions'])),
    earliestSegment,
  )
  const state = stateOfConversation(activities)
  const first = (name: string): string | null => textOf(sessions.map((each) => each[name]).find(isText))
  return {
    kind: 'open',
    endedAt,
    conversation: {
      conversationId,
      conversationStart,
      ...state,
      mediaType: state.mediaType ?? first('mediaType'),
      messageType: state.messageType ?? first('messageType'),
      direction: textOf(record['originatingDirection']) ?? first('direction'),
      divisionIds: texts(record['divisionIds']),
      participants: participants.length,
    },
  }
}

function activitiesOf(participant: JsonObject, position: number): Activity[] {
  const side = sideOf(participant['purpose'], participant['userId'])
  return objects(participant['sessions']).flatMap((session) => {
    const segments = inOrder(objects(session['segments']))
    return segments.flatMap((segment, index): Activity[] => {
      if (!isMissing(segment['segmentEnd'])) return []
      const type = textOf(segment['segmentType'])
      if (MONITORING_SEGMENTS.has(type)) return []
      return [
        {
          ...factsOf(participant, session, segments, segment),
          participant: position,
          state: stateOf(side, type),
          parked: type === 'parked',
          since: startOfState(segments, index, side),
          conference: segment['conference'] === true,
        },
      ]
    })
  })
}

/** The fields that an activity takes from its session and from the segment that shows it. */
function factsOf(
  participant: JsonObject,
  session: JsonObject,
  segments: readonly JsonObject[],
  segment: JsonObject,
): Pick<
  Activity,
  'side' | 'mediaType' | 'messageType' | 'queueId' | 'userId' | 'skillIds' | 'languageId' | 'scheduledAt'
> {
  const side = sideOf(participant['purpose'], participant['userId'])
  return {
    side,
    mediaType: textOf(session['mediaType']),
    messageType: textOf(session['messageType']),
    queueId: textOf(segment['queueId']) ?? textOf(segments.findLast((each) => isText(each['queueId']))?.['queueId']),
    userId: side === 'organization' ? textOf(participant['userId']) : null,
    skillIds: texts(segment['requestedRoutingSkillIds']),
    languageId: textOf(segment['requestedLanguageId']),
    scheduledAt: time(session['callbackScheduledTime']),
  }
}

/** Segments that make an agent's session a handled one (handle time includes dialing). An alert alone does not. */
const HANDLING_SEGMENTS: ReadonlySet<string | null> = new Set(['interact', 'hold', 'callback', 'dialing', 'contacting'])
/** Metrics that Genesys emits when the after-call work of a session is done. */
const CLOSING_METRICS: ReadonlySet<string | null> = new Set(['tHandle', 'tAcw'])

/**
 * After-call work that no open segment shows: an agent's session was handled, its segments have all ended, and neither its
 * metrics, nor a segment of type `wrapup`, nor `acwSkipped` says that it is complete. Only work for a queue has after-call
 * work, so a colleague who was consulted directly has none; if nothing else is going on in the open conversation, a session
 * without a queue counts as well. A session that ended more than an hour ago has rather lost its metrics.
 */
function inferAfterCallWork(participants: readonly JsonObject[], isBusy: boolean, now: Date): Activity[] {
  const pending = participants.flatMap((participant, position): Activity[] => {
    if (participant['purpose'] !== 'agent') return []
    return objects(participant['sessions']).flatMap((session): Activity[] => {
      const segments = inOrder(objects(session['segments']))
      const last = segments.toSorted((a, b) => instantOf(a['segmentEnd']) - instantOf(b['segmentEnd'])).at(-1)
      if (last === undefined || !awaitsAfterCallWork(session, segments)) return []
      const since = time(last['segmentEnd'])
      if (since === null || now.getTime() - Date.parse(since) > MAX_AFTER_CALL_WORK_MS) return []
      const facts = factsOf(participant, session, segments, last)
      return [{ ...facts, participant: position, state: 'acw', parked: false, since, conference: false }]
    })
  })
  const queued = pending.filter((each) => each.queueId !== null)
  return isBusy || queued.length > 0 ? queued : pending
}

function awaitsAfterCallWork(session: JsonObject, segments: readonly JsonObject[]): boolean {
  const types = segments.map((each) => textOf(each['segmentType']))
  return (
    session['acwSkipped'] !== true &&
    types.some((type) => HANDLING_SEGMENTS.has(type)) &&
    !types.includes('wrapup') &&
    segments.every((each) => !isMissing(each['segmentEnd'])) &&
    !objects(session['metrics']).some((metric) => CLOSING_METRICS.has(textOf(metric['name'])))
  )
}

/** Segments of supervisors, who do not take part in the conversation. */
const MONITORING_SEGMENTS: ReadonlySet<string | null> = new Set([
  'monitoring',
  'coaching',
  'screenmonitoring',
  'sharing',
])

/** The states of the segments of each side; segments that are not listed have the state of `else`. */
const STATES_BY_SEGMENT: Readonly<
  Record<Side, { readonly types: Readonly<Record<string, LiveState>>; readonly else: LiveState }>
> = {
  queue: { types: { delay: 'waiting', interact: 'waiting', alert: 'waiting' }, else: 'other' },
  machine: { types: { system: 'other', wrapup: 'other' }, else: 'ivr' },
  organization: {
    types: {
      interact: 'interacting',
      callback: 'interacting',
      barging: 'interacting',
      hold: 'hold',
      dialing: 'dialing',
      contacting: 'dialing',
      alert: 'alerting',
      wrapup: 'acw',
      scheduled: 'scheduled',
      ivr: 'ivr',
      voicemail: 'ivr',
    },
    else: 'other',
  },
  // That the customer is connected does not say what is happening to them.
  customer: {
    types: { dialing: 'dialing', contacting: 'dialing', scheduled: 'scheduled', ivr: 'ivr', voicemail: 'ivr' },
    else: 'other',
  },
}

function stateOf(side: Side, type: string | null): LiveState {
  const { types, else: otherwise } = STATES_BY_SEGMENT[side]
  return (type !== null && Object.hasOwn(types, type) && types[type]) || otherwise
}

/** When the state of a segment began: the start of the first of the adjacent segments before it that mean the same. */
function startOfState(segments: readonly JsonObject[], index: number, side: Side): string | null {
  const state = stateOf(side, textOf(segments[index]?.['segmentType']))
  let since = time(segments[index]?.['segmentStart'])
  for (let before = index - 1; before >= 0 && since !== null; before--) {
    const segment = segments[before]
    const start = time(segment?.['segmentStart'])
    const end = time(segment?.['segmentEnd'])
    if (start === null || end === null || Date.parse(since) - Date.parse(end) > MAX_GAP_MS) break
    if (stateOf(side, textOf(segment?.['segmentType'])) !== state) break
    since = start
  }
  return since
}

/** Sorts by start, which the document is not sorted by: items without a start last, equal ones in document order. */
export function byStart<Item>(items: readonly Item[], startOf: (item: Item) => string | null): Item[] {
  return items
    .map((item) => ({ item, key: sortKey(startOf(item)) }))
    .sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1))
    .map(({ item }) => item)
}

/** The earliest start of a session's segments, or null. */
function earliestSegment(session: JsonObject): string | null {
  return earliest(objects(session['segments']).map((segment) => time(segment['segmentStart'])))
}

/** The earliest of canonical instants, or null. */
export function earliest(instants: readonly (string | null)[]): string | null {
  return instants.reduce((first, each) => (sortKey(each) < sortKey(first) ? each : first), null)
}

/** A key that sorts canonical instants, null last. It has no Z, because a Z sorts after the digits of microseconds. */
function sortKey(instant: string | null): string {
  return instant === null ? '~' : instant.slice(0, -1)
}

function inOrder(segments: readonly JsonObject[]): JsonObject[] {
  return segments.toSorted((a, b) => instantOf(a['segmentStart']) - instantOf(b['segmentStart']))
}

/** Milliseconds since 1970, for comparing; 0 if the value is no instant. */
function instantOf(value: JsonValue | undefined): number {
  return Date.parse(time(value) ?? '') || 0
}

/** A text that the live tables can hold, or null: an id or name of a kind that is too long for an index is ignored. */
export function textOf(value: JsonValue | undefined): string | null {
  return isText(value) && isStorableId(value) ? storableText(value) : null
}

/** A canonical instant (see model/timestamps.ts), or null. */
export function time(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? canonicalTime(value) : null
}

/** The texts of an array, or null if there are none. */
function texts(value: JsonValue | undefined): string[] | null {
  const list = Array.isArray(value) ? value.flatMap((each) => textOf(each) ?? []) : []
  return list.length > 0 ? list : null
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== ''
}

function isMissing(value: JsonValue | undefined): boolean {
  return value === undefined || value === null
}
