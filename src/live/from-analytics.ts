/** An open conversation as the details query gives it → its row in genesys.live_conversations. */
import { objects, storableText, type JsonObject, type JsonValue } from '../model/json.ts'
import { stateOfConversation, MAX_AFTER_CALL_WORK_MS, sideOf } from './state.ts'
import type { Activity, LiveReading, LiveState, Side } from './state.ts'
import { canonicalTime } from '../model/timestamps.ts'
import { conversationKey } from '../model/transform.ts'

/** Segments of one session that follow each other more closely than this are one stretch of the same thing. */
const SEAM_MS = 1000

/**
 * Reads a record of the details query or of its by-id form. Genesys sets `conversationEnd` when the last segment ends,
 * after-call work included, so a conversation in after-call work is open; whether it then has an open segment of type
 * `wrapup` or no open segment at all is not documented, and both are understood. A record with a `conversationEnd` and an
 * open segment of type `wrapup` counts as open as well, for an hour at most.
 * @param now decides whether after-call work that nothing has ended is still believed
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
  const decision = stateOfConversation(activities)
  const first = (name: string): string | null => textOf(sessions.map((each) => each[name]).find(isText))
  return {
    kind: 'open',
    endedAt,
    conversation: {
      conversationId,
      conversationStart,
      ...decision,
      mediaType: decision.mediaType ?? first('mediaType'),
      messageType: decision.messageType ?? first('messageType'),
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
      if (watching.has(type)) return []
      return [
        {
          ...factsOf(participant, session, segments, segment),
          participant: position,
          state: stateOf(side, type),
          parked: type === 'parked',
          since: startOfStretch(segments, index, side),
          conference: segment['conference'] === true,
        },
      ]
    })
  })
}

/** What an activity takes from its session, and from the segment of it that shows the activity. */
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

/** Segments that make an agent's session one that was handled; handle time counts dialing too. An alert alone is none. */
const handling: ReadonlySet<string | null> = new Set(['interact', 'hold', 'callback', 'dialing', 'contacting'])
/** Genesys emits these when the after-call work of a session is done. */
const completing: ReadonlySet<string | null> = new Set(['tHandle', 'tAcw'])

/**
 * After-call work that no open segment shows: of an agent's session that was handled, whose segments have all ended, and that
 * neither its metrics, nor a segment of type `wrapup`, nor `acwSkipped` call complete. Only work for a queue has after-call
 * work, so a colleague who was consulted directly has none; where nothing at all goes on in the open conversation, a session
 * without a queue is believed as well. What ended more than an hour ago has lost its metrics rather than still being worked on.
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
    types.some((type) => handling.has(type)) &&
    !types.includes('wrapup') &&
    segments.every((each) => !isMissing(each['segmentEnd'])) &&
    !objects(session['metrics']).some((metric) => completing.has(textOf(metric['name'])))
  )
}

/** What supervisors do beside a conversation without taking part in it. */
const watching: ReadonlySet<string | null> = new Set(['monitoring', 'coaching', 'screenmonitoring', 'sharing'])

/** What the segments of each side mean; those not listed mean the side's `else`. */
const meanings: Readonly<
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
  // That the other party is there says nothing about what happens to it.
  customer: {
    types: { dialing: 'dialing', contacting: 'dialing', scheduled: 'scheduled', ivr: 'ivr', voicemail: 'ivr' },
    else: 'other',
  },
}

function stateOf(side: Side, type: string | null): LiveState {
  const { types, else: otherwise } = meanings[side]
  return (type !== null && Object.hasOwn(types, type) && types[type]) || otherwise
}

/** When what a segment does began: the start of the first of the segments before it that do the same without a pause. */
function startOfStretch(segments: readonly JsonObject[], index: number, side: Side): string | null {
  const state = stateOf(side, textOf(segments[index]?.['segmentType']))
  let since = time(segments[index]?.['segmentStart'])
  for (let before = index - 1; before >= 0 && since !== null; before--) {
    const segment = segments[before]
    const start = time(segment?.['segmentStart'])
    const end = time(segment?.['segmentEnd'])
    if (start === null || end === null || Date.parse(since) - Date.parse(end) > SEAM_MS) break
    if (stateOf(side, textOf(segment?.['segmentType'])) !== state) break
    since = start
  }
  return since
}

/** In the order of time, which that of the document is not; without a start last, equals in document order. */
export function byStart<Item>(items: readonly Item[], startOf: (item: Item) => string | null): Item[] {
  return items
    .map((item) => ({ item, key: sortKey(startOf(item)) }))
    .sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1))
    .map(({ item }) => item)
}

/** The start of the segment of a session that began first, or null. */
function earliestSegment(session: JsonObject): string | null {
  return earliest(objects(session['segments']).map((segment) => time(segment['segmentStart'])))
}

/** The first of instants in canonical spelling, or null where there is none. */
export function earliest(instants: readonly (string | null)[]): string | null {
  return instants.reduce((first, each) => (sortKey(each) < sortKey(first) ? each : first), null)
}

/** Sorts instants in canonical spelling, null last. Without the Z, which comes after the digits of microseconds. */
function sortKey(instant: string | null): string {
  return instant === null ? '~' : instant.slice(0, -1)
}

function inOrder(segments: readonly JsonObject[]): JsonObject[] {
  return segments.toSorted((a, b) => instantOf(a['segmentStart']) - instantOf(b['segmentStart']))
}

/** In milliseconds, for comparing; 0 for what is no instant. */
function instantOf(value: JsonValue | undefined): number {
  return Date.parse(time(value) ?? '') || 0
}

/** A text that Postgres can hold, or null. */
export function textOf(value: JsonValue | undefined): string | null {
  return isText(value) ? storableText(value) : null
}

/** An instant in canonical spelling, or null. */
export function time(value: JsonValue | undefined): string | null {
  return typeof value === 'string' ? canonicalTime(value) : null
}

/** The texts of a list, or null where there are none. */
function texts(value: JsonValue | undefined): string[] | null {
  const list = Array.isArray(value) ? value.filter(isText).map(storableText) : []
  return list.length > 0 ? list : null
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== ''
}

function isMissing(value: JsonValue | undefined): boolean {
  return value === undefined || value === null
}
