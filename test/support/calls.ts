/** Small conversations with metrics, for what is derived from them. */
import type { JsonObject } from '../../src/model/json.ts'
import { sql } from 'kysely'
import type { Warehouse } from '../../src/postgres/connect.ts'

export interface CallOptions {
  /** When it begins, ISO text. */
  readonly start: string
  /** From its start to its end. Default: 5. */
  readonly minutes?: number
  readonly queue?: string
  readonly user?: string
  readonly mediaType?: string
  /** What of its content differs between versions. Default: 60 000. */
  readonly handleMs?: number
}

/** A conversation that is offered at its start, answered 10 s later, and handled until its end. */
export function call(id: string, options: CallOptions): JsonObject {
  const { start, minutes = 5, queue = 'q1', user = 'u1', mediaType = 'voice', handleMs = 60_000 } = options
  const after = (ms: number): string => new Date(Date.parse(start) + ms).toISOString()
  const end = after(minutes * 60_000)
  const segment = (segmentType: string): JsonObject => ({
    segmentStart: start,
    segmentEnd: end,
    segmentType,
    queueId: queue,
  })
  return {
    conversationId: id,
    conversationStart: after(0),
    conversationEnd: end,
    originatingDirection: 'inbound',
    participants: [
      {
        participantId: `${id}-acd`,
        purpose: 'acd',
        sessions: [
          {
            sessionId: `${id}-s0`,
            mediaType,
            direction: 'inbound',
            segments: [segment('delay')],
            metrics: [
              { name: 'nOffered', value: 1, emitDate: after(0) },
              { name: 'tAcd', value: 10_000, emitDate: after(10_000) },
            ],
          },
        ],
      },
      {
        participantId: `${id}-agent`,
        purpose: 'agent',
        userId: user,
        sessions: [
          {
            sessionId: `${id}-s1`,
            mediaType,
            direction: 'inbound',
            segments: [segment('interact')],
            metrics: [
              { name: 'tAnswered', value: 10_000, emitDate: after(10_000) },
              { name: 'tHandle', value: handleMs, emitDate: end },
            ],
          },
        ],
      },
    ],
  }
}

/** All cells as text, in an order of their own: what two databases are compared by. */
export async function storedCells(warehouse: Warehouse): Promise<string[]> {
  const { rows } = await sql<{ cell: string }>`
    select to_jsonb(c)::text as cell from etl.interval_cells c order by conversation_id, conversation_start, _index`.execute(
    warehouse.db,
  )
  return rows.map(({ cell }) => cell)
}

/** How many conversations of etl.conversations have cells that were not derived from their present content. */
export async function countUnderived(warehouse: Warehouse): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where derived_hash is distinct from content_hash or derived_version is distinct from 1`.execute(warehouse.db)
  return rows[0]!.count
}
