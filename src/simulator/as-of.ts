import {
  endOf,
  iso,
  type Json,
  type LateRecord,
  type Leg,
  type ConversationPlan,
  type Span,
} from './conversation-plan.ts'
import { correctedAt } from './late-changes.ts'
import { writeConversation } from './write-conversation.ts'

/** What the API shows of a conversation at an instant. */
export interface View {
  /** Undefined as long as the conversation has not started. */
  readonly conversation: Json | undefined
  /** The next instant at which the view differs; Infinity once nothing more will happen. */
  readonly changesAt: number
}

/** What can differ in how the API shows conversations. */
export interface ViewSettings {
  /**
   * How long after their time the wrap-up code and the metrics tAcw and tHandle appear, since the index of the API can be
   * late with them. Less than a day.
   */
  readonly closingDelayMs: number
}

const WRAP_UP_FIELDS = ['wrapUpCode', 'wrapUpNote', 'wrapUpTags'] as const
const CLOSING_METRICS: ReadonlySet<unknown> = new Set(['tAcw', 'tHandle'])

/** Fields of a segment that are known only when it has ended. */
const CLOSING_FIELDS = [
  'segmentEnd', 'disconnectType', 'errorCode', 'q850ResponseCodes', 'sipResponseCodes', ...WRAP_UP_FIELDS,
  'destinationConversationId', 'destinationSessionId',
] // prettier-ignore
/** Fields of a flow that are known only when it has ended. */
const FLOW_EXIT_FIELDS = [
  'endingLanguage', 'exitReason', 'issuedCallback', 'recognitionFailureReason', 'transferTargetAddress',
  'transferTargetName', 'transferType', 'outcomes',
] // prettier-ignore

/** Fields of a conversation that are known only when it has ended. */
const CONVERSATION_CLOSING_FIELDS = [
  'conversationEnd', 'inactivityTimeout', 'selfServed', 'mediaStatsMinConversationMos', 'mediaStatsMinConversationRFactor',
] // prettier-ignore
/** Sorts after every instant. */
const NEVER = '\uffff'

function without(object: Json, fields: readonly string[]): Json {
  const copy = { ...object }
  for (const field of fields) delete copy[field]
  return copy
}

const listOf = (value: unknown): Json[] => (value ?? []) as Json[]

/**
 * What the API shows of a conversation at an instant: what has not begun is absent, an open segment has no end, metrics that
 * are emitted later are missing, a conversation in progress has no conversationEnd. After-call work counts as progress; a
 * thread that will be reopened has an end until then.
 * @param now milliseconds since 1970
 */
export function asOf(
  plan: ConversationPlan,
  now: number,
  { closingDelayMs }: ViewSettings = { closingDelayMs: 0 },
): View {
  if (plan.start > now) return { conversation: undefined, changesAt: plan.start }
  const current = correctedAt(plan, now)
  const correctedNext = plan.corrections.find(({ at }) => at > now)?.at ?? Infinity
  const whole = writeConversation(current)
  if (now >= settledAt(current)) return { conversation: settled(current, whole), changesAt: correctedNext }
  const cut = new CutAt(now, closingDelayMs)
  const view = cut.conversation(current, whole)
  return { conversation: view, changesAt: Math.min(cut.changesAt(), correctedNext) }
}

/** An instant after which nothing of a plan changes any more: a day after its last activity, or its last late record. */
function settledAt(plan: ConversationPlan): number {
  let last = plan.start
  for (const { legs } of plan.participants)
    for (const { spans } of legs) for (const span of spans) if (span.end > last) last = span.end
  return Math.max(last + 86_400_000, plan.lateRecords.at(-1)?.at ?? 0)
}

/** The last state of a conversation: the short way for the bulk of the history. */
function settled(plan: ConversationPlan, whole: Json): Json {
  whole['divisionIds'] = [...new Set(plan.divisions.map((division) => division.id))]
  return withLateRecords(whole, plan.lateRecords)
}

/** Adds evaluations, surveys and resolutions to a conversation, each in its last state. */
function withLateRecords(conversation: Json, records: readonly LateRecord[]): Json {
  const latest = new Map(records.map((record) => [record.id, record]))
  for (const { list, value } of latest.values()) conversation[list] = [...listOf(conversation[list]), value]
  return conversation
}

/** Cuts a whole conversation down to what is known at an instant, and notes the next instant at which that changes. */
class CutAt {
  readonly #now: string
  readonly #closingDelayMs: number
  #next = NEVER

  constructor(now: number, closingDelayMs: number) {
    this.#now = iso(now)
    this.#closingDelayMs = closingDelayMs
  }

  changesAt(): number {
    return this.#next === NEVER ? Infinity : Date.parse(this.#next)
  }

  conversation(plan: ConversationPlan, whole: Json): Json {
    const view: Json = { ...whole }
    view['participants'] = listOf(whole['participants']).flatMap((participant, position) =>
      this.#participant(participant, plan.participants[position]?.legs ?? []),
    )
    view['divisionIds'] = [
      ...new Set(plan.divisions.filter(({ at }) => this.#reached(iso(at))).map((division) => division.id)),
    ]
    if (!this.#reached(whole['conferenceStart'])) delete view['conferenceStart']
    const end = endOf(plan)
    if (end === Infinity || !this.#reached(iso(end))) this.#cutEnd(view, plan)
    return withLateRecords(
      view,
      plan.lateRecords.filter((record) => this.#reached(iso(record.at))),
    )
  }

  /** Whether an instant has come; remembers the next one that has not. Instants in one format compare as strings. */
  #reached(instant: unknown): boolean {
    if (typeof instant !== 'string' || instant <= this.#now) return true
    if (instant < this.#next) this.#next = instant
    return false
  }

  #reachedWithDelay(instant: unknown): boolean {
    if (this.#closingDelayMs === 0) return this.#reached(instant)
    return this.#reached(iso(Date.parse(String(instant)) + this.#closingDelayMs))
  }

  #participant(participant: Json, legs: readonly Leg[]): Json[] {
    const sessions = listOf(participant['sessions']).flatMap((session, index) =>
      this.#reached(listOf(session['segments'])[0]?.['segmentStart'])
        ? [this.#session(session, legs[index]?.spans ?? [], participant['purpose'])]
        : [],
    )
    return sessions.length === 0 ? [] : [{ ...participant, sessions }]
  }

  #session(session: Json, spans: readonly Span[], purpose: unknown): Json {
    const all = listOf(session['segments'])
    const segments = all.filter((segment, index) =>
      this.#reached(spans[index]?.appearsAtEnd === true ? segment['segmentEnd'] : segment['segmentStart']),
    )
    const view: Json = { ...session, segments: segments.map((segment) => this.#segment(segment)) }
    const hidden = this.#cutLists(session, spans, view)
    if (!this.#reached(session['detectedSpeechStart'])) hidden.push('detectedSpeechStart')
    if (!this.#reached(session['detectedSpeechEnd'])) hidden.push('detectedSpeechEnd')
    if (!this.#reached(session['deliveryStatusChangeDate']))
      hidden.push('deliveryStatus', 'deliveryStatusChangeDate', 'extendedDeliveryStatus')
    const isOver = segments.length === all.length && this.#reached(segments.at(-1)?.['segmentEnd'])
    if (!isOver) {
      hidden.push('acwSkipped', 'errorCodeDescription', 'flowOutType')
      // The agent who will answer is not known while the customer waits.
      if (purpose === 'acd') hidden.push('selectedAgentId', 'usedRouting')
      if (session['flow'] !== undefined) view['flow'] = without(session['flow'] as Json, FLOW_EXIT_FIELDS)
    }
    return hidden.length > 0 ? without(view, hidden) : view
  }

  #segment(segment: Json): Json {
    if (!this.#reached(segment['segmentEnd'])) return without(segment, CLOSING_FIELDS)
    const isWrapUp = segment['segmentType'] === 'wrapup' && segment['segmentEnd'] !== undefined
    return isWrapUp && !this.#reachedWithDelay(segment['segmentEnd']) ? without(segment, WRAP_UP_FIELDS) : segment
  }

  /** Cuts metrics and audio figures of a session. Returns the lists that have no element yet. */
  #cutLists(session: Json, spans: readonly Span[], view: Json): string[] {
    // Where after-call work appears at its end, so do its metrics.
    const hiddenAcw = spans.find(({ appearsAtEnd }) => appearsAtEnd === true)
    const isMetricShown = ({ name, emitDate }: Json): boolean => {
      if (!CLOSING_METRICS.has(name)) return this.#reached(emitDate)
      return this.#reachedWithDelay(emitDate) && (!hiddenAcw || this.#reached(iso(hiddenAcw.end)))
    }
    const isStatShown = ({ eventTime }: Json): boolean => this.#reached(eventTime)
    const hidden: string[] = []
    for (const [list, isShown] of [
      ['metrics', isMetricShown],
      ['mediaEndpointStats', isStatShown],
    ] as const) {
      if (session[list] === undefined) continue
      const shown = listOf(session[list]).filter(isShown)
      if (shown.length > 0) view[list] = shown
      else hidden.push(list)
    }
    return hidden
  }

  /** Removes the end of a conversation in progress; between two rounds of a thread it has the end of the round before. */
  #cutEnd(view: Json, plan: ConversationPlan): void {
    let active = plan.start
    for (const field of CONVERSATION_CLOSING_FIELDS) delete view[field]
    for (const [ended, again] of plan.pauses) {
      if (!this.#reached(iso(ended))) break
      active = ended
      if (!this.#reached(iso(again))) {
        view['conversationEnd'] = iso(ended)
        break
      }
      active = again
    }
    if (plan.inactivityMs !== undefined) view['inactivityTimeout'] = iso(active + plan.inactivityMs)
  }
}
