/** Finds what the ledger has as loaded and the tables no longer hold. */
import { sql, type Kysely } from 'kysely'
import { monthBounds, monthOf } from '../loader/partitions.ts'
import { startOfDay } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import type { WindowRecord } from './ledger.ts'

/** A month of which the ledger has conversations that the tables lack. */
export interface EmptyMonth {
  /** YYYY-MM, UTC. */
  readonly month: string
  /** How many the ledger's windows found. */
  readonly conversations: number
  /** The tables of schema genesys that have no row of the month, though they should. */
  readonly tables: readonly string[]
}

/** Every conversation has a row in each of these; in the others many have none. */
const REQUIRED_TABLES = ['conversations', 'participants', 'sessions', 'segments'] as const

/** How many conversations the ledger's windows found in each month (YYYY-MM), without those that could not be loaded. Pure. */
function foundByMonth(windows: readonly WindowRecord[]): Map<string, number> {
  return sumHits(windows, ({ start }) => monthOf(start.toISOString()))
}

function sumHits(windows: readonly WindowRecord[], keyOf: (window: WindowRecord) => string): Map<string, number> {
  const found = new Map<string, number>()
  for (const window of windows) {
    if (window.status !== 'done' && window.status !== 'unstable') continue
    const loaded = (window.hits ?? 0) - window.rejected
    if (loaded > 0) found.set(keyOf(window), (found.get(keyOf(window)) ?? 0) + loaded)
  }
  return found
}

/**
 * The months in which the ledger's windows found conversations, but a table that every conversation has rows in has none:
 * its partition was dropped or emptied, or a backup was restored in part. Looks for one row per month and table.
 */
export async function selectEmptyMonths(db: Kysely<Database>, windows: readonly WindowRecord[]): Promise<EmptyMonth[]> {
  const found = foundByMonth(windows)
  if (found.size === 0) return []
  const months = [...found.keys()].sort()
  const bounds = months.map(monthBounds)
  const isEmpty = REQUIRED_TABLES.map(
    (table) => sql`
      not exists (select from ${sql.table(`genesys.${table}`)} x
        where x.conversation_start >= m.first and x.conversation_start < m.next) as ${sql.ref(table)}`,
  )
  const { rows } = await sql<Record<(typeof REQUIRED_TABLES)[number], boolean> & { month: string }>`
    select m.month, ${sql.join(isEmpty)}
    from unnest(${months}::text[], ${bounds.map(({ from }) => from)}::timestamptz[],
      ${bounds.map(({ to }) => to)}::timestamptz[]) as m (month, first, next)
    order by m.month`.execute(db)
  return rows.flatMap((row) => {
    const empty = REQUIRED_TABLES.filter((table) => row[table])
    return empty.length === 0 ? [] : [{ month: row.month, conversations: found.get(row.month) ?? 0, tables: empty }]
  })
}

/** The UTC days (YYYY-MM-DD) of which the ledger's windows found conversations, but genesys.conversations has none. */
export async function selectEmptyDays(db: Kysely<Database>, windows: readonly WindowRecord[]): Promise<string[]> {
  const days = [...sumHits(windows, ({ start }) => startOfDay(start).toISOString().slice(0, 10)).keys()].sort()
  const { rows } = await sql<{ day: string }>`
    select d.day from unnest(${days}::text[]) as d (day)
    where not exists (select from genesys.conversations c
      where c.conversation_start >= d.day::date and c.conversation_start < d.day::date + 1)
    order by d.day`.execute(db)
  return rows.map(({ day }) => day)
}
