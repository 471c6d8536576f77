/** etl.dropped_months: which months are not stored any more. Whatever stores conversations asks here first. */
import { sql, type Kysely, type Transaction } from 'kysely'
import { EtlError } from '../errors.ts'
import type { Interval } from '../model/interval.ts'
import {
  expiredTimes,
  isWithin,
  monthAround,
  monthsTouching,
  retentionFloor,
  type Retention,
} from '../model/retention.ts'
import { databaseClockOf } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { LockKey } from '../postgres/lock-keys.ts'

/** A month that was brought back stays at least so long. */
export const KEPT_AFTER_RESTORE_DAYS = 31

/** The first instant that is kept by the settings and the clock of the database; null: everything is. */
export async function floorOf(warehouse: Warehouse): Promise<Date | null> {
  if (warehouse.retentionMonths === null) return null
  return retentionFloor((await databaseClockOf(warehouse)).now(), warehouse.retentionMonths)
}

/** Which months are stored, and which are due. */
export async function readRetention(warehouse: Warehouse): Promise<Retention> {
  const floor = await floorOf(warehouse)
  return await recording('reading which months were dropped', () => selectRetention(warehouse.db, floor))
}

async function selectRetention(db: Kysely<Database>, floor: Date | null): Promise<Retention> {
  const { rows } = await sql<{ start: Date; isStored: boolean }>`
    select month::timestamp at time zone 'UTC' as start, restored_at is not null as "isStored"
    from etl.dropped_months order by month`.execute(db)
  return { floor, months: rows.map(({ start, isStored }) => ({ ...monthAround(start), isStored })) }
}

interface Started {
  readonly conversationId: string
  /** In canonical spelling. */
  readonly conversationStart: string
}

/** Those of these conversations that started in a time of which nothing is stored any more. */
export async function selectExpired(
  db: Kysely<Database>,
  conversations: readonly Started[],
  floor: Date | null,
): Promise<Set<string>> {
  const times = expiredTimes(await selectRetention(db, floor))
  if (times.length === 0) return new Set()
  const expired = conversations.filter(({ conversationStart }) => isWithin(times, new Date(conversationStart)))
  return new Set(expired.map(({ conversationId }) => conversationId))
}

/**
 * To be called in every transaction that stores conversations or makes partitions, before it asks which months are stored: no month is
 * dropped that was not dropped then, until the transaction has ended.
 */
export async function holdMonths(trx: Transaction<Database>): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${LockKey.droppedMonths})`.execute(trx)
}

/** Waits until every transaction has ended that has asked before now. To be called in a transaction of its own, with a short lock_timeout. */
export async function awaitHolders(trx: Transaction<Database>): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LockKey.droppedMonths})`.execute(trx)
}

/**
 * Has the months that a range touches stored again, as far as they are not stored: what is loaded from now on stays for
 * KEPT_AFTER_RESTORE_DAYS at least. Their numbers stay as they are where they were dropped.
 * @returns the months that are stored again now
 * @throws EtlError RETENTION_UNFINISHED (retryable) where one of them is just being dropped
 */
export async function restoreMonths(warehouse: Warehouse, range: Interval): Promise<Interval[]> {
  const floor = await floorOf(warehouse)
  const touched = monthsTouching(range).map(({ start }) => start)
  return await recording('bringing dropped months back', () =>
    warehouse.db.transaction().execute(async (trx) => {
      const { rows: unfinished } = await sql<{ month: string }>`
        select to_char(month, 'YYYY-MM') as month from etl.dropped_months
        where month::timestamp at time zone 'UTC' = any(${touched}::timestamptz[]) and started_at is not null and finished_at is null
        order by month for update`.execute(trx)
      if (unfinished.length > 0) throw unfinishedError(unfinished.map(({ month }) => month))
      const { rows } = await sql<{ start: Date }>`
        insert into etl.dropped_months as d (month, restored_at, kept_until)
        select month, now(), now() + make_interval(days => ${KEPT_AFTER_RESTORE_DAYS}::integer)
        from (select (start at time zone 'UTC')::date as month from unnest(${touched}::timestamptz[]) as start) as touched
        where month::timestamp at time zone 'UTC' < ${floor}::timestamptz
          or month in (select month from etl.dropped_months)
        on conflict (month) do update
        set restored_at = coalesce(d.restored_at, excluded.restored_at), kept_until = excluded.kept_until
        returning month::timestamp at time zone 'UTC' as start`.execute(trx)
      return rows.map(({ start }) => monthAround(start)).sort((a, b) => +a.start - +b.start)
    }),
  )
}

function unfinishedError(months: readonly string[]): EtlError {
  return new EtlError(`${months.join(', ')} cannot be brought back yet: it has not been dropped completely`, {
    code: 'RETENTION_UNFINISHED',
    kind: 'retryable',
    hint: 'The next sync completes that; doctor says what is in its way. Run this again afterwards.',
  })
}
