import { readAggregatesQuery, tooManyCells, type AggregatesQuery } from './aggregates-query.ts'
import { valuesOf } from './aggregates-dimensions.ts'
import { metricRowsOf, type MetricRow } from './aggregates-rows.ts'
import { formatLocal } from './calendar.ts'
import type { ControlSettings } from './control-settings.ts'
import { parseExactly } from './exact-json.ts'
import { serviceLevelOf, SERVICE_LEVEL_BASIS } from './service-level.ts'
import type { ConversationStore, Stored } from './store.ts'
import type { Json } from './conversation-plan.ts'

/** Metrics that details do not have, with the one that they repeat: equal in count, sum, smallest and largest value. */
const ALIASES: Readonly<Record<string, string>> = { tWait: 'tAcd' }
/** No conversation emits metrics longer than this after it has ended or before it starts, unless its record is malformed. */
const SLACK_MS = 3_600_000
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown }

/** The values of each metric in one interval of one group. */
type Cell = Map<string, bigint[]>
interface Group {
  readonly group: Json
  /** By the index of the interval. */
  readonly cells: Map<number, Cell>
}

/**
 * Answers POST /api/v2/analytics/conversations/aggregates/query from the conversations as the API shows them now: a metric counts in
 * the interval in which it was emitted, whenever its conversation started.
 * @param visible the divisions of the client; undefined: all
 * @throws ApiError 400 for what the API would refuse, 413 where the answer would have more values than the limit
 */
export function queryAggregates(
  store: ConversationStore,
  raw: unknown,
  settings: Readonly<ControlSettings>,
  visible: ReadonlySet<string> | undefined,
): Json {
  const query = readAggregatesQuery(raw, settings)
  const names = new Set(query.metrics.flatMap((metric) => SERVICE_LEVEL_BASIS[metric] ?? ALIASES[metric] ?? metric))
  const groups = new Map<string, Group>()
  for (const conversation of conversationsWithin(store, query.bounds, visible))
    for (const row of metricRowsOf(conversation))
      if (names.has(row.name) && query.passes(row)) count(groups, row, query)
  let left = settings.aggregateCellLimit
  const results = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { group, cells }]) => {
      const data = [...cells]
        .toSorted(([a], [b]) => a - b)
        .flatMap(([index, cell]) => intervalOf(index, cell, group, query, settings))
      left -= data.reduce((total, { metrics }) => total + metrics.length, 0)
      if (left < 0) throw tooManyCells(settings.aggregateCellLimit)
      return { group, data }
    })
  return { results: results.filter(({ data }) => data.length > 0) }
}

/** The conversations that may have emitted something between the first and the last bound, exactly as they are shown. */
function* conversationsWithin(
  store: ConversationStore,
  bounds: readonly number[],
  visible: ReadonlySet<string> | undefined,
): Generator<Json> {
  const from = (bounds[0] ?? 0) - SLACK_MS
  const to = (bounds.at(-1) ?? 0) + SLACK_MS
  const { first, end } = store.days()
  for (let day = first; day < end; day++)
    for (const stored of store.day(day)) {
      const isPlain = stored.malformed === undefined && stored.origin !== undefined
      if (isPlain && stored.start > to) continue
      const shown = store.show(stored)
      if (!shown || (isPlain && shown.end < from) || isHidden(shown.divisionIds, visible)) continue
      yield parseExactly(shown.bytes.toString())
    }
}

function isHidden(divisionIds: NonNullable<Stored['shown']>['divisionIds'], visible?: ReadonlySet<string>): boolean {
  return visible !== undefined && !divisionIds.some((id) => visible.has(id))
}

function count(groups: Map<string, Group>, row: MetricRow, { bounds, groupBy, flatten }: AggregatesQuery): void {
  const index = indexOf(bounds, row.at / 1_000)
  if (index === undefined) return
  for (const group of groupsOf(row, groupBy, flatten)) {
    const key = JSON.stringify(group)
    const known = groups.get(key) ?? { group, cells: new Map<number, Cell>() }
    groups.set(key, known)
    const cell = known.cells.get(index) ?? new Map<string, bigint[]>()
    known.cells.set(index, cell)
    const values = cell.get(row.name)
    if (values) values.push(row.value)
    else cell.set(row.name, [row.value])
  }
}

/** Which interval an instant is in; undefined before the first and after the last. */
function indexOf(bounds: readonly number[], instant: number): number | undefined {
  let low = 0
  let high = bounds.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((bounds[middle] ?? 0) <= instant) low = middle + 1
    else high = middle
  }
  return low === 0 || low === bounds.length ? undefined : low - 1
}

/**
 * The groups that a metric counts in: without a key for a dimension that it has no value of, and one for each value where it has
 * several. Grouped by user, a metric of the queue counts nowhere: it is about no user.
 */
function groupsOf(row: MetricRow, groupBy: readonly string[], flatten: boolean): Json[] {
  let groups: Json[] = [{}]
  for (const name of groupBy) {
    const values = valuesOf(row, name)
    if (name === 'userId' && values.length === 0) return []
    const keys = flatten && values.length > 1 ? [values.join(',')] : values
    if (keys.length > 0) groups = groups.flatMap((group) => keys.map((value) => ({ ...group, [name]: value })))
  }
  return groups
}

function intervalOf(
  index: number,
  cell: Cell,
  group: Json,
  { bounds, timeZone, metrics, views, groupBy }: AggregatesQuery,
  settings: Readonly<ControlSettings>,
): { interval: string; metrics: Json[]; views?: Json[] }[] {
  const listed = metrics.toSorted().flatMap((metric): Json[] => {
    if (metric === 'oServiceLevel') {
      const stats = groupBy.includes('userId') ? undefined : serviceLevelOf(cell, group, settings)
      return stats ? [{ metric, stats }] : []
    }
    const values = cell.get(ALIASES[metric] ?? metric)
    return values ? [{ metric, stats: statsOf(metric, values) }] : []
  })
  if (listed.length === 0) return []
  const viewed = views.flatMap(({ name, target, gte, lt }): Json[] => {
    const values = (cell.get(ALIASES[target] ?? target) ?? []).filter((value) => value >= gte && value < lt)
    return values.length > 0 ? [{ name, stats: statsOf(target, values) }] : []
  })
  const [start = 0, end = 0] = bounds.slice(index, index + 2)
  const interval = `${formatLocal(start, timeZone)}/${formatLocal(end, timeZone)}`
  return [{ interval, metrics: listed, ...(viewed.length > 0 && { views: viewed }) }]
}

/** Of a count only its total; of anything else also the number of its values, the smallest and the largest. */
function statsOf(metric: string, values: readonly bigint[]): Json {
  const sum = exact(values.reduce((total, value) => total + value, 0n))
  if (metric.startsWith('n')) return { count: sum }
  const [first = 0n] = values
  const max = values.reduce((largest, value) => (value > largest ? value : largest), first)
  const min = values.reduce((smallest, value) => (value < smallest ? value : smallest), first)
  return { max: exact(max), min: exact(min), count: values.length, sum }
}

/** An integer for JSON, with all its digits. */
function exact(value: bigint): unknown {
  return Number.isSafeInteger(Number(value)) ? Number(value) : rawJSON(String(value))
}
