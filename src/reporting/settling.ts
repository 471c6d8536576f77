/**
 * Fills etl.unsettled with what was stored before loads kept it, or while settle_days had another value: a walk from the newest conversation
 * to the oldest, which writes only what is wrong. How far it is stands in etl.settling; reporting.freshness calls no day settled that it has
 * not passed.
 */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { giveWay } from './pace.ts'
import type { Candidate, Position } from './stale.ts'

/** Conversations that are looked at in one statement. Of most of them nothing is written. */
const BATCH_SIZE = 5000

interface SettleOptions {
  readonly signal: AbortSignal
  /** Whether the time is used up; the next call goes on. */
  readonly isOver: () => boolean
}

/**
 * Fills the table as far as the time allows. May be killed at any point and called again; to be called under the lock of the derivation.
 * Returns whether nothing was left to do.
 * @throws EtlError; the signal's reason
 */
export async function settleDue(warehouse: Warehouse, { signal, isOver }: SettleOptions): Promise<boolean> {
  const { db } = warehouse
  await adoptSettleDays(db)
  for (;;) {
    const position = await selectPosition(db)
    if (position === null) return true
    if (isOver()) return false
    const startedAt = performance.now()
    const batch = await selectBatch(db, position)
    const last = batch.at(-1)
    await recording('finding the conversations that may still change', () =>
      last === undefined ? completeWalk(db) : settleBatch(db, batch, last),
    )
    await giveWay(warehouse, performance.now() - startedAt, signal)
  }
}

/**
 * Begins the walk again where settle_days has changed. Loads that have read the old value have the table locked until they commit; the walk
 * must not pass a conversation before that.
 */
async function adoptSettleDays(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql`
    select from etl.settling w, reporting.settings s where w.settle_days <> s.settle_days`.execute(db)
  if (rows.length === 0) return
  await recording('waiting for loads after a change of settle_days', () =>
    db.transaction().execute(async (trx) => {
      await sql`set local lock_timeout = '3s'`.execute(trx)
      await sql`lock table etl.unsettled in share mode`.execute(trx)
      await sql`
        update etl.settling w set settle_days = s.settle_days, position_start = 'infinity', position_id = null, updated_at = now()
        from reporting.settings s`.execute(trx)
    }),
  )
}

async function selectPosition(db: Kysely<Database>): Promise<Position | null> {
  const { rows } = await sql<{ start: string | null; id: string }>`
    select position_start::text as start, coalesce(position_id, '') as id from etl.settling`.execute(db)
  const [row] = rows
  return row?.start ? { start: row.start, id: row.id } : null
}

async function selectBatch(db: Kysely<Database>, position: Position): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    select conversation_id as id, conversation_start::text as start from etl.conversations
    where conversation_start <= ${position.start}::timestamptz
      and (conversation_start, conversation_id) < (${position.start}::timestamptz, ${position.id}::text)
    order by conversation_start desc, conversation_id desc limit ${BATCH_SIZE}`.execute(db)
  return rows
}

/**
 * Puts the conversations of a batch right, and records that the walk has passed them. Only those that are wrong are locked, and looked at
 * once more: whatever loads change meanwhile, they put right themselves.
 */
async function settleBatch(db: Kysely<Database>, batch: readonly Candidate[], last: Candidate): Promise<void> {
  const judged = judge(batch, last.start, batch[0]!.start)
  const { rows } = await sql<{ id: string }>`
    with judged as (${judged})
    select j.id from judged j left join etl.unsettled u on u.conversation_id = j.id
    where case when j.wanted then (u.conversation_start, u.ended_at) is distinct from (j.start, j.ended)
      else u.conversation_id is not null end`.execute(db)
  await db.transaction().execute(async (trx) => {
    if (rows.length > 0) await correct(trx, rows, last.start, batch[0]!.start)
    await sql`
      update etl.settling set position_start = ${last.start}::timestamptz, position_id = ${last.id}, updated_at = now()`.execute(
      trx,
    )
  })
}

async function correct(
  trx: Kysely<Database>,
  wrong: readonly { readonly id: string }[],
  from: string,
  to: string,
): Promise<void> {
  // in the order of all loaders, so that none waits for another in a circle
  await sql`
    select from etl.conversations where conversation_id = any(${wrong.map(({ id }) => id)}::text[])
    order by conversation_id collate "C" for update`.execute(trx)
  await sql`
    with judged as materialized (${judge(wrong, from, to)}), settled as (
      delete from etl.unsettled u using judged j where u.conversation_id = j.id and not j.wanted)
    insert into etl.unsettled (conversation_id, conversation_start, ended_at)
    select id, start, ended from judged where wanted
    on conflict (conversation_id) do update set
      conversation_start = excluded.conversation_start, ended_at = excluded.ended_at`.execute(trx)
}

/**
 * Which of these conversations belong into the table, by what is stored. Those that do not start between the two instants (any more) are
 * left out. One without its row does not belong there: the next load writes it again, and so does one that is missing at Genesys.
 */
function judge(candidates: readonly { readonly id: string }[], from: string, to: string): RawBuilder<unknown> {
  return sql`
    select e.conversation_id as id, e.conversation_start as start, c.conversation_end as ended,
      c.conversation_id is not null and c._missing_since is null
        and not etl.is_final(c.conversation_end, e.fetched_at, (select settle_days from reporting.settings)) as wanted
    from etl.conversations e
    left join genesys.conversations c on c.conversation_id = e.conversation_id and c.conversation_start = e.conversation_start
      and c.conversation_start between ${from}::timestamptz and ${to}::timestamptz
    where e.conversation_id = any(${candidates.map(({ id }) => id)}::text[])
      and e.conversation_start between ${from}::timestamptz and ${to}::timestamptz`
}

/** Records that the walk is complete, and forgets what the table has of conversations that are known no more. */
async function completeWalk(db: Kysely<Database>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`
      delete from etl.unsettled u
      where not exists (select from etl.conversations e where e.conversation_id = u.conversation_id)`.execute(trx)
    await sql`
      update etl.settling set position_start = null, position_id = null, updated_at = now()`.execute(trx)
  })
}
