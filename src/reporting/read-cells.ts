/** Reads what is compared: our sums from the intervals, Genesys' from its aggregates. */
import { sql, type Kysely } from 'kysely'
import { CELL_COLUMNS } from '../intervals/cells.ts'
import { queryAggregates, type AggregatesFilter } from '../genesys/conversation-aggregates.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { matches, type DetailsFilter } from '../genesys/details-query.ts'
import { type Row } from '../model/columns.ts'
import { type Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import {
  addFigure,
  askedMetrics,
  comparedFigures,
  comparedInterval,
  figureName,
  SERVICE_LEVEL_METRIC,
  type CellKey,
  type Cells,
  type Figure,
} from './compare-cells.ts'

/** A row of sums, as text, since they may be beyond what a double holds. */
type SumRow = { readonly interval_start: Date } & Readonly<
  Record<'queue_id' | 'media_type' | 'user_id', string | null>
> &
  Readonly<Record<string, unknown>>

/** The sums of our intervals that start in a range, by 30 minutes, queue and media type, and by user if asked. */
export async function readOurCells(db: Kysely<Database>, range: Interval, byUser: boolean): Promise<Cells> {
  const sums = sql.join(comparedFigures.map(({ column }) => sql`sum(${sql.ref(column)})::text as ${sql.ref(column)}`))
  const user = byUser ? sql`user_id` : sql`null::text`
  const { rows } = await sql<SumRow>`
    select date_bin('30 minutes', interval_start, '2000-01-01Z') as interval_start, queue_id, media_type, ${user} as user_id, ${sums}
    from etl.interval_cells
    where interval_start >= ${range.start} and interval_start < ${range.end}
      ${byUser ? sql`and user_id is not null` : sql``}
    group by 1, 2, 3, 4`.execute(db)
  return cellsOfRows(rows)
}

/** What the stored cells of conversations add to the intervals that start in a range, by conversation. */
export async function readStoredCells(
  db: Kysely<Database>,
  conversationIds: readonly string[],
  range: Interval,
  byUser: boolean,
): Promise<Map<string, Cells>> {
  const columns = sql.join(comparedFigures.map(({ column }) => sql`${sql.ref(column)}::text`))
  const { rows } = await sql<SumRow & { readonly conversation_id: string }>`
    select conversation_id, interval_start, queue_id, media_type, user_id, ${columns} from etl.interval_cells
    where conversation_id = any(${conversationIds}::text[])
      and interval_start >= ${range.start} and interval_start < ${range.end}`.execute(db)
  const byConversation = new Map<string, Cells>(conversationIds.map((id) => [id, new Map()]))
  for (const [id, its] of Map.groupBy(rows, (row) => row.conversation_id))
    byConversation.set(id, cellsOfRows(byUser ? its.filter((row) => row.user_id !== null) : its, byUser))
  return byConversation
}

function cellsOfRows(rows: readonly SumRow[], byUser = true): Cells {
  const cells: Cells = new Map()
  for (const row of rows) {
    const key = keyOfRow(row, byUser)
    for (const figure of comparedFigures)
      addFigure(cells, key, figureName(figure), BigInt((row[figure.column] as string | null) ?? 0))
  }
  return cells
}

function keyOfRow(row: SumRow, byUser: boolean): CellKey {
  return {
    intervalStart: comparedInterval(row.interval_start),
    queueId: row.queue_id,
    mediaType: row.media_type,
    userId: byUser ? row.user_id : null,
  }
}

const SLOT = Object.fromEntries(CELL_COLUMNS.map((name, slot) => [name, slot]))

/** The same of rows as cellsOf derives them, as far as they are in a range. Pure. */
export function cellsOfDerived(derived: readonly Row[], range: Interval, byUser: boolean): Cells {
  const cells: Cells = new Map()
  const text = (row: Row, column: string): string | null => row[SLOT[column]!] as string | null
  for (const row of derived) {
    const start = new Date(text(row, 'interval_start') ?? Number.NaN)
    if (!(start >= range.start && start < range.end)) continue
    const userId = byUser ? text(row, 'user_id') : null
    if (byUser && userId === null) continue
    const [queueId, mediaType] = [text(row, 'queue_id'), text(row, 'media_type')]
    const key: CellKey = { intervalStart: comparedInterval(start), queueId, mediaType, userId }
    for (const figure of comparedFigures) {
      const value = row[SLOT[figure.column]!] as number | bigint | null
      if (value !== null) addFigure(cells, key, figureName(figure), BigInt(value))
    }
  }
  return cells
}

/**
 * Genesys' sums of the same, with the numerator and denominator of its service level where users are not told apart. The media types and
 * the direction of the history's filter are asked for, so that what the history leaves out by them is no difference.
 * @throws GenesysError GENESYS_FORBIDDEN without the permission
 */
export async function readTheirCells(
  client: GenesysClient,
  range: Interval,
  filter: DetailsFilter,
  byUser: boolean,
  options: RequestOptions,
): Promise<Cells> {
  const values = await queryAggregates(
    client,
    {
      interval: range,
      granularity: 'PT30M',
      groupBy: byUser ? ['queueId', 'mediaType', 'userId'] : ['queueId', 'mediaType'],
      metrics: byUser ? askedMetrics.filter((metric) => metric !== SERVICE_LEVEL_METRIC) : askedMetrics,
      filter: filterOf(filter),
    },
    options,
  )
  const cells: Cells = new Map()
  for (const { group, interval, metric, stats } of values) {
    const { queueId = null, mediaType = null, userId = null } = group
    if (byUser && userId === null) continue
    const key: CellKey = { intervalStart: interval.start, queueId, mediaType, userId }
    for (const figure of figuresOf(metric)) addFigure(cells, key, figureName(figure), stats[figure.statistic] ?? 0n)
  }
  return cells
}

function figuresOf(metric: string): readonly Figure[] {
  if (metric !== SERVICE_LEVEL_METRIC) return comparedFigures.filter((figure) => figure.metric === metric)
  return [
    { metric, statistic: 'numerator' },
    { metric, statistic: 'denominator' },
  ]
}

function filterOf({ mediaTypes = [], direction }: DetailsFilter): AggregatesFilter | undefined {
  const isOfMediaType = mediaTypes.map((mediaType) => matches('mediaType', mediaType))
  const isOfDirection = direction === undefined ? [] : [matches('originatingDirection', direction)]
  if (isOfMediaType.length + isOfDirection.length === 0) return undefined
  if (isOfDirection.length === 0) return { type: 'or', predicates: isOfMediaType }
  if (isOfMediaType.length === 0) return { type: 'and', predicates: isOfDirection }
  return {
    type: 'and',
    clauses: [
      { type: 'or', predicates: isOfMediaType },
      { type: 'and', predicates: isOfDirection },
    ],
  }
}
