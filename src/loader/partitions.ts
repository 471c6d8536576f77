import { LockKey } from '../postgres/lock-keys.ts'
import { sql, type Transaction } from 'kysely'
import { tables, type TableName } from '../model/columns.ts'
import { EtlError } from '../errors.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'
import { revokeDefaultGrants } from '../postgres/partition-rights.ts'

/** Starts before it are taken for errors: Genesys Cloud did not exist. */
export const earliestStart = new Date('2012-01-01T00:00:00Z')

/** The UTC month (YYYY-MM) of an instant in canonical or Postgres' spelling (UTC). */
export function monthOf(instant: string): string {
  return instant.slice(0, 7)
}

/** The first instants of a month and of the next one, as ISO text. */
export function monthBounds(month: string): { from: string; to: string } {
  const [year = 0, number = 0] = month.split('-').map(Number)
  const first = (monthIndex: number) => new Date(Date.UTC(year, monthIndex, 1)).toISOString()
  return { from: first(number - 1), to: first(number) }
}

/** Makes sure that every month that a window touches has its partitions. */
export async function ensurePartitions(warehouse: Warehouse, window: { start: Date; end: Date }): Promise<void> {
  const months: string[] = []
  const start = window.start < earliestStart ? earliestStart : window.start
  const cursor = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), 1))
  for (; cursor < window.end; cursor.setUTCMonth(cursor.getUTCMonth() + 1)) {
    months.push(cursor.toISOString().slice(0, 7))
  }
  await ensureMonths(warehouse, months)
}

/**
 * Makes sure that the months (YYYY-MM) have a partition in every table; those that this process has seen cost nothing.
 * In transactions of its own, under a short lock timeout that is tried again, so that neither readers nor loaders queue
 * behind it.
 */
export async function ensureMonths(warehouse: Warehouse, months: Iterable<string>): Promise<void> {
  const known = knownMonths(warehouse)
  for (const month of new Set(months)) {
    if (known.has(month)) continue
    try {
      await retryTransient(() => createMonth(warehouse, month), { attempts: 30 })
    } catch (error) {
      throw await partitionError(warehouse, error, month)
    }
    known.add(month)
  }
}

const monthsOf = new WeakMap<Warehouse, Set<string>>()

/** Months (YYYY-MM) whose partitions this process has seen. */
function knownMonths(warehouse: Warehouse): Set<string> {
  const known = monthsOf.get(warehouse) ?? new Set()
  monthsOf.set(warehouse, known)
  return known
}

/** Forgets which partitions exist, so that they are looked for again: one may have been dropped. */
export function forgetMonths(warehouse: Warehouse): void {
  monthsOf.delete(warehouse)
}

async function createMonth(warehouse: Warehouse, month: string): Promise<void> {
  await withTransaction(warehouse, async (trx) => {
    await sql`set local lock_timeout = '2s'`.execute(trx)
    // two creators at once: the second waits, then finds the partitions
    await sql`select pg_advisory_xact_lock(${LockKey.partitions})`.execute(trx)
    const { rows } = await sql<{ parent: string }>`
      select p.relname as parent
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      where p.relnamespace = 'genesys'::regnamespace and c.relname = p.relname || ${suffix(month)}`.execute(trx)
    const present = new Set(rows.map(({ parent }) => parent))
    const absent = tables.filter((table) => !present.has(table))
    if (absent.length === 0) return
    await sql.raw(absent.map((table) => createStatements(table, month)).join('\n')).execute(trx)
    // Partitions come and go together, so a table that lacks its own has lost rows. (A migration that adds a table makes
    // the partitions of the months that are there.)
    if (present.has('conversations')) await forgetMonth(trx, month, absent)
  })
}

/** Lets the next load of what starts in the month write it again, whatever its hash. */
async function forgetMonth(trx: Transaction<Database>, month: string, absent: readonly TableName[]): Promise<void> {
  const { from, to } = monthBounds(month)
  await sql`
    update etl.conversations set content_hash = '',
      attributes_hash = case when ${absent.includes('participant_attributes')} then null else attributes_hash end
    where conversation_start >= ${from} and conversation_start < ${to}`.execute(trx)
}

// LIKE + ATTACH waits for no reader and no writer of the table; CREATE TABLE … PARTITION OF waits for all of them
function createStatements(table: TableName, month: string): string {
  const { from, to } = monthBounds(month)
  const partition = `genesys.${table}${suffix(month)}`
  return `create table ${partition} (like genesys.${table} including all);
    alter table genesys.${table} attach partition ${partition} for values from ('${from}') to ('${to}');
    ${revokeDefaultGrants(partition)}`
}

function suffix(month: string): string {
  return `_${month.replace('-', '_')}`
}

async function partitionError(warehouse: Warehouse, error: unknown, month: string): Promise<unknown> {
  // 42P07: a table of that name exists, which need not mean that it is detached
  if ((error as { code?: string }).code === '42P07') {
    const detached = await selectDetached(warehouse, month)
    if (detached.length > 0) {
      return new EtlError(`The partitions of ${month} have been detached from their tables`, {
        code: 'PARTITION_DETACHED',
        kind: 'fatal',
        hint: `Attach, rename or drop ${detached.join(', ')}, then run again.`,
      })
    }
  }
  return toEtlError(error, `making the partitions of ${month}`)
}

/** Tables that have the name of a partition of the month and are none. */
async function selectDetached(warehouse: Warehouse, month: string): Promise<string[]> {
  const names = tables.map((table) => `${table}${suffix(month)}`)
  const { rows } = await sql<{ name: string }>`
    select 'genesys.' || relname as name from pg_class
    where relnamespace = 'genesys'::regnamespace and relname = any(${names}::text[]) and not relispartition
    order by 1`.execute(warehouse.db)
  return rows.map(({ name }) => name)
}
