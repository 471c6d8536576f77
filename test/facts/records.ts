/** Conversations for the tests of facts, written down shortly, and their facts as objects. */
import { derive, derivedColumns, type DerivedTable } from '../../src/facts/derived.ts'
import type { Value } from '../../src/model/columns.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { rowsOf } from '../intervals/records.ts'

const DAY = '2026-03-05T'

/** An instant of the day of these tests: `10:00:05` or `10:00:05.250`. */
export function at(time: string): string {
  return `${DAY}${time.includes('.') ? time : `${time}.000`}Z`
}

/** A segment: what happened, from when to when (null: it lasts), and further fields. */
export function segment(type: string, start: string | null, end: string | null, more: JsonObject = {}): JsonObject {
  return {
    segmentType: type,
    ...(start === null ? {} : { segmentStart: at(start) }),
    ...(end === null ? {} : { segmentEnd: at(end) }),
    ...more,
  }
}

/** A metric that was emitted at a time; null: without a time. */
export function metric(name: string, value: JsonValue, time: string | null): JsonObject {
  return { name, value, ...(time === null ? {} : { emitDate: at(time) }) }
}

/** A session of voice, inbound unless other fields say otherwise. */
export function session(segments: readonly JsonObject[], metrics: readonly JsonObject[] = [], more = {}): JsonObject {
  return { mediaType: 'voice', direction: 'inbound', segments: [...segments], metrics: [...metrics], ...more }
}

export function participant(purpose: string, sessions: readonly JsonObject[], userId?: string): JsonObject {
  return { purpose, ...(userId === undefined ? {} : { userId }), sessions: [...sessions] }
}

/** A conversation that began at ten o'clock. */
export function conversation(participants: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return { conversationId: 'c', conversationStart: at('10:00:00'), participants: [...participants], ...more }
}

/** The rows of a table that follow from conversations, by column. */
export function derived(table: DerivedTable, ...raws: readonly JsonObject[]): Record<string, Value>[] {
  return derive(rowsOf(...raws))[table].map((row) =>
    Object.fromEntries(derivedColumns[table].map(({ name }, slot) => [name, row[slot]!])),
  )
}

/** The facts of one conversation. */
export function facts(raw: JsonObject): Record<string, Value> {
  return derived('conversation_facts', raw)[0]!
}
