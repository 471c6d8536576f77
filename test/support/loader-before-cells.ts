/**
 * What a process of the release before interval cells does to the database, by the statements that it sends: it knows neither cells nor
 * the columns that say what they were derived from.
 */
import { sql, type Transaction } from 'kysely'
import { idsByMonth, monthBounds, monthOf } from '../../src/loader/partitions.ts'
import { copyRows } from '../../src/loader/copy.ts'
import { emptyRowSet, tables } from '../../src/model/columns.ts'
import { attributesHash, contentHash } from '../../src/model/content-hash.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { appendRows, conversationKey } from '../../src/model/transform.ts'
import { withTransaction, type Warehouse } from '../../src/postgres/connect.ts'
import type { Database } from '../../src/postgres/database.ts'
import { retryTransient } from '../../src/postgres/errors.ts'

interface Entry {
  readonly raw: JsonObject
  readonly id: string
  readonly start: string
}

interface Decision {
  readonly id: string
  readonly previous_start: string | null
  readonly previous_content_hash: string | null
}

/** Loads conversations, all of which have a usable key; each id at most once. @param fetchedAt ISO text */
export async function loadBeforeCells(
  warehouse: Warehouse,
  conversations: readonly JsonObject[],
  fetchedAt: string,
): Promise<void> {
  const entries = conversations.map((raw): Entry => {
    const key = conversationKey(raw)
    if ('rejected' in key) throw new Error(key.rejected)
    return { raw, id: key.conversationId, start: key.conversationStart }
  })
  entries.sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const month of new Set(entries.map(({ start }) => monthOf(start)))) await createMonth(warehouse, month)
  await retryTransient(() =>
    withTransaction(warehouse, async (trx, client) => {
      const decisions = new Map((await decide(trx, entries, fetchedAt)).map((row) => [row.id, row]))
      const changed = entries.filter(({ id, raw }) => {
        const decision = decisions.get(id)
        return decision !== undefined && decision.previous_content_hash !== contentHash(raw)
      })
      await deleteStored(
        trx,
        changed.flatMap(({ id }) => {
          const start = decisions.get(id)?.previous_start
          return start ? [{ conversationId: id, start }] : []
        }),
      )
      const rows = emptyRowSet()
      for (const { raw } of changed) appendRows(rows, raw)
      for (const table of tables)
        await copyRows(client, table, rows[table], table === 'conversations' ? { _source: 'query', _run_id: null } : {})
    }),
  )
}

async function createMonth({ db }: Warehouse, month: string): Promise<void> {
  const { from, to } = monthBounds(month)
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(7461001)`.execute(trx)
    for (const table of tables) {
      const partition = `genesys.${table}_${month.replace('-', '_')}`
      const { rows } = await sql`select where to_regclass(${partition}) is not null`.execute(trx)
      if (rows.length > 0) continue
      await sql
        .raw(
          `create table ${partition} (like genesys.${table} including all);
           alter table genesys.${table} attach partition ${partition} for values from ('${from}') to ('${to}')`,
        )
        .execute(trx)
    }
  })
}

async function decide(trx: Transaction<Database>, entries: readonly Entry[], fetchedAt: string): Promise<Decision[]> {
  const { rows } = await sql<Decision>`
    insert into etl.conversations as c (conversation_id, conversation_start, content_hash, attributes_hash, fetched_at)
    select id, start, content, attributes, least(${fetchedAt}::timestamptz, clock_timestamp())
    from unnest(${entries.map(({ id }) => id)}::text[], ${entries.map(({ start }) => start)}::timestamptz[],
      ${entries.map(({ raw }) => contentHash(raw))}::text[], ${entries.map(({ raw }) => attributesHash(raw))}::text[])
      as entry (id, start, content, attributes)
    on conflict (conversation_id) do update set
      conversation_start = excluded.conversation_start,
      content_hash = excluded.content_hash,
      attributes_hash = coalesce(excluded.attributes_hash, c.attributes_hash),
      fetched_at = excluded.fetched_at,
      confirmed_at = now(),
      previous_start = c.conversation_start,
      previous_content_hash = c.content_hash,
      previous_attributes_hash = c.attributes_hash
    where excluded.fetched_at > c.fetched_at or c.fetched_at > clock_timestamp()
    returning conversation_id as id, previous_start::text, previous_content_hash`.execute(trx)
  return rows
}

async function deleteStored(
  trx: Transaction<Database>,
  stored: readonly { readonly conversationId: string; readonly start: string }[],
): Promise<void> {
  for (const [month, ids] of idsByMonth(stored, ({ start }) => start)) {
    const { from, to } = monthBounds(month)
    for (const table of tables) {
      await sql`delete from ${sql.table(`genesys.${table}`)} where conversation_id = any(${ids}::text[])
        and conversation_start >= ${from} and conversation_start < ${to}`.execute(trx)
    }
  }
}
