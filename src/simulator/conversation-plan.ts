/** A JSON object as the API gives it. */
export type Json = Record<string, unknown>

/** What a participant does in a stretch of a session, in milliseconds since 1970. */
export interface Span {
  readonly type: string
  readonly start: number
  end: number
  /** Further fields of the segment. */
  readonly fields: Json
  /** By how much the metric of this stretch is shorter than its segment, and counted earlier than the segment ends. */
  shortfall?: number
  /** The segment appears only when it has ended, as after-call work does in some answers of the API. */
  appearsAtEnd?: boolean
}

/** A metric that a scenario states itself, beside those that follow from the spans. */
export interface StatedMetric {
  readonly name: string
  readonly value: number
  readonly at: number
}

/** How a stay in a queue ends; `left`: a web message that leaves is neither abandoned nor taken out by a flow. */
export type QueueOutcome = 'answered' | 'abandoned' | 'flowOut' | 'left'

/** One session of a participant, told whole: from its first span to its last. */
export interface Leg {
  readonly purpose: string
  readonly session: Json
  readonly spans: Span[]
  readonly stated: StatedMetric[]
  readonly stats: Json[]
  readonly flow: Json | undefined
  /** For a queue leg: how it ends and by which targets it is measured. */
  readonly queue:
    | {
        outcome: QueueOutcome
        readonly serviceLevelMs: number
        readonly shortAbandonMs: number
      }
    | undefined
  /** For an agent who answered from a queue: how long the customer had waited. */
  waitedMs: number | undefined
  /** For an agent whose alert ended without an answer: the metric tNotResponding counts it, whatever ended the alert. */
  notResponding: boolean
  /** The call of a callback: handled by the callback's own session, which counts the handling. */
  partOfCallback: boolean
}

export interface Participant {
  readonly fields: Json
  readonly legs: Leg[]
}

/** An evaluation, survey or resolution as it stands from an instant on; a later one with the same id replaces it. */
export interface LateRecord {
  readonly at: number
  readonly list: 'evaluations' | 'surveys' | 'resolutions'
  readonly id: string
  readonly value: Json
}

/** The whole life of a conversation, what is yet to come included. `asOf` tells how much of it the API shows at an instant. */
export interface ConversationPlan {
  readonly id: string
  start: number
  /** Fields of the conversation beside its id, times, divisions and lists. */
  readonly head: Json
  readonly divisions: { readonly id: string; readonly at: number }[]
  readonly participants: Participant[]
  /** When it was over for a time: [end, start of the next activity]. */
  readonly pauses: (readonly [number, number])[]
  readonly lateRecords: LateRecord[]
  /** Message threads: how long after its last activity a thread counts as inactive. */
  inactivityMs?: number
}

const days = new Map<number, string>()
const two = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const three = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(3, '0'))

/**
 * `2026-03-01T12:00:00.000Z`, the API's spelling of an instant. A third of the generator's time went into
 * Date.toISOString; the days repeat, so they are remembered.
 */
export function iso(milliseconds: number): string {
  const day = Math.floor(milliseconds / 86_400_000)
  let date = days.get(day)
  if (date === undefined) {
    date = new Date(day * 86_400_000).toISOString().slice(0, 11)
    if (days.size > 10_000) days.clear()
    days.set(day, date)
  }
  const rest = milliseconds - day * 86_400_000
  const seconds = Math.floor(rest / 1_000)
  const minutes = Math.floor(seconds / 60)
  return `${date}${two[Math.floor(minutes / 60)]}:${two[minutes % 60]}:${two[seconds % 60]}.${three[Math.floor(rest % 1_000)]}Z`
}

/**
 * When a conversation is over: the latest end of a segment, after-call work included, as genuine records of the API show.
 * @returns milliseconds since 1970; Infinity where a segment never ends by itself
 */
export function endOf(plan: ConversationPlan): number {
  let end = plan.start
  for (const { legs } of plan.participants)
    for (const { spans } of legs) for (const span of spans) if (span.end > end) end = span.end
  return end
}

/**
 * Ends a plan at an instant: what would come later never happens, and whatever is open then is closed.
 */
export function endPlan(plan: ConversationPlan, at: number): void {
  for (const { legs } of plan.participants) {
    for (const leg of legs) {
      const begun = leg.spans.filter((span) => span.start < at)
      for (const span of begun) {
        if (span.end <= at) continue
        span.end = at
        if (span.type === 'alert') leg.notResponding = false
        if (span.type === 'wrapup') continue
        span.fields['disconnectType'] = leg.purpose === 'customer' ? 'endpoint' : 'peer'
        if (leg.queue?.outcome === 'answered') leg.queue.outcome = 'abandoned'
      }
      leg.spans.splice(0, leg.spans.length, ...begun)
      leg.stated.splice(0, leg.stated.length, ...leg.stated.filter((metric) => metric.at <= at))
      leg.stats.splice(0, leg.stats.length, ...leg.stats.filter((stat) => String(stat['eventTime']) <= iso(at)))
    }
    legs.splice(0, legs.length, ...legs.filter((leg) => leg.spans.length > 0))
  }
  plan.participants.splice(0, plan.participants.length, ...plan.participants.filter(({ legs }) => legs.length > 0))
  plan.pauses.splice(0, plan.pauses.length, ...plan.pauses.filter(([, again]) => again <= at))
}
