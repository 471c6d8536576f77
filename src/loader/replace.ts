import { sql, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { emptyRowSet, tables, type TableName } from '../model/columns.ts'
import { parseJson, storableJson, type JsonObject } from '../model/json.ts'
import { applyPolicyToAttributes, type ConversationPolicy } from '../model/personal.ts'
import { policyAt, type PolicyInForce } from '../model/personal-retention.ts'
import { appendRows } from '../model/transform.ts'
import { copyRows } from './copy.ts'
import type { Database } from '../postgres/database.ts'
import { replaceDerived, type StoredDerived } from './derived.ts'
import { idsByMonth, monthBounds, monthOf } from './partitions.ts'

/** A conversation that has to be written. */
export interface ChangedConversation {
  readonly conversationId: string
  readonly conversationStart: string
  readonly raw: JsonObject
  /** Whether this answer carries the participants' attributes; else those that are stored stay. */
  readonly deliversAttributes: boolean
  /** The start under which rows of it are stored; null: none are. */
  readonly previousStart: string | null
  /** Further starts under which rows of it were found, although etl.conversations does not have them. */
  readonly strayStarts: readonly string[]
  readonly hasStoredAttributes: boolean
  /** Whether rows that were derived from it may be stored under yet another start. */
  readonly mayHaveStrayRows: boolean
}

const CONTENT_TABLES = tables.filter((table) => table !== 'participant_attributes')

/**
 * Replaces conversations whole, parents and children, inside the transaction: what is stored is deleted month by month,
 * then each table gets one COPY, and so do those of what is derived from the rows. Stored attributes that this source doesn't deliver follow a corrected start and the new
 * order of the participants. Returns the rows written, by table.
 */
export async function replaceConversations(
  trx: Transaction<Database>,
  client: ClientBase,
  changed: readonly ChangedConversation[],
  origin: { source: string; runId: number | null; inForce: PolicyInForce },
): Promise<Record<TableName, number>> {
  const rows = emptyRowSet()
  for (const { raw } of changed) appendRows(rows, raw)
  const stored = changed.filter(({ previousStart }) => previousStart !== null)
  await deleteRows(trx, changed, CONTENT_TABLES)
  await deleteRows(
    trx,
    changed.filter(({ deliversAttributes }) => deliversAttributes),
    ['participant_attributes'],
  )
  const written = {} as Record<TableName, number>
  for (const table of tables) {
    const constants = table === 'conversations' ? { _source: origin.source, _run_id: origin.runId } : {}
    written[table] = await copyRows(client, table, rows[table], constants)
  }
  await replaceDerived(trx, client, rows, changed.flatMap(storedDerived))
  await carryAttributes(
    trx,
    stored.filter((conversation) => !conversation.deliversAttributes && conversation.hasStoredAttributes),
    origin.inForce,
  )
  return written
}

function storedDerived({
  conversationId,
  previousStart,
  strayStarts,
  mayHaveStrayRows,
}: ChangedConversation): StoredDerived[] {
  if (mayHaveStrayRows) return [{ conversationId, start: null }]
  return [...(previousStart === null ? [] : [previousStart]), ...strayStarts].map((start) => ({
    conversationId,
    start,
  }))
}

// with plain bounds of a month the planner prunes to one partition; joined to a list of starts it scans them all
async function deleteRows(
  trx: Transaction<Database>,
  changed: readonly ChangedConversation[],
  from: readonly TableName[],
): Promise<void> {
  const stored = changed.flatMap(({ conversationId, previousStart, strayStarts }) =>
    [...(previousStart === null ? [] : [previousStart]), ...strayStarts].map((start) => ({ conversationId, start })),
  )
  for (const [month, ids] of idsByMonth(stored, ({ start }) => start)) {
    const { from: first, to } = monthBounds(month)
    const deletes = from.map(
      (table) => sql`${sql.raw(`d_${table}`)} as (delete from ${sql.raw(`genesys.${table}`)}
        where conversation_id = any(${ids}::text[]) and conversation_start >= ${first} and conversation_start < ${to})`,
    )
    await sql`with ${sql.join(deletes)} select 1`.execute(trx)
  }
}

/**
 * Attributes that a fuller source has delivered earlier stay: they move to a corrected start, and point again at the
 * participant that they belong to where its position has changed.
 */
async function carryAttributes(
  trx: Transaction<Database>,
  kept: readonly ChangedConversation[],
  inForce: PolicyInForce,
): Promise<void> {
  for (const { conversationId, conversationStart, previousStart } of kept) {
    const { from, to } = monthBounds(monthOf(previousStart!))
    // corrected starts are rare: one statement each
    await sql`
      update genesys.participant_attributes set conversation_start = ${conversationStart}
      where conversation_id = ${conversationId} and conversation_start >= ${from} and conversation_start < ${to}
        and conversation_start <> ${conversationStart}`.execute(trx)
  }
  for (const [month, ids] of idsByMonth(kept, ({ conversationStart }) => conversationStart)) {
    await pointToParticipants(trx, month, ids)
    await applyPolicyToCarried(trx, policyAt(inForce, monthBounds(month).from), month, ids)
  }
}

/** Attributes that were stored under another policy for personal data must not outlive it because an answer does not have them. */
async function applyPolicyToCarried(
  trx: Transaction<Database>,
  policy: ConversationPolicy,
  month: string,
  ids: readonly string[],
): Promise<void> {
  if (policy.customers === 'keep') return
  const { from, to } = monthBounds(month)
  const bounds = sql`conversation_start >= ${from} and conversation_start < ${to}`
  const { rows } = await sql<{ id: string; index: number; attributes: string }>`
    select conversation_id as id, _index as index, attributes::text as attributes from genesys.participant_attributes
    where conversation_id = any(${ids}::text[]) and ${bounds} and attributes is not null`.execute(trx)
  for (const { id, index, attributes } of rows) {
    const treated = applyPolicyToAttributes(policy, parseJson(attributes))
    const row = sql`conversation_id = ${id} and _index = ${index} and ${bounds}`
    if (treated === undefined) await sql`delete from genesys.participant_attributes where ${row}`.execute(trx)
    else
      await sql`
        update genesys.participant_attributes set attributes = ${storableJson(treated)}::jsonb
        where ${row} and attributes <> ${storableJson(treated)}::jsonb`.execute(trx)
  }
}

/** Points the attributes of conversations that started in a month (YYYY-MM) at the participants that they belong to by their ids. */
export async function pointToParticipants(
  trx: Transaction<Database>,
  month: string,
  ids: readonly string[],
): Promise<void> {
  const { from, to } = monthBounds(month)
  await sql`
    update genesys.participant_attributes a set _participant_index = p._index
    from genesys.participants p
    where a.conversation_id = any(${ids}::text[]) and a.conversation_start >= ${from} and a.conversation_start < ${to}
      and p.conversation_id = any(${ids}::text[]) and p.conversation_start >= ${from} and p.conversation_start < ${to}
      and p.conversation_id = a.conversation_id and p.participant_id = a.participant_id
      and not exists (
        select from genesys.participants q
        where q.conversation_id = a.conversation_id and q.conversation_start >= ${from} and q.conversation_start < ${to}
          and q._index = a._participant_index and q.participant_id = a.participant_id)`.execute(trx)
}
