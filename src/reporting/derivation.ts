/** How far cells and facts of the history are derived: the one row of etl.derivation. */
import { sql, type Kysely } from 'kysely'
import { DERIVED_VERSION } from '../facts/derived.ts'
import { EtlError } from '../errors.ts'
import type { Database } from '../postgres/database.ts'
import { countStalePassed, hasStaleIndex, type Position } from './stale.ts'

/** Where the walk is; null: it is complete. */
export async function selectPosition(db: Kysely<Database>): Promise<Position | null> {
  const { rows } = await sql<{ start: string | null; id: string }>`
    select position_start::text as start, coalesce(position_id, '') as id from etl.derivation`.execute(db)
  const [row] = rows
  return row?.start ? { start: row.start, id: row.id } : null
}

/** More are not counted for the status. */
const STALE_COUNTED = 10_000

/** How far the derivation has got, for the status. */
export interface DerivationState {
  /** What starts later has been derived; null: everything has, or nothing yet. */
  readonly filledBackTo: Date | null
  readonly isFilled: boolean
  /** From when on the views show rows; null: whatever there is, or nothing yet. */
  readonly shownFrom: Date | null
  /** Stale conversations that the walk has passed, at most STALE_COUNTED; null: not known, without the index. */
  readonly staleConversations: number | null
}

/** Reads how far the derivation has got. */
export async function selectDerivation(db: Kysely<Database>): Promise<DerivationState> {
  const { rows } = await sql<{ filled: boolean; back_to: Date | null; shown_from: Date | null }>`
    select position_start is null as filled,
      case when isfinite(position_start) then position_start end as back_to,
      case when isfinite(shown_from) then shown_from end as shown_from
    from etl.derivation`.execute(db)
  const [row] = rows
  const isIndexed = await hasStaleIndex(db)
  return {
    filledBackTo: row?.back_to ?? null,
    isFilled: row?.filled ?? false,
    shownFrom: row?.shown_from ?? null,
    staleConversations: isIndexed ? await countStalePassed(db, await selectPosition(db), STALE_COUNTED) : null,
  }
}

/**
 * Begins the walk again where this version has other formulas than the one that walked before. What the views show stays until it has
 * been replaced.
 * @throws EtlError DERIVED_BY_NEWER where stored rows come from a later version, which this one must not undo
 */
export async function adoptVersion(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ version: number }>`select version from etl.derivation`.execute(db)
  const version = rows[0]?.version ?? DERIVED_VERSION
  if (version > DERIVED_VERSION) {
    throw new EtlError('A newer version of genesys-etl has begun to derive the reporting rows', {
      code: 'DERIVED_BY_NEWER',
      kind: 'fatal',
      hint: 'Stop this version and run the newer one.',
    })
  }
  if (version === DERIVED_VERSION) return
  await sql`
    update etl.derivation set version = ${DERIVED_VERSION}, position_start = 'infinity', position_id = null, updated_at = now()
    where version < ${DERIVED_VERSION}`.execute(db)
}

/** Records that the walk has passed a conversation. */
export async function updatePosition(db: Kysely<Database>, { start, id }: Position): Promise<void> {
  await sql`
    update etl.derivation set position_start = ${start}::timestamptz, position_id = ${id}, updated_at = now()`.execute(
    db,
  )
}

/** Records that the walk is complete, so that the views show everything. */
export async function completeWalk(db: Kysely<Database>): Promise<void> {
  await sql`
    update etl.derivation set position_start = null, position_id = null, shown_from = '-infinity', updated_at = now()`.execute(
    db,
  )
}

/**
 * The UTC day (its start, in Postgres' spelling) from which the views could show everything, were it not for conversations that began
 * before the day ahead of it; null: they show it already. The conversations of the day ahead are derived, since calls last past midnight.
 */
export async function selectShowableDay(db: Kysely<Database>): Promise<string | null> {
  const { rows } = await sql<{ day: string }>`
    select day::text from (
      select date_trunc('day', position_start, 'UTC') + interval '2 days' as day, shown_from from etl.derivation
      where position_start < 'infinity') d
    where day < shown_from`.execute(db)
  return rows[0]?.day ?? null
}

/** Lets the views show the intervals from a day on (its start, in Postgres' spelling). */
export async function showFrom(db: Kysely<Database>, day: string): Promise<void> {
  await sql`update etl.derivation set shown_from = least(shown_from, ${day}::timestamptz), updated_at = now()`.execute(
    db,
  )
}
