import type { Json } from './conversation-plan.ts'

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])
const MEDIA_LISTS: Readonly<Record<string, string>> = {
  voice: 'calls',
  callback: 'callbacks',
  chat: 'chats',
  email: 'emails',
  message: 'messages',
  cobrowse: 'cobrowsesessions',
  screenshare: 'screenshares',
  video: 'videos',
  internalmessage: 'internalMessages',
}
const CALL_STATES: Readonly<Record<string, string>> = {
  alert: 'alerting',
  dialing: 'dialing',
  contacting: 'contacting',
  scheduled: 'scheduled',
}

function communication(session: Json): Json {
  const segments = list(session['segments'])
  const last = segments.at(-1)
  const over = last?.['segmentEnd'] !== undefined
  return {
    id: session['sessionId'],
    state: over ? 'disconnected' : (CALL_STATES[String(last?.['segmentType'])] ?? 'connected'),
    direction: session['direction'],
    held: !over && last?.['segmentType'] === 'hold',
    startAlertingTime: segments.find((segment) => segment['segmentType'] === 'alert')?.['segmentStart'],
    connectedTime: segments.find((segment) => segment['segmentType'] === 'interact')?.['segmentStart'],
    ...(over && { disconnectedTime: last?.['segmentEnd'], disconnectType: last?.['disconnectType'] }),
    provider: session['provider'],
    peerId: session['peerId'],
    segments: segments.map((segment) => ({
      startTime: segment['segmentStart'],
      endTime: segment['segmentEnd'],
      type: String(segment['segmentType']).replace(/^./, (letter) => letter.toUpperCase()),
    })),
  }
}

/**
 * Answers GET /api/v2/conversations: the conversations in progress in which a person takes part, in the model of the
 * conversations API, which differs from that of analytics.
 */
export function userConversations(open: readonly Json[], userId: string): Json {
  const mine = open.filter((conversation) =>
    list(conversation['participants']).some((each) => each['userId'] === userId),
  )
  const entities = mine.map((conversation) => ({
    id: conversation['conversationId'],
    startTime: conversation['conversationStart'],
    address: undefined,
    divisions: ((conversation['divisionIds'] ?? []) as string[]).map((id) => ({
      division: { id, selfUri: `/api/v2/authorization/divisions/${id}` },
    })),
    participants: list(conversation['participants']).map((participant) => {
      const sessions = list(participant['sessions'])
      const starts = sessions.flatMap((session) =>
        list(session['segments']).map((segment) => String(segment['segmentStart'])),
      )
      const queueId = sessions
        .flatMap((session) => list(session['segments']))
        .find((segment) => segment['queueId'] !== undefined)?.['queueId']
      const media: Record<string, Json[]> = {}
      for (const session of sessions) {
        const name = MEDIA_LISTS[String(session['mediaType'])] ?? 'calls'
        ;(media[name] ??= []).push(communication(session))
      }
      return {
        id: participant['participantId'],
        startTime: starts.sort()[0],
        name: participant['participantName'],
        userId: participant['userId'],
        queueId,
        purpose: participant['purpose'],
        attributes: {},
        ...media,
      }
    }),
    selfUri: `/api/v2/conversations/${String(conversation['conversationId'])}`,
  }))
  return {
    entities,
    pageSize: 25,
    pageNumber: 1,
    total: entities.length,
    pageCount: entities.length > 0 ? 1 : 0,
    selfUri: '/api/v2/conversations',
  }
}
