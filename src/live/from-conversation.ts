/**
 * An open conversation in the model of GET /api/v2/conversations → its row in genesys.live_conversations. The model differs
 * from that of analytics: `id` and `startTime`, a list of communications per medium, states instead of segments. Pure.
 */
import { isJsonObject, objects, type JsonObject, type JsonValue } from '../model/json.ts'
import { byStart, earliest, textOf, time } from './from-analytics.ts'
import { sideOf, stateOfConversation, type Activity, type LiveReading, type LiveState, type Side } from './state.ts'
import { conversationKey } from '../model/transform.ts'

/** The media type, as analytics names it, of each list of communications of a participant. */
const MEDIA_TYPE_BY_LIST: Readonly<Record<string, string>> = {
  calls: 'voice',
  callbacks: 'callback',
  chats: 'chat',
  emails: 'email',
  messages: 'message',
  internalMessages: 'internalmessage',
  cobrowsesessions: 'cobrowse',
  screenshares: 'screenshare',
  screenMonitorings: 'screenmonitoring',
  socialExpressions: 'social',
  videos: 'video',
}

/** Reads an entity of the conversations API. Its model has only current activities: a conversation with an end has ended. */
export function readConversation(raw: JsonValue): LiveReading {
  const record = isJsonObject(raw) ? raw : {}
  const key = conversationKey({ conversationId: record['id'] ?? null, conversationStart: record['startTime'] ?? null })
  if ('rejected' in key) return { kind: 'rejected', reason: key.rejected }
  const endedAt = time(record['endTime'])
  const participants = objects(record['participants'])
  let activities = participants.flatMap(activitiesOf)
  if (endedAt !== null) activities = activities.filter((each) => each.state === 'acw')
  if (endedAt !== null && activities.length === 0) return { kind: 'ended', conversationId: key.conversationId, endedAt }
  const divisions = objects(record['divisions']).flatMap((each) =>
    isJsonObject(each['division'] ?? null) ? (textOf((each['division'] as JsonObject)['id']) ?? []) : [],
  )
  return {
    kind: 'open',
    endedAt,
    conversation: {
      ...key,
      ...stateOfConversation(activities),
      direction: textOf(firstCommunication(participants)?.['direction']),
      divisionIds: divisions.length > 0 ? divisions : null,
      participants: participants.length,
    },
  }
}

/** The earliest communication of the earliest participant. */
function firstCommunication(participants: readonly JsonObject[]): JsonObject | undefined {
  const began = (object: JsonObject, ...names: string[]) => earliest(names.map((name) => time(object[name])))
  return byStart(participants, (each) => began(each, 'startTime', 'connectedTime')).flatMap((participant) =>
    byStart(
      communicationsOf(participant).map(({ communication }) => communication),
      (each) => began(each, 'startAlertingTime', 'connectedTime'),
    ),
  )[0]
}

function communicationsOf(participant: JsonObject): { mediaType: string; communication: JsonObject }[] {
  return Object.entries(MEDIA_TYPE_BY_LIST).flatMap(([list, mediaType]) =>
    objects(participant[list]).map((communication) => ({ mediaType, communication })),
  )
}

function activitiesOf(participant: JsonObject, position: number): Activity[] {
  const side = sideOf(participant['purpose'], participant['userId'])
  const routing = participant['conversationRoutingData'] ?? null
  const skills = isJsonObject(routing) ? objects(routing['skills']).flatMap((skill) => textOf(skill['id']) ?? []) : []
  const language = isJsonObject(routing) ? (routing['language'] ?? null) : null
  if (['monitoredParticipantId', 'coachedParticipantId'].some((name) => textOf(participant[name]) !== null)) return []
  return communicationsOf(participant).flatMap(({ mediaType, communication }): Activity[] => {
    const state = stateOf(side, communication, participant)
    if (state === null) return []
    return [
      {
        side,
        participant: position,
        state,
        parked: communication['state'] === 'parked',
        since: sinceOf(state, communication) ?? time(participant['connectedTime']) ?? time(participant['startTime']),
        conference: false,
        mediaType,
        messageType: mediaType === 'message' ? textOf(communication['type']) : null,
        queueId: textOf(participant['queueId']),
        userId: side === 'organization' ? textOf(participant['userId']) : null,
        skillIds: skills.length > 0 ? skills : null,
        languageId: isJsonObject(language) ? textOf(language['id']) : null,
        scheduledAt: time(communication['callbackScheduledTime']),
      },
    ]
  })
}

/** The state of a communication; null: it is over. */
function stateOf(side: Side, communication: JsonObject, participant: JsonObject): LiveState | null {
  const state = textOf(communication['state'])
  if (state === 'disconnected' || state === 'terminated')
    return side === 'organization' && inAfterCallWork(communication, participant) ? 'acw' : null
  if (state === 'scheduled') return 'scheduled'
  if (side === 'queue') return 'waiting'
  if (side === 'machine') return 'ivr'
  if (state === 'dialing' || state === 'contacting') return 'dialing'
  if (side === 'customer') return 'other'
  if (state === 'alerting' || state === 'offering') return 'alerting'
  if (state !== 'connected') return 'other'
  return communication['held'] === true ? 'hold' : 'interacting'
}

function inAfterCallWork(communication: JsonObject, participant: JsonObject): boolean {
  const work = communication['afterCallWork'] ?? null
  if (isJsonObject(work) && work['state'] === 'pending') return true
  return time(participant['startAcwTime']) !== null && time(participant['endAcwTime']) === null
}

/** The field that has the start of each state. */
const START_FIELDS: Partial<Record<LiveState, string>> = {
  alerting: 'startAlertingTime',
  hold: 'startHoldTime',
  acw: 'disconnectedTime',
  interacting: 'connectedTime',
  waiting: 'connectedTime',
  ivr: 'connectedTime',
}

function sinceOf(state: LiveState, communication: JsonObject): string | null {
  const field = communication['state'] === 'parked' ? 'parkTime' : START_FIELDS[state]
  return field === undefined ? null : time(communication[field])
}
