import { AGGREGATE_DIMENSIONS } from './aggregates-dimensions.ts'
import type { MetricRow } from './aggregates-rows.ts'
import { ApiError } from './api-error.ts'
import { readPeriod, stepsOf } from './calendar.ts'
import type { ControlSettings } from './control-settings.ts'
import { readInterval } from './details-query.ts'
import { DAY_MS } from './generate.ts'
import { invalidValue, oneOf, onlyFields, readBooleanFilter } from './predicates.ts'
import type { Json } from './conversation-plan.ts'

/** A derived view: the statistics of those values of a metric that are in a range, lower bound included. */
interface View {
  readonly name: string
  readonly target: string
  readonly gte: number
  readonly lt: number
}

/** A valid aggregates query. */
export interface AggregatesQuery {
  /** Ascending instants in milliseconds: interval n of the answer is from bound n to bound n + 1. */
  readonly bounds: readonly number[]
  readonly timeZone: string
  readonly groupBy: readonly string[]
  /** A dimension with several values makes one group, not one for each value. */
  readonly flatten: boolean
  readonly metrics: readonly string[]
  readonly views: readonly View[]
  readonly passes: (row: MetricRow) => boolean
}

const BODY_FIELDS = [
  'interval', 'granularity', 'timeZone', 'groupBy', 'filter', 'metrics', 'flattenMultivaluedDimensions', 'views',
  'alternateTimeDimension', 'queryType', 'sortMetric', 'limit',
] // prettier-ignore

/** The enum of ConversationAggregationQuery.metrics. */
const METRICS: readonly string[] = `
  nBlindTransferred nBotInteractions nCallbackAttempts nCallbackOverSla nCallbackScheduled nCobrowseSessions nConnected
  nConsult nConsultTransferred nConversations nError nOffered nOutbound nOutboundAbandoned nOutboundAttempted
  nOutboundConnected nOverSla nStateTransitionError nTakeover nTransferred oAudioMessageCount oExternalAudioMessageCount
  oExternalMediaCount oMediaCount oMessageCount oMessageSegmentCount oMessageTurn oServiceLevel oServiceTarget
  oSkillExpressionApplications tAbandon tAcd tActiveCallback tActiveCallbackComplete tAcw tAgentResponseTime
  tAgentVideoConnected tAlert tAnswered tAverageAgentResponseTime tAverageCustomerResponseTime tBarging tCallbackAbandon
  tCallbackConnect tCallbackNotReached tCoaching tCoachingComplete tConnected tContacting tDialing tFirstConnect tFirstDial
  tFirstEngagement tFirstResponse tFlowOut tHandle tHeld tHeldComplete tIvr tMonitoring tMonitoringComplete tNotResponding
  tPark tParkComplete tScreenMonitoring tShortAbandon tSnippetRecord tTalk tTalkComplete tTransmitting tUserResponseTime
  tVoicemail tWait`
  .trim()
  .split(/\s+/)

const refusal = (message: string): ApiError => new ApiError(400, 'bad.request', message)

/**
 * Validates the body of a conversation aggregates query as the API does.
 * @throws ApiError 400 for what the API would refuse
 */
export function readAggregatesQuery(raw: unknown, settings: Readonly<ControlSettings>): AggregatesQuery {
  const body = onlyFields(raw, 'ConversationAggregationQuery', BODY_FIELDS)
  const { start, end } = readInterval(body['interval'])
  const { aggregateIntervalDays: days } = settings
  if (end - start > days * DAY_MS)
    throw refusal(`You must specify a search interval as part of your query that does not exceed ${days} days.`)
  refuseOrdered(body)
  oneOf(body['alternateTimeDimension'], 'alternateTimeDimension', ['eventTime'])
  const metrics = namesIn(body['metrics'], 'ConversationMetric', METRICS)
  if (metrics.length === 0) throw invalidValue([], 'ConversationMetric', METRICS)
  const timeZone = readTimeZone(body['timeZone'])
  return {
    bounds: boundsOf(body['granularity'], start, end, timeZone, settings.aggregateCellLimit),
    timeZone,
    groupBy: namesIn(body['groupBy'], 'ConversationAggregateDimension', Object.keys(AGGREGATE_DIMENSIONS)),
    flatten: booleanIn(body, 'flattenMultivaluedDimensions'),
    metrics,
    views: readViews(body['views'], metrics),
    passes: readBooleanFilter(body['filter'], 'conversation aggregate', AGGREGATE_DIMENSIONS),
  }
}

/** Refuses the parts of ordered queries (topN, bottomN), which the simulator does not have. */
function refuseOrdered(body: Json): void {
  const queryType = oneOf(body['queryType'], 'queryType', ['bottomN', 'groupBy', 'topN']) ?? 'groupBy'
  if (queryType !== 'groupBy') throw refusal(`The simulator has no queries of type ${queryType}.`)
  for (const field of ['sortMetric', 'limit'])
    if (body[field] !== undefined && body[field] !== null)
      throw refusal(`${field} is only applicable for the query types topN and bottomN.`)
}

function namesIn(value: unknown, field: string, allowed: readonly string[]): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw refusal(`${field} must be a list.`)
  return [...new Set(value.map((each: unknown) => oneOf(each ?? 'null', field, allowed) ?? ''))]
}

function booleanIn(body: Json, field: string): boolean {
  const value = body[field] ?? false
  if (typeof value !== 'boolean') throw invalidValue(value, field, ['true', 'false'])
  return value
}

function readTimeZone(value: unknown): string {
  if (value === undefined || value === null) return 'UTC'
  try {
    if (typeof value !== 'string') throw new RangeError('no text')
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone
  } catch {
    throw invalidValue(value, 'timeZone', ['a name of the IANA time zone database'])
  }
}

/** An answer has at most as many intervals as it may have cells, so a granularity of milliseconds ends here. */
function boundsOf(granularity: unknown, start: number, end: number, timeZone: string, limit: number): number[] {
  if (granularity === undefined || granularity === null) return [start, end]
  const period = typeof granularity === 'string' ? readPeriod(granularity) : undefined
  if (!period) throw invalidValue(granularity, 'granularity', ['an ISO-8601 period such as PT30M or P1D'])
  const bounds: number[] = []
  for (const bound of stepsOf(period, start, timeZone)) {
    if (bound >= end) break
    bounds.push(bound)
    if (bounds.length > limit) throw tooManyCells(limit)
  }
  return [...bounds, end]
}

function readViews(value: unknown, metrics: readonly string[]): View[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw refusal('views must be a list.')
  return value.map((raw: unknown) => {
    const view = onlyFields(raw, 'ConversationAggregationView', ['target', 'name', 'function', 'range'])
    const target = oneOf(view['target'], 'view target', metrics)
    if (target === undefined || typeof view['name'] !== 'string' || view['name'] === '')
      throw refusal('A view needs a target and a name.')
    if (oneOf(view['function'], 'view function', ['rangeBound']) === undefined)
      throw refusal('A view needs a function: rangeBound.')
    const range = onlyFields(view['range'], 'view range', ['gte', 'lt'])
    for (const bound of Object.values(range))
      if (typeof bound !== 'number') throw invalidValue(bound, 'view range', ['a number'])
    const { gte = -Infinity, lt = Infinity } = range as { gte?: number; lt?: number }
    return { name: view['name'], target, gte, lt }
  })
}

/** The answer to a query whose result would be too large. */
export function tooManyCells(limit: number): ApiError {
  return new ApiError(
    413,
    'request.entity.too.large',
    `The result would have more than ${limit} values. Query a shorter interval, a longer granularity, or fewer dimensions.`,
  )
}
