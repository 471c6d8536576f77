/** A JSON object as the API gives it. */
export type Json = Record<string, unknown>

/** A segment of a session before it is written. Instants are milliseconds since 1970. */
export interface Span {
  readonly type: string
  readonly start: number
  end: number
  /** Further fields of the segment. */
  readonly fields: Json
  /** By how many milliseconds its metric is shorter than the segment, and is emitted before the segment ends. */
  shortfall?: number
  /** The segment appears only when it has ended, as after-call work does in some answers of the API. */
  appearsAtEnd?: boolean
}

/** A metric that a scenario sets itself, in addition to those derived from the spans. */
export interface StatedMetric {
  readonly name: string
  readonly value: number
  readonly at: number
}

/** How a stay in a queue ends; `left`: a web message that leaves is neither abandoned nor taken out by a flow. */
export type QueueOutcome = 'answered' | 'abandoned' | 'flowOut' | 'left'

/** One session of a participant, complete from its first span to its last. */
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
  /** For an agent whose alert ended without an answer: it counts as tNotResponding, whatever ended the alert. */
  notResponding: boolean
  /** The call of a callback: handled by the callback's own session, which counts the handling. */
  partOfCallback: boolean
}

export interface Participant {
  readonly fields: Json
  readonly legs: Leg[]
}

/** The state of an evaluation, survey or resolution from an instant on; a later one with the same id replaces it. */
export interface LateRecord {
  readonly at: number
  readonly list: 'evaluations' | 'surveys' | 'resolutions'
  readonly id: string
  readonly value: Json
}

/** A change that Genesys makes to a conversation long after it has happened. It applies to a copy of the plan. */
interface Correction {
  readonly at: number
  readonly apply: (plan: ConversationPlan) => void
}

/** The whole life of a conversation, including its future. `asOf` computes what the API shows of it at an instant. */
export interface ConversationPlan {
  readonly id: string
  start: number
  /** Fields of the conversation beside its id, times, divisions and lists. */
  readonly head: Json
  readonly divisions: { readonly id: string; readonly at: number }[]
  readonly participants: Participant[]
  /** The pauses of a thread that is reopened: [end, start of the next activity]. */
  readonly pauses: (readonly [number, number])[]
  readonly lateRecords: LateRecord[]
  /** In order of time. */
  readonly corrections: Correction[]
  /** When its start is moved to another instant, and to which: the store needs to know before it happens. */
  moved?: { readonly at: number; readonly start: number }
  /** When Genesys deletes it. */
  removedAt?: number
  /** Message threads: how long after its last activity a thread counts as inactive. */
  inactivityMs?: number
}

const dates = new Map<number, string>()
const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))
const THREE_DIGITS = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(3, '0'))

/**
 * Formats an instant as the API does: `2026-03-01T12:00:00.000Z`. Date.toISOString took a third of the generator's time;
 * the days repeat, so they are cached.
 */
export function iso(milliseconds: number): string {
  const day = Math.floor(milliseconds / 86_400_000)
  let date = dates.get(day)
  if (date === undefined) {
    date = new Date(day * 86_400_000).toISOString().slice(0, 11)
    if (dates.size > 10_000) dates.clear()
    dates.set(day, date)
  }
  const rest = milliseconds - day * 86_400_000
  const seconds = Math.floor(rest / 1_000)
  const minutes = Math.floor(seconds / 60)
  return `${date}${TWO_DIGITS[Math.floor(minutes / 60)]}:${TWO_DIGITS[minutes % 60]}:${TWO_DIGITS[seconds % 60]}.${THREE_DIGITS[Math.floor(rest % 1_000)]}Z`
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

/** How a customer leaves a queue who gives up: messaging knows no abandon. */
function givesUpAs({ session }: Leg): QueueOutcome {
  return session['mediaType'] === 'message' ? 'left' : 'abandoned'
}

/**
 * Ends a plan at an instant: whatever is open then is closed, and nothing happens afterwards.
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
        if (leg.queue?.outcome === 'answered') leg.queue.outcome = givesUpAs(leg)
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
