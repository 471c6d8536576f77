import { sql, type Kysely } from 'kysely'
import { columnsOf, tables } from '../model/columns.ts'
import { referenceColumnsOf, referenceNames, referenceTable } from '../model/reference.ts'
import { etlDescriptions, liveDescriptions, reportingDescriptions } from './comments.ts'
import { type Database } from './database.ts'

/** A table or column that this version needs and the database lacks. */
export interface MissingColumn {
  /** With its schema. */
  readonly table: string
  /** null: the whole table is missing. */
  readonly column: string | null
  /** The statement that adds the column again; null where this version does not know its type. */
  readonly statement: string | null
}

interface Expected {
  readonly table: string
  readonly column: string
  readonly type: string | null
}

/** Tables and columns that somebody has dropped or renamed. To be called when no migration is pending. */
export async function selectMissingColumns(db: Kysely<Database>): Promise<MissingColumn[]> {
  const expected = expectedColumns()
  const tableNames = [...new Set(expected.map(({ table }) => table))]
  // by name, since a scan of the catalogs grows with every partition; OFFSET 0 keeps the planner from a join that scans
  const { rows } = await sql<{ table: string; column: string }>`
    select t.name as table, a.name as column
    from unnest(${tableNames}::text[]) as t (name)
    cross join lateral (
      select attname as name from pg_attribute
      where attrelid = to_regclass(t.name) and attnum > 0 and not attisdropped offset 0) as a`.execute(db)
  const present = new Set(rows.map(({ table, column }) => `${table}.${column}`))
  const presentTables = new Set(rows.map(({ table }) => table))
  const missing: MissingColumn[] = []
  for (const { table, column, type } of expected) {
    if (present.has(`${table}.${column}`)) continue
    if (presentTables.has(table)) {
      missing.push({ table, column, statement: type && `alter table ${table} add column ${column} ${type};` })
    } else if (missing.at(-1)?.table !== table) {
      missing.push({ table, column: null, statement: null })
    }
  }
  return missing
}

/** As half a sentence: `the column genesys.segments.wrap_up_code`. */
export function nameMissing({ table, column }: MissingColumn): string {
  return column === null ? `the table ${table}` : `the column ${table}.${column}`
}

/** What to do about columns that were dropped or renamed. */
export function adviseMissing(missing: readonly MissingColumn[]): string {
  const statements = missing.flatMap(({ statement }) => statement ?? [])
  const addition =
    statements.length > 0
      ? ` Or add the columns again, empty: ${statements.join(' ')} Then load their history again (backfill --reload).`
      : ''
  return `If they were renamed, rename them back; if they were dropped, restore them from a backup.${addition}`
}

function expectedColumns(): Expected[] {
  const described = { genesys: liveDescriptions, reporting: reportingDescriptions, etl: etlDescriptions }
  return [
    ...tables.flatMap((table) =>
      columnsOf(table).map(({ name, type }) => ({ table: `genesys.${table}`, column: name, type })),
    ),
    ...referenceNames.flatMap((name) =>
      referenceColumnsOf(name).map((column) => ({ table: referenceTable(name), column: column.name, type: null })),
    ),
    ...Object.entries(described).flatMap(([schema, descriptions]) =>
      Object.entries(descriptions).flatMap(([table, { columns }]) =>
        Object.keys(columns).map((column) => ({ table: `${schema}.${table}`, column, type: null })),
      ),
    ),
  ]
}
