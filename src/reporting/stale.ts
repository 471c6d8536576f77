/**
 * Which conversations have derived rows that do not belong to what is stored: their content has changed, or was loaded, by a process of an older
 * release, or these rows come from other formulas.
 */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import { DERIVED_VERSION } from '../facts/derived.ts'
import type { Interval } from '../model/interval.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { toEtlError } from '../postgres/errors.ts'

/**
 * Of a row of etl.conversations: its start where it has to be derived, else null. To the letter the expression of the index below, hence
 * the version as a literal. An expression, and read in its order, because Postgres estimates that nearly every row is stale: for an order
 * by conversation_start, or for none, it would read the other index or the whole table.
 */
const staleStart: RawBuilder<Date | null> = sql.raw(
  `(case when derived_hash is distinct from content_hash or derived_version is distinct from ${DERIVED_VERSION} then conversation_start end)`,
)

const INDEX_PREFIX = 'conversations_stale_v'
/** Its name has the version of the formulas, so that an index of an older release is recognized. */
const INDEX = `${INDEX_PREFIX}${DERIVED_VERSION}_idx`

interface IndexRow {
  readonly name: string
  readonly valid: boolean
}

/**
 * Makes sure that stale conversations have their index, so that finding them costs nothing where there are none. It is built without
 * blocking loads; one whose build did not come to its end is built again, and those of older formulas are dropped. To be called under the
 * lock of the derivation.
 * @throws EtlError when it can't be built now, for example because of a transaction that has been open for long
 */
export async function ensureStaleIndex({ db }: Warehouse): Promise<void> {
  try {
    const indexes = await selectIndexes(db)
    const own = indexes.find(({ name }) => name === INDEX)
    const obsolete = indexes.filter((index) => index !== own || !index.valid)
    for (const { name } of obsolete)
      await sql`drop index concurrently if exists ${sql.table(`etl.${name}`)}`.execute(db)
    if (own?.valid) return
    await sql`create index concurrently ${sql.ref(INDEX)} on etl.conversations (${staleStart}) where ${staleStart} is not null`.execute(
      db,
    )
  } catch (error) {
    throw toEtlError(error, 'indexing the conversations whose rows have to be derived')
  }
}

/** Whether the index is there, so that the queries below cost little however long the history is. */
export async function hasStaleIndex(db: Kysely<Database>): Promise<boolean> {
  return (await selectIndexes(db)).some(({ name, valid }) => name === INDEX && valid)
}

async function selectIndexes(db: Kysely<Database>): Promise<IndexRow[]> {
  const { rows } = await sql<IndexRow>`
    select c.relname as name, i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = 'etl.conversations'::regclass and c.relname ~ ${`^${INDEX_PREFIX}\\d+_idx$`}`.execute(db)
  return rows
}

/** A place in the order of the walk, which goes from the newest conversation to the oldest. */
export interface Position {
  /** A start in Postgres' spelling; `infinity` at the beginning. */
  readonly start: string
  readonly id: string
}

/** A conversation and the start under which etl.conversations has it, in Postgres' spelling. */
export interface Candidate {
  readonly id: string
  readonly start: string
}

/** The stale conversations that the walk has passed, newest first: loaded since then by a process of an older release. */
export async function selectStalePassed(
  db: Kysely<Database>,
  position: Position | null,
  limit: number,
): Promise<Candidate[]> {
  return selectStale(db, position ? sql`and not ${isBefore(position)}` : sql.raw(''), limit)
}

/** The next conversations of the walk: the newest stale ones that it has not passed. */
export async function selectNextOfWalk(db: Kysely<Database>, position: Position, limit: number): Promise<Candidate[]> {
  return selectStale(db, sql`and ${isBefore(position)}`, limit)
}

async function selectStale(db: Kysely<Database>, bounds: RawBuilder<unknown>, limit: number): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    select conversation_id as id, conversation_start::text as start from etl.conversations
    where ${staleStart} is not null ${bounds}
    order by ${staleStart} desc, conversation_id desc limit ${limit}`.execute(db)
  return rows
}

/** How many stale conversations there are. Without the index, or while most are stale, it reads all conversations. */
export async function countStale(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations where ${staleStart} is not null`.execute(db)
  return rows[0]?.count ?? 0
}

/** How many stale conversations started in a range. Cheap with the index; without it, it reads the conversations of the range. */
export async function countStaleWithin(db: Kysely<Database>, { start, end }: Interval): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where ${staleStart} >= ${start} and ${staleStart} < ${end}
      and conversation_start >= ${start} and conversation_start < ${end}`.execute(db)
  return rows[0]?.count ?? 0
}

/**
 * How many stale conversations the walk has passed, at most `limit`. With the index it reads no others: it is read in its order, since
 * Postgres would rather read the table where it takes many for stale.
 */
export async function countStalePassed(
  db: Kysely<Database>,
  position: Position | null,
  limit: number,
): Promise<number> {
  const bounds = position ? sql`and not ${isBefore(position)}` : sql.raw('')
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from (
      select from etl.conversations where ${staleStart} is not null ${bounds}
      order by ${staleStart} desc limit ${limit}) stale`.execute(db)
  return rows[0]?.count ?? 0
}

function isBefore({ start, id }: Position): RawBuilder<boolean> {
  return sql`(${staleStart}, conversation_id) < (${start}::timestamptz, ${id}::text)`
}

/** No metric is expected later after the end of its conversation: after-call work, surveys. */
const DAYS_AFTER_THE_END = 1
/** Conversations last at most this long, as Genesys closes e-mail and messaging threads: older ones are found by the walk. */
const LONGEST_DAYS = 40

/**
 * Stale conversations that began more than a day before `day` and may have metrics on it or later, since they are open or ended later:
 * e-mails and messages, mostly. At most `limit`.
 * @param day start of a UTC day, in Postgres' spelling
 */
export async function selectReachingInto(db: Kysely<Database>, day: string, limit: number): Promise<Candidate[]> {
  const until = sql`${day}::timestamptz - make_interval(days => ${DAYS_AFTER_THE_END})`
  const from = sql`${day}::timestamptz - make_interval(days => ${LONGEST_DAYS + DAYS_AFTER_THE_END})`
  const { rows } = await sql<Candidate>`
    select id, start::text from (
      select conversation_id as id, conversation_start as start from etl.conversations
      where ${staleStart} >= ${from} and ${staleStart} < ${until}) e
    where exists (
      select from genesys.conversations g
      where g.conversation_id = e.id and g.conversation_start = e.start
        and g.conversation_start >= ${from} and g.conversation_start < ${until}
        and (g.conversation_end is null or g.conversation_end >= ${until}))
    order by start desc limit ${limit}`.execute(db)
  return rows
}
