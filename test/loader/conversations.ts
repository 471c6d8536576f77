import { readBack } from '../../src/loader/read-back.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import type { LoadCounts } from '../../src/loader/load-counts.ts'
import { loadBatch, type LoadOptions } from '../../src/loader/load.ts'

/** A conversation with a row in most tables. */
export function conversation(id: string, overrides: Record<string, JsonValue> = {}): JsonObject {
  const start = (overrides['conversationStart'] as string | undefined) ?? '2026-03-05T10:00:00.000Z'
  return {
    conversationId: id,
    conversationStart: start,
    originatingDirection: 'inbound',
    divisionIds: ['d1', 'd2'],
    participants: [
      {
        participantId: `${id}-p0`,
        purpose: 'customer',
        sessions: [
          {
            sessionId: `${id}-s0`,
            mediaType: 'voice',
            segments: [{ segmentStart: start, segmentType: 'interact' }],
            metrics: [
              { name: 'nConnected', value: 1, emitDate: start },
              { name: 'tHandle', value: 60_000, emitDate: start },
            ],
          },
        ],
      },
      { participantId: `${id}-p1`, purpose: 'agent', userId: 'u1' },
    ],
    evaluations: [{ evaluationId: 'e1', oTotalScore: 90 }],
    ...overrides,
  }
}

/** The same conversation with attributes on its participants, in their order. */
export function withAttributes(raw: JsonObject, ...attributes: JsonValue[]): JsonObject {
  const participants = raw['participants'] as JsonObject[]
  return {
    ...raw,
    participants: participants.map((participant, index) => ({ ...participant, attributes: attributes[index] ?? null })),
  }
}

/** An instant for `fetchedAt`, `seconds` after a fixed one. */
export function instant(seconds: number): string {
  return new Date(Date.UTC(2026, 3, 1, 0, 0, seconds)).toISOString()
}

/** Loads conversations that were all fetched `seconds` after a fixed instant. */
export async function load(
  warehouse: Warehouse,
  conversations: readonly unknown[],
  seconds: number,
  options: Partial<LoadOptions> = {},
): Promise<LoadCounts> {
  const records = conversations.map((raw) => ({ conversation: raw, fetchedAt: instant(seconds) }))
  return loadBatch(warehouse, records, { source: 'query', runId: 1, deliversAttributes: false, ...options })
}

/** What is stored of a conversation, as JSON; undefined when nothing is. */
export async function stored(warehouse: Warehouse, id: string): Promise<JsonObject | undefined> {
  const rows = (await readBack(warehouse.db, [id])).get(id)
  return rows && reassemble(rows)
}
