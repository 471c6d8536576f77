/** Reads what is compared: our sums from the intervals, Genesys' from its aggregates. */
import { sql, type Kysely } from 'kysely'
import { queryAggregates, type AggregatesFilter } from '../genesys/conversation-aggregates.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { matches, type DetailsFilter } from '../genesys/details-query.ts'
import { CELL_COLUMNS } from '../intervals/cells.ts'
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
  type Cells,
  type Figure,
} from './compare-cells.ts'

/** What is compared. */
export interface Scope {
  /** Intervals that start in it. */
  readonly range: Interval
  /** The sums by user as well as those by queue and media type. */
  readonly byUser: boolean
}

/** A row of sums, as text, since they may be beyond what a double holds. */
type SumRow = { readonly interval_start: Date } & Readonly<
  Record<'queue_id' | 'media_type' | 'user_id', string | null>
> &
  Readonly<Record<string, unknown>>

/** The sums of our intervals, by 30 minutes, queue and media type, and by user where asked. */
export async function readOurCells(db: Kysely<Database>, { range, byUser }: Scope): Promise<Cells> {
  const sums = sql.join(comparedFigures.map(({ column }) => sql`sum(${sql.ref(column)})::text as ${sql.ref(column)}`))
  const cells: Cells = new Map()
  for (const isOfUsers of byUser ? [false, true] : [false]) {
    const { rows } = await sql<SumRow>`
      select date_bin('30 minutes', interval_start, '2000-01-01Z') as interval_start, queue_id, media_type,
        ${isOfUsers ? sql`user_id` : sql`null::text as user_id`}, ${sums}
      from ${sql.table(isOfUsers ? 'reporting.agent_intervals' : 'reporting.queue_intervals')}
      where interval_start >= ${range.start} and interval_start < ${range.end}
      group by 1, 2, 3, 4`.execute(db)
    for (const row of rows) addRow(cells, row, isOfUsers)
  }
  return cells
}

/** What the stored cells of conversations add to them, by conversation. */
export async function readStoredCells(
  db: Kysely<Database>,
  conversationIds: readonly string[],
  { range, byUser }: Scope,
): Promise<Map<string, Cells>> {
  const columns = sql.join(comparedFigures.map(({ column }) => sql`${sql.ref(column)}::text`))
  const { rows } = await sql<SumRow & { readonly conversation_id: string }>`
    select conversation_id, interval_start, queue_id, media_type, user_id, ${columns} from etl.interval_cells
    where conversation_id = any(${conversationIds}::text[])
      and interval_start >= ${range.start} and interval_start < ${range.end}`.execute(db)
  const byConversation = new Map<string, Cells>(conversationIds.map((id) => [id, new Map()]))
  for (const row of rows) {
    const cells = byConversation.get(row.conversation_id)
    if (cells) addRowToAll(cells, row, byUser)
  }
  return byConversation
}

const KEY_COLUMNS = ['interval_start', 'queue_id', 'media_type', 'user_id'] as const
const slots = [...KEY_COLUMNS, ...comparedFigures.map(({ column }) => column)].map(
  (column) => [column, CELL_COLUMNS.indexOf(column)] as const,
)

/** What rows of cellsOf add to them. Pure. */
export function sumDerived(derived: readonly Row[], { range, byUser }: Scope): Cells {
  const cells: Cells = new Map()
  for (const row of derived) {
    const named = Object.fromEntries(slots.map(([column, slot]) => [column, row[slot]])) as unknown as SumRow
    const start = new Date(String(named.interval_start))
    if (start >= range.start && start < range.end) addRowToAll(cells, { ...named, interval_start: start }, byUser)
  }
  return cells
}

function addRowToAll(cells: Cells, row: SumRow, byUser: boolean): void {
  addRow(cells, row, false)
  if (byUser && row.user_id !== null) addRow(cells, row, true)
}

function addRow(cells: Cells, row: SumRow, isOfUser: boolean): void {
  const key = {
    intervalStart: comparedInterval(row.interval_start),
    queueId: row.queue_id,
    mediaType: row.media_type,
    userId: isOfUser ? row.user_id : null,
  }
  for (const figure of comparedFigures) {
    const value = row[figure.column] as string | number | bigint | null
    if (value !== null) addFigure(cells, key, figureName(figure), BigInt(value))
  }
}

/**
 * Genesys' sums of the same, with the numerator and denominator of its service level in the cells of all users. The media types and
 * the direction of the history's filter are asked for, so that what they leave out is no difference.
 * @throws GenesysError GENESYS_FORBIDDEN without the permission
 */
export async function readTheirCells(
  client: GenesysClient,
  { range, byUser }: Scope,
  filter: DetailsFilter,
  options: RequestOptions,
): Promise<Cells> {
  const cells: Cells = new Map()
  for (const isOfUsers of byUser ? [false, true] : [false]) {
    const values = await queryAggregates(
      client,
      {
        interval: range,
        granularity: 'PT30M',
        groupBy: isOfUsers ? ['queueId', 'mediaType', 'userId'] : ['queueId', 'mediaType'],
        metrics: isOfUsers ? askedMetrics.filter((metric) => metric !== SERVICE_LEVEL_METRIC) : askedMetrics,
        filter: filterOf(filter),
      },
      options,
    )
    for (const { group, interval, metric, stats } of values) {
      const { queueId = null, mediaType = null, userId = null } = group
      if (isOfUsers && userId === null) continue
      const key = { intervalStart: interval.start, queueId, mediaType, userId }
      for (const figure of figuresOf(metric)) addFigure(cells, key, figureName(figure), stats[figure.statistic] ?? 0n)
    }
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
