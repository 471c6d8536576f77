/**
 * Drops a month: first nobody stores anything of it any more, then its numbers are frozen, then whatever it holds goes, in small
 * transactions. Each step may be repeated, so that an interrupted drop is completed by beginning again.
 */
import { sql } from 'kysely'
import { awaitHolders } from '../loader/dropped-months.ts'
import { CELLS, FACTS, forgetMonths, HISTORY } from '../loader/partitions.ts'
import { splitByDay, type Interval } from '../model/interval.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { freezeMonth } from './freeze.ts'
import { inShortTransaction } from './short-transaction.ts'

/** Conversations of one transaction. */
const BATCH_SIZE = 1000

/** What reads of the history join comes first, so that nothing is joined to a conversation that has gone. */
const IN_ORDER: readonly string[] = [
  ...FACTS,
  ...HISTORY.filter((table) => table !== 'genesys.conversations'),
  'genesys.conversations',
]

/**
 * Drops a month to its end; returns how many conversations it had. Queue intervals and daily rows stay. To be called under the lock of the job.
 * @throws Postponed where it cannot be done now; the signal's reason; a database error
 */
export async function dropMonth(warehouse: Warehouse, month: Interval, signal: AbortSignal): Promise<number> {
  if (!(await begin(warehouse, month))) return 0
  // who has asked before sees nothing of the mark, and has to end
  await inShortTransaction(warehouse, signal, awaitHolders)
  await freezeMonth(warehouse, month, signal)
  // without deciding rows, nobody derives or erases from what is about to go
  const conversations = await deleteDeciding(warehouse, month, signal)
  for (const table of IN_ORDER) await dropPartition(warehouse, table, month, signal)
  forgetMonths(warehouse)
  await deleteAgentIntervals(warehouse, month, signal)
  await deleteCells(warehouse, signal)
  await sql`
    update etl.dropped_months set finished_at = clock_timestamp() where ${isMonth(month)}`.execute(warehouse.db)
  return conversations
}

function isMonth({ start }: Interval) {
  return sql`month = (${start}::timestamptz at time zone 'UTC')::date`
}

/** Marks the month as dropped. From the commit on nothing of it is stored. False: somebody has just brought it back. */
async function begin({ db }: Warehouse, month: Interval): Promise<boolean> {
  await sql`
    insert into etl.dropped_months as d (month, started_at)
    values ((${month.start}::timestamptz at time zone 'UTC')::date, clock_timestamp())
    on conflict (month) do update
    set started_at = excluded.started_at, finished_at = null, restored_at = null, kept_until = null, conversations = 0
    where (d.started_at is null or d.finished_at is not null) and coalesce(d.kept_until <= now(), true)`.execute(db)
  const { rows } = await sql`
    select from etl.dropped_months where ${isMonth(month)} and started_at is not null and finished_at is null`.execute(
    db,
  )
  return rows.length > 0
}

/** Deletes the deciding rows, and what is kept beside them, in the order in which loaders lock them. */
async function deleteDeciding(warehouse: Warehouse, month: Interval, signal: AbortSignal): Promise<number> {
  const started = sql`conversation_start >= ${month.start} and conversation_start < ${month.end}`
  let conversations = 0
  for (;;) {
    const deleted = await inShortTransaction(warehouse, signal, async (trx) => {
      const { rows } = await sql<{ id: string }>`
        select conversation_id as id from etl.conversations
        where conversation_id in (
          select conversation_id from etl.conversations where ${started} order by conversation_start limit ${BATCH_SIZE})
        order by conversation_id collate "C" for update`.execute(trx)
      if (rows.length === 0) return 0
      const ids = rows.map(({ id }) => id)
      await sql`delete from etl.unsettled where conversation_id = any(${ids}::text[]) and ${started}`.execute(trx)
      await sql`delete from etl.rereads where conversation_id = any(${ids}::text[])`.execute(trx)
      const { numAffectedRows = 0n } = await sql`
        delete from etl.conversations where conversation_id = any(${ids}::text[]) and ${started}`.execute(trx)
      await sql`
        update etl.dropped_months set conversations = conversations + ${Number(numAffectedRows)} where ${isMonth(month)}`.execute(
        trx,
      )
      return rows.length
    })
    if (deleted === 0) break
    conversations += deleted
  }
  return conversations
}

async function dropPartition(
  warehouse: Warehouse,
  table: string,
  month: Interval,
  signal: AbortSignal,
  isWanted = async (): Promise<boolean> => true,
): Promise<void> {
  const partition = `${table}_${month.start.toISOString().slice(0, 7).replace('-', '_')}`
  const { rows } = await sql`
    select from pg_class where oid = to_regclass(${partition}) and relispartition`.execute(warehouse.db)
  if (rows.length === 0 || !(await isWanted())) return
  await inShortTransaction(warehouse, signal, (trx) =>
    sql`
      alter table ${sql.table(table)} detach partition ${sql.table(partition)};
      drop table ${sql.table(partition)}`.execute(trx),
  )
}

/** Deletes the rows of agents up to where they are frozen, of the month and of what was left of the month before. */
async function deleteAgentIntervals(warehouse: Warehouse, month: Interval, signal: AbortSignal): Promise<void> {
  const { rows } = await sql<Interval>`
    select month::timestamp at time zone 'UTC' as start, agents_until as "end" from etl.dropped_months
    where agents_until is not null and month::timestamp at time zone 'UTC' <= ${month.start}
    order by month desc limit 2`.execute(warehouse.db)
  for (const { start, end } of rows.flatMap(splitByDay))
    await inShortTransaction(warehouse, signal, (trx) =>
      sql`delete from etl.agent_intervals where interval_start >= ${start} and interval_start < ${end}`.execute(trx),
    )
}

/**
 * Deletes the cells of dropped months, but for those in hours of other months, in which threads have gone on: these are still added up from
 * them. A partition without any is dropped.
 */
async function deleteCells(warehouse: Warehouse, signal: AbortSignal): Promise<void> {
  const { db } = warehouse
  const { rows: months } = await sql<Interval>`
    select month::timestamp at time zone 'UTC' as start, (month + interval '1 month') at time zone 'UTC' as "end"
    from etl.dropped_months
    where frozen_at is not null and restored_at is null
      and to_regclass(${`${CELLS}_`} || to_char(month, 'YYYY_MM')) is not null
    order by month`.execute(db)
  for (const month of months) {
    const ofMonth = sql`conversation_start >= ${month.start} and conversation_start < ${month.end}`
    const { rows: days } = await sql<Interval>`
      select day as start, day + interval '24 hours' as "end" from (
        select distinct date_bin('24 hours', interval_start, 'epoch') as day from etl.interval_cells where ${ofMonth}) as days
      where exists (
        select from etl.dropped_months m
        where m.frozen_at is not null and m.month = date_trunc('month', day at time zone 'UTC')::date)
      order by 1`.execute(db)
    for (const { start, end } of days)
      await inShortTransaction(warehouse, signal, (trx) =>
        sql`
          delete from etl.interval_cells where ${ofMonth} and interval_start >= ${start} and interval_start < ${end}`.execute(
          trx,
        ),
      )
    await dropPartition(warehouse, CELLS, month, signal, async () => {
      const { rows } = await sql`select from etl.interval_cells where ${ofMonth} limit 1`.execute(db)
      return rows.length === 0
    })
  }
}
