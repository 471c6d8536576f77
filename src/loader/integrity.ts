import { sql, type Kysely, type RawBuilder } from 'kysely'
import { tables } from '../model/columns.ts'
import { fromPostgres } from '../model/timestamps.ts'
import type { Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'

/** What must never be found in the tables. */
export interface MisplacedRows {
  /** Ids of conversations that are stored under two starts. */
  readonly twins: readonly string[]
  /** Ids that genesys.conversations and etl.conversations do not agree on: only one of them has them, or under another start. */
  readonly undecided: readonly string[]
  /** Rows without their conversation, by table; only tables that have some. */
  readonly orphans: Readonly<Record<string, number>>
}

/** The conversations that start in the range, by id. */
export async function selectConversationIds(
  db: Kysely<Database>,
  range: Interval,
): Promise<{ conversationId: string; conversationStart: string }[]> {
  const { rows } = await sql<{ id: string; start: string }>`
    select conversation_id as id, conversation_start::text as start from genesys.conversations c
    where ${within('c', range)} order by conversation_id collate "C"`.execute(db)
  return rows.map(({ id, start }) => ({ conversationId: id, conversationStart: fromPostgres(start) }))
}

/** Whether any conversation starts in the range. */
export async function holdsConversations(db: Kysely<Database>, range: Interval): Promise<boolean> {
  const { rows } = await sql`select 1 from genesys.conversations c where ${within('c', range)} limit 1`.execute(db)
  return rows.length > 0
}

/** Looks for twins, orphans and disagreement with etl.conversations among what starts in the range. */
export async function findMisplacedRows(db: Kysely<Database>, range: Interval): Promise<MisplacedRows> {
  const ids = async (query: RawBuilder<{ id: string }>) => (await query.execute(db)).rows.map(({ id }) => id)
  const twins = await ids(sql`
    select distinct c.conversation_id as id from genesys.conversations c
    join genesys.conversations t on t.conversation_id = c.conversation_id and t.conversation_start <> c.conversation_start
    where ${within('c', range)} order by 1`)
  const undecided = await ids(sql`
    select coalesce(c.conversation_id, e.conversation_id) as id
    from (select * from genesys.conversations c where ${within('c', range)}) c
    full join (select * from etl.conversations e where ${within('e', range)}) e
      on e.conversation_id = c.conversation_id and e.conversation_start = c.conversation_start
    where c.conversation_id is null or e.conversation_id is null order by 1`)
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
  return { twins, undecided: [...new Set(undecided)], orphans }
}

/** Lets the next load write these conversations again, whatever their hash: their rows are not what was loaded. */
export async function forgetContent(db: Kysely<Database>, conversationIds: readonly string[]): Promise<void> {
  await sql`update etl.conversations set content_hash = '' where conversation_id = any(${conversationIds}::text[])`.execute(
    db,
  )
}

function within(alias: string, { start, end }: Interval): RawBuilder<unknown> {
  const column = sql.ref(`${alias}.conversation_start`)
  return sql`${column} >= ${start} and ${column} < ${end}`
}
