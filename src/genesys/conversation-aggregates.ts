/**
 * Genesys' own sums of its metrics: by interval, queue, media type or any other of its dimensions. A metric counts in the interval in
 * which it was emitted.
 */
import { isJsonObject, isRawNumber, objects, type JsonObject, type JsonValue } from '../model/json.ts'
import { type Interval } from '../model/interval.ts'
import { fieldsOf, refusalWithoutList } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { intervalText, type Predicate } from './details-query.ts'
import { GenesysError, isTooLarge } from './errors.ts'

/** Without it every aggregates query is refused with 403. */
export const AGGREGATES_PERMISSION = 'analytics:conversationAggregate:view'

/** Path of the aggregates query. */
export const AGGREGATES_PATH = '/api/v2/analytics/conversations/aggregates/query'

/** What to sum up. */
export interface AggregatesQuery {
  readonly interval: Interval
  /** ISO duration, e.g. `PT30M`; absent: one value for the whole interval. */
  readonly granularity?: string | undefined
  /** Zone of granularities of a day and more; absent: UTC. */
  readonly timeZone?: string | undefined
  /** Dimensions, e.g. `queueId`, `mediaType`, `userId`. */
  readonly groupBy: readonly string[]
  readonly metrics: readonly string[]
  readonly filter?: AggregatesFilter | undefined
}

/** Which metrics count: those that meet all (or any) of the predicates and clauses. */
export interface AggregatesFilter {
  readonly type: 'and' | 'or'
  readonly predicates?: readonly Predicate[]
  readonly clauses?: readonly Pick<AggregatesFilter, 'type' | 'predicates'>[]
}

/** The figures of one metric; those that the answer does not have are null. */
interface AggregateStats {
  /** Rows of a `t` metric; of an `n` metric the sum of its values. */
  readonly count: bigint | null
  /** Of a `t` metric, in milliseconds. */
  readonly sum: bigint | null
  readonly min: bigint | null
  readonly max: bigint | null
  /** Of oServiceLevel. */
  readonly numerator: bigint | null
  readonly denominator: bigint | null
}

/** The value of one metric of one group in one interval. */
export interface AggregateValue {
  /** The value of each dimension of `groupBy`; null: the metric has none, e.g. no queue. */
  readonly group: Readonly<Record<string, string | null>>
  readonly interval: Interval
  readonly metric: string
  readonly stats: AggregateStats
}

/**
 * The values of a query; groups, intervals and metrics without a value are absent. A query that the API refuses as too large (400 or
 * 413) is asked in parts: halves of its time down to one granule, then of its metrics. What no smaller query helps ends it after about
 * ten requests. Needs AGGREGATES_PERMISSION.
 * @throws GenesysError
 */
export async function queryAggregates(
  client: GenesysClient,
  query: AggregatesQuery,
  options: RequestOptions,
): Promise<AggregateValue[]> {
  try {
    return await ask(client, query, options)
  } catch (error) {
    const parts = isRefusedAsTooLarge(error) ? splitQuery(query) : null
    if (parts === null) throw error
    const values: AggregateValue[] = []
    // One after the other: where the cause is another one than size, the first part of the first part ends it.
    for (const part of parts) for (const value of await queryAggregates(client, part, options)) values.push(value)
    return values
  }
}

/** The wording of such a 400 is not documented, so every 400 counts. */
function isRefusedAsTooLarge(error: unknown): boolean {
  return isTooLarge(error) || (error instanceof GenesysError && (error.status === 400 || error.status === 413))
}

/** Two smaller queries that together have the values of this one; null: it cannot be made smaller. */
function splitQuery(query: AggregatesQuery): AggregatesQuery[] | null {
  const { interval, metrics } = query
  const granuleMs = granularityMs(query.granularity)
  const granules = granuleMs === null ? 1 : Math.ceil((+interval.end - +interval.start) / granuleMs)
  if (granuleMs !== null && granules > 1) {
    const middle = new Date(+interval.start + Math.ceil(granules / 2) * granuleMs)
    return [
      { ...query, interval: { start: interval.start, end: middle } },
      { ...query, interval: { start: middle, end: interval.end } },
    ]
  }
  if (metrics.length < 2) return null
  const half = Math.ceil(metrics.length / 2)
  return [
    { ...query, metrics: metrics.slice(0, half) },
    { ...query, metrics: metrics.slice(half) },
  ]
}

/** Milliseconds of `PT30M` or `PT1H`; null for a calendar unit, whose length is not fixed, and for none. */
function granularityMs(granularity: string | undefined): number | null {
  const parts = /^PT(\d+)([MH])$/.exec(granularity ?? '')
  if (parts === null) return null
  return Number(parts[1]) * (parts[2] === 'H' ? 3_600_000 : 60_000) || null
}

async function ask(client: GenesysClient, query: AggregatesQuery, options: RequestOptions): Promise<AggregateValue[]> {
  const { interval, granularity, timeZone, groupBy, metrics, filter } = query
  const { data } = await client.request<JsonObject>({
    method: 'POST',
    path: AGGREGATES_PATH,
    body: {
      interval: intervalText(interval),
      ...(granularity !== undefined && { granularity }),
      ...(timeZone !== undefined && { timeZone }),
      ...(groupBy.length > 0 && { groupBy }),
      ...(filter !== undefined && { filter }),
      metrics,
    },
    endpoint: 'conversation-aggregates',
    refuse: (answer) => refusalOf(answer, query),
    ...options,
  })
  return valuesOf(data, query)
}

/** Why a body is not the answer to a query; null when it is one. */
function refusalOf(data: unknown, query: AggregatesQuery): string | null {
  const refusal = refusalWithoutList(data, 'results', 'aggregates')
  if (refusal !== null) return refusal
  const where = intervalText(query.interval)
  const list = (fieldsOf(data)?.['results'] ?? []) as readonly JsonValue[]
  if (!list.every(isJsonObject)) return `not a list of aggregates (${where}): it has an element that is no object`
  try {
    const keys = new Set<string>()
    for (const { group, interval, metric } of valuesOf(data as JsonObject, query)) {
      const dimensions = query.groupBy.map((dimension) => group[dimension] ?? null)
      const key = JSON.stringify([dimensions, +interval.start, metric])
      if (keys.has(key)) return `not an answer to the query (${where}): it has ${metric} twice for the same group`
      keys.add(key)
    }
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return `not an answer to the query (${where}): ${error.message}`
  }
  return null
}

/** What makes a body no answer to its query. */
class NoAnswer extends Error {}

function valuesOf(data: JsonObject, query: AggregatesQuery): AggregateValue[] {
  return objects(data['results']).flatMap((result) => {
    const group = groupOf(result['group'] ?? null, query.groupBy)
    return objects(result['data']).flatMap((entry) => {
      const interval = intervalOf(entry['interval'] ?? null, query.interval)
      return objects(entry['metrics']).map((each): AggregateValue => {
        const metric = each['metric'] ?? null
        if (typeof metric !== 'string' || !query.metrics.includes(metric))
          throw new NoAnswer('it has a metric that was not asked for')
        return { group, interval, metric, stats: statsOf(each['stats'] ?? null, metric) }
      })
    })
  })
}

/** A group without a dimension has no value of it. */
function groupOf(group: JsonValue, groupBy: readonly string[]): Record<string, string | null> {
  if (group !== null && !isJsonObject(group)) throw new NoAnswer('it has a group that is no object')
  return Object.fromEntries(
    groupBy.map((dimension) => {
      const value = group?.[dimension] ?? null
      if (value !== null && typeof value !== 'string') throw new NoAnswer(`it has a ${dimension} that is no text`)
      // An empty text would be a key of its own, which no record has.
      return [dimension, value === '' ? null : value]
    }),
  )
}

function intervalOf(text: JsonValue, asked: Interval): Interval {
  const [start = Number.NaN, end = Number.NaN] =
    typeof text === 'string' ? text.split('/').map((each) => Date.parse(each)) : []
  if (!(start < end)) throw new NoAnswer('it has values without an interval')
  if (start < +asked.start || end > +asked.end) throw new NoAnswer('it has values of another interval')
  return { start: new Date(start), end: new Date(end) }
}

function statsOf(stats: JsonValue, metric: string): AggregateStats {
  if (!isJsonObject(stats)) throw new NoAnswer(`${metric} has no figures`)
  const figure = (name: string): bigint | null => {
    const value = stats[name] ?? null
    if (value === null) return null
    const whole = wholeNumber(value)
    if (whole === null) throw new NoAnswer(`the ${name} of ${metric} is not a whole number`)
    return whole
  }
  return {
    count: figure('count'),
    sum: figure('sum'),
    min: figure('min'),
    max: figure('max'),
    numerator: figure('numerator'),
    denominator: figure('denominator'),
  }
}

/** Genesys writes whole numbers with a point, too: `318215.0`. */
function wholeNumber(value: JsonValue): bigint | null {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : null
  if (!isRawNumber(value)) return null
  const digits = /^(-?\d+)(?:\.0*)?$/.exec(value.rawJSON)?.[1]
  return digits === undefined ? null : BigInt(digits)
}
