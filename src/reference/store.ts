/** Writes reference data: rows whose content has changed, marks of deletion after complete reads, and when each list was read. */
import { sql, type Kysely, type RawBuilder, type Transaction } from 'kysely'
import { type Entity } from '../genesys/entity-list.ts'
import { type JsonValue } from '../model/json.ts'
import { referenceEntity, referenceTable, type ReferenceName } from '../model/reference.ts'
import { type PersonalPolicy } from '../model/personal.ts'
import { applyPolicyToEntity } from '../model/personal-reference.ts'
import { type Database } from '../postgres/database.ts'
import { holdPolicy } from '../postgres/personal-policy.ts'
import { serviceLevelRows, referenceRow, type ReferenceRow } from './rows.ts'
import { SYSTEM_WRAP_UP_CODES } from './system-wrap-up-codes.ts'

/** A list of reference data, or the part of it that belongs to one parent. */
export interface ListPart {
  readonly name: ReferenceName
  /** The parent, such as the queue of members; null: the list has none. */
  readonly parentId: string | null
}

/** How many rows a statement has written. */
export interface Written {
  readonly written: number
}

/**
 * Writes a page of entities: rows that are new or whose content has changed, in one transaction. A row that is there again loses its mark of
 * deletion; a row without a name keeps the one that it had.
 */
export async function writePage(
  { db, policy }: { readonly db: Kysely<Database>; readonly policy: PersonalPolicy },
  part: ListPart,
  entities: readonly Entity[],
): Promise<Written> {
  if (entities.length === 0) return { written: 0 }
  return await db.transaction().execute(async (trx) => {
    await holdPolicy(trx, policy)
    const rows = entities.map((entity) =>
      referenceRow(part.name, applyPolicyToEntity(policy, part.name, entity), part.parentId),
    )
    const written = await upsertRows(trx, part.name, rows)
    if (part.name !== 'queues') return { written }
    return { written: written + (await writeServiceLevels(trx, entities)) }
  })
}

async function upsertRows(
  trx: Transaction<Database>,
  name: ReferenceName,
  rows: readonly ReferenceRow[],
): Promise<number> {
  const { key } = referenceEntity(name)
  const columns = columnsOf(name)
  const values = columns.filter((column) => !key.includes(column))
  const own = (prefix: string, column: string): string =>
    column === 'name' ? `coalesce(${prefix}.name, t.name)` : `${prefix}.${column}`
  const list = (names: readonly string[], of: (column: string) => string): RawBuilder<unknown> =>
    sql.raw(names.map(of).join(', '))
  // compared before the insert, since ON CONFLICT would lock every row that it leaves as it is
  const { rows: written } = await sql`
    with incoming as (
      select * from jsonb_to_recordset(${jsonOf(rows)}::jsonb) as r (${list(columns, (column) => `${column} ${typeOf(name, column)}`)})
    ), changed as (
      select i.* from incoming i left join ${sql.raw(referenceTable(name))} t on ${sql.raw(joinOn(key, 't', 'i'))}
      where t._changed_at is null or (t._deleted_at is not null and not ${isDeleted(name, 'i')})
        or row(${list(values, (column) => `t.${column}`)}) is distinct from row(${list(values, (column) => own('i', column))})
    )
    insert into ${sql.raw(referenceTable(name))} as t (${list(columns, (column) => column)})
    select ${list(columns, (column) => column)} from changed
    on conflict (${list(key, (column) => column)}) do update set
      ${list(values, (column) => `${column} = ${own('excluded', column)}`)}, _changed_at = now(),
      _deleted_at = case when ${isDeleted(name, 'excluded')} then t._deleted_at end
    returning 1`.execute(trx)
  return written.length
}

/** Ends the service levels that have changed or are gone, and adds those that are new, so that the history has no gap. */
async function writeServiceLevels(trx: Transaction<Database>, queues: readonly Entity[]): Promise<number> {
  const rows = queues.flatMap((queue) => serviceLevelRows(queue) ?? [])
  /** The queues whose answer says which service levels they have. */
  const known = queues.filter((queue) => serviceLevelRows(queue) !== null).map((queue) => queue.id)
  const incoming = sql`jsonb_to_recordset(${jsonOf(rows)}::jsonb)
    as i (queue_id text, media_type text, target double precision, threshold_ms bigint, _extra jsonb)`
  const { rows: ended } = await sql`
    update genesys.dim_queue_service_levels t set _valid_to = now(), _changed_at = now(),
      _deleted_at = case when not exists (
        select from ${incoming} where i.queue_id = t.queue_id and i.media_type = t.media_type) then now() end
    where t._valid_to is null and t.queue_id = any(${known}::text[]) and not exists (
      select from ${incoming} where i.queue_id = t.queue_id and i.media_type = t.media_type
        and (i.target, i.threshold_ms) is not distinct from (t.target, t.threshold_ms))
    returning 1`.execute(trx)
  const { rows: begun } = await sql`
    insert into genesys.dim_queue_service_levels as t (queue_id, media_type, target, threshold_ms, _extra, _valid_from)
    select i.queue_id, i.media_type, i.target, i.threshold_ms, i._extra, now() from ${incoming}
    where not exists (select from genesys.dim_queue_service_levels t
      where t.queue_id = i.queue_id and t.media_type = i.media_type and t._valid_to is null)
    returning 1`.execute(trx)
  return ended.length + begun.length
}

/** The rows of a part that are not marked as deleted and that a complete read lacks, by the last column of their key. */
export async function selectMissing(db: Kysely<Database>, part: ListPart, ids: ReadonlySet<string>): Promise<string[]> {
  const { key } = referenceEntity(part.name)
  const id = key.at(-1)!
  const { rows } = await sql<{ id: string }>`
    select t.${sql.ref(id)} as id from ${sql.raw(referenceTable(part.name))} t
    where t._deleted_at is null and ${ofPart(part)}
      and not exists (select from unnest(${[...ids]}::text[]) as seen (id) where seen.id = t.${sql.ref(id)})`.execute(
    db,
  )
  return rows.map((row) => row.id)
}

/** Marks rows as deleted: those that are missing, and those that Genesys lists as deleted. */
export async function markDeleted(db: Kysely<Database>, part: ListPart, missing: readonly string[]): Promise<Written> {
  const { key } = referenceEntity(part.name)
  return await db.transaction().execute(async (trx) => {
    const { rows } = await sql`
      update ${sql.raw(referenceTable(part.name))} t set _deleted_at = now(), _changed_at = now()
      where t._deleted_at is null and ${ofPart(part)}
        and (t.${sql.ref(key.at(-1)!)} = any(${missing}::text[]) or ${isDeleted(part.name, 't')})
      returning 1`.execute(trx)
    if (part.name === 'queues') await endServiceLevels(trx)
    return { written: rows.length }
  })
}

/** Marks a parent whose own list is gone, and what belongs to it. */
export async function markParentDeleted(db: Kysely<Database>, { name, parentId }: ListPart): Promise<void> {
  const { parent } = referenceEntity(name)
  if (parent === undefined || parentId === null) return
  await markDeleted(db, { name: parent, parentId: null }, [parentId])
  await markOrphansDeleted(db, name)
}

/** Marks the rows of a list whose parents are marked. */
export async function markOrphansDeleted(db: Kysely<Database>, name: ReferenceName): Promise<void> {
  const { parent, key } = referenceEntity(name)
  if (parent === undefined) return
  await sql`
    update ${sql.raw(referenceTable(name))} t set _deleted_at = now(), _changed_at = now()
    where t._deleted_at is null and not exists (
      select from ${sql.raw(referenceTable(parent))} p where p.id = t.${sql.ref(key[0]!)} and p._deleted_at is null)`.execute(
    db,
  )
}

async function endServiceLevels(trx: Transaction<Database>): Promise<void> {
  await sql`
    update genesys.dim_queue_service_levels t set _valid_to = now(), _changed_at = now(), _deleted_at = now()
    where t._valid_to is null and exists (
      select from genesys.dim_queues q where q.id = t.queue_id and q._deleted_at is not null)`.execute(trx)
}

/** The parents of a list that exist, in a stable order. */
export async function selectParents(db: Kysely<Database>, parent: ReferenceName): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from ${sql.raw(referenceTable(parent))} where _deleted_at is null order by id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Takes everything personal out of a user's row, which stays: conversations name the user by id. Returns whether there was any. */
export async function anonymizeUser(db: Kysely<Database>, userId: string): Promise<boolean> {
  const { columns } = referenceEntity('users')
  const personal = [...Object.keys(columns).filter((column) => columns[column]?.personal), '_extra'].map((column) =>
    sql.ref(column),
  )
  const { numAffectedRows = 0n } = await sql`
    update genesys.dim_users set ${sql.join(personal.map((column) => sql`${column} = null`))}, _changed_at = now()
    where id = ${userId} and num_nonnulls(${sql.join(personal)}) > 0`.execute(db)
  return numAffectedRows > 0n
}

/** Writes the wrap-up codes of the system, which no list of Genesys has. */
export async function writeSystemWrapUpCodes(db: Kysely<Database>): Promise<void> {
  const codes = Object.entries(SYSTEM_WRAP_UP_CODES)
  await sql`
    insert into genesys.dim_wrap_up_codes as t (id, name, description, is_system)
    select i.id, i.name, i.description, true
    from unnest(${codes.map(([id]) => id)}::text[], ${codes.map(([, { name }]) => name)}::text[],
      ${codes.map(([, { description }]) => description)}::text[]) as i (id, name, description)
    where not exists (select from genesys.dim_wrap_up_codes t where t.id = i.id
      and (t.name, t.description, t.is_system) is not distinct from (i.name, i.description, true) and t._deleted_at is null)
    on conflict (id) do update set name = excluded.name, description = excluded.description, is_system = true, _changed_at = now(),
      _deleted_at = null`.execute(db)
}

/** Records that a list is being read. */
export async function recordAttempt(db: Kysely<Database>, name: ReferenceName): Promise<Date> {
  const { rows } = await sql<{ attempted_at: Date }>`
    insert into etl.reference_reads (entity, attempted_at) values (${name}, clock_timestamp())
    on conflict (entity) do update set attempted_at = excluded.attempted_at
    returning attempted_at`.execute(db)
  return rows[0]!.attempted_at
}

/** Records that a list was read completely. */
export async function recordRead(db: Kysely<Database>, name: ReferenceName, readAt: Date): Promise<void> {
  await sql`
    insert into etl.reference_reads (entity, attempted_at, read_at, rows)
    values (${name}, ${readAt}, ${readAt},
      (select count(*) from ${sql.raw(referenceTable(name))} where _deleted_at is null ${sql.raw(name === 'queue_service_levels' ? 'and _valid_to is null' : '')}))
    on conflict (entity) do update set attempted_at = excluded.attempted_at, read_at = excluded.read_at, rows = excluded.rows,
      error_code = null, error = null, hint = null`.execute(db)
}

/** Records why a list could not be read completely; what was known of it stays. */
export async function recordFailedRead(
  db: Kysely<Database>,
  name: ReferenceName,
  failure: { readonly code: string; readonly message: string; readonly hint: string | null },
): Promise<void> {
  await sql`
    insert into etl.reference_reads (entity, attempted_at, error_code, error, hint)
    values (${name}, clock_timestamp(), ${failure.code}, ${failure.message}, ${failure.hint})
    on conflict (entity) do update set error_code = excluded.error_code, error = excluded.error, hint = excluded.hint`.execute(
    db,
  )
}

function columnsOf(name: ReferenceName): string[] {
  const { key, columns } = referenceEntity(name)
  const own = Object.entries(columns).filter(([column, { from }]) => from !== null || key.includes(column))
  return [...own.map(([column]) => column), '_extra']
}

function typeOf(name: ReferenceName, column: string): string {
  return referenceEntity(name).columns[column]?.type ?? 'jsonb'
}

function joinOn(key: readonly string[], a: string, b: string): string {
  return key.map((column) => `${a}.${column} = ${b}.${column}`).join(' and ')
}

/** The rows of a part, without those of the system, which no read can miss. */
function ofPart({ name, parentId }: ListPart): RawBuilder<unknown> {
  if (name === 'wrap_up_codes') return sql`not t.is_system`
  return parentId === null ? sql`true` : sql`t.${sql.ref(referenceEntity(name).key[0]!)} = ${parentId}`
}

/** Whether Genesys lists a row as deleted. */
function isDeleted(name: ReferenceName, row: 't' | 'i' | 'excluded'): RawBuilder<unknown> {
  const { columns } = referenceEntity(name)
  if ('state' in columns) return sql.raw(`coalesce(${row}.state = 'deleted', false)`)
  if ('deleted' in columns) return sql.raw(`coalesce(${row}.deleted, false)`)
  return sql.raw('false')
}

function jsonOf(rows: readonly ReferenceRow[]): string {
  return JSON.stringify(rows, (_key, value: JsonValue | bigint) => (typeof value === 'bigint' ? String(value) : value))
}
