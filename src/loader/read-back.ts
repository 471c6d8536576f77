import type { Interval } from '../model/interval.ts'
import { sql, type Kysely, type RawBuilder } from 'kysely'
import { types } from 'pg'
import {
  dataColumnsOf,
  emptyRowSet,
  tables,
  type Column,
  type Row,
  type RowSet,
  type TableName,
  type Value,
} from '../model/columns.ts'
import { parseJson } from '../model/json.ts'
import { fromPostgres } from '../model/timestamps.ts'
import { parseBigint, parseBigintArray } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { monthBounds } from './partitions.ts'

/**
 * Reads the stored rows of conversations back as transform made them, by conversation id: what reassemble takes. Ids that
 * are not stored are absent.
 * @param range limits the search to rows that start in it, which spares reading every month
 */
export async function readBack(
  db: Kysely<Database>,
  conversationIds: readonly string[],
  range?: Interval,
): Promise<Map<string, RowSet>> {
  const byId = new Map<string, RowSet>()
  if (conversationIds.length === 0) return byId
  const bounds = range
    ? sql`and conversation_start >= ${range.start} and conversation_start < ${range.end}`
    : sql.raw('')
  for (const table of tables) {
    for (const row of await readTable(db, table, conversationIds, bounds)) {
      const id = row[0] as string
      let found = byId.get(id)
      if (found === undefined) byId.set(id, (found = emptyRowSet()))
      found[table].push(row)
    }
  }
  return byId
}

/** Tables, and of each the columns that a reader of its rows needs beside the conversation's id and start. */
export type ColumnChoice = Readonly<Partial<Record<TableName, readonly string[]>>>

/**
 * Reads the rows of many conversations of one UTC month back, in the order of their ids: of the chosen tables only, and in their rows only
 * the chosen columns; the other tables are empty, the other cells null.
 * @param month YYYY-MM; rows that start in other months are left out
 */
export async function readBackRows(
  db: Kysely<Database>,
  conversationIds: readonly string[],
  month: string,
  choice: ColumnChoice,
): Promise<RowSet> {
  const rows = emptyRowSet()
  const { from, to } = monthBounds(month)
  const bounds = sql`and conversation_start >= ${from} and conversation_start < ${to}`
  for (const table of tables) {
    const names = choice[table]
    if (names) rows[table] = await readTable(db, table, conversationIds, bounds, new Set([...KEYS, ...names]))
  }
  return rows
}

const KEYS = ['conversation_id', 'conversation_start']

async function readTable(
  db: Kysely<Database>,
  table: TableName,
  conversationIds: readonly string[],
  bounds: RawBuilder<unknown>,
  chosen?: ReadonlySet<string>,
): Promise<Row[]> {
  const columns = dataColumnsOf(table)
  const isRead = ({ name }: Column): boolean => chosen?.has(name) ?? true
  // as text, since the driver's own parsers would round times to milliseconds and numbers in jsonb to doubles
  const texts = sql.join(columns.filter(isRead).map(({ name }) => sql`${sql.ref(name)}::text`))
  const order = sql.raw(table === 'conversations' ? '' : ', _index')
  const { rows } = await sql<Record<string, string | null>>`
    select ${texts} from ${sql.table(`genesys.${table}`)}
    where conversation_id = any(${conversationIds}::text[]) ${bounds}
    order by genesys.${sql.ref(table)}.conversation_id, genesys.${sql.ref(table)}.conversation_start ${order}`.execute(
    db,
  )
  return rows.map((texts) => columns.map(({ name, type }) => decode(type, texts[name] ?? null)))
}

function decode(type: Column['type'], text: string | null): Value {
  return text === null ? null : DECODERS[type](text)
}

// the types know only the ids of scalars
const parserOf = types.getTypeParser as (oid: number) => (text: string) => unknown
const TEXT_ARRAY_OID = 1009
const parseTextArray = parserOf(TEXT_ARRAY_OID) as (text: string) => (string | null)[]

const DECODERS: Readonly<Record<Column['type'], (text: string) => Value>> = {
  text: (text) => text,
  timestamptz: fromPostgres,
  bigint: parseBigint,
  integer: Number,
  'double precision': Number,
  boolean: (text) => text === 'true',
  'text[]': parseTextArray,
  'bigint[]': parseBigintArray,
  jsonb: parseJson,
}
