import { createHash } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { storableJson, type JsonValue } from '../model/json.ts'
import type { Database } from '../postgres/database.ts'
import { classify } from '../postgres/errors.ts'

/** A record that can't be loaded, and why; the reason contains none of its content. */
export interface RejectedRecord {
  readonly raw: unknown
  readonly reason: string
  readonly conversationId: string | null
  /** The instant as of which the source vouches for it. */
  readonly fetchedAt: string
  /** The row of etl.rejected_records that it was read from, which then says how the new attempt ended. */
  readonly rejectedId?: number | undefined
}

/**
 * Keeps rejected records, once per content: one that comes every night raises `times` instead of adding rows, and one that is kept
 * already, and was loaded again in vain, gets the new reason. A record that jsonb can't hold either (too deep) is kept as one JSON string.
 */
export async function insertRejected(
  db: Kysely<Database>,
  records: readonly RejectedRecord[],
  origin: { stream: string; runId: number | null },
): Promise<void> {
  const byHash = new Map<string, { record: RejectedRecord; json: string }>()
  for (const record of records) {
    if (record.rejectedId !== undefined) continue
    const json = storableJson(record.raw as JsonValue)
    byHash.set(createHash('sha256').update(json).digest('hex'), { record, json })
  }
  // in one order everywhere, so that two processes don't wait for each other in a circle
  for (const [hash, { record, json }] of [...byHash].sort(([a], [b]) => (a < b ? -1 : 1))) {
    try {
      await insertOne(db, record, json, hash, origin)
    } catch (error) {
      if (classify(error) !== 'data') throw error
      await insertOne(db, record, JSON.stringify(json), hash, origin)
    }
  }
  for (const { rejectedId, reason } of records) {
    if (rejectedId === undefined) continue
    await sql`
      update etl.rejected_records set reason = ${reason}, run_id = ${origin.runId}, last_rejected_at = clock_timestamp()
      where id = ${rejectedId}`.execute(db)
  }
}

async function insertOne(
  db: Kysely<Database>,
  record: RejectedRecord,
  json: string,
  hash: string,
  { stream, runId }: { stream: string; runId: number | null },
): Promise<void> {
  await sql`
    insert into etl.rejected_records as r (stream, conversation_id, reason, raw, raw_hash, run_id, fetched_at)
    values (${stream}, ${record.conversationId}, ${record.reason}, ${json}::jsonb, ${hash}, ${runId},
      least(${record.fetchedAt}::timestamptz, clock_timestamp()))
    on conflict (stream, raw_hash) do update set reason = excluded.reason, run_id = excluded.run_id, times = r.times + 1,
      last_rejected_at = clock_timestamp(), resolved_at = null, fetched_at = greatest(excluded.fetched_at, r.fetched_at)`.execute(
    db,
  )
}

/** Marks the rejected records of conversations that could be loaded after all, as far as they are not newer than what was loaded. */
export async function resolveRejected(
  db: Kysely<Database>,
  loaded: readonly { readonly conversationId: string; readonly fetchedAt: string }[],
): Promise<void> {
  await sql`
    update etl.rejected_records r set resolved_at = now()
    from unnest(${loaded.map(({ conversationId }) => conversationId)}::text[],
      ${loaded.map(({ fetchedAt }) => fetchedAt)}::timestamptz[]) as loaded (id, fetched_at)
    where r.resolved_at is null and r.conversation_id = loaded.id
      and (r.fetched_at is null or r.fetched_at <= loaded.fetched_at)`.execute(db)
}

/** Rejected records hold personal data, so they are kept for a limited time: this long after they were resolved. */
const RESOLVED_RETENTION_DAYS = 30
/** This long after they last came, where they are not resolved. */
const UNRESOLVED_RETENTION_DAYS = 180

/** Deletes rejected records whose retention is over; returns how many. */
export async function pruneRejected(db: Kysely<Database>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from etl.rejected_records
    where resolved_at < now() - make_interval(days => ${RESOLVED_RETENTION_DAYS})
      or (resolved_at is null and last_rejected_at < now() - make_interval(days => ${UNRESOLVED_RETENTION_DAYS}))`.execute(
    db,
  )
  return Number(numAffectedRows)
}

/** How many rejected records are not resolved. */
export async function countRejected(db: Kysely<Database>): Promise<number> {
  const { count } = await db
    .selectFrom('etl.rejected_records')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('resolved_at', 'is', null)
    .executeTakeFirstOrThrow()
  return count
}
