import type { Random } from './random.ts'
import type { Json } from './conversation-plan.ts'

/** JSON.rawJSON of ES2025-to-be, which Node 24 has and the compiler's library has not. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown }

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])

interface Parts {
  readonly conversation: Json
  readonly participants: Json[]
  readonly sessions: Json[]
  readonly segments: Json[]
  readonly metrics: Json[]
  readonly random: Random
}

/** Changes one element of a list, or the conversation where the list is empty. */
function some(parts: Parts, list: readonly Json[], change: (object: Json) => void): void {
  if (list.length > 0) change(list[Math.min(1, list.length - 1)] as Json)
  else change(parts.conversation)
}

function set(parts: Parts, list: readonly Json[], fields: Json): void {
  some(parts, list, (object) => Object.assign(object, fields))
}

/**
 * The kinds of unusual and malformed records. Each changes a well-formed conversation in one way; what a client has to do
 * with it differs: keep the value in a column, keep it elsewhere, or reject the record.
 */
export const MALFORMED_KINDS = {
  'unknown-fields': (parts: Parts) => {
    for (const object of [
      parts.conversation,
      ...parts.participants,
      ...parts.sessions,
      ...parts.segments,
      ...parts.metrics,
    ])
      object['xBrandNew'] = { since: 2027, flags: [true, null, 'x'] }
  },
  'wrong-types': (parts: Parts) => {
    parts.conversation['divisionIds'] = 'not-a-list'
    parts.conversation['mediaStatsMinConversationMos'] = '4.5'
    set(parts, parts.sessions, {
      acwSkipped: 'yes',
      ani: 15550100,
      eligibleAgentCounts: ['3', 4],
      requestedRoutings: [1, 'Standard'],
    })
    set(parts, parts.segments, { conference: 'no', wrapUpCode: { id: 7 }, segmentType: null })
    set(parts, parts.metrics, { value: 'many', name: 12 })
  },
  nulls: (parts: Parts) => {
    Object.assign(parts.conversation, { externalTag: null, conversationInitiator: null, evaluations: null })
    set(parts, parts.participants, { participantName: null, sessions: null })
    set(parts, parts.sessions, { ani: null, flow: null, mediaCount: null })
    set(parts, parts.segments, { wrapUpNote: null, requestedRoutingSkillIds: null })
  },
  'empty-arrays': (parts: Parts) => {
    Object.assign(parts.conversation, { evaluations: [], surveys: [], accessAttributes: [] })
    set(parts, parts.sessions, { metrics: [], segments: [], requestedRoutings: [], agentGroups: [] })
  },
  'nul-characters': (parts: Parts) => {
    set(parts, parts.participants, { participantName: 'Nul\u0000Person' })
    set(parts, parts.segments, { wrapUpNote: '\u0000start and end\u0000', wrapUpTags: ['a\u0000b'] })
    parts.conversation['x\u0000Key'] = { 'in\u0000ner': '\u0000' }
  },
  'lone-surrogates': (parts: Parts) => {
    set(parts, parts.segments, { wrapUpNote: 'cut \ud83d off', subject: '\udc00' })
    parts.conversation['externalTag'] = '\ud800tag'
    parts.conversation['x\udfff'] = ['\ud83d']
  },
  'huge-note': (parts: Parts) => {
    set(parts, parts.segments, { wrapUpNote: 'All work and no play. '.repeat(4_700) })
  },
  'microsecond-times': (parts: Parts) => {
    const finer = (value: unknown, digits: string): unknown =>
      typeof value === 'string' ? value.replace('Z', `${digits}Z`) : value
    parts.conversation['conversationStart'] = finer(parts.conversation['conversationStart'], '123')
    for (const segment of parts.segments) {
      if (segment['segmentEnd'] !== undefined) segment['segmentEnd'] = finer(segment['segmentEnd'], '456')
      segment['segmentStart'] = finer(segment['segmentStart'], '000')
    }
    set(parts, parts.metrics, { emitDate: finer(parts.metrics[0]?.['emitDate'] ?? null, '789012') })
  },
  'other-time-spellings': (parts: Parts) => {
    const respell = (value: unknown): unknown =>
      typeof value === 'string'
        ? `${value.slice(0, 19)}${value.slice(19, 23) === '.000' ? '' : value.slice(19, 23)}+00:00`
        : value
    for (const segment of parts.segments) segment['segmentStart'] = respell(segment['segmentStart'])
    parts.conversation['inactivityTimeout'] = '2026-03-01T10:00:00+05:30'
  },
  'malformed-segment-time': (parts: Parts) => {
    set(parts, parts.segments, { segmentStart: '2021-04-2T15:46:21.288Z', segmentEnd: 'soon' })
    set(parts, parts.metrics, { emitDate: '2026-02-30T25:61:00.000Z' })
  },
  'malformed-conversation-start': (parts: Parts) => {
    parts.conversation['conversationStart'] = '2026-13-45T99:00:00.000Z'
  },
  'missing-conversation-start': (parts: Parts) => {
    delete parts.conversation['conversationStart']
  },
  'missing-conversation-id': (parts: Parts) => {
    delete parts.conversation['conversationId']
  },
  'repeated-metrics': (parts: Parts) => {
    for (const session of parts.sessions) {
      const metrics = listOf(session['metrics'])
      session['metrics'] = [
        ...metrics,
        ...metrics.map((metric) => ({ ...metric })),
        { emitDate: '2026-01-01T00:00:00.000Z', name: 'tTalk', value: 1 },
      ]
    }
  },
  'missing-ids': (parts: Parts) => {
    some(parts, parts.participants, (participant) => delete participant['participantId'])
    for (const session of parts.sessions) delete session['sessionId']
  },
  'repeated-ids': (parts: Parts) => {
    for (const participant of parts.participants)
      participant['participantId'] = parts.participants[0]?.['participantId']
    for (const session of parts.sessions) session['sessionId'] = parts.sessions[0]?.['sessionId']
  },
  'shared-session-id': (parts: Parts) => {
    set(parts, parts.sessions, { sessionId: '5e551011-aaaa-4bbb-8ccc-5e5510110000' })
  },
  'unsafe-integers': (parts: Parts) => {
    set(parts, parts.metrics, { value: rawJSON('9007199254740993') })
    set(parts, parts.sessions, {
      mediaCount: rawJSON('9223372036854775807'),
      eligibleAgentCounts: [1, rawJSON('9007199254740995')],
    })
  },
  'integers-beyond-int64': (parts: Parts) => {
    set(parts, parts.metrics, { value: rawJSON('9223372036854775808') })
    set(parts, parts.sessions, {
      timeoutSeconds: rawJSON('-9223372036854775809'),
      journeyActionMapVersion: rawJSON('18446744073709551616'),
    })
  },
  'absurd-numbers': (parts: Parts) => {
    parts.conversation['mediaStatsMinConversationRFactor'] = rawJSON('1e400')
    parts.conversation['xTiny'] = rawJSON('1e-400')
    set(parts, parts.metrics, { value: rawJSON('1.5e3') })
    set(parts, parts.sessions, { mediaCount: 2.5, routingRing: rawJSON('-0') })
  },
  'negative-durations': (parts: Parts) => {
    set(parts, parts.metrics, { value: -86_400_000 })
    some(parts, parts.segments, (segment) => {
      const { segmentStart, segmentEnd } = segment
      if (segmentEnd !== undefined) Object.assign(segment, { segmentStart: segmentEnd, segmentEnd: segmentStart })
    })
  },
  'proto-key': (parts: Parts) => {
    for (const object of [parts.conversation, ...parts.sessions.slice(0, 1), ...parts.segments.slice(0, 1)])
      Object.defineProperty(object, '__proto__', {
        value: { polluted: true },
        enumerable: true,
        configurable: true,
        writable: true,
      })
    parts.conversation['constructor'] = 'x'
    parts.conversation['toString'] = 1
  },
  'emoji-and-rtl': (parts: Parts) => {
    set(parts, parts.participants, { participantName: 'دانا 👩🏽‍💻 \u202Eelpmaxe\u202C' })
    set(parts, parts.segments, {
      wrapUpNote: 'שלום 🇺🇳\r\n\t"quoted", \\N and \\. and ,{};',
      wrapUpTags: ['{"a"}', 'NULL', '', '👍'],
    })
  },
  'children-not-objects': (parts: Parts) => {
    set(parts, parts.sessions, { metrics: 'none', mediaEndpointStats: [null, 7, { codecs: 'audio/opus' }] })
    parts.conversation['surveys'] = { surveyId: 'an object instead of a list' }
    parts.conversation['participants'] = [...parts.participants, null, 'ghost', []]
  },
  'future-vocabulary': (parts: Parts) => {
    set(parts, parts.sessions, { mediaType: 'hologram', usedRouting: 'Telepathic' })
    set(parts, parts.metrics, { name: 'tHologramWarmUp' })
    set(parts, parts.segments, { segmentType: 'teleporting', disconnectType: 'dematerialized' })
  },
  'deep-unknown': (parts: Parts) => {
    let deep: unknown = 'bottom'
    for (let i = 0; i < 200; i++) deep = i % 2 === 0 ? [deep] : { down: deep }
    parts.conversation['xDeep'] = deep
  },
} as const satisfies Record<string, (parts: Parts) => void>

export type MalformedKind = keyof typeof MALFORMED_KINDS

const UNKEYABLE_KINDS: readonly MalformedKind[] = [
  'malformed-conversation-start',
  'missing-conversation-start',
  'missing-conversation-id',
]

/** Whether a record keeps a usable id and start; else no client can store it under its key. */
export function isKeyable(kind: MalformedKind): boolean {
  return !UNKEYABLE_KINDS.includes(kind)
}

/** A copy of a conversation, made malformed in one way. */
export function makeMalformed(conversation: Json, kind: MalformedKind, random: Random): Json {
  // Written from a plan, so plain JSON: this is five times as fast as structuredClone.
  const copy = JSON.parse(JSON.stringify(conversation)) as Json
  const participants = listOf(copy['participants'])
  const sessions = participants.flatMap((participant) => listOf(participant['sessions']))
  const segments = sessions.flatMap((session) => listOf(session['segments']))
  const metrics = sessions.flatMap((session) => listOf(session['metrics']))
  MALFORMED_KINDS[kind]({ conversation: copy, participants, sessions, segments, metrics, random })
  return copy
}

/**
 * Chooses which of a thousand records are malformed, and how. Each kind occurs at least once as soon as the share has room
 * for all kinds.
 * @param share of all records, 0 to 1
 * @param random decides the positions
 */
export function malformedPositions(share: number, random: Random): ReadonlyMap<number, MalformedKind> {
  const kinds = Object.keys(MALFORMED_KINDS) as MalformedKind[]
  const positions = random.sample(
    Array.from({ length: 1_000 }, (_, index) => index),
    Math.round(share * 1_000),
  )
  return new Map(positions.map((position, index) => [position, kinds[index % kinds.length] as MalformedKind]))
}
