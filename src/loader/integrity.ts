import { sql, type Kysely, type RawBuilder } from 'kysely'
import { tables } from '../model/columns.ts'
import { fromPostgres } from '../model/timestamps.ts'
import type { Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { selectMissing } from './presence.ts'

/** Rows that no correct load leaves behind. */
export interface MisplacedRows {
  /** Ids of conversations that are stored under two starts. */
  readonly duplicates: readonly string[]
  /** Ids on which genesys.conversations and etl.conversations differ: only one of them has them, or under another start. */
  readonly inconsistent: readonly string[]
  /** Rows without their conversation, by table; only tables that have some. */
  readonly orphans: Readonly<Record<string, number>>
}

/** The conversations that start in the range, by id, without those that are known to be missing at Genesys. */
export async function selectConversationIds(
  db: Kysely<Database>,
  range: Interval,
): Promise<{ conversationId: string; conversationStart: string }[]> {
  const { rows } = await sql<{ id: string; start: string }>`
    select conversation_id as id, conversation_start::text as start from genesys.conversations c
    where ${within('c', range)} and c._missing_since is null order by conversation_id collate "C"`.execute(db)
  return rows.map(({ id, start }) => ({ conversationId: id, conversationStart: fromPostgres(start) }))
}

/** Whether any conversation starts in the range that is not known to be missing at Genesys. */
export async function holdsConversations(db: Kysely<Database>, range: Interval): Promise<boolean> {
  const { rows } =
    await sql`select 1 from genesys.conversations c where ${within('c', range)} and c._missing_since is null limit 1`.execute(
      db,
    )
  return rows.length > 0
}

/**
 * Looks for duplicates, orphans and disagreement with etl.conversations among the conversations that start in the range. A
 * duplicate in a month that the range does not touch is found by the start that etl.conversations does not have, so by the check
 * of that day: looking for further starts in every month would cost as much as there are months.
 */
export async function findMisplacedRows(db: Kysely<Database>, range: Interval): Promise<MisplacedRows> {
  return {
    duplicates: await selectDuplicates(db, range),
    inconsistent: await selectInconsistent(db, range),
    orphans: await countOrphans(db, range),
  }
}

async function selectDuplicates(db: Kysely<Database>, range: Interval): Promise<string[]> {
  const { rows: decided } = await sql<{ id: string; start: string }>`
    select c.conversation_id as id, e.conversation_start::text as start
    from genesys.conversations c
    join etl.conversations e on e.conversation_id = c.conversation_id and e.conversation_start <> c.conversation_start
    where ${within('c', range)}`.execute(db)
  const missing = await selectMissing(
    db,
    decided.map(({ id, start }) => ({ conversationId: id, start })),
    { unlessMarked: false },
  )
  const months = { start: startOfMonth(range.start), end: startOfNextMonth(range.end) }
  const { rows: near } = await sql<{ id: string }>`
    select distinct c.conversation_id as id from genesys.conversations c
    join genesys.conversations d on d.conversation_id = c.conversation_id and d.conversation_start <> c.conversation_start
    where ${within('c', range)} and ${within('d', months)}`.execute(db)
  const elsewhere = decided.filter(({ id }) => !missing.has(id))
  return [...new Set([...near, ...elsewhere].map(({ id }) => id))].sort()
}

async function selectInconsistent(db: Kysely<Database>, range: Interval): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select coalesce(c.conversation_id, e.conversation_id) as id
    from (select * from genesys.conversations c where ${within('c', range)}) c
    full join (select * from etl.conversations e where ${within('e', range)}) e
      on e.conversation_id = c.conversation_id and e.conversation_start = c.conversation_start
    where c.conversation_id is null or e.conversation_id is null order by 1`.execute(db)
  return [...new Set(rows.map(({ id }) => id))]
}

async function countOrphans(db: Kysely<Database>, range: Interval): Promise<Record<string, number>> {
  const orphans: Record<string, number> = {}
  for (const table of tables) {
    if (table === 'conversations') continue
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from ${sql.table(`genesys.${table}`)} x
      left join genesys.conversations c on c.conversation_id = x.conversation_id
        and c.conversation_start = x.conversation_start and ${within('c', range)}
      where ${within('x', range)} and c.conversation_id is null`.execute(db)
    if (rows[0] && rows[0].count > 0) orphans[table] = rows[0].count
  }
  return orphans
}

/** Makes the next load write these conversations again, whatever their hash: their rows are not what was loaded. */
export async function forgetContent(db: Kysely<Database>, conversationIds: readonly string[]): Promise<void> {
  await sql`update etl.conversations set content_hash = '' where conversation_id = any(${conversationIds}::text[])`.execute(
    db,
  )
}

function startOfMonth(instant: Date): Date {
  return new Date(Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth(), 1))
}

function startOfNextMonth(instant: Date): Date {
  return new Date(Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth() + 1, 1))
}

function within(alias: string, { start, end }: Interval): RawBuilder<unknown> {
  const column = sql.ref(`${alias}.conversation_start`)
  return sql`${column} >= ${start} and ${column} < ${end}`
}
