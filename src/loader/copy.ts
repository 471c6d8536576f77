import { encoders, escapeText, type Encode } from '../model/copy-text.ts'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ClientBase } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { dataColumnsOf, tables, type Row, type TableName } from '../model/columns.ts'

/** Characters sent at once: large enough for few writes, small enough to keep memory flat. */
const CHUNK_LENGTH = 64 * 1024

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
  const names = [...columns.map(({ name }) => name), ...Object.keys(constants)]
  const stream = client.query(copyFrom(`copy genesys.${table} (${names.join(', ')}) from stdin`))
  const tail = Object.values(constants)
    .map((value) => `\t${value === null ? '\\N' : escapeText(String(value))}`)
    .join('')
  await pipeline(Readable.from(chunks(rows, encoders(table, columns), `${tail}\n`)), stream)
  return stream.rowCount
}

/** By the number of nulls in a row: their text. More than half of all cells are null, which saves a quarter of encoding. */
const MOST_COLUMNS = Math.max(...tables.map((table) => dataColumnsOf(table).length))
const NULL_CELLS = Array.from({ length: MOST_COLUMNS }, (_, count) => '\t\\N'.repeat(count))
/** The same, and the tab before the cell that follows. */
const BEFORE_CELL = NULL_CELLS.map((nulls) => `${nulls}\t`)

/** Rows in COPY's text format, in pieces of about 64 kB. */
function* chunks(rows: readonly Row[], encode: readonly Encode[], lineEnd: string): Generator<Buffer> {
  const width = encode.length
  let text = ''
  for (const row of rows) {
    // the first column is the conversation's id, which is never null
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
