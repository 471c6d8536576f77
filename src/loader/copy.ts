import { encoders, escapeText, type Encode } from '../model/copy-text.ts'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ClientBase } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { dataColumnsOf, type Row, type TableName } from '../model/columns.ts'

/** Characters sent at once: large enough for few writes, small enough to keep memory flat. */
const CHUNK_LENGTH = 64 * 1024

/** Where rows are copied to. */
export interface CopyTarget {
  /** With its schema. */
  readonly table: string
  /** The names that a row is aligned with; the first is never null. */
  readonly columns: readonly string[]
  /** By column. */
  readonly encode: readonly Encode[]
}

/**
 * Copies rows into a table of schema genesys inside the client's transaction. `constants`: further columns that have the
 * same value in every row. Returns the number of rows that Postgres stored.
 */
export async function copyRows(
  client: ClientBase,
  table: TableName,
  rows: readonly Row[],
  constants: Readonly<Record<string, string | number | null>> = {},
): Promise<number> {
  if (rows.length === 0) return 0
  const columns = dataColumnsOf(table)
  const names = columns.map(({ name }) => name)
  return await copyInto(
    client,
    { table: `genesys.${table}`, columns: names, encode: encoders(table, columns) },
    rows,
    constants,
  )
}

/** Copies rows into any table, otherwise as copyRows. */
export async function copyInto(
  client: ClientBase,
  { table, columns, encode }: CopyTarget,
  rows: readonly Row[],
  constants: Readonly<Record<string, string | number | null>> = {},
): Promise<number> {
  if (rows.length === 0) return 0
  const names = [...columns, ...Object.keys(constants)]
  const stream = client.query(copyFrom(`copy ${table} (${names.join(', ')}) from stdin`))
  const tail = Object.values(constants)
    .map((value) => `\t${value === null ? '\\N' : escapeText(String(value))}`)
    .join('')
  await pipeline(Readable.from(chunks(rows, encode, `${tail}\n`)), stream)
  return stream.rowCount
}

/** By the number of nulls in a row: their text. More than half of all cells are null, which saves a quarter of encoding. */
const NULL_CELLS: string[] = []
/** The same, and the tab before the cell that follows. */
const BEFORE_CELL: string[] = []

/** Completes both for rows of that many columns. */
function prepareNulls(width: number): void {
  for (let count = NULL_CELLS.length; count < width; count++) {
    const nulls = '\t\\N'.repeat(count)
    NULL_CELLS.push(nulls)
    BEFORE_CELL.push(`${nulls}\t`)
  }
}

/** Rows in COPY's text format, in pieces of about 64 kB. */
function* chunks(rows: readonly Row[], encode: readonly Encode[], lineEnd: string): Generator<Buffer> {
  const width = encode.length
  prepareNulls(width)
  let text = ''
  for (const row of rows) {
    // the first column is never null
    text += encode[0]!(row[0]!)
    let nulls = 0
    for (let column = 1; column < width; column++) {
      const value = row[column]
      if (value === null || value === undefined) {
        nulls++
      } else {
        text += BEFORE_CELL[nulls]! + encode[column]!(value)
        nulls = 0
      }
    }
    text += NULL_CELLS[nulls]! + lineEnd
    if (text.length >= CHUNK_LENGTH) {
      yield Buffer.from(text)
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text)
}
