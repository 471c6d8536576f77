/** Compares etl.unsettled with what it has to be, computed from everything that is stored. */
import { sql } from 'kysely'
import type { Warehouse } from '../../src/postgres/connect.ts'

interface UnsettledRow {
  readonly id: string
  readonly start: string
  readonly end: string | null
}

/** What etl.unsettled has. */
export async function selectUnsettled(warehouse: Warehouse): Promise<UnsettledRow[]> {
  const { rows } = await sql<UnsettledRow>`
    select conversation_id as id, conversation_start::text as start, ended_at::text as "end" from etl.unsettled
    order by conversation_id collate "C"`.execute(warehouse.db)
  return rows
}

/** What it should have. */
export async function recomputeUnsettled(warehouse: Warehouse): Promise<UnsettledRow[]> {
  const { rows } = await sql<UnsettledRow>`
    select e.conversation_id as id, e.conversation_start::text as start, c.conversation_end::text as "end"
    from etl.conversations e
    join genesys.conversations c using (conversation_id, conversation_start)
    cross join reporting.settings s
    where c._missing_since is null
      and (c.conversation_end is null
        or extract(epoch from e.fetched_at) < extract(epoch from c.conversation_end) + s.settle_days * 86400)
    order by e.conversation_id collate "C"`.execute(warehouse.db)
  return rows
}
