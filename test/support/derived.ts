/** Compares what is derived and stored with what it has to be: derived again from the stored rows, and cells computed by SQL from the tables. */
import { sql } from 'kysely'
import { types } from 'pg'
import { expect } from 'vitest'
import { derive, derivedColumns, derivedTables, type DerivedTable } from '../../src/facts/derived.ts'
import { CELL_COLUMNS } from '../../src/intervals/cells.ts'
import { measures } from '../../src/intervals/measures.ts'
import { emptyRowSet, tables, type Value } from '../../src/model/columns.ts'
import { fromPostgres } from '../../src/model/timestamps.ts'
import { parseBigint, type Warehouse } from '../../src/postgres/connect.ts'
import { readBack } from '../../src/loader/read-back.ts'

/** With their schema. */
export const DERIVED_TABLES: readonly string[] = derivedTables.map((table) => `etl.${table}`)

/** All stored rows of a table as they are derived, in the order of their keys. */
export async function selectDerived(warehouse: Warehouse, table: DerivedTable): Promise<Value[][]> {
  const columns = derivedColumns[table]
  const keys = columns.slice(0, 3).filter(({ name }) => /^(?:conversation_(?:id|start)|_.*index)$/.test(name))
  const { rows } = await sql<Record<string, string | null>>`
    select ${sql.join(columns.map(({ name }) => sql`${sql.ref(name)}::text`))} from ${sql.table(`etl.${table}`)} x
    order by ${sql.join(keys.map(({ name, type }) => (type === 'text' ? sql`x.${sql.ref(name)} collate "C"` : sql`x.${sql.ref(name)}`)))}`.execute(
    warehouse.db,
  )
  return rows.map((row) => columns.map(({ name, type }) => decode(type, row[name] ?? null)))
}

/** All stored cells as cellsOf makes them, in the order of their keys. */
export async function selectCells(warehouse: Warehouse): Promise<Value[][]> {
  return await selectDerived(warehouse, 'interval_cells')
}

/**
 * Requires that the stored cells and facts are those that follow from the stored rows, and that etl.conversations knows it. What Genesys has
 * no more has none.
 */
export async function expectDerived(warehouse: Warehouse): Promise<void> {
  const { rows: stored } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations where _missing_since is null order by conversation_id collate "C"`.execute(
    warehouse.db,
  )
  const read = await readBack(
    warehouse.db,
    stored.map(({ id }) => id),
  )
  const all = emptyRowSet()
  for (const { id } of stored) for (const table of tables) all[table].push(...read.get(id)![table])
  const expected = derive(all)
  for (const table of derivedTables) expect(await selectDerived(warehouse, table), table).toEqual(expected[table])
  const { rows: stale } = await sql`
    select conversation_id from etl.conversations where derived_hash is distinct from content_hash`.execute(
    warehouse.db,
  )
  expect(stale).toEqual([])
}

type DerivedType = (typeof derivedColumns)[DerivedTable][number]['type']

const parseArray = (types.getTypeParser as (oid: number) => (text: string) => unknown)(1009)

function decode(type: DerivedType, text: string | null): Value {
  if (text === null) return null
  if (type === 'timestamptz') return fromPostgres(text)
  if (type === 'text') return text
  if (type === 'boolean') return text === 'true'
  if (type === 'text[]') return parseArray(text) as string[]
  return parseBigint(text)
}

const ofSession = (alias: string): string =>
  `${alias}.conversation_id = m.conversation_id and ${alias}.conversation_start = m.conversation_start`

/** The columns of the oracle's result, without the `_index` of cells. */
const COMPARED = CELL_COLUMNS.filter((name) => name !== '_index')

function aggregated(): string {
  const expressions = {
    total: (rows: string) =>
      `nullif(least(greatest(coalesce(sum(value) ${rows}, 0), -9223372036854775808), 9223372036854775807), 0)`,
    events: (rows: string) => `nullif(count(*) ${rows}, 0)`,
    max: (rows: string) => `max(value) ${rows}`,
  }
  return measures
    .map(
      ({ column, metric, aggregate }) => `${expressions[aggregate](`filter (where name = '${metric}')`)} as ${column}`,
    )
    .join(', ')
}

/**
 * The cells by SQL over the tables: a metric's queue is the first of its session's segments when those that have begun come first, the
 * latest of them first, and then the others, the earliest first.
 */
const ORACLE = `
  with events as (
    select m.conversation_id, m.conversation_start, m.name, m.value,
      date_trunc('hour', m.emit_date, 'UTC') + floor(extract(minute from m.emit_date at time zone 'UTC') / 15) * interval '15 minutes'
        as interval_start,
      (select g.queue_id from genesys.segments g
        where ${ofSession('g')} and g._session_index = m._session_index and g.queue_id is not null
        order by coalesce(g.segment_start, '-infinity') <= m.emit_date desc,
          case when coalesce(g.segment_start, '-infinity') <= m.emit_date then coalesce(g.segment_start, '-infinity') end desc,
          case when coalesce(g.segment_start, '-infinity') <= m.emit_date then g._index end desc,
          g.segment_start, g._index
        limit 1) as queue_id,
      p.user_id, s.media_type, s.direction, c.originating_direction
    from genesys.session_metrics m
    join genesys.conversations c on ${ofSession('c')}
    join genesys.sessions s on ${ofSession('s')} and s._index = m._session_index
    left join genesys.participants p on ${ofSession('p')} and p._index = s._participant_index
    where m.value is not null and m.emit_date is not null and c._missing_since is null
  ), cells as (
    select conversation_id, conversation_start, interval_start, queue_id, user_id, media_type, direction, originating_direction,
      ${aggregated()}
    from events group by 1, 2, 3, 4, 5, 6, 7, 8
  )
  select ${COMPARED.join(', ')} from cells where num_nonnulls(${measures.map(({ column }) => column).join(', ')}) > 0`

/** The ids of conversations whose stored cells are not what SQL computes from the tables. */
export async function selectWrongCells(warehouse: Warehouse): Promise<string[]> {
  const { rows } = await sql
    .raw<{ id: string }>(
      `with expected as (${ORACLE}), stored as (select ${COMPARED.join(', ')} from etl.interval_cells)
       select distinct conversation_id as id from (
         (table expected except all table stored) union all (table stored except all table expected)) different order by 1`,
    )
    .execute(warehouse.db)
  return rows.map(({ id }) => id)
}
