import { endOf, iso, type Json, type LateRecord, type Leg, type ConversationPlan } from './conversation-plan.ts'
import { writeConversation } from './write-conversation.ts'

/** What the API shows of a plan at an instant. */
export interface View {
  /** Undefined as long as the conversation has not started. */
  readonly conversation: Json | undefined
  /** The next instant at which the view differs; Infinity once nothing more will happen. */
  readonly changesAt: number
}

/** What can differ in how the API shows conversations. */
export interface ViewSettings {
  /**
   * How long after their time the wrap-up code and the metrics tAcw and tHandle appear, as closing fields do that the index of the API
   * brings late. Less than a day.
   */
  readonly closingDelayMs: number
}

const WRAP_UP_FIELDS = ['wrapUpCode', 'wrapUpNote', 'wrapUpTags'] as const
const CLOSING_METRICS: ReadonlySet<unknown> = new Set(['tAcw', 'tHandle'])

/** Fields of a segment that are known only when it has ended. */
const closing = [
  'segmentEnd', 'disconnectType', 'errorCode', 'q850ResponseCodes', 'sipResponseCodes', ...WRAP_UP_FIELDS,
  'destinationConversationId', 'destinationSessionId',
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

/** An instant after which nothing of a plan changes any more: a day after its last activity, or its last news. */
function settledAt(plan: ConversationPlan): number {
  let last = plan.start
  for (const { legs } of plan.participants)
    for (const { spans } of legs) for (const span of spans) if (span.end > last) last = span.end
  return Math.max(last + 86_400_000, plan.lateRecords.at(-1)?.at ?? 0)
}

/** The news that a conversation has in the end, each in its last state. */
function withLateRecords(conversation: Json, news: readonly LateRecord[]): Json {
  const latest = new Map(news.map((item) => [item.id, item]))
  for (const { list, value } of latest.values()) conversation[list] = [...listOf(conversation[list]), value]
  return conversation
}

/** The last state of a plan: the short way for the bulk of the history. */
function settled(plan: ConversationPlan, whole: Json): Json {
  whole['divisionIds'] = [...new Set(plan.divisions.map((division) => division.id))]
  return withLateRecords(whole, plan.lateRecords)
}

/**
 * Shows a plan as it is at an instant: what has not begun is absent, an open segment has no end, metrics that are
 * emitted later are missing, a conversation in progress has no conversationEnd. After-call work is progress; a thread
 * that will be reopened has an end until it is.
 */
export function asOf(
  plan: ConversationPlan,
  now: number,
  { closingDelayMs }: ViewSettings = { closingDelayMs: 0 },
): View {
  if (plan.start > now) return { conversation: undefined, changesAt: plan.start }
  const whole = writeConversation(plan)
  if (now >= settledAt(plan)) return { conversation: settled(plan, whole), changesAt: Infinity }

  const nowText = iso(now)
  let next = '\uffff'
  // Instants of one spelling compare as texts.
  const reached = (instant: unknown): boolean => {
    if (typeof instant !== 'string' || instant <= nowText) return true
    if (instant < next) next = instant
    return false
  }
  const reachedLate = (instant: unknown): boolean =>
    closingDelayMs === 0 ? reached(instant) : reached(iso(Date.parse(String(instant)) + closingDelayMs))
  const segmentAsOf = (segment: Json): Json => {
    if (!reached(segment['segmentEnd'])) return without(segment, closing)
    const isWrapUp = segment['segmentType'] === 'wrapup' && segment['segmentEnd'] !== undefined
    return isWrapUp && !reachedLate(segment['segmentEnd']) ? without(segment, WRAP_UP_FIELDS) : segment
  }

  const sessionAsOf = (session: Json, leg: Leg | undefined, purpose: unknown): Json => {
    const spans = leg?.spans ?? []
    const segments = listOf(session['segments']).filter((segment, index) =>
      reached(spans[index]?.appearsAtEnd === true ? segment['segmentEnd'] : segment['segmentStart']),
    )
    // Where after-call work appears at its end, so do its metrics.
    const hiddenAcw = spans.find(({ appearsAtEnd }) => appearsAtEnd === true)
    const metricAsOf = ({ name, emitDate }: Json): boolean => {
      if (!CLOSING_METRICS.has(name)) return reached(emitDate)
      return reachedLate(emitDate) && (!hiddenAcw || reached(iso(hiddenAcw.end)))
    }
    const view: Json = { ...session, segments: segments.map(segmentAsOf) }
    const hidden: string[] = []
    for (const [list, time] of [
      ['metrics', 'emitDate'],
      ['mediaEndpointStats', 'eventTime'],
    ] as const) {
      if (session[list] === undefined) continue
      const isShown = list === 'metrics' ? metricAsOf : (entry: Json): boolean => reached(entry[time])
      const shown = listOf(session[list]).filter(isShown)
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
  view['participants'] = listOf(whole['participants']).flatMap((participant, position) => {
    const legs = plan.participants[position]?.legs ?? []
    const sessions = listOf(participant['sessions']).flatMap((session, index) =>
      reached(listOf(session['segments'])[0]?.['segmentStart'])
        ? [sessionAsOf(session, legs[index], participant['purpose'])]
        : [],
    )
    return sessions.length === 0 ? [] : [{ ...participant, sessions }]
  })
  view['divisionIds'] = [
    ...new Set(plan.divisions.filter((division) => reached(iso(division.at))).map((division) => division.id)),
  ]
  if (!reached(whole['conferenceStart'])) delete view['conferenceStart']

  const end = endOf(plan)
  if (end === Infinity || !reached(iso(end))) {
    let active = plan.start
    for (const field of [
      'conversationEnd',
      'inactivityTimeout',
      'selfServed',
      'mediaStatsMinConversationMos',
      'mediaStatsMinConversationRFactor',
    ])
      delete view[field]
    for (const [ended, again] of plan.pauses) {
      if (!reached(iso(ended))) break
      active = ended
      if (!reached(iso(again))) {
        view['conversationEnd'] = iso(ended)
        break
      }
      active = again
    }
    if (plan.inactivityMs !== undefined) view['inactivityTimeout'] = iso(active + plan.inactivityMs)
  }

  withLateRecords(
    view,
    plan.lateRecords.filter((item) => reached(iso(item.at))),
  )
  return { conversation: view, changesAt: next === '\uffff' ? Infinity : Date.parse(next) }
}
