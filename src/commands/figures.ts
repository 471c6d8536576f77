/** The figures of the loaded data that the demo prints. */
import { sql, type Kysely } from 'kysely'
import { tables } from '../model/columns.ts'
import type { Database } from '../postgres/database.ts'

export interface Figures {
  readonly byDay: readonly {
    readonly day: string
    readonly conversations: number
    readonly handled: number
    readonly averageHandleSeconds: number | null
  }[]
  readonly byMedia: readonly {
    readonly mediaType: string | null
    readonly direction: string | null
    readonly conversations: number
    readonly averageHandleSeconds: number | null
  }[]
  /** Rows of each table of schema genesys. */
  readonly rows: Readonly<Record<string, number>>
}

/** Counts all loaded rows: for small warehouses, since it reads every table. */
export async function readFigures(db: Kysely<Database>): Promise<Figures> {
  const average = sql`round(sum(average_handle_seconds * handled) / nullif(sum(handled), 0), 1)::float8`
  const byDay = await sql<Figures['byDay'][number]>`
    select day::text as "day", sum(conversations)::int8 as "conversations", sum(handled)::int8 as "handled", ${average} as "averageHandleSeconds"
    from reporting.conversations_daily group by day order by day`.execute(db)
  const byMedia = await sql<Figures['byMedia'][number]>`
    select media_type as "mediaType", direction as "direction", sum(conversations)::int8 as "conversations", ${average} as "averageHandleSeconds"
    from reporting.conversations_daily group by 1, 2 order by 3 desc`.execute(db)
  const rows: Record<string, number> = {}
  for (const name of tables) {
    const count = await sql<{ rows: number }>`select count(*) as rows from ${sql.table(`genesys.${name}`)}`.execute(db)
    rows[name] = count.rows[0]?.rows ?? 0
  }
  return { byDay: byDay.rows, byMedia: byMedia.rows, rows }
}
