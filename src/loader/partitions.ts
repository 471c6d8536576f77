import { DERIVED_VERSION, derivedTables } from '../facts/derived.ts'
import { LockKey } from '../postgres/lock-keys.ts'
import { sql, type Kysely, type Transaction } from 'kysely'
import { tables } from '../model/columns.ts'
import type { Interval } from '../model/interval.ts'
import { EtlError } from '../errors.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'
import { revokeDefaultGrants } from '../postgres/partition-rights.ts'
import { floorOf, holdMonths, selectExpired } from './dropped-months.ts'

/** Starts before this are treated as errors: Genesys Cloud did not exist. */
export const EARLIEST_START = new Date('2012-01-01T00:00:00Z')

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

/** What is partitioned by the month of the conversation's start: the history, and what is derived from it. */
export const HISTORY: readonly string[] = tables.map((table) => `genesys.${table}`)
export const CELLS = 'etl.interval_cells'
export const FACTS: readonly string[] = derivedTables.map((table) => `etl.${table}`).filter((table) => table !== CELLS)
const PARTITIONED: readonly string[] = [...HISTORY, CELLS, ...FACTS]

/** Ids of conversations by the month of a start of theirs. */
export function idsByMonth<Conversation extends { readonly conversationId: string }>(
  conversations: readonly Conversation[],
  startOf: (conversation: Conversation) => string,
): Map<string, string[]> {
  const months = new Map<string, string[]>()
  for (const conversation of conversations) {
    const month = monthOf(startOf(conversation))
    const ids = months.get(month)
    if (ids) ids.push(conversation.conversationId)
    else months.set(month, [conversation.conversationId])
  }
  return months
}

/** Makes sure that every month that a window touches has its partitions: see ensureMonths. */
export async function ensurePartitions(warehouse: Warehouse, window: Interval): Promise<void> {
  await ensureMonths(warehouse, monthsOf(window))
}

/** The UTC months (YYYY-MM) that a window touches, from the earliest that can have conversations. */
export function monthsOf(window: Interval): string[] {
  const months: string[] = []
  const start = window.start < EARLIEST_START ? EARLIEST_START : window.start
  const cursor = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), 1))
  for (; cursor < window.end; cursor.setUTCMonth(cursor.getUTCMonth() + 1)) {
    months.push(monthOf(cursor.toISOString()))
  }
  return months
}

/**
 * Makes sure that the months (YYYY-MM) have a partition in every table; those that this process has seen cost nothing.
 * In transactions of its own, under a short lock timeout that is tried again, so that neither readers nor loaders queue
 * behind it.
 * @throws EtlError PARTITION_DETACHED, or a database error
 */
export async function ensureMonths(warehouse: Warehouse, months: Iterable<string>): Promise<void> {
  const known = knownMonths(warehouse)
  for (const month of new Set(months)) {
    let isPresent = known.get(month)
    if (isPresent === undefined) {
      isPresent = ensureMonth(warehouse, month)
      known.set(month, isPresent)
      isPresent.catch(() => known.delete(month))
    }
    await isPresent
  }
}

const monthsByWarehouse = new WeakMap<Warehouse, Map<string, Promise<void>>>()

/** Months (YYYY-MM) whose partitions this process has seen, or is making: windows that are loaded at once wait for one maker. */
function knownMonths(warehouse: Warehouse): Map<string, Promise<void>> {
  const known = monthsByWarehouse.get(warehouse) ?? new Map<string, Promise<void>>()
  monthsByWarehouse.set(warehouse, known)
  return known
}

/** Forgets which partitions exist, so that they are checked again: one may have been dropped. */
export function forgetMonths(warehouse: Warehouse): void {
  monthsByWarehouse.delete(warehouse)
}

async function ensureMonth(warehouse: Warehouse, month: string): Promise<void> {
  try {
    await retryTransient(
      async () => {
        // without the lock first: most of the time the month is there
        if ((await selectPresent(warehouse.db, month)).size < PARTITIONED.length) await createMonth(warehouse, month)
      },
      { attempts: 30 },
    )
  } catch (error) {
    throw await partitionError(warehouse, error, month)
  }
}

async function createMonth(warehouse: Warehouse, month: string): Promise<void> {
  const floor = await floorOf(warehouse)
  await withTransaction(warehouse, async (trx) => {
    await sql`set local lock_timeout = '2s'`.execute(trx)
    // two creators at once: the second waits, then finds the partitions
    await sql`select pg_advisory_xact_lock(${LockKey.partitions})`.execute(trx)
    await holdMonths(trx)
    // whoever wanted to load it finds out before it writes
    const first = { conversationId: month, conversationStart: monthBounds(month).from }
    if ((await selectExpired(trx, [first], floor)).size > 0) return
    const present = await selectPresent(trx, month)
    const absent = PARTITIONED.filter((table) => !present.has(table))
    if (absent.length === 0) return
    await sql.raw(absent.map((table) => createStatements(table, month)).join('\n')).execute(trx)
    // Partitions come and go together, so a table that lacks its own has lost rows. (A migration that adds a table makes
    // the partitions of the months that are there, unless what it holds can be derived again.)
    const isKnown = present.has('genesys.conversations')
    if (!isKnown && (await wasDropped(trx, month))) return
    if (!isKnown || !present.has(CELLS)) await forgetDerived(trx, month)
    else if (FACTS.some((table) => !present.has(table))) await forgetFacts(trx, month)
    const lost = HISTORY.filter((table) => !present.has(table))
    if (isKnown && lost.length > 0) await forgetMonth(trx, month, lost)
  })
}

/** Whether the month was dropped on purpose and is brought back: nothing of it is lost, and cells that other months need are still there. */
async function wasDropped(trx: Transaction<Database>, month: string): Promise<boolean> {
  const { rows } = await sql`select from etl.dropped_months where month = ${`${month}-01`}::date`.execute(trx)
  return rows.length > 0
}

/** The tables that have a partition of the month. */
async function selectPresent(db: Kysely<Database>, month: string): Promise<Set<string>> {
  // by name, since a join of the catalogs grows with every month
  const { rows } = await sql<{ parent: string }>`
    select t.name as parent from unnest(${PARTITIONED}::text[]) as t (name)
    join pg_inherits i on i.inhrelid = to_regclass(t.name || ${suffix(month)}) and i.inhparent = to_regclass(t.name)`.execute(
    db,
  )
  return new Set(rows.map(({ parent }) => parent))
}

/** The months (YYYY-MM) of the history, newest first. */
export async function selectMonths(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ month: string }>`
    select replace(right(c.relname, 7), '_', '-') as month from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'genesys.conversations'::regclass and c.relname ~ '^conversations_\\d{4}_\\d\\d$'
    order by 1 desc`.execute(db)
  return rows.map(({ month }) => month)
}

/** Makes the next load of what starts in the month write it again, whatever its hash. */
async function forgetMonth(trx: Transaction<Database>, month: string, lost: readonly string[]): Promise<void> {
  const { from, to } = monthBounds(month)
  await sql`
    update etl.conversations set content_hash = '',
      attributes_hash = case when ${lost.includes('genesys.participant_attributes')} then null else attributes_hash end
    where conversation_start >= ${from} and conversation_start < ${to}`.execute(trx)
}

/**
 * Makes sure that the month has no derived rows, after its conversations or its cells were lost, and that those of its conversations that
 * are there are derived again. (One whose rows were not up to date is derived again anyway. What its derived_hash says then has to stay: see
 * mayHaveStrayRows.) The hours of lost cells are not known; almost all of them lie within the days that a thread can last.
 */
async function forgetDerived(trx: Transaction<Database>, month: string): Promise<void> {
  const { from, to } = monthBounds(month)
  for (const table of FACTS)
    await sql`delete from ${sql.table(table)} where conversation_start >= ${from} and conversation_start < ${to}`.execute(
      trx,
    )
  await sql`
    with deleted as (
      delete from etl.interval_cells where conversation_start >= ${from} and conversation_start < ${to}
      returning interval_start)
    insert into etl.dirty_hours (hour)
    select distinct date_trunc('hour', interval_start, 'UTC') from deleted`.execute(trx)
  await sql`
    with forgotten as (
      update etl.conversations set derived_hash = null
      where conversation_start >= ${from} and conversation_start < ${to} and derived_hash = content_hash returning 1)
    insert into etl.dirty_hours (hour)
    select generate_series(${from}::timestamptz, least(${to}::timestamptz + ${LONGEST_THREAD}::interval, now()), '1 hour')
    where exists (select from forgotten)`.execute(trx)
}

/**
 * Makes sure that the conversations of a month are derived again after a table of facts has lost its partition. The cells are there, and stay
 * until then. After an upgrade no month has facts, and the version of what was derived says so already.
 */
async function forgetFacts(trx: Transaction<Database>, month: string): Promise<void> {
  const { from, to } = monthBounds(month)
  await sql`
    update etl.conversations set derived_hash = null
    where conversation_start >= ${from} and conversation_start < ${to} and derived_hash = content_hash
      and derived_version = ${DERIVED_VERSION}`.execute(trx)
}

/** An e-mail thread can be reopened for 30 days after each disconnect; more than this is rare. */
const LONGEST_THREAD = '40 days'

/**
 * LIKE + ATTACH waits for no reader and no writer of the table; CREATE TABLE … PARTITION OF waits for all of them. The BRIN indexes
 * inherit autosummarize, which can't be turned off on a partitioned index; see summarizeMonths.
 */
function createStatements(table: string, month: string): string {
  const { from, to } = monthBounds(month)
  const partition = `${table}${suffix(month)}`
  return `create table ${partition} (like ${table} including all);
    do $$
      declare name regclass;
      begin
        for name in
          select i.indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
          where i.indrelid = '${partition}'::regclass and c.reloptions @> '{autosummarize=on}'
        loop
          execute format('alter index %s set (autosummarize = off)', name);
        end loop;
      end
    $$;
    alter table ${table} attach partition ${partition} for values from ('${from}') to ('${to}');
    ${revokeDefaultGrants(partition)}`
}

/**
 * Summarizes what was written into the BRIN indexes of these months (YYYY-MM) since the last time, so that a query of a day skips the
 * other days' blocks. Autosummarize would do the same, but floods the server's log while much is loaded.
 */
export async function summarizeMonths(db: Kysely<Database>, months: readonly string[]): Promise<void> {
  for (const month of months) {
    // one statement per index, since each keeps its locks until its transaction ends
    const { rows } = await sql<{ index: number }>`
      select i.indexrelid::bigint as index from pg_index i
      join pg_class x on x.oid = i.indexrelid join pg_am a on a.oid = x.relam
      join pg_class c on c.oid = i.indrelid join pg_inherits h on h.inhrelid = c.oid join pg_class p on p.oid = h.inhparent
      where a.amname = 'brin' and p.relnamespace in ('genesys'::regnamespace, 'etl'::regnamespace)
        and c.relname = p.relname || ${suffix(month)}`.execute(db)
    for (const { index } of rows) await sql`select brin_summarize_new_values(${index}::oid::regclass)`.execute(db)
  }
}

/**
 * Gathers statistics of the partitions of these months (YYYY-MM) that have none, or outdated ones. Autovacuum would
 * do it within a minute; until then the planner knows nothing of them.
 */
export async function analyzeMonths(db: Kysely<Database>, months: readonly string[]): Promise<void> {
  for (const month of months) {
    const { rows } = await sql<{ partition: string }>`
      select format('%s.%s', s.schemaname, c.relname) as partition
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      join pg_stat_user_tables s on s.relid = c.oid
      where s.schemaname in ('genesys', 'etl') and c.relname = p.relname || ${suffix(month)}
        and (coalesce(s.last_analyze, s.last_autoanalyze) is null or s.n_mod_since_analyze > 0.1 * s.n_live_tup)`.execute(
      db,
    )
    for (const { partition } of rows) await sql`analyze ${sql.table(partition)}`.execute(db)
  }
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
  return toEtlError(error, `creating the partitions of ${month}`)
}

/** Tables that have the name of a partition of the month and are none. */
async function selectDetached(warehouse: Warehouse, month: string): Promise<string[]> {
  const names = PARTITIONED.map((table) => `${table}${suffix(month)}`)
  const { rows } = await sql<{ name: string }>`
    select format('%s.%s', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where format('%s.%s', n.nspname, c.relname) = any(${names}::text[]) and not c.relispartition
    order by 1`.execute(warehouse.db)
  return rows.map(({ name }) => name)
}
