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
type RequiredTable = (typeof REQUIRED_TABLES)[number]

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
 * its partition was dropped or emptied, or a backup was restored in part. Only months whose partitions are missing or empty by the
 * statistics of Postgres are looked at, because opening all partitions costs a new connection thousands of blocks; rows deleted by
 * hand are therefore noticed after the next (auto)vacuum.
 */
export async function selectEmptyMonths(db: Kysely<Database>, windows: readonly WindowRecord[]): Promise<EmptyMonth[]> {
  const found = foundByMonth(windows)
  const empty: EmptyMonth[] = []
  for (const month of await selectSuspiciousMonths(db, [...found.keys()].sort())) {
    const tables = await selectEmptyTables(db, month)
    if (tables.length > 0) empty.push({ month, conversations: found.get(month) ?? 0, tables })
  }
  return empty
}

/** Of these months (YYYY-MM), those of which a required table has no partition with pages. */
async function selectSuspiciousMonths(db: Kysely<Database>, months: readonly string[]): Promise<string[]> {
  if (months.length === 0) return []
  const { rows } = await sql<{ month: string }>`
    select m.month from unnest(${months}::text[]) as m (month)
    cross join unnest(${REQUIRED_TABLES}::text[]) as t (name)
    left join pg_class c on c.relname = t.name || '_' || replace(m.month, '-', '_')
      and c.relnamespace = 'genesys'::regnamespace and c.relispartition and c.relpages > 0
    group by m.month having count(c.oid) < ${REQUIRED_TABLES.length} order by m.month`.execute(db)
  return rows.map(({ month }) => month)
}

/** The required tables that have no row of a month (YYYY-MM). */
async function selectEmptyTables(db: Kysely<Database>, month: string): Promise<RequiredTable[]> {
  const { from, to } = monthBounds(month)
  const isEmpty = REQUIRED_TABLES.map(
    (table) => sql`
      not exists (select from ${sql.table(`genesys.${table}`)}
        where conversation_start >= ${from} and conversation_start < ${to}) as ${sql.ref(table)}`,
  )
  const { rows } = await sql<Record<RequiredTable, boolean>>`select ${sql.join(isEmpty)}`.execute(db)
  return REQUIRED_TABLES.filter((table) => rows[0]?.[table])
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
