import type { Interval } from '../model/interval.ts'
import { sql, type Kysely } from 'kysely'
import { types } from 'pg'
import { dataColumnsOf, emptyRowSet, tables, type Column, type RowSet, type Value } from '../model/columns.ts'
import { parseJson } from '../model/json.ts'
import { fromPostgres } from '../model/timestamps.ts'
import { parseBigint, parseBigintArray } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'

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
    const columns = dataColumnsOf(table)
    // as text, since the driver's own parsers would round times to milliseconds and numbers in jsonb to doubles
    const texts = sql.join(columns.map(({ name }) => sql`${sql.ref(name)}::text`))
    const order = sql.raw(table === 'conversations' ? '' : ', _index')
    const { rows } = await sql<Record<string, string | null>>`
      select ${texts} from ${sql.table(`genesys.${table}`)}
      where conversation_id = any(${conversationIds}::text[]) ${bounds}
      order by genesys.${sql.ref(table)}.conversation_id, genesys.${sql.ref(table)}.conversation_start ${order}`.execute(
      db,
    )
    for (const texts of rows) {
      const row = columns.map(({ name, type }) => decode(type, texts[name] ?? null))
      const id = row[0] as string
      let found = byId.get(id)
      if (found === undefined) byId.set(id, (found = emptyRowSet()))
      found[table].push(row)
    }
  }
  return byId
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
