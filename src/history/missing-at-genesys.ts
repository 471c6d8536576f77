/** Finds conversations that the tables have and a complete read of their day did not bring: moved, hidden, or gone at Genesys. */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import { IDS_PER_REQUEST } from '../genesys/details-by-id.ts'
import type { DetailsFilter } from '../genesys/details-query.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from '../loader/load-counts.ts'
import { markMissing } from '../loader/missing.ts'
import { referencedIds } from '../loader/referenced-ids.ts'
import { formatWindow, type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import type { RunContext } from './context.ts'
import { loadByIds } from './load-by-ids.ts'

interface Checked {
  readonly counts: LoadCounts
  readonly requests: number
}

const NOTHING: Checked = { counts: emptyLoadCounts(), requests: 0 }

/** More than these, if they are most of what is stored of the window, have more likely been hidden than deleted. */
const MOST_BELIEVED = 100

/**
 * To be called after a window was read completely: requests what is stored of it and was not delivered since `before` by its ids, loads
 * what Genesys still has (its start was corrected, or it slipped through the pages), and marks the rest as missing. Returns the counts of
 * both, and of the requests. A failure is logged: the next read of the window makes up for it.
 * @param before the instant as of which the read vouches for its answers
 * @throws the signal's reason
 */
export async function checkMissing(context: RunContext, window: Interval, before: Date): Promise<Checked> {
  const { warehouse, history, logger, signal } = context
  try {
    const ids = await selectUndelivered(warehouse.db, window, before, history.filter)
    if (ids.length === 0) return NOTHING
    const facts = { window: formatWindow(window), conversations: ids.length }
    if (ids.length > MOST_BELIEVED && ids.length > (await countStored(warehouse.db, window)) / 2) {
      logger.warn(
        facts,
        'most conversations of the window are not in the answers of Genesys any more; they are not marked as missing. If the OAuth client has lost a division or a permission, give it back',
      )
      return NOTHING
    }
    const counts = await lookFor(context, ids)
    logger.info(
      { ...facts, missing: counts.missing },
      'conversations that a complete read did not bring were read by their ids, and those that Genesys has no more were marked',
    )
    return { counts, requests: Math.ceil(ids.length / IDS_PER_REQUEST) }
  } catch (error) {
    signal.throwIfAborted()
    logger.warn(
      { window: formatWindow(window), err: error },
      'what Genesys has no more of the window could not be found out; the next read tries again',
    )
    return NOTHING
  }
}

async function lookFor(context: RunContext, ids: readonly string[]): Promise<LoadCounts> {
  const { warehouse, clock, onLoaded } = context
  const askedAt = clock.now()
  const { counts, unknown } = await loadByIds(context, ids)
  const marked = { ...emptyLoadCounts(), missing: await markMissing(warehouse.db, unknown, askedAt) }
  onLoaded?.(marked, referencedIds([]))
  return addLoadCounts(counts, marked)
}

/** What is stored of a window, counts as present, and was not delivered since an instant; of what the filter selects. */
async function selectUndelivered(
  db: Kysely<Database>,
  { start, end }: Interval,
  before: Date,
  filter: DetailsFilter,
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select e.conversation_id as id from etl.conversations e
    join genesys.conversations c on c.conversation_id = e.conversation_id and c.conversation_start = e.conversation_start
    where e.conversation_start >= ${start} and e.conversation_start < ${end} and e.fetched_at < ${before}
      and c.conversation_start >= ${start} and c.conversation_start < ${end} and c._missing_since is null
      ${matching(filter)}
    order by 1`.execute(db)
  return rows.map(({ id }) => id)
}

/** An earlier history may have had another filter, so that the tables have what this one does not ask for. */
function matching({ mediaTypes, direction, minDurationSeconds }: DetailsFilter): RawBuilder<unknown> {
  const types = sql`and exists (
    select from genesys.sessions s
    where s.conversation_id = c.conversation_id and s.conversation_start = c.conversation_start
      and s.media_type = any(${mediaTypes}::text[]))`
  const duration = sql`and c.conversation_end - c.conversation_start >= make_interval(secs => ${minDurationSeconds})`
  const parts = [
    ...(mediaTypes === undefined ? [] : [types]),
    ...(direction === undefined ? [] : [sql`and c.originating_direction = ${direction}`]),
    ...(minDurationSeconds === undefined ? [] : [duration]),
  ]
  return sql.join(parts, sql.raw(' '))
}

async function countStored(db: Kysely<Database>, { start, end }: Interval): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversations
    where conversation_start >= ${start} and conversation_start < ${end}`.execute(db)
  return rows[0]?.count ?? 0
}
