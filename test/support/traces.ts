/** Looks for values in whatever a database stores: every row of every table of every schema but those of Postgres itself. */
import { sql } from 'kysely'
import type { Warehouse } from '../../src/postgres/connect.ts'

/** The tables that hold one of the texts in any column, each with how many of its rows do. */
export async function findTraces(warehouse: Warehouse, texts: readonly string[]): Promise<Record<string, number>> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'm') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    order by 1`.execute(warehouse.db)
  const found: Record<string, number> = {}
  for (const { name } of tables) {
    const { rows } = await sql<{ count: number }>`
      with written as materialized (select lower(to_jsonb(t)::text) as text from ${sql.raw(name)} t)
      select count(*)::integer as count from written
      where exists (select from unnest(${texts}::text[]) as sought where position(lower(sought) in text) > 0)`.execute(
      warehouse.db,
    )
    if (rows[0]!.count > 0) found[name] = rows[0]!.count
  }
  return found
}
