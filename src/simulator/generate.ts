import { agentOwnedCallback, requestedCallback } from './callback.ts'
import { chat, email, message } from './digital.ts'
import { followUp, sprinkle } from './extras.ts'
import { internalCall, internalMessage } from './inside.ts'
import { nastySlots } from './nasty.ts'
import type { NastyKind } from './nasty.ts'
import type { Org } from './org.ts'
import { campaignCall, manualCall, previewCall } from './outbound.ts'
import { createPen } from './pen.ts'
import type { Pen } from './pen.ts'
import { createRandom, hashFraction } from './random.ts'
import type { Random } from './random.ts'
import { endOf } from './story.ts'
import type { Story } from './story.ts'
import { inboundCall } from './voice.ts'

export const dayMs = 86_400_000

const scenarios = {
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
} as const satisfies Record<string, (pen: Pen) => void>

export type ScenarioKind = keyof typeof scenarios

const mix: Readonly<Record<ScenarioKind, number>> = {
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

/** Share of a day's conversations that start in each local hour: business hours with a dip at noon. */
const hours = [2, 1, 1, 1, 2, 4, 10, 24, 46, 58, 60, 54, 44, 50, 56, 54, 48, 38, 26, 18, 12, 9, 6, 4]
const hourTotal = hours.reduce((sum, weight) => sum + weight, 0)

export interface GeneratorOptions {
  readonly seed: string
  /** Mean number of conversations on a working day. */
  readonly perDay: number
  /** Hours that the organization's local time is ahead of UTC; its days remain UTC days. */
  readonly utcOffsetHours?: number
  /** Exactly perDay on every day, without weekends and chance. */
  readonly exactPerDay: boolean
  /** Share of records that are spoiled, 0 to 1. */
  readonly nastyShare: number
  /** Share of message and e-mail threads that are reopened, 0 to 1. */
  readonly reopenedShare: number
}

/** A conversation of a day before anything is shown of it. */
interface Told {
  readonly story: Story
  readonly nasty: NastyKind | undefined
}

export interface Generator {
  /** All conversations that start on a UTC day (days since 1970), in no particular order. */
  day(day: number): Iterable<Told>
  /** One conversation of a day again. */
  retell(day: number, ordinal: number): Told
  /** A new conversation of a kind at an instant; the same key gives the same one. */
  tell(key: string, start: number, kind?: ScenarioKind): Story
}

/** The generator of an organization's conversations: any day, in any order, always the same. */
export function createGenerator(org: Org, options: GeneratorOptions): Generator {
  const { seed, perDay, exactPerDay, nastyShare, reopenedShare, utcOffsetHours = 0 } = options
  const utcHours = hours.map((_, hour) => hours[(hour + utcOffsetHours + 24) % 24] ?? 0)
  const slots = nastySlots(nastyShare, createRandom(`${seed}/nasty`))
  const before = new Map<number, number>()
  // Counting from a fixed day keeps a day's records the same whatever range is asked for.
  const firstDay = Date.UTC(2020, 0, 1) / dayMs

  function count(day: number): number {
    if (exactPerDay) return perDay
    const weekend = (day + 4) % 7 === 0 || (day + 4) % 7 === 6
    return Math.round(perDay * (weekend ? 0.35 : 1) * (0.92 + 0.16 * hashFraction(`${seed}/count/${day}`)))
  }

  /** How many conversations the organization had before a day: gives every record a number of its own. */
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
    let left = random.next() * hourTotal
    let hour = 0
    while (hour < 23 && left >= (utcHours[hour] ?? 0)) left -= utcHours[hour++] ?? 0
    return day * dayMs + hour * 3_600_000 + random.int(0, 3_599_999)
  }

  function tell(random: Random, start: number, kind = random.weighted(mix)): Story {
    const pen = createPen(org, random, start, { reopenedShare })
    scenarios[kind](pen)
    sprinkle(pen)
    const end = endOf(pen.story)
    if (end !== Infinity) followUp(pen, end)
    return pen.story
  }

  function retell(day: number, ordinal: number): Told {
    const random = createRandom(`${seed}/${day}/${ordinal}`)
    const story = tell(random, startWithin(day, random))
    return { story, nasty: slots.get((((countBefore(day) + ordinal) % 1_000) + 1_000) % 1_000) }
  }

  return {
    retell,
    *day(day) {
      for (let ordinal = 0; ordinal < count(day); ordinal++) yield retell(day, ordinal)
    },
    tell: (key, start, kind) => tell(createRandom(`${seed}/told/${key}`), start, kind),
  }
}
