/** Changes stored conversations to what the policy for personal data lets be stored, as if they were loaded again. */
import { sql, type Kysely, type Transaction } from 'kysely'
import type { ClientBase } from 'pg'
import { DERIVED_VERSION } from '../facts/derived.ts'
import { insertMoved } from '../loader/deletions.ts'
import { deleteDerived, MAY_HAVE_STRAY_ROWS } from '../loader/derived.ts'
import { ensureMonths, forgetMonths, idsByMonth, monthBounds, monthOf } from '../loader/partitions.ts'
import { selectStartsOf } from '../loader/presence.ts'
import { readBack } from '../loader/read-back.ts'
import { replaceConversations, type ChangedConversation } from '../loader/replace.ts'
import type { RowSet } from '../model/columns.ts'
import { attributesHash, contentHash } from '../model/content-hash.ts'
import type { JsonObject } from '../model/json.ts'
import { applyPolicy, policyTag, type ConversationPolicy, type PersonalPolicy } from '../model/personal.ts'
import { policyAt, type PolicyInForce } from '../model/personal-retention.ts'
import { reassemble } from '../model/reassemble.ts'
import { fromPostgres } from '../model/timestamps.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'
import { holdPolicy } from '../postgres/personal-policy.ts'

/** Conversations of one transaction: few enough that no loader waits long for one of them. */
const BATCH_SIZE = 500

/** A conversation, and its place in the order in which they are rewritten: the newest first. */
export interface Position {
  /** In Postgres' spelling. */
  readonly start: string
  readonly id: string
}

/**
 * The next conversations after a position; null: from the newest on.
 * @param from the start, as ISO text, of the earliest ones that are wanted; default: all
 */
export async function selectBefore(
  db: Kysely<Database>,
  position: Position | null,
  from = '-infinity',
): Promise<Position[]> {
  const { start, id } = position ?? { start: 'infinity', id: '' }
  const { rows } = await sql<Position>`
    select conversation_id as id, conversation_start::text as start from etl.conversations
    where (conversation_start, conversation_id) < (${start}::timestamptz, ${id}::text)
      and conversation_start >= ${from}::timestamptz
    order by conversation_start desc, conversation_id desc limit ${BATCH_SIZE}`.execute(db)
  return rows
}

/** How many conversations started from one instant to another one, inclusive; null: no bound. */
export async function countBetween(db: Kysely<Database>, from: string | null, to: string | null): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where conversation_start between ${from ?? '-infinity'}::timestamptz and ${to ?? 'infinity'}::timestamptz`.execute(
    db,
  )
  return rows[0]?.count ?? 0
}

interface RewriteOptions {
  readonly runId: number
  readonly signal: AbortSignal
}

/**
 * Applies the policy of the warehouse, and the retention that is in force, to conversations in one transaction, under the locks of a loader and in its order. Those in which it
 * changes nothing are not written. Transient errors are retried.
 * @param alongside what else is to be recorded in the same transaction
 * @returns how many were written
 * @throws EtlError PII_POLICY_CHANGED; errors of the database
 */
export async function rewriteConversations(
  warehouse: Warehouse,
  conversations: readonly Position[],
  options: RewriteOptions,
  alongside: (trx: Transaction<Database>) => Promise<void>,
): Promise<number> {
  const attempt = async (): Promise<number> =>
    withTransaction(warehouse, async (trx, client) => {
      const written = await rewriteOnce(trx, client, conversations, { ...options, policy: warehouse.personalPolicy })
      await alongside(trx)
      return written
    })
  try {
    return await retryTransient(
      async () => {
        try {
          return await attempt()
        } catch (error) {
          // 23514: a partition of the derived rows is missing
          if ((error as { code?: string }).code !== '23514') throw error
          forgetMonths(warehouse)
          await ensureMonths(
            warehouse,
            conversations.map(({ start }) => monthOf(start)),
          )
          return await attempt()
        }
      },
      { signal: options.signal },
    )
  } catch (error) {
    throw toEtlError(error, 'applying the policy for personal data to conversations')
  }
}

interface LockedRow {
  readonly id: string
  readonly start: string
  readonly attributesHash: string | null
  readonly isMoved: boolean
}

/** A conversation as it is to be stored. */
interface Treated {
  readonly locked: LockedRow
  readonly raw: JsonObject
  readonly policy: ConversationPolicy
  readonly isChanged: boolean
}

async function rewriteOnce(
  trx: Transaction<Database>,
  client: ClientBase,
  conversations: readonly Position[],
  { policy, runId }: { readonly policy: PersonalPolicy; readonly runId: number },
): Promise<number> {
  const inForce = await holdPolicy(trx, policy)
  const locked = await lock(trx, conversations)
  const treated = await treat(trx, locked, inForce)
  const changed = treated.filter(({ isChanged }) => isChanged)
  const strays = await selectStartsOf(
    trx,
    changed.map(({ locked: { id } }) => id),
  )
  const replaced = changed.map((each) => toChanged(each, strays))
  const marks = await selectMarks(trx, replaced)
  for (const [source, group] of Map.groupBy(replaced, ({ conversationId }) => marks.get(conversationId)?.source ?? ''))
    await replaceConversations(trx, client, group, { source, runId, inForce })
  await insertMoved(trx, replaced)
  await restoreMissing(
    trx,
    replaced.flatMap((each) => {
      const since = marks.get(each.conversationId)?.missingSince
      return since ? [{ ...each, since }] : []
    }),
  )
  await recordContent(trx, treated)
  return replaced.length
}

/** In the order of all loaders, so that none waits for another in a circle. What has been deleted meanwhile is left out. */
async function lock(trx: Transaction<Database>, conversations: readonly Position[]): Promise<LockedRow[]> {
  const { rows } = await sql<LockedRow>`
    select conversation_id as id, conversation_start::text as start, attributes_hash as "attributesHash",
      ${MAY_HAVE_STRAY_ROWS} as "isMoved"
    from etl.conversations where conversation_id = any(${conversations.map(({ id }) => id)}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
  return rows
}

/** What is stored of them, with the policy applied; those whose rows are not there are left out. */
async function treat(
  trx: Transaction<Database>,
  locked: readonly LockedRow[],
  inForce: PolicyInForce,
): Promise<Treated[]> {
  const treated: Treated[] = []
  for (const [month, group] of Map.groupBy(locked, ({ start }) => monthOf(start))) {
    const { from, to } = monthBounds(month)
    const policy = policyAt(inForce, from)
    const ids = group.map(({ id }) => id)
    const stored = await readBack(trx, ids, { start: new Date(from), end: new Date(to) })
    for (const row of group) {
      const rows = underStart(stored.get(row.id), fromPostgres(row.start))
      if (rows === undefined) continue
      const before = reassemble(rows)
      const raw = applyPolicy(policy, before) as JsonObject
      const isChanged = contentHash(raw) !== contentHash(before) || attributesHash(raw) !== attributesHash(before)
      treated.push({ locked: row, raw, policy, isChanged })
    }
  }
  return treated
}

/** The rows that stand under a start; undefined where the conversation's own is not among them. */
function underStart(rows: RowSet | undefined, start: string): RowSet | undefined {
  if (rows === undefined) return undefined
  const entries = Object.entries(rows).map(([table, all]) => [table, all.filter((row) => row[1] === start)])
  const found = Object.fromEntries(entries) as RowSet
  return found.conversations.length === 1 ? found : undefined
}

function toChanged({ locked, raw }: Treated, strays: ReadonlyMap<string, readonly string[]>): ChangedConversation {
  return {
    conversationId: locked.id,
    conversationStart: fromPostgres(locked.start),
    raw,
    // what is stored of the attributes is part of what was read back
    deliversAttributes: true,
    hasStoredAttributes: true,
    previousStart: locked.start,
    strayStarts: (strays.get(locked.id) ?? []).filter((start) => start !== locked.start),
    mayHaveStrayRows: locked.isMoved,
  }
}

interface Marks {
  readonly source: string
  readonly missingSince: string | null
}

/** What the loader had noted on the rows, beside their content. */
async function selectMarks(
  trx: Transaction<Database>,
  conversations: readonly ChangedConversation[],
): Promise<Map<string, Marks>> {
  const marks = new Map<string, Marks>()
  for (const [month, ids] of idsByMonth(conversations, ({ conversationStart }) => conversationStart)) {
    const { from, to } = monthBounds(month)
    const { rows } = await sql<Marks & { id: string }>`
      select conversation_id as id, _source as source, _missing_since::text as "missingSince" from genesys.conversations
      where conversation_id = any(${ids}::text[]) and conversation_start >= ${from} and conversation_start < ${to}`.execute(
      trx,
    )
    for (const { id, ...mark } of rows) marks.set(id, mark)
  }
  return marks
}

/** What Genesys has no more stays marked, and counts nowhere. */
async function restoreMissing(
  trx: Transaction<Database>,
  missing: readonly (ChangedConversation & { readonly since: string })[],
): Promise<void> {
  for (const { conversationId, conversationStart, since } of missing)
    await sql`
      update genesys.conversations set _missing_since = ${since}::timestamptz
      where conversation_id = ${conversationId} and conversation_start = ${conversationStart}`.execute(trx)
  await deleteDerived(
    trx,
    missing.map(({ conversationId, conversationStart }) => ({ conversationId, start: conversationStart })),
  )
}

/** Records what is stored now, so that the next read that brings the same counts as unchanged. What was to be written again still is. */
async function recordContent(trx: Transaction<Database>, treated: readonly Treated[]): Promise<void> {
  const column = <Value>(of: (each: Treated) => Value): Value[] => treated.map(of)
  await sql`
    update etl.conversations c set content_hash = entry.content, attributes_hash = entry.attributes,
      derived_hash = case when entry.changed or c.derived_hash = c.content_hash then entry.content else c.derived_hash end,
      derived_version = case when entry.changed then ${DERIVED_VERSION} else c.derived_version end
    from unnest(${column(({ locked }) => locked.id)}::text[], ${column(({ raw, policy }) => contentHash(raw, policyTag(policy)))}::text[],
      ${column(({ raw, locked }) => attributesHash(raw) ?? (locked.attributesHash === null ? null : ''))}::text[],
      ${column(({ isChanged }) => isChanged)}::boolean[]) as entry (id, content, attributes, changed)
    where c.conversation_id = entry.id and c.content_hash <> ''`.execute(trx)
}
