import { createStrain, HOUR_WEIGHTS } from './busy-hours.ts'
import { agentOwnedCallback, requestedCallback } from './scenarios/callback.ts'
import { chat } from './scenarios/chat.ts'
import { email } from './scenarios/email.ts'
import { message } from './scenarios/message.ts'
import { addFollowUps } from './scenarios/follow-ups.ts'
import { addRareFields } from './scenarios/rare-fields.ts'
import { internalCall, internalMessage } from './scenarios/internal.ts'
import { malformedPositions, type MalformedKind } from './malformed-records.ts'
import type { Org } from './org.ts'
import { campaignCall, manualCall, previewCall } from './scenarios/outbound.ts'
import { createBuilder, type ConversationBuilder } from './scenarios/conversation-builder.ts'
import { createRandom, hashFraction, type Random } from './random.ts'
import { endOf, type ConversationPlan } from './conversation-plan.ts'
import { planLateChanges, type LateChangeShares } from './late-changes.ts'
import { inboundCall } from './scenarios/voice.ts'

export const DAY_MS = 86_400_000

const SCENARIOS = {
  inboundCall,
  campaignCall,
  previewCall,
  manualCall,
  requestedCallback,
  agentOwnedCallback,
  chat,
  message,
  email,
  internalCall,
  internalMessage,
} as const satisfies Record<string, (builder: ConversationBuilder) => void>

export type ScenarioKind = keyof typeof SCENARIOS

const WEIGHTS: Readonly<Record<ScenarioKind, number>> = {
  inboundCall: 52,
  campaignCall: 6,
  previewCall: 1.5,
  manualCall: 4,
  requestedCallback: 2.5,
  agentOwnedCallback: 1,
  chat: 6,
  message: 14,
  email: 10,
  internalCall: 2.2,
  internalMessage: 0.8,
}

const HOUR_WEIGHT_TOTAL = HOUR_WEIGHTS.reduce((sum, weight) => sum + weight, 0)

export interface GeneratorOptions {
  readonly seed: string
  /** Mean number of conversations on a working day. */
  readonly perDay: number
  /** Hours that the organization's local time is ahead of UTC; its days remain UTC days. */
  readonly utcOffsetHours?: number
  /** Exactly perDay on every day, without weekends and randomness. */
  readonly exactPerDay: boolean
  /** Waits follow the hour, and one queue has too few agents; otherwise they are the same everywhere at all times. */
  readonly busyHours: boolean
  /** Share of records that are malformed, 0 to 1. */
  readonly malformedShare: number
  /** Share of message and e-mail threads that are reopened, 0 to 1. */
  readonly reopenedShare: number
  /** Shares of conversations that Genesys changes long after their end; undefined: none. */
  readonly lateChanges?: LateChangeShares | undefined
}

/** A generated conversation: its whole life, and how the API's record of it is malformed, if it is. */
interface GeneratedConversation {
  readonly plan: ConversationPlan
  readonly malformed: MalformedKind | undefined
}

export interface Generator {
  /** All conversations that start on a UTC day (days since 1970), in no particular order. */
  day(day: number): Iterable<GeneratedConversation>
  /** Generates one conversation of a day again. */
  regenerate(day: number, ordinal: number): GeneratedConversation
  /** Plans a new conversation of a kind that starts at an instant; the same key gives the same one. */
  create(key: string, start: number, kind?: ScenarioKind): ConversationPlan
  /** Whether Genesys moves starts, so that a conversation can be found on another day than it was generated for. */
  readonly movesStarts: boolean
}

/** Generates an organization's conversations: any day, in any order, always the same. */
export function createGenerator(org: Org, options: GeneratorOptions): Generator {
  const { seed, perDay, exactPerDay, malformedShare, reopenedShare, lateChanges, utcOffsetHours = 0 } = options
  const utcHourWeights = HOUR_WEIGHTS.map((_, hour) => HOUR_WEIGHTS[(hour + utcOffsetHours + 24) % 24] ?? 0)
  const malformedAt = malformedPositions(malformedShare, createRandom(`${seed}/nasty`))
  const strain = options.busyHours ? createStrain(org, utcOffsetHours) : () => 1
  const before = new Map<number, number>()
  // Counting from a fixed day keeps a day's records the same whatever range is asked for.
  const firstDay = Date.UTC(2020, 0, 1) / DAY_MS

  function count(day: number): number {
    if (exactPerDay) return perDay
    const weekend = (day + 4) % 7 === 0 || (day + 4) % 7 === 6
    return Math.round(perDay * (weekend ? 0.35 : 1) * (0.92 + 0.16 * hashFraction(`${seed}/count/${day}`)))
  }

  /** How many conversations the organization had before a day; gives every record its own number. */
  function countBefore(day: number): number {
    if (exactPerDay) return perDay * (day - firstDay)
    const known = before.get(day)
    if (known !== undefined) return known
    let sum = 0
    for (let each = firstDay; each < day; each++) {
      before.set(each, sum)
      sum += count(each)
    }
    before.set(day, sum)
    return sum
  }

  function startWithin(day: number, random: Random): number {
    let left = random.next() * HOUR_WEIGHT_TOTAL
    let hour = 0
    while (hour < 23 && left >= (utcHourWeights[hour] ?? 0)) left -= utcHourWeights[hour++] ?? 0
    return day * DAY_MS + hour * 3_600_000 + random.int(0, 3_599_999)
  }

  function createPlan(random: Random, start: number, kind = random.weighted(WEIGHTS)): ConversationPlan {
    const builder = createBuilder(org, random, start, { reopenedShare, strain })
    SCENARIOS[kind](builder)
    addRareFields(builder)
    const end = endOf(builder.plan)
    if (end !== Infinity) addFollowUps(builder, end)
    return builder.plan
  }

  function regenerate(day: number, ordinal: number): GeneratedConversation {
    const random = createRandom(`${seed}/${day}/${ordinal}`)
    const plan = createPlan(random, startWithin(day, random))
    // Randomness of its own: with and without late changes an organization has the same conversations.
    if (lateChanges) planLateChanges({ plan, org, random: createRandom(`${seed}/late/${plan.id}`) }, lateChanges)
    return { plan, malformed: malformedAt.get((((countBefore(day) + ordinal) % 1_000) + 1_000) % 1_000) }
  }

  return {
    movesStarts: (lateChanges?.moved ?? 0) > 0,
    regenerate,
    *day(day) {
      for (let ordinal = 0; ordinal < count(day); ordinal++) yield regenerate(day, ordinal)
    },
    create: (key, start, kind) => createPlan(createRandom(`${seed}/told/${key}`), start, kind),
  }
}
