/** Derives the rows of all conversations that started in a range again, whatever they were derived from. */
import { sql, type Kysely } from 'kysely'
import type { Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { adoptVersion } from './derivation.ts'
import { addDeriveCounts, BATCH_SIZE, deriveBatch, NOTHING_DERIVED, type DeriveCounts } from './derive.ts'
import { giveWay } from './pace.ts'
import type { Candidate, Position } from './stale.ts'
import type { DerivationDependencies } from './walk.ts'

/**
 * Derives a range, the newest conversations first. Loaders, the walk and other ranges may be at work at the same time. Running it again
 * does no harm.
 * @throws EtlError DERIVED_BY_NEWER, or an error of the database; the signal's reason
 */
export async function deriveRange(
  { warehouse, onDerived }: DerivationDependencies,
  range: Interval,
  signal: AbortSignal,
): Promise<DeriveCounts> {
  await adoptVersion(warehouse.db)
  let counts = NOTHING_DERIVED
  let position: Position = { start: range.end.toISOString(), id: '' }
  for (;;) {
    const startedAt = performance.now()
    const candidates = await selectBefore(warehouse.db, range, position)
    const last = candidates.at(-1)
    if (last === undefined) return counts
    const derived = await deriveBatch(warehouse, candidates, { force: true, signal })
    counts = addDeriveCounts(counts, derived)
    onDerived?.(derived)
    position = last
    await giveWay(warehouse, performance.now() - startedAt, signal)
  }
}

/** How many conversations started in the range. */
export async function countStarted(db: Kysely<Database>, { start, end }: Interval): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where conversation_start >= ${start} and conversation_start < ${end}`.execute(db)
  return rows[0]?.count ?? 0
}

async function selectBefore(db: Kysely<Database>, { start }: Interval, position: Position): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    select conversation_id as id, conversation_start::text as start from etl.conversations
    where (conversation_start, conversation_id) < (${position.start}::timestamptz, ${position.id}::text)
      and conversation_start >= ${start}
    order by conversation_start desc, conversation_id desc limit ${BATCH_SIZE}`.execute(db)
  return rows
}
