/** Small conversations with metrics, for what is derived from them. */
import { derivedTables } from '../../src/facts/derived.ts'
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

/** All derived rows as text, in an order of their own, without the times at which they were written: what two databases are compared by. */
export async function storedDerived(warehouse: Warehouse): Promise<string[]> {
  const tables = derivedTables.map(
    (table) =>
      sql`select ${table} || ' ' || (to_jsonb(x) - 'loaded_at' - 'updated_at')::text as row from ${sql.table(`etl.${table}`)} x`,
  )
  const { rows } = await sql<{ row: string }>`${sql.join(tables, sql` union all `)} order by 1`.execute(warehouse.db)
  return rows.map(({ row }) => row)
}

/** How many conversations of etl.conversations have derived rows that do not come from their present content. */
export async function countUnderived(warehouse: Warehouse): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where derived_hash is distinct from content_hash or derived_version is distinct from 2`.execute(warehouse.db)
  return rows[0]!.count
}
