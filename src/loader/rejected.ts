import { createHash } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { canonical } from '../model/canonical.ts'
import { isJsonObject, parseJson, storableJson, type JsonValue } from '../model/json.ts'
import { applyPolicy } from '../model/personal.ts'
import { policyOfRecord, type PolicyInForce } from '../model/personal-retention.ts'
import { MAX_ID_LENGTH, withoutAttributes } from '../model/transform.ts'
import type { Database } from '../postgres/database.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { classify, recording } from '../postgres/errors.ts'
import { holdPolicy } from '../postgres/personal-policy.ts'

/** A record that can't be loaded, and why; the reason contains none of its content. */
export interface RejectedRecord {
  /** As the policy for personal data lets it be stored, its retention apart. */
  readonly raw: unknown
  /** As Genesys sent it; absent: it has the id of a conversation, whose tombstone is asked for. */
  readonly original?: unknown
  readonly reason: string
  readonly conversationId: string | null
  /** The instant as of which the source vouches for it. */
  readonly fetchedAt: string
  /** The row of etl.rejected_records that it was read from, which then says how the new attempt ended. */
  readonly rejectedId?: number | undefined
}

/** What is stored of a record, and what tells it from others. */
interface Content {
  readonly json: string
  /** That of its content in any order of keys, without attributes, since only some sources deliver these. */
  readonly hash: string
  /** As earlier releases made it: in the order of keys in which it came, which jsonb does not keep. */
  readonly earlierHash: string
  readonly hasAttributes: boolean
}

interface StoredRecord extends Content {
  readonly record: RejectedRecord
  /** The hashes by which an erasure may have recorded it, also before the policy changed, or in an earlier release. */
  readonly erasedAs: readonly string[]
}

/**
 * Keeps rejected records, once per content, attributes apart: one that comes every night raises `times` instead of adding rows, and one that is kept
 * already, and was loaded again in vain, gets the new reason. What was erased on request is not kept again. A record that jsonb can't hold either (too deep) is kept as one JSON string.
 */
export async function insertRejected(
  warehouse: Warehouse,
  records: readonly RejectedRecord[],
  origin: { stream: string; runId: number | null },
): Promise<void> {
  const byHash = new Map<string, StoredRecord>()
  for (const record of records) {
    if (record.rejectedId !== undefined) continue
    const stored = toStored(record)
    byHash.set(stored.hash, stored)
  }
  // in one order everywhere, so that two processes don't wait for each other in a circle
  for (const stored of [...byHash.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1))) {
    try {
      await insertOne(warehouse, stored, origin)
    } catch (error) {
      if (classify(error) !== 'data') throw error
      await insertOne(warehouse, stored, { ...origin, asText: true })
    }
  }
  for (const { rejectedId, reason } of records) {
    if (rejectedId === undefined) continue
    await sql`
      update etl.rejected_records set reason = ${reason}, run_id = ${origin.runId}, last_rejected_at = clock_timestamp()
      where id = ${rejectedId}`.execute(warehouse.db)
  }
}

function toStored(record: RejectedRecord): StoredRecord {
  const { raw, original = raw } = record
  const content = contentOf(raw as JsonValue)
  const contents = original === raw ? [content] : [content, contentOf(original as JsonValue)]
  return { record, ...content, erasedAs: contents.flatMap(({ hash, earlierHash }) => [hash, earlierHash]) }
}

function contentOf(raw: JsonValue): Content {
  const json = storableJson(raw)
  const counted = isJsonObject(raw) ? withoutAttributes(raw) : raw
  const content = storableJson(counted)
  return {
    json,
    hash: sha256(JSON.stringify(canonical(counted))),
    earlierHash: sha256(content),
    hasAttributes: content !== json,
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** @param origin.asText whether the record is kept as one JSON string, since jsonb can't hold it */
async function insertOne(
  { db, personalPolicy }: Warehouse,
  stored: StoredRecord,
  { stream, runId, asText = false }: { stream: string; runId: number | null; asText?: boolean },
): Promise<void> {
  const { record } = stored
  await db.transaction().execute(async (trx) => {
    const { json, hash, earlierHash, hasAttributes } = withinRetention(stored, await holdPolicy(trx, personalPolicy))
    const erasedAs = [...stored.erasedAs, hash]
    const text = asText ? JSON.stringify(json) : json
    await sql`
    update etl.rejected_records r set raw_hash = ${hash}
    where stream = ${stream} and raw_hash = ${earlierHash}
      and not exists (select from etl.rejected_records o where o.stream = r.stream and o.raw_hash = ${hash})`.execute(
      trx,
    )
    await sql`
    insert into etl.rejected_records as r (stream, conversation_id, reason, raw, raw_hash, run_id, fetched_at)
    select ${stream}, ${record.conversationId}, ${record.reason}, ${text}::jsonb, ${hash}, ${runId}::bigint,
      least(${record.fetchedAt}::timestamptz, clock_timestamp())
    -- an erasure locks the table while it deletes, after its tombstones have committed
    where not exists (select from etl.tombstones t where t.conversation_id = ${record.conversationId})
      and not exists (select from etl.erased_records e where e.raw_hash = any(${erasedAs}::text[]))
    on conflict (stream, raw_hash) do update set reason = excluded.reason, run_id = excluded.run_id, times = r.times + 1,
      last_rejected_at = clock_timestamp(), resolved_at = null, raw = case when ${hasAttributes} then excluded.raw else r.raw end,
      fetched_at = greatest(excluded.fetched_at, r.fetched_at)`.execute(trx)
  })
}

/** What the retention of personal data leaves of a record. */
function withinRetention(stored: StoredRecord, inForce: PolicyInForce): Content {
  const raw = stored.record.raw as JsonValue
  const policy = policyOfRecord(inForce, raw)
  return policy === inForce.policy ? stored : contentOf(applyPolicy(policy, raw))
}

/** A kept record as Genesys sent it, from the text of its column; one that jsonb can't hold is kept as the text of its JSON. */
export function recordOf(text: string): JsonValue {
  const kept = parseJson(text)
  if (typeof kept !== 'string') return kept
  try {
    return parseJson(kept)
  } catch {
    return kept
  }
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

/** Rejected records of one statement. */
const BATCH_SIZE = 100

/**
 * Applies a changed policy for personal data, or a floor of its retention that has moved, to the records that are kept. One that becomes equal to another one goes.
 * @returns how many have changed
 * @throws EtlError; the signal's reason
 */
export async function applyPolicyToRejected(
  db: Kysely<Database>,
  inForce: PolicyInForce,
  signal: AbortSignal,
): Promise<number> {
  let changed = 0
  for (let last = 0; ;) {
    signal.throwIfAborted()
    const { rows } = await recording('reading rejected records', () =>
      sql<{ id: number; raw: string }>`
        select id, raw::text as raw from etl.rejected_records where id > ${last} order by id limit ${BATCH_SIZE}`.execute(
        db,
      ),
    )
    if (rows.length === 0) {
      // what was erased under this policy may have been kept under another one until now
      await recording('deleting rejected records of what was erased', () => deleteErasedRejected(db))
      return changed
    }
    for (const { id, raw } of rows) {
      const before = recordOf(raw)
      const record = applyPolicy(policyOfRecord(inForce, before), before)
      if (storableJson(record) === storableJson(before)) continue
      await recording('applying the policy for personal data to rejected records', () => replaceRaw(db, id, record))
      changed++
    }
    last = rows.at(-1)!.id
  }
}

async function replaceRaw(db: Kysely<Database>, id: number, record: JsonValue): Promise<void> {
  const { json, hash } = contentOf(record)
  const update = (text: string) => sql`
    with equal as (
      select from etl.rejected_records r join etl.rejected_records o on o.stream = r.stream and o.id <> r.id
      where r.id = ${id} and o.raw_hash = ${hash}
    ), removed as (
      delete from etl.rejected_records where id = ${id} and exists (select from equal))
    update etl.rejected_records set raw = ${text}::jsonb, raw_hash = ${hash}
    where id = ${id} and not exists (select from equal)`
  try {
    await update(json).execute(db)
  } catch (error) {
    if (classify(error) !== 'data') throw error
    await update(JSON.stringify(json)).execute(db)
  }
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

/** Deletes rejected records of what was erased, which a process of an older release has kept, or a backup has brought back; returns how many. */
export async function deleteErasedRejected(db: Kysely<Database>): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from etl.rejected_records
    where conversation_id in (select conversation_id from etl.tombstones) or raw_hash in (select raw_hash from etl.erased_records)`.execute(
    db,
  )
  return Number(numAffectedRows)
}

/** Records of one statement of fillRejectedIds. */
const FILL_BATCH_SIZE = 1000

/** Fills the ids of conversations that records of older releases name in what was kept of them, but not in their column; returns how many. */
export async function fillRejectedIds(db: Kysely<Database>): Promise<number> {
  let filled = 0
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      update etl.rejected_records set conversation_id = raw ->> 'conversationId'
      where id in (
        select id from etl.rejected_records
        where conversation_id is null and jsonb_typeof(raw -> 'conversationId') = 'string'
          and length(raw ->> 'conversationId') between 1 and ${MAX_ID_LENGTH}
        order by id limit ${FILL_BATCH_SIZE} for update)`.execute(db)
    filled += Number(numAffectedRows)
    if (numAffectedRows < FILL_BATCH_SIZE) return filled
  }
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
