import { endOf, iso } from './story.ts'
import type { Json, LateNews, Story } from './story.ts'
import { writeConversation } from './write-conversation.ts'

/** What the API shows of a story at an instant. */
export interface View {
  /** Undefined as long as the conversation has not started. */
  readonly conversation: Json | undefined
  /** The next instant at which the view differs; Infinity once nothing more will happen. */
  readonly changesAt: number
}

/** Fields of a segment that are known only when it has ended. */
const closing = [
  'segmentEnd', 'disconnectType', 'errorCode', 'q850ResponseCodes', 'sipResponseCodes', 'wrapUpCode', 'wrapUpNote',
  'wrapUpTags', 'destinationConversationId', 'destinationSessionId',
] // prettier-ignore
/** Fields of a flow that are known only when it has ended. */
const exit = [
  'endingLanguage', 'exitReason', 'issuedCallback', 'recognitionFailureReason', 'transferTargetAddress',
  'transferTargetName', 'transferType', 'outcomes',
] // prettier-ignore

function without(object: Json, fields: readonly string[]): Json {
  const copy = { ...object }
  for (const field of fields) delete copy[field]
  return copy
}

const listOf = (value: unknown): Json[] => (value ?? []) as Json[]

/** An instant after which nothing of a story changes any more: a day after its last activity, or its last news. */
function settledAt(story: Story): number {
  let last = story.start
  for (const { legs } of story.participants)
    for (const { spans } of legs) for (const span of spans) if (span.end > last) last = span.end
  return Math.max(last + 86_400_000, story.late.at(-1)?.at ?? 0, endOf(story) ?? Infinity)
}

/** The news that a conversation has in the end, each in its last state. */
function withNews(conversation: Json, news: readonly LateNews[]): Json {
  const latest = new Map(news.map((item) => [item.id, item]))
  for (const { list, value } of latest.values()) conversation[list] = [...listOf(conversation[list]), value]
  return conversation
}

/** The last state of a story: the short way for the bulk of the history. */
function settled(story: Story, whole: Json): Json {
  whole['divisionIds'] = [...new Set(story.divisions.map((division) => division.id))]
  return withNews(whole, story.late)
}

/**
 * Shows a story as it stands at an instant: what has not begun is absent, an open segment has no end, metrics that
 * are emitted later are missing, a conversation in progress has no conversationEnd.
 */
export function asOf(story: Story, now: number): View {
  if (story.start > now) return { conversation: undefined, changesAt: story.start }
  const whole = writeConversation(story)
  if (now >= settledAt(story)) return { conversation: settled(story, whole), changesAt: Infinity }

  const nowText = iso(now)
  let next = '\uffff'
  // Instants of one spelling compare as texts.
  const reached = (instant: unknown): boolean => {
    if (typeof instant !== 'string' || instant <= nowText) return true
    if (instant < next) next = instant
    return false
  }
  const segmentAsOf = (segment: Json): Json => (reached(segment['segmentEnd']) ? segment : without(segment, closing))

  const sessionAsOf = (session: Json, purpose: unknown): Json => {
    const segments = listOf(session['segments']).filter((segment) => reached(segment['segmentStart']))
    const view: Json = { ...session, segments: segments.map(segmentAsOf) }
    const hidden: string[] = []
    for (const [list, time] of [
      ['metrics', 'emitDate'],
      ['mediaEndpointStats', 'eventTime'],
    ] as const) {
      if (session[list] === undefined) continue
      const shown = listOf(session[list]).filter((entry) => reached(entry[time]))
      if (shown.length > 0) view[list] = shown
      else hidden.push(list)
    }
    if (!reached(session['detectedSpeechStart'])) hidden.push('detectedSpeechStart')
    if (!reached(session['detectedSpeechEnd'])) hidden.push('detectedSpeechEnd')
    if (!reached(session['deliveryStatusChangeDate']))
      hidden.push('deliveryStatus', 'deliveryStatusChangeDate', 'extendedDeliveryStatus')
    const over = segments.length === listOf(session['segments']).length && reached(segments.at(-1)?.['segmentEnd'])
    if (!over) hidden.push('acwSkipped', 'errorCodeDescription', 'flowOutType')
    // Who will answer is not known while the customer waits.
    if (!over && purpose === 'acd') hidden.push('selectedAgentId', 'usedRouting')
    if (!over && session['flow'] !== undefined) view['flow'] = without(session['flow'] as Json, exit)
    return hidden.length > 0 ? without(view, hidden) : view
  }

  const view: Json = { ...whole }
  view['participants'] = listOf(whole['participants']).flatMap((participant) => {
    const sessions = listOf(participant['sessions'])
      .filter((session) => reached(listOf(session['segments'])[0]?.['segmentStart']))
      .map((session) => sessionAsOf(session, participant['purpose']))
    return sessions.length === 0 ? [] : [{ ...participant, sessions }]
  })
  view['divisionIds'] = [
    ...new Set(story.divisions.filter((division) => reached(iso(division.at))).map((division) => division.id)),
  ]
  if (!reached(whole['conferenceStart'])) delete view['conferenceStart']

  const end = endOf(story)
  const over = reached(end === null || end === Infinity ? undefined : iso(end)) && end !== null && end !== Infinity
  if (!over) {
    for (const field of [
      'conversationEnd',
      'selfServed',
      'mediaStatsMinConversationMos',
      'mediaStatsMinConversationRFactor',
    ])
      delete view[field]
    for (const [ended, again] of story.pauses)
      if (reached(iso(ended)) && !reached(iso(again))) view['conversationEnd'] = iso(ended)
  }

  withNews(
    view,
    story.late.filter((item) => reached(iso(item.at))),
  )
  return { conversation: view, changesAt: next === '\uffff' ? Infinity : Date.parse(next) }
}
