/** Deletes whatever the tables have of erased conversations. docs/privacy.md lists all tables, and why each is here or not. */
import { sql, type Kysely, type Transaction } from 'kysely'
import { derivedTables } from '../facts/derived.ts'
import { insertDeletions } from '../loader/deletions.ts'
import { deleteDerived } from '../loader/derived.ts'
import { tables } from '../model/columns.ts'
import type { Database } from '../postgres/database.ts'

/** Rows by table. */
export type RowCounts = Readonly<Record<string, number>>

/** Written under the lock of the deciding row alone, apart from what is derived. */
const HELD: readonly string[] = [...tables.map((table) => `genesys.${table}`), 'etl.unsettled']
/** Derived from them, under the same lock. */
const DERIVED: readonly string[] = derivedTables.map((table) => `etl.${table}`)

/** A table that others write without that lock: an erasure locks the whole table for a moment. */
interface SharedTable {
  readonly table: string
  /** Deletes or clears what it has of conversations; returns how many rows. */
  readonly clear: (db: Kysely<Database>, conversationIds: readonly string[]) => Promise<number>
}

/** The tables of the live side are written in one transaction that begins with the lock of the first. */
const SHARED: readonly (readonly SharedTable[])[] = [
  [deletingFrom('genesys.live_conversations'), deletingFrom('etl.rereads'), deletingFrom('etl.webhook_outbox')],
  [{ table: 'etl.rejected_records', clear: deleteRejected }],
  [{ table: 'etl.reconciliations', clear: forgetEvidence }],
]

function deletingFrom(table: string): SharedTable {
  return { table, clear: (db, ids) => deleteFrom(db, table, ids) }
}

async function deleteFrom(db: Kysely<Database>, table: string, ids: readonly string[]): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from ${sql.table(table)} where conversation_id = any(${ids}::text[])`.execute(db)
  return Number(numAffectedRows)
}

async function deleteRejected(db: Kysely<Database>, ids: readonly string[]): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from etl.rejected_records
    where conversation_id = any(${ids}::text[]) or raw_hash in (select raw_hash from etl.erased_records)`.execute(db)
  return Number(numAffectedRows)
}

async function forgetEvidence(db: Kysely<Database>, ids: readonly string[]): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    update etl.reconciliations
    set conversations = array(select id from unnest(conversations) as id where id <> all(${ids}::text[]))
    where conversations && ${ids}::text[]`.execute(db)
  return Number(numAffectedRows)
}

/** How many rows each table has of conversations; tables without any are left out. */
export async function countTraces(db: Kysely<Database>, conversationIds: readonly string[]): Promise<RowCounts> {
  const shared = SHARED.flat().map(({ table }) => table)
  return await countRows(db, [...HELD, ...DERIVED, 'etl.conversations', ...shared], conversationIds)
}

async function countRows(db: Kysely<Database>, counted: readonly string[], ids: readonly string[]): Promise<RowCounts> {
  const counts: Record<string, number> = {}
  for (const table of counted) {
    const isOfThem =
      table === 'etl.reconciliations'
        ? sql`conversations && ${ids}::text[]`
        : sql`conversation_id = any(${ids}::text[])`
    const { rows } = await sql<{ count: number }>`
      select count(*)::integer as count from ${sql.table(table)} where ${isOfThem}`.execute(db)
    const count = rows[0]?.count ?? 0
    if (count > 0) counts[table] = count
  }
  return counts
}

/**
 * Clears the tables that are written without the lock of the deciding row, each group in a transaction of its own. The tombstones have
 * committed, so that whoever waited for the lock writes nothing of these conversations any more.
 * @param inTransaction runs `work` in a transaction, again where a lock could not be had soon
 */
export async function clearShared(
  conversationIds: readonly string[],
  inTransaction: (work: (trx: Transaction<Database>) => Promise<RowCounts>) => Promise<void>,
): Promise<void> {
  for (const group of SHARED)
    await inTransaction(async (trx) => {
      // whoever comes meanwhile waits behind this request, so it must not wait long itself
      await sql`set local lock_timeout = '2s'`.execute(trx)
      await sql`lock table ${sql.table(group[0]!.table)} in share row exclusive mode`.execute(trx)
      const counts: Record<string, number> = {}
      for (const { table, clear } of group) counts[table] = await clear(trx, conversationIds)
      return counts
    })
}

/**
 * Deletes conversations, children and derived rows inside the transaction, under the lock that loaders take, whether they are stored or a
 * load is just writing them; lists those that were stored in etl.deletions. Returns the rows by table.
 * @param conversationIds in the order of all loaders
 * @param keepStatistics whether the cells stay, without conversation and user
 */
export async function deleteConversations(
  trx: Transaction<Database>,
  conversationIds: readonly string[],
  keepStatistics: boolean,
): Promise<RowCounts> {
  await lockConversations(trx, conversationIds)
  const counts: Record<string, number> = {}
  const { rows } = await sql<{ id: string; start: string }>`
    select conversation_id as id, conversation_start::text as start from genesys.conversations
    where conversation_id = any(${conversationIds}::text[])`.execute(trx)
  await insertDeletions(
    trx,
    rows.map(({ id, start }) => ({ conversationId: id, start })),
    'erased',
  )
  await lockUnsettled(trx, conversationIds)
  for (const table of HELD) counts[table] = await deleteFrom(trx, table, conversationIds)
  if (keepStatistics) await anonymizeCells(trx, conversationIds)
  Object.assign(counts, await deleteDerivedOf(trx, conversationIds))
  await forgetPositions(trx, conversationIds)
  counts['etl.conversations'] = await deleteDeciding(trx, conversationIds)
  return counts
}

/**
 * Locks the deciding rows as a loader does. Where there is none, the row of `infinity` stands in for it: a loader that is inserting the
 * conversation is waited for, and one that comes later waits.
 */
async function lockConversations(trx: Transaction<Database>, ids: readonly string[]): Promise<void> {
  await sql`
    insert into etl.conversations as c (conversation_id, conversation_start, content_hash, fetched_at)
    select id, 'infinity', '', 'infinity' from unnest(${ids}::text[]) as id
    on conflict (conversation_id) do update set conversation_id = c.conversation_id`.execute(trx)
}

/** Deletes the deciding rows and those that stand in for one; returns the number of the former. */
async function deleteDeciding(trx: Transaction<Database>, ids: readonly string[]): Promise<number> {
  const { rows } = await sql<{ stored: boolean }>`
    delete from etl.conversations where conversation_id = any(${ids}::text[])
    returning conversation_start <> 'infinity' as stored`.execute(trx)
  return rows.filter(({ stored }) => stored).length
}

/** In the order in which re-reads lock them. */
async function lockUnsettled(trx: Transaction<Database>, ids: readonly string[]): Promise<void> {
  await sql`
    select from etl.unsettled where conversation_id = any(${ids}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
}

async function deleteDerivedOf(trx: Transaction<Database>, ids: readonly string[]): Promise<RowCounts> {
  const counts = await countRows(trx, DERIVED, ids)
  const anywhere = ids.map((conversationId) => ({ conversationId, start: null }))
  if (Object.keys(counts).length > 0) await deleteDerived(trx, anywhere)
  return counts
}

/**
 * Takes the conversation and the user out of the cells of conversations inside the transaction, which holds the locks of their deciding rows, so
 * that the sums by queue stay. The start is cut to its day, and each conversation gets a random name.
 */
async function anonymizeCells(trx: Transaction<Database>, conversationIds: readonly string[]): Promise<void> {
  await sql`
    with named as materialized (
      select id, start, 'erased-' || gen_random_uuid() as name from (
        select distinct conversation_id as id, conversation_start as start from etl.interval_cells
        where conversation_id = any(${conversationIds}::text[])) as cells
    ), anonymized as (
      update etl.interval_cells c
      set conversation_id = n.name, conversation_start = date_trunc('day', n.start, 'UTC'), user_id = null
      from named n where c.conversation_id = n.id and c.conversation_start = n.start returning c.interval_start
    )
    -- the sums by user change
    insert into etl.dirty_hours (hour) select distinct date_trunc('hour', interval_start, 'UTC') from anonymized`.execute(
    trx,
  )
}

/** The walks remember a conversation as their place: they go back to just before it. */
async function forgetPositions(trx: Transaction<Database>, ids: readonly string[]): Promise<void> {
  for (const table of ['etl.settling', 'etl.derivation'])
    await sql`
      update ${sql.table(table)} set position_id = '', position_start = position_start + interval '1 microsecond'
      where position_id = any(${ids}::text[])`.execute(trx)
  await sql`
    update etl.meta set value = jsonb_set(value, '{position}', jsonb_build_object('id', '',
      'start', ((value #>> '{position,start}')::timestamptz + interval '1 microsecond')::text))
    where value #>> '{position,id}' = any(${ids}::text[])`.execute(trx)
}
