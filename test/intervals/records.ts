/** Conversations for the tests of cells, written down shortly. */
import { CELL_COLUMNS, cellsOf } from '../../src/intervals/cells.ts'
import { emptyRowSet, type RowSet } from '../../src/model/columns.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { appendRows } from '../../src/model/transform.ts'

/** Name, value and emit date. */
export type Metric = readonly [name: string, value: JsonValue, emitDate: JsonValue]
/** Queue and segment start. */
export type Segment = readonly [queueId: string | null, segmentStart: string | null]

/** A session of some media type and direction. */
export function session(
  mediaType: string | null,
  direction: string | null,
  segments: readonly Segment[],
  metrics: readonly Metric[],
): JsonObject {
  return {
    mediaType,
    direction,
    segments: segments.map(([queueId, segmentStart]) => ({ segmentType: 'interact', queueId, segmentStart })),
    metrics: metrics.map(([name, value, emitDate]) => ({ name, value, emitDate })),
  }
}

/** A participant; agents have a user. */
export function participant(purpose: string, userId: string | null, ...sessions: JsonObject[]): JsonObject {
  return { purpose, userId, sessions }
}

/** A conversation that began at an instant. */
export function conversation(
  conversationStart: string,
  originatingDirection: string | null,
  ...participants: JsonObject[]
): JsonObject {
  return { conversationId: `c-${conversationStart}`, conversationStart, originatingDirection, participants }
}

/** The rows of conversations. */
export function rowsOf(...raws: readonly JsonObject[]): RowSet {
  const rows = emptyRowSet()
  for (const raw of raws) appendRows(rows, raw)
  return rows
}

/** The cells of conversations as objects of their columns that are not null, without the keys of the conversation. */
export function cells(...raws: readonly JsonObject[]): Record<string, unknown>[] {
  return cellsOf(rowsOf(...raws)).map((row) =>
    Object.fromEntries(
      CELL_COLUMNS.map((name, slot) => [name, row[slot]]).filter(([, value], i) => value !== null && i > 2),
    ),
  )
}
