/** Cells as text: for COPY, and as literals that Postgres casts to the column's type. Pure. */
import { depthOf, type Column, type TableName, type Value } from './columns.ts'
import { MAX_DEPTH, storableJson, type JsonValue } from './json.ts'

/** A cell that is not null as text. */
export type Encode = (value: NonNullable<Value>) => string

/** One encoder per column of a table, by its type. */
export function encoders(table: TableName, columns: readonly Column[]): Encode[] {
  return columns.map(({ name, type }) => {
    const levels = levelsOf(table, name)
    return type === 'jsonb' ? (value) => escapeText(storableJson(value as JsonValue, levels)) : encoderOf(type)
  })
}

/** The encoder of a column of any type but jsonb. */
export function encoderOf(type: Exclude<Column['type'], 'jsonb'>): Encode {
  if (type === 'text') return (value) => escapeText(value as string)
  if (type === 'text[]') return (value) => escapeText(literals[type](value))
  return literals[type]
}

/** The nesting that a jsonb column may have: what remains of the conversation's limit, so that the same place in it is the limit. */
function levelsOf(table: TableName, column: string): number {
  return MAX_DEPTH - depthOf(table) - (column === '_extra' ? 0 : 1)
}

/** A cell as text that Postgres casts to the column's type. */
export function literalOf(table: TableName, { name, type }: Column, value: Value): string | null {
  if (value === null) return null
  return type === 'jsonb' ? storableJson(value as JsonValue, levelsOf(table, name)) : literals[type](value)
}

const literals: Readonly<Record<Exclude<Column['type'], 'jsonb'>, Encode>> = {
  text: (value) => value as string,
  timestamptz: (value) => value as string,
  bigint: String,
  integer: String,
  'double precision': String,
  boolean: (value) => (value === true ? 't' : 'f'),
  'text[]': (value) => `{${(value as readonly (string | null)[]).map(quoteElement).join(',')}}`,
  'bigint[]': (value) =>
    `{${(value as readonly (number | bigint | null)[]).map((element) => element ?? 'NULL').join(',')}}`,
}

const needsEscape = /[\\\n\r\t]/
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Escapes what COPY's text format requires. Most values have nothing to escape, and a test is much cheaper than a replacement. */
export function escapeText(text: string): string {
  return needsEscape.test(text) ? text.replace(/[\\\n\r\t]/g, (character) => escapes[character]!) : text
}

// the quotes distinguish the text NULL from null
function quoteElement(text: string | null): string {
  return text === null ? 'NULL' : `"${/["\\]/.test(text) ? text.replace(/["\\]/g, String.raw`\$&`) : text}"`
}
