/** genesys.live_snapshots and genesys.live_queues have a partition per UTC day, so that old rows are dropped, not deleted. */
import { sql } from 'kysely'
import { addDays, startOfDay } from '../model/interval.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import { retryTransient } from '../postgres/errors.ts'
import { LockKey } from '../postgres/lock-keys.ts'
import { revokeDefaultGrants } from '../postgres/partition-rights.ts'

const TABLES = ['live_snapshots', 'live_queues'] as const
/** Days whose partitions this process has seen. */
const knownDays = new WeakMap<Warehouse, Set<string>>()

/** Creates the partitions of the UTC day of an instant and of the next day where they are missing, each in its own transaction. */
export async function ensureLivePartitions(warehouse: Warehouse, at: Date): Promise<void> {
  const known = knownDays.get(warehouse) ?? new Set()
  knownDays.set(warehouse, known)
  for (const ahead of [0, 1]) {
    const day = addDays(startOfDay(at), ahead)
    if (known.has(dayText(day))) continue
    await retryTransient(() => createDay(warehouse, day), { attempts: 30 })
    known.add(dayText(day))
  }
}

/** Makes the next ensureLivePartitions check again: someone has dropped a partition. */
export function forgetLivePartitions(warehouse: Warehouse): void {
  knownDays.delete(warehouse)
}

/**
 * Drops the partitions whose rows are all older than `before`; returns their names. A partition that a reader holds is skipped
 * until the next call, so that other readers do not queue behind our lock.
 */
export async function dropLivePartitions(warehouse: Warehouse, before: Date): Promise<string[]> {
  const dropped: string[] = []
  for (const { name, day } of await selectPartitions(warehouse)) {
    if (addDays(day, 1) > before) continue
    try {
      await withTransaction(warehouse, async (trx) => {
        await sql`set local lock_timeout = '500ms'`.execute(trx)
        await sql`drop table if exists ${sql.table(`genesys.${name}`)}`.execute(trx)
      })
    } catch (error) {
      if ((error as { code?: string }).code === '55P03') continue
      throw error
    }
    dropped.push(name)
  }
  return dropped
}

async function selectPartitions(warehouse: Warehouse): Promise<{ name: string; day: Date }[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
    where p.relnamespace = 'genesys'::regnamespace and p.relname = any(${TABLES}::text[]) order by 1`.execute(
    warehouse.db,
  )
  return rows.flatMap(({ name }) => {
    const [, year, month, day] = /_(\d{4})_(\d\d)_(\d\d)$/.exec(name) ?? []
    return year ? [{ name, day: new Date(`${year}-${month}-${day}T00:00:00Z`) }] : []
  })
}

async function createDay(warehouse: Warehouse, day: Date): Promise<void> {
  await withTransaction(warehouse, async (trx) => {
    await sql`set local lock_timeout = '2s'`.execute(trx)
    await sql`select pg_advisory_xact_lock(${LockKey.livePartitions})`.execute(trx)
    for (const table of TABLES) {
      const partition = `genesys.${table}_${dayText(day).replaceAll('-', '_')}`
      const { rows } = await sql<{ present: boolean }>`select to_regclass(${partition}) is not null as present`.execute(
        trx,
      )
      if (rows[0]?.present) continue
      // LIKE + ATTACH does not wait for readers; PARTITION OF would.
      await sql
        .raw(
          `create table ${partition} (like genesys.${table} including all);
           alter table genesys.${table} attach partition ${partition}
             for values from ('${day.toISOString()}') to ('${addDays(day, 1).toISOString()}');
           ${revokeDefaultGrants(partition)}`,
        )
        .execute(trx)
    }
  })
}

function dayText(day: Date): string {
  return day.toISOString().slice(0, 10)
}
