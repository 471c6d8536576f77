/** What tells the records of an answer from each other, and how far `totalHits` may be off. Pure. */
import { isJsonObject, textOfDeep } from '../model/json.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { canonicalTime } from '../model/timestamps.ts'

/**
 * What tells a record from the others, its id, or its whole content when it has no usable id; and when it started and ended,
 * in epoch milliseconds, NaN when that can't be told.
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

/** Records that may be missing for ever without harm, because `totalHits` is approximate: one in a thousand, at least two. */
export function toleratedShortfall(hits: number): number {
  return Math.max(2, Math.floor(hits / 1000))
}
