/** Identifies the records of an answer, and says how far `totalHits` may be off. Pure. */
import { isJsonObject, textOfDeep, type JsonObject, type JsonValue } from '../model/json.ts'
import { canonicalTime } from '../model/timestamps.ts'

/**
 * The key of a record, which is its id or, without a usable one, its whole content; and its start and end in epoch
 * milliseconds, NaN where unknown.
 */
export function identify(record: JsonValue): Identity {
  const { conversationId: id, conversationStart, conversationEnd } = isJsonObject(record) ? record : ({} as JsonObject)
  return {
    key: typeof id === 'string' && id !== '' ? `id ${id}` : `content ${textOfDeep(record)}`,
    start: instantOf(conversationStart),
    end: instantOf(conversationEnd),
  }
}

export interface Identity {
  readonly key: string
  readonly start: number
  readonly end: number
}

function instantOf(value: JsonValue | undefined): number {
  const time = typeof value === 'string' ? canonicalTime(value) : null
  return time === null ? Number.NaN : Date.parse(time)
}

/** By how many records a set may stay short of `totalHits`, which is approximate: one in a thousand, at least two. */
export function toleratedShortfall(hits: number): number {
  return Math.max(2, Math.floor(hits / 1000))
}
