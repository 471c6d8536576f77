/** Compares the stored cells with what they have to be: derived again from the stored rows, and computed by SQL from the tables. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { CELL_COLUMNS, cellColumns, cellsOf } from '../../src/intervals/cells.ts'
import { measures } from '../../src/intervals/measures.ts'
import type { Value } from '../../src/model/columns.ts'
import { fromPostgres } from '../../src/model/timestamps.ts'
import { parseBigint, type Warehouse } from '../../src/postgres/connect.ts'
import { readBack } from '../../src/loader/read-back.ts'

/** All stored cells as cellsOf makes them, in the order of their keys. */
export async function selectCells(warehouse: Warehouse): Promise<Value[][]> {
  const { rows } = await sql<Record<string, string | null>>`
    select ${sql.join(CELL_COLUMNS.map((name) => sql`${sql.ref(name)}::text`))} from etl.interval_cells c
    order by c.conversation_id collate "C", c.conversation_start, c._index`.execute(warehouse.db)
  return rows.map((row) => cellColumns.map(({ name, type }) => decode(type, row[name] ?? null)))
}

function decode(type: (typeof cellColumns)[number]['type'], text: string | null): Value {
  if (text === null) return null
  return type === 'timestamptz' ? fromPostgres(text) : type === 'text' ? text : parseBigint(text)
}

/**
 * Requires that the stored cells are those that follow from the stored rows, and that etl.conversations knows it. What Genesys has no more
 * has none.
 */
export async function expectCellsDerived(warehouse: Warehouse): Promise<void> {
  const { rows: stored } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations where _missing_since is null order by conversation_id collate "C"`.execute(
    warehouse.db,
  )
  const read = await readBack(
    warehouse.db,
    stored.map(({ id }) => id),
  )
  const expected = stored.flatMap(({ id }) => cellsOf(read.get(id)!))
  expect(await selectCells(warehouse)).toEqual(expected)
  const { rows: stale } = await sql`
    select conversation_id from etl.conversations where derived_hash is distinct from content_hash`.execute(
    warehouse.db,
  )
  expect(stale).toEqual([])
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
