/** Compares what views show with the rows of the oracle, column by column. */
import { sql } from 'kysely'
import type { Warehouse } from '../../../src/postgres/connect.ts'
import { parseTruth, type Range } from '../../support/truth.ts'
import { views, type AttributesOf } from './expected.ts'
import type { Row } from './facts.ts'
import type { Names } from './names.ts'
import { instant, whole, type Conversation } from './read-json.ts'

/** What differs, as `view conversation key column: expected, found`; and how many rows of each view were compared. */
export interface Comparison {
  readonly differences: readonly string[]
  readonly rows: Readonly<Record<string, number>>
}

/** Compares the rows of conversations that began in a range. */
export async function compareViews(
  warehouse: Warehouse,
  range: Range,
  conversations: readonly Conversation[],
  names: Names,
  attributesOf: AttributesOf = () => [],
): Promise<Comparison> {
  const differences: string[] = []
  const counts: Record<string, number> = {}
  for (const [view, { key, unchecked = [], rows }] of Object.entries(views)) {
    const expected = conversations.flatMap((c) =>
      rows(c, names, attributesOf).map((row) => ({ ...row, conversation_id: c.id, conversation_start: c.start })),
    )
    const found = await selectRows(warehouse, view, range)
    counts[view] = found.length
    const label = (row: Row) =>
      [view, row['conversation_id'], ...key.map((column) => show(asOracleHas(row[column], 0n)))].join(' ')
    const groups = Map.groupBy(expected, label)
    for (const actual of found) {
      const name = label(actual)
      const wanted = groups.get(name)?.shift()
      if (wanted) differences.push(...differing(name, wanted, actual, unchecked))
      else differences.push(`${name}: too many`)
    }
    for (const [name, left] of groups) if (left.length > 0) differences.push(`${name}: missing`)
  }
  return { differences, rows: counts }
}

async function selectRows(warehouse: Warehouse, view: string, range: Range): Promise<Row[]> {
  const { rows } = await sql<{ row: string }>`
    select to_json(v)::text as row from ${sql.table(`reporting.${view}`)} v
    where v.conversation_start >= ${range.start} and v.conversation_start < ${range.end}`.execute(warehouse.db)
  return rows.map(({ row }) => parseTruth(row))
}

/** A value of a view's JSON in the kind that the oracle has: instants as numbers, and whole numbers as bigint where one is expected. */
function asOracleHas(found: unknown, expected: unknown): unknown {
  if (typeof found === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/.test(found)) return instant(found)
  return typeof expected === 'bigint' ? (whole(found) ?? found) : found
}

function differing(name: string, expected: Row, actual: Row, ignored: readonly string[]): string[] {
  const columns = new Set([...Object.keys(expected), ...Object.keys(actual)])
  return [...columns].flatMap((column) => {
    if (column === 'updated_at') return actual[column] === null ? [`${name} ${column}: is null`] : []
    if (ignored.includes(column)) return []
    if (!Object.hasOwn(actual, column)) return [`${name} ${column}: no such column`]
    if (!Object.hasOwn(expected, column)) return [`${name} ${column}: not known to the oracle`]
    const [wanted, found] = [expected[column], asOracleHas(actual[column], expected[column])]
    return isSame(wanted, found) ? [] : [`${name} ${column}: ${show(wanted)}, found ${show(found)}`]
  })
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, at) => isSame(each, b[at]))
  // none and an empty list are the same to whoever counts
  if (Array.isArray(a) && b === null) return a.length === 0
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= Math.abs(a) * 1e-12
  return a === b
}

function show(value: unknown): string {
  return typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'undefined')
}
