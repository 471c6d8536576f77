/** An open conversation as the details query gives it → its row in genesys.live_conversations. */
import { isJsonObject, storableText } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { decide, LONGEST_AFTER_CALL_WORK_MS, sideOf } from './live-state.ts'
import type { Activity, LiveReading, LiveState, Side } from './live-state.ts'
import { canonicalTime } from './timestamps.ts'
import { conversationKey } from './transform.ts'

/** Segments of one session that follow each other more closely than this are one stretch of the same thing. */
const SEAM_MS = 1000

/**
 * Reads a record of the details query or of its by-id form. A conversation that has ended is open for as long as an agent's
 * after-call work on it is, but an hour at most.
 * @param now decides whether after-call work is still believed
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
  if (ended) {
    activities = activities.filter((each) => each.state === 'acw' && each.side === 'organization')
    const tooOld = endedAt === null || now.getTime() - Date.parse(endedAt) > LONGEST_AFTER_CALL_WORK_MS
    if (activities.length === 0 || tooOld) return { kind: 'ended', conversationId, endedAt }
  }
  const sessions = byStart(
    participants.flatMap((each) => objects(each['sessions'])),
    earliestSegment,
  )
  const decision = decide(activities)
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
  const userId = textOf(participant['userId'])
  return objects(participant['sessions']).flatMap((session) => {
    const segments = inOrder(objects(session['segments']))
    return segments.flatMap((segment, index): Activity[] => {
      if (!isMissing(segment['segmentEnd'])) return []
      const type = textOf(segment['segmentType'])
      if (watching.has(type)) return []
      const state = stateOf(side, type)
      return [
        {
          side,
          participant: position,
          state,
          parked: type === 'parked',
          since: startOfStretch(segments, index, side),
          conference: segment['conference'] === true,
          mediaType: textOf(session['mediaType']),
          messageType: textOf(session['messageType']),
          queueId:
            textOf(segment['queueId']) ?? textOf(segments.findLast((each) => isText(each['queueId']))?.['queueId']),
          userId: side === 'organization' ? userId : null,
          skillIds: texts(segment['requestedRoutingSkillIds']),
          languageId: textOf(segment['requestedLanguageId']),
          scheduledAt: time(session['callbackScheduledTime']),
        },
      ]
    })
  })
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
  const start = (segment: JsonObject): number => Date.parse(time(segment['segmentStart']) ?? '') || 0
  return segments.toSorted((a, b) => start(a) - start(b))
}

/** The objects among the elements of a list; of anything else none. */
export function objects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
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
