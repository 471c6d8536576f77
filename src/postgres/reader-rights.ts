/**
 * The rights of readers that do not see personal data. Postgres has no default privileges for columns, so `migrate` brings the rights of
 * the roles in `etl.restricted_readers` to what the model says: every column of schema genesys that is not personal. Other roles are
 * left alone. Schema reporting masks personal columns by itself (etl.shows_personal).
 */
import { sql, type Kysely } from 'kysely'
import { escapeIdentifier } from 'pg'
import { columnsOf, tables } from '../model/columns.ts'
import { model } from '../model/model.ts'
import { referenceColumnsOf, referenceNames, referenceTable } from '../model/reference.ts'
import { liveDescriptions } from './comments.ts'
import { type Database } from './database.ts'
import { LockKey } from './lock-keys.ts'

/** The reader that deploy/roles.sql makes; older releases gave it every column. */
const STANDARD_READER = 'genesys_reader'

/** The columns of a table, by whether they hold personal data. */
interface TableColumns {
  readonly personal: readonly string[]
  readonly others: readonly string[]
}

/** Reports name agents, so their names are shown to every reader, also in genesys.dim_users. */
const SHOWN_TO_ALL = 'name'

/** Every table of schema genesys, by name. A table that is about nothing but personal data is personal as a whole, its keys included. */
function columnsByTable(): ReadonlyMap<string, TableColumns> {
  const split = (columns: readonly { readonly name: string; readonly personal: boolean }[]): TableColumns => ({
    personal: columns.filter(({ personal }) => personal).map(({ name }) => name),
    others: columns.filter(({ personal }) => !personal).map(({ name }) => name),
  })
  const history = tables.map((table): [string, TableColumns] => {
    const columns = columnsOf(table)
    const isAllPersonal = Object.values(model[table].fields).every((field) => 'personal' in field)
    return [`genesys.${table}`, split(isAllPersonal ? columns.map(({ name }) => ({ name, personal: true })) : columns)]
  })
  const reference = referenceNames.map((name): [string, TableColumns] => [
    referenceTable(name),
    split(
      referenceColumnsOf(name).map((column) => ({
        ...column,
        personal: column.personal && column.name !== SHOWN_TO_ALL,
      })),
    ),
  ])
  // ids, states and counts
  const live = Object.entries(liveDescriptions).map(([table, { columns }]): [string, TableColumns] => [
    `genesys.${table}`,
    { personal: [], others: Object.keys(columns) },
  ])
  return new Map([...history, ...reference, ...live])
}

/** What a role may select of a table, or of a partition, by grants of the table's owner to the role itself. */
interface HeldRight {
  readonly role: string
  readonly table: string
  readonly isPartition: boolean
  readonly isWhole: boolean
  readonly columns: readonly string[]
}

/**
 * Brings the rights of the restricted readers up to date; one role after the other, and one process at a time.
 * @returns what was changed, for people; nothing when all was right
 */
export async function updateReaderRights(db: Kysely<Database>): Promise<string[]> {
  return await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${LockKey.readerRights})`.execute(trx)
    const changed = new Map<string, number>()
    for (const held of await selectHeldRights(trx)) {
      const statements = rightsStatements(held)
      for (const statement of statements) await sql.raw(statement).execute(trx)
      if (statements.length > 0) changed.set(held.role, (changed.get(held.role) ?? 0) + 1)
    }
    return [...changed].map(
      ([role, count]) => `rights of ${role}: ${count} tables of schema genesys, without personal columns`,
    )
  })
}

/** The statements that give a role what it should have of a table, and nothing else. Pure. */
function rightsStatements({ role, table, isPartition, isWhole, columns }: HeldRight): string[] {
  const { personal, others } = columnsByTable().get(table) ?? { personal: [], others: [] }
  const shouldBeWhole = !isPartition && personal.length === 0 && others.length > 0
  const wanted = isPartition || shouldBeWhole ? [] : others
  const isRight = isWhole === shouldBeWhole && (shouldBeWhole || isSameSet(columns, wanted))
  if (isRight) return []
  const name = escapeIdentifier(role)
  const isHolding = isWhole || columns.length > 0
  return [
    // of the table, and with it of each of its columns
    ...(isHolding ? [`revoke select on ${table} from ${name}`] : []),
    ...(shouldBeWhole ? [`grant select on ${table} to ${name}`] : []),
    ...(wanted.length > 0 ? [`grant select (${wanted.map(escapeIdentifier).join(', ')}) on ${table} to ${name}`] : []),
  ]
}

function isSameSet(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((each) => others.includes(each))
}

/** Of each registered role that exists: its rights on our tables, and those that it has on partitions. */
async function selectHeldRights(db: Kysely<Database>): Promise<HeldRight[]> {
  const { rows } = await sql<HeldRight>`
    with relations as (
      select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relispartition, c.relacl, c.relowner
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'genesys' and c.relkind in ('r', 'p'))
    select r.rolname::text as role, t.name as table, t.relispartition as "isPartition", h."isWhole", h.columns
    from etl.restricted_readers e join pg_roles r on r.rolname = e.role_name
    cross join relations t
    cross join lateral (
      select
        exists (select from aclexplode(t.relacl) g
          where g.grantee = r.oid and g.grantor = t.relowner and g.privilege_type = 'SELECT') as "isWhole",
        array(select a.attname::text from pg_attribute a cross join aclexplode(a.attacl) g
          where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
            and g.grantee = r.oid and g.grantor = t.relowner and g.privilege_type = 'SELECT') as columns) h
    where case when t.relispartition then h."isWhole" or h.columns <> '{}' else t.name = any(${[...columnsByTable().keys()]}::text[]) end
    order by r.rolname, t.name`.execute(db)
  return rows
}

/** A role and the tables whose personal columns it can read. */
export interface ExposedReader {
  readonly role: string
  /** Whether it is registered as one that should not. */
  readonly isRestricted: boolean
  readonly tables: readonly string[]
}

/**
 * The readers that see personal columns although they should not, in whatever way: the registered ones, and the standard reader of an older
 * release unless it has been made a personal reader.
 */
export async function selectExposedReaders(db: Kysely<Database>): Promise<ExposedReader[]> {
  const personal = [...columnsByTable()].flatMap(([table, columns]) =>
    columns.personal.map((column) => ({ table, column })),
  )
  const { rows } = await sql<ExposedReader>`
    with readers as (
      select r.oid, r.rolname::text as role, e.role_name is not null as "isRestricted"
      from pg_roles r left join etl.restricted_readers e on e.role_name = r.rolname
      where e.role_name is not null or r.rolname = ${STANDARD_READER}
        and not exists (select from pg_roles p where p.rolname = 'genesys_personal_reader' and pg_has_role(r.oid, p.oid, 'usage'))),
    relations as (
      select to_regclass(p.table) as root, p.table, p.column
      from unnest(${personal.map(({ table }) => table)}::text[], ${personal.map(({ column }) => column)}::text[]) p("table", "column")),
    columns as (
      select a.attrelid, a.attnum, r.table
      from relations r
      join (select inhrelid as oid, inhparent as root from pg_inherits union all select c.oid, c.oid from pg_class c where c.relnamespace = 'genesys'::regnamespace) t on t.root = r.root
      join pg_attribute a on a.attrelid = t.oid and a.attname = r.column and not a.attisdropped)
    select role, "isRestricted", array_agg(distinct c.table order by c.table) as tables
    from readers cross join columns c
    where has_schema_privilege(readers.oid, 'genesys', 'usage') and has_column_privilege(readers.oid, c.attrelid, c.attnum, 'select')
    group by role, "isRestricted" order by role`.execute(db)
  return rows
}
