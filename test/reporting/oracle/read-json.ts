/** A conversation's JSON as plain nested objects with readable values. Shares nothing with src/: it is the other half of a comparison. */

type Json = Readonly<Record<string, unknown>>

/** An instant in microseconds since 1970. */
export type Instant = number

export interface Metric {
  readonly index: number
  readonly name: string | null
  /** Null where Genesys sent no whole number. */
  readonly value: bigint | null
  readonly emitted: Instant | null
}

export interface Segment {
  readonly index: number
  readonly raw: Json
  readonly type: string | null
  readonly start: Instant | null
  readonly end: Instant | null
  readonly queueId: string | null
}

export interface Session {
  readonly index: number
  readonly raw: Json
  readonly participant: Participant
  readonly segments: readonly Segment[]
  readonly metrics: readonly Metric[]
  readonly flow: { readonly index: number; readonly raw: Json; readonly outcomes: readonly Child[] } | null
}

interface Participant {
  readonly index: number
  readonly raw: Json
  readonly purpose: string | null
  readonly userId: string | null
  readonly sessions: Session[]
}

/** An object of a list and its place among all of its kind in the conversation. */
export interface Child {
  readonly index: number
  readonly raw: Json
}

export interface Conversation {
  readonly id: string
  readonly start: Instant
  readonly raw: Json
  readonly participants: readonly Participant[]
  readonly sessions: readonly Session[]
  readonly evaluations: readonly Child[]
  readonly surveys: readonly Child[]
}

/** Reads a record; null where it has no usable id or start. */
export function readConversation(raw: Json): Conversation | null {
  const id = text(raw['conversationId'])
  const start = instant(raw['conversationStart'])
  if (id === null || start === null) return null
  const place = { sessions: 0, segments: 0, metrics: 0, flows: 0, outcomes: 0 }
  const participants = objects(raw['participants']).map((participant, index) =>
    readParticipant(participant, index, place),
  )
  return {
    id,
    start,
    raw,
    participants,
    sessions: participants.flatMap(({ sessions }) => sessions),
    evaluations: objects(raw['evaluations']).map((each, index) => ({ index, raw: each })),
    surveys: objects(raw['surveys']).map((each, index) => ({ index, raw: each })),
  }
}

interface Places {
  sessions: number
  segments: number
  metrics: number
  flows: number
  outcomes: number
}

function readParticipant(raw: Json, index: number, place: Places): Participant {
  const participant: Participant = {
    index,
    raw,
    purpose: text(raw['purpose']),
    userId: text(raw['userId']),
    sessions: [],
  }
  for (const session of objects(raw['sessions'])) {
    participant.sessions.push({
      index: place.sessions++,
      raw: session,
      participant,
      segments: objects(session['segments']).map((segment) => ({
        index: place.segments++,
        raw: segment,
        type: text(segment['segmentType']),
        start: instant(segment['segmentStart']),
        end: instant(segment['segmentEnd']),
        queueId: text(segment['queueId']),
      })),
      metrics: objects(session['metrics']).map((metric) => ({
        index: place.metrics++,
        name: text(metric['name']),
        value: whole(metric['value']),
        emitted: instant(metric['emitDate']),
      })),
      flow: isObject(session['flow'])
        ? {
            index: place.flows++,
            raw: session['flow'],
            outcomes: objects(session['flow']['outcomes']).map((each) => ({ index: place.outcomes++, raw: each })),
          }
        : null,
    })
  }
  return participant
}

const { isRawJSON } = JSON as unknown as { isRawJSON: (value: unknown) => value is { readonly rawJSON: string } }

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value)
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

/** A text as Postgres can hold it. */
export function text(value: unknown): string | null {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\uFFFD') : null
}

/** The texts of a list, with null in place of anything else; null where there is no text at all. */
export function texts(value: unknown): (string | null)[] | null {
  if (!Array.isArray(value)) return null
  const found = value.map(text)
  return found.some((each, at) => each !== null || value[at] === null) ? found : null
}

export function flag(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null
}

/** A whole number of 64 bits; null for anything else, texts included. */
export function whole(value: unknown): bigint | null {
  const digits = isRawJSON(value) ? value.rawJSON : typeof value === 'number' ? String(value) : ''
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits)
  if (!parts) return null
  const [, sign, before = '', after = '', exponent = '0'] = parts
  const shift = Number(exponent) - after.length
  if (Math.abs(shift) > 40) return null
  const scaled = shift >= 0 ? BigInt(before + after) * 10n ** BigInt(shift) : null
  const divisor = 10n ** BigInt(Math.max(0, -shift))
  const number = scaled ?? (BigInt(before + after) % divisor === 0n ? BigInt(before + after) / divisor : null)
  if (number === null) return null
  const signed = sign === '-' ? -number : number
  return BigInt.asIntN(64, signed) === signed ? signed : null
}

/** An instant with its offset, to the microsecond; null where it is none. */
export function instant(value: unknown): Instant | null {
  if (typeof value !== 'string') return null
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d(?::?\d\d)?)$/.exec(value)
  if (!parts) return null
  const [, day, time, fraction = '', zone = 'Z'] = parts
  const atUtc = Date.parse(`${day}T${time}Z`)
  // February has no 30th, though Date.parse may know one
  if (Number.isNaN(atUtc) || new Date(atUtc).toISOString().slice(0, 19) !== `${day}T${time}`) return null
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const offsetMinutes = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
  return (atUtc - offsetMinutes * 60_000) * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
}
