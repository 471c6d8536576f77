import { objectsOf } from './predicates.ts'
import type { Json } from './conversation-plan.ts'

/** One metric of a session, with what it is grouped by. */
export interface MetricRow {
  readonly name: string
  readonly value: bigint
  /** When it was emitted, in microseconds since 1970. */
  readonly at: number
  readonly conversation: Json
  readonly participant: Json
  readonly session: Json
  /** The segment that tells its queue; undefined where no segment of the session has one. */
  readonly segment: Json | undefined
}

const INSTANT = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/

/** An instant of a record in microseconds since 1970, further digits dropped; undefined where it is none, such as 30 February. */
function microsecondsOf(value: unknown): number | undefined {
  const [, date = '', time = '', fraction = '', offset = ''] =
    typeof value === 'string' ? (INSTANT.exec(value) ?? []) : []
  const day = Date.parse(`${date}T00:00:00Z`)
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== date) return undefined
  const instant = Date.parse(`${date}T${time}${offset}`)
  return Number.isNaN(instant) ? undefined : instant * 1_000 + Number(fraction.slice(0, 6).padEnd(6, '0'))
}

/**
 * The metrics of a conversation as the API shows it, as aggregates count them: those that have a name, a whole number as value and
 * a readable emitDate. A record without a usable id or start has none: no client can know of it.
 */
export function metricRowsOf(conversation: Json): MetricRow[] {
  const { conversationId, conversationStart } = conversation
  if (typeof conversationId !== 'string' || microsecondsOf(conversationStart) === undefined) return []
  return objectsOf(conversation['participants']).flatMap((participant) =>
    objectsOf(participant['sessions']).flatMap((session) => {
      const segments = objectsOf(session['segments']).filter(({ queueId }) => typeof queueId === 'string')
      return objectsOf(session['metrics']).flatMap((metric): MetricRow[] => {
        const { name } = metric
        const value = wholeNumber(metric['value'])
        const at = microsecondsOf(metric['emitDate'])
        if (typeof name !== 'string' || value === undefined || at === undefined) return []
        return [{ name, value, at, conversation, participant, session, segment: segmentAt(segments, at) }]
      })
    }),
  )
}

/**
 * The segment that a session was in when it emitted a metric: of those with a queue the one that had begun last, or the first one
 * where none had begun yet. One without a readable start counts as the earliest.
 */
function segmentAt(segments: readonly Json[], at: number): Json | undefined {
  let last: { segment: Json; start: number } | undefined
  let first: { segment: Json; start: number } | undefined
  for (const segment of segments) {
    const start = microsecondsOf(segment['segmentStart']) ?? -Infinity
    if (start <= at && (!last || start >= last.start)) last = { segment, start }
    if (!first || start < first.start) first = { segment, start }
  }
  return (last ?? first)?.segment
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/
const INT64_MAX = 9_223_372_036_854_775_807n

/** A number of a record, however it is spelled, as an integer of 64 bits; undefined where it is none or is not whole. */
function wholeNumber(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? inRange(BigInt(value)) : undefined
  const raw = (value as { rawJSON?: unknown } | null | undefined)?.rawJSON
  const [, sign, whole = '', fraction = '', exponent = '0'] = typeof raw === 'string' ? (NUMBER.exec(raw) ?? []) : []
  if (whole === '') return undefined
  const digits = BigInt(whole + fraction)
  const shift = BigInt(Number(exponent) - fraction.length)
  const scaled = shift >= 0n ? digits * 10n ** shift : digits / 10n ** -shift
  if (shift < 0n && scaled * 10n ** -shift !== digits) return undefined
  return inRange(sign === '-' ? -scaled : scaled)
}

function inRange(value: bigint): bigint | undefined {
  return value >= -INT64_MAX - 1n && value <= INT64_MAX ? value : undefined
}
