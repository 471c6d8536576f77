import {
  endOf,
  type ConversationPlan,
  type Leg,
  type LateRecord,
  type Participant,
  type Span,
} from './conversation-plan.ts'
import type { Org } from './org.ts'
import type { Random } from './random.ts'
import { addEvaluation, addSurvey, followUpSubject } from './scenarios/follow-ups.ts'

/** Shares of conversations, 0 to 1, that Genesys changes long after their end. */
export interface LateChangeShares {
  /** Metrics or segments are rewritten by the nightly process at Genesys, two to four days after an end. */
  readonly corrected: number
  /** The start is moved, by up to 20 hours. */
  readonly moved: number
  /** It is deleted, up to 40 days after its start. */
  readonly removed: number
  /** It gets an evaluation within 25 days. */
  readonly evaluated: number
  /** It gets a survey that is answered within 25 days. */
  readonly surveyed: number
}

/** Shares that an organization of some size may have: of every kind some on most days. */
export const REALISTIC_LATE_CHANGES: LateChangeShares = {
  corrected: 0.05,
  moved: 0.004,
  removed: 0.004,
  evaluated: 0.03,
  surveyed: 0.03,
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/** Genesys corrects what is older than 48 hours (help.mypurecloud.com/faqs/why-can-my-data-change); all of it within four days. */
const CORRECTED_AFTER_MS = 48 * HOUR_MS
const CORRECTED_WITHIN_MS = 95 * HOUR_MS
/** A start is not moved by more, so that a conversation is at most one day away from the day that it was generated for. */
const MOVED_BACK_MS = 20 * HOUR_MS
const MOVED_AHEAD_MS = 20 * MINUTE_MS
const REMOVED_WITHIN_MS = 40 * DAY_MS
/** Together 25 days at most. */
const LATE_TIMES = { assignedHours: 240, evaluatedHours: 360, answeredHours: 598 }

interface Parts {
  readonly plan: ConversationPlan
  readonly org: Org
  readonly random: Random
}

/** Adds to a plan what Genesys changes later: evaluations and surveys of weeks later, corrections, another start, its deletion. */
export function planLateChanges(parts: Parts, shares: LateChangeShares): void {
  const { plan, random } = parts
  const chosen = {
    corrected: random.chance(shares.corrected),
    moved: random.chance(shares.moved),
    removed: random.chance(shares.removed),
    evaluated: random.chance(shares.evaluated),
    surveyed: random.chance(shares.surveyed),
  }
  const ends = [...plan.pauses.map(([ended]) => ended), endOf(plan)].filter((end) => end !== Infinity)
  if (ends.length > 0) {
    const end = random.pick(ends)
    if (chosen.corrected) addCorrection(parts, end)
    if (chosen.moved) addMove(parts, end)
    const subject = followUpSubject(plan)
    if (subject && chosen.evaluated) addEvaluation(parts, end, subject, LATE_TIMES)
    if (subject && chosen.surveyed) addSurvey(parts, end, subject, LATE_TIMES)
    plan.lateRecords.sort((a: LateRecord, b: LateRecord) => a.at - b.at)
    plan.corrections.sort((a, b) => a.at - b.at)
  }
  if (chosen.removed) plan.removedAt = plan.start + random.int(HOUR_MS, REMOVED_WITHIN_MS)
}

/** A plan as the corrections up to an instant have left it: itself where there are none. */
export function correctedAt(plan: ConversationPlan, now: number): ConversationPlan {
  const due = plan.corrections.filter(({ at }) => at <= now)
  if (due.length === 0) return plan
  const copy: ConversationPlan = { ...plan, participants: plan.participants.map(copyOf) }
  for (const { apply } of due) apply(copy)
  return copy
}

function copyOf({ fields, legs }: Participant): Participant {
  return {
    fields,
    legs: legs.map((leg) => ({
      ...leg,
      spans: leg.spans.map((span) => ({ ...span, fields: { ...span.fields } })),
      stated: [...leg.stated],
    })),
  }
}

/** The nightly process runs between 2:00 and 3:30 UTC; which of its nights it is that corrects something differs. */
function nightAfter({ random }: Parts, end: number): number {
  const nights = [3, 4].map(
    (days) => (Math.floor(end / DAY_MS) + days) * DAY_MS + 2 * HOUR_MS + random.int(0, 90) * MINUTE_MS,
  )
  const possible = nights.filter((at) => at >= end + CORRECTED_AFTER_MS && at <= end + CORRECTED_WITHIN_MS)
  return random.pick(possible)
}

/** Adds a correction of a part of the conversation that was over at an end. */
function addCorrection(parts: Parts, end: number): void {
  const { plan, random, org } = parts
  const places = plan.participants.flatMap(({ fields, legs }, participant) =>
    legs.flatMap(({ spans }, leg) =>
      fields['purpose'] === 'agent' && spans.every((span) => span.end <= end) ? [{ participant, leg }] : [],
    ),
  )
  if (places.length === 0) return
  const place = random.pick(places)
  const kind = random.pick(['measure', 'split', 'wrapUpCode', 'error'] as const)
  const code = random.pick(org.wrapUpCodes).id
  const fraction = 0.2 + 0.6 * random.next()
  const at = nightAfter(parts, end)
  plan.corrections.push({
    at,
    apply: (copy) => {
      const leg = copy.participants[place.participant]?.legs[place.leg]
      if (leg) CORRECTIONS[kind](leg, { code, fraction })
    },
  })
}

interface CorrectionDetails {
  /** The wrap-up code that is right. */
  readonly code: string
  /** Between 0 and 1: how much, or where. */
  readonly fraction: number
}

/** How the nightly process rewrites a session of an agent. */
const CORRECTIONS = {
  /** After-call work was shorter than measured first: its metrics, and where it came last the end of the conversation, are others. */
  measure({ spans }: Leg, { fraction }: CorrectionDetails): void {
    const acw = spans.findLast(({ type }) => type === 'wrapup')
    if (!acw) return
    acw.end = Math.round(acw.start + (acw.end - acw.start) * fraction)
    delete acw.shortfall
  },
  /** What was one segment becomes two, each with a metric. */
  split({ spans }: Leg, { fraction }: CorrectionDetails): void {
    const index = spans.findIndex(({ type }) => type === 'interact')
    const whole = spans[index]
    if (!whole) return
    const middle = Math.round(whole.start + (whole.end - whole.start) * fraction)
    const first: Span = { ...whole, end: middle, fields: { ...whole.fields } }
    delete first.fields['disconnectType']
    spans.splice(index, 1, first, { ...whole, start: middle })
  },
  wrapUpCode({ spans }: Leg, { code }: CorrectionDetails): void {
    const acw = spans.findLast(({ type }) => type === 'wrapup')
    if (acw) acw.fields['wrapUpCode'] = code
  },
  /** A metric that was missing. */
  error({ spans, stated }: Leg): void {
    const last = spans.at(-1)
    if (last) stated.push({ name: 'nError', value: 1, at: last.end })
  },
} satisfies Record<string, (leg: Leg, details: CorrectionDetails) => void>

function addMove(parts: Parts, end: number): void {
  const { plan, random } = parts
  const at = nightAfter(parts, end)
  const start =
    plan.start + (random.chance(0.8) ? -random.int(MINUTE_MS, MOVED_BACK_MS) : random.int(1, MOVED_AHEAD_MS))
  plan.moved = { at, start }
  plan.corrections.push({
    at,
    apply: (copy) => {
      copy.start = start
    },
  })
}
