import { ApiError } from './api-error.ts'
import { DAY_MS } from './generate.ts'
import { invalidValue, oneOf, onlyFields, readFilters, type Test } from './predicates.ts'
import type { Json } from './conversation-plan.ts'

/** A valid details query. Instants in milliseconds. */
export interface DetailsQuery {
  readonly start: number
  readonly end: number
  readonly filtered: boolean
  readonly tests: readonly Test[]
  readonly order: 'asc' | 'desc' | 'unordered'
  readonly orderBy: 'conversationStart' | 'conversationEnd' | 'segmentStart' | 'segmentEnd'
  readonly pageSize: number
  readonly pageNumber: number
  /** Equal for queries that differ in their page only. */
  readonly key: string
}

const BODY_FIELDS = [
  'conversationFilters', 'segmentFilters', 'evaluationFilters', 'surveyFilters', 'resolutionFilters', 'order', 'orderBy',
  'interval', 'aggregations', 'paging',
] // prettier-ignore
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$/

/** The API's message for reads beyond its limit; at Genesys the limit is 100 000. */
function paginationMessage(limit: number): string {
  return `Pagination may not exceed ${limit} results. Tip: When extracting large chunks of data (multiple days/weeks), maximize pagination performance by querying in smaller intervals. For example, paging through 1am-2am, then 2am-3am, etc.`
}

/** The API's message for intervals that are too long: 7 days without a filter, 31 with one. */
function intervalMessage(days: 7 | 31): string {
  return `You must specify a search interval as part of your query that does not exceed ${days} days.`
}

/**
 * Reads an interval of two instants, in milliseconds; without an offset they are in UTC.
 * @throws ApiError 400
 */
export function readInterval(text: unknown): { start: number; end: number } {
  if (text === undefined || text === null) throw new ApiError(400, 'bad.request', 'The interval is required.')
  const parts = typeof text === 'string' ? text.split('/') : []
  const [start = NaN, end = NaN] = parts.map((part) => {
    if (!INSTANT.test(part)) return NaN
    return Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(part) ? part : `${part}Z`)
  })
  if (parts.length !== 2 || Number.isNaN(start) || Number.isNaN(end))
    throw new ApiError(
      400,
      'invalid.date',
      `Dates must be specified as ISO-8601 strings. For example: yyyy-MM-ddTHH:mm:ss.SSSZ/yyyy-MM-ddTHH:mm:ss.SSSZ`,
    )
  if (end <= start) throw new ApiError(400, 'bad.request', 'The end of the interval must be after its start.')
  return { start, end }
}

function wholeNumber(value: unknown, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw invalidValue(value, field, ['an integer'])
  return value
}

function readPaging(raw: unknown, limit: number): { pageSize: number; pageNumber: number } {
  if (raw === undefined || raw === null) return { pageSize: 25, pageNumber: 1 }
  const paging = onlyFields(raw, 'paging', ['pageSize', 'pageNumber'])
  const pageSize = wholeNumber(paging['pageSize'] ?? 25, 'pageSize')
  const pageNumber = wholeNumber(paging['pageNumber'] ?? 1, 'pageNumber')
  if (pageSize < 1 || pageSize > 100)
    throw new ApiError(400, 'bad.request', `The page size must be between 1 and 100, and is ${pageSize}.`)
  if (pageNumber < 1)
    throw new ApiError(400, 'bad.request', `The page number must be at least 1, and is ${pageNumber}.`)
  if (pageSize * pageNumber > limit) throw new ApiError(400, 'bad.request', paginationMessage(limit))
  return { pageSize, pageNumber }
}

function filters(body: Json): unknown[] {
  return [
    body['conversationFilters'],
    body['segmentFilters'],
    body['evaluationFilters'],
    body['surveyFilters'],
    body['resolutionFilters'],
  ]
}

/**
 * Validates the body of a details query as the API does.
 * @param paginationLimit how many results can be reached by paging: 100 000 at Genesys
 * @throws ApiError 400 with the API's message
 */
export function readDetailsQuery(raw: unknown, paginationLimit: number): DetailsQuery {
  const body = onlyFields(raw, 'ConversationQuery', BODY_FIELDS)
  const { start, end } = readInterval(body['interval'])
  const order = oneOf(body['order'], 'order', ['asc', 'desc', 'unordered']) ?? 'asc'
  const orders = ['conversationStart', 'conversationEnd', 'segmentStart', 'segmentEnd']
  const orderBy = oneOf(body['orderBy'], 'orderBy', orders) ?? 'conversationStart'
  const paging = readPaging(body['paging'], paginationLimit)
  const tests = readFilters(body)
  const filtered = tests.length > 0
  const days = filtered ? 31 : 7
  if (end - start > days * DAY_MS) throw new ApiError(400, 'bad.request', intervalMessage(days))
  if (Array.isArray(body['aggregations']) && body['aggregations'].length > 0)
    throw new ApiError(400, 'bad.request', 'The simulator has no aggregations.')
  return {
    start,
    end,
    filtered,
    tests,
    order: order as DetailsQuery['order'],
    orderBy: orderBy as DetailsQuery['orderBy'],
    ...paging,
    key: `${start}/${end}/${order}/${orderBy}${filtered ? JSON.stringify(filters(body)) : ''}`,
  }
}
