/** Freezes the numbers of a month: they are added up for the last time, since what they come from is about to go. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Transaction } from 'kysely'
import { addDays, type Interval } from '../model/interval.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { LockKey } from '../postgres/lock-keys.ts'
import { selectPosition } from '../reporting/derivation.ts'
import { recomputeDirtyHours } from '../reporting/rollups.ts'
import { countStaleWithin } from '../reporting/stale.ts'
import { inShortTransaction, Postponed } from './short-transaction.ts'

/** How often the numbers are added up again where loads of other months go on changing hours of this one. */
const MOST_ATTEMPTS = 10
const WAIT_MS = 500

/**
 * Freezes the numbers of a month, once they are those of everything that is stored: from then on no hour of it becomes dirty, and no row of
 * its agents is computed again. Does nothing where they are frozen already.
 * @throws Postponed where its conversations are not derived yet, or are being added up by others for too long
 */
export async function freezeMonth(warehouse: Warehouse, month: Interval, signal: AbortSignal): Promise<void> {
  const { db } = warehouse
  if (await isFrozen(db, month)) return
  if ((await selectPosition(db)) !== null || (await countStaleWithin(db, month)) > 0)
    throw new Postponed('the reporting rows of its conversations are not derived yet')
  for (let attempt = 1; ; attempt++) {
    await recomputeDirtyHours(warehouse, { signal })
    if (await inShortTransaction(warehouse, signal, (trx) => freeze(trx, month))) return
    if (attempt === MOST_ATTEMPTS) throw new Postponed('its hours are still being added up')
    await sleep(WAIT_MS, undefined, { signal })
  }
}

async function isFrozen(db: Warehouse['db'], { start }: Interval): Promise<boolean> {
  const { rows } = await sql`
    select from etl.dropped_months
    where month = (${start}::timestamptz at time zone 'UTC')::date and frozen_at is not null`.execute(db)
  return rows.length > 0
}

/**
 * Freezes the month unless something of it is yet to be added up. The locks keep others from marking hours, from adding up, and from changing
 * the time zone in between. A day of the time zone that reaches into the next month is still to be computed from rows of this one.
 */
async function freeze(trx: Transaction<Database>, { start, end }: Interval): Promise<boolean> {
  await sql`select pg_advisory_xact_lock(${LockKey.rollups})`.execute(trx)
  await sql`lock table etl.dirty_hours in share row exclusive mode`.execute(trx)
  const { rows } = await sql<{ zone: string }>`select time_zone as zone from reporting.settings for share`.execute(trx)
  const { zone } = rows[0]!
  const { rows: pending } = await sql`
    select from etl.dirty_hours where hour >= ${start} and hour < ${end}
    union all
    select from etl.stale_days where time_zone = ${zone} and day >= ${addDays(start, -1)}::timestamptz::date
      and day <= ${addDays(end, 1)}::timestamptz::date
    limit 1`.execute(trx)
  if (pending.length > 0) return false
  await sql`
    update etl.dropped_months m set frozen_at = now(),
      agents_until = case
        when exists (
          select from etl.dropped_months n
          where n.month = (${end}::timestamptz at time zone 'UTC')::date and n.frozen_at is not null) then ${end}
        else greatest(${start}::timestamptz, etl.local_midnight((${end}::timestamptz at time zone ${zone})::date, ${zone})) end
    where month = (${start}::timestamptz at time zone 'UTC')::date`.execute(trx)
  // no day needs what is left of the month before
  await sql`
    update etl.dropped_months set agents_until = ${start}
    where month = (${start}::timestamptz at time zone 'UTC' - interval '1 month')::date and frozen_at is not null`.execute(
    trx,
  )
  return true
}
