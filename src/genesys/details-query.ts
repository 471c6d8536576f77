import type { Interval } from '../model/interval.ts'
import type { JsonValue } from '../model/json.ts'
import { toleratedShortfall } from './record-identity.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from './client.ts'
import { describeBody, fieldsOf } from './answer-body.ts'
import type { Priority } from './send-budget.ts'

/** "Dimension operator value", or a metric with a range; `matches` is the operator when none is given. */
export interface Predicate {
  readonly type: 'dimension' | 'metric'
  readonly dimension?: string
  readonly metric?: string
  readonly operator?: 'matches' | 'exists' | 'notExists'
  readonly value?: string
  readonly range?: { readonly gt?: number; readonly gte?: number; readonly lt?: number; readonly lte?: number }
}

/** Which conversations are wanted; everything given must hold. */
export interface DetailsFilter {
  /** Conversations with a segment of any of these media types. */
  readonly mediaTypes?: readonly string[] | undefined
  /** The direction in which the conversation began. */
  readonly direction?: 'inbound' | 'outbound' | undefined
  readonly minDurationSeconds?: number | undefined
  /** Further predicates on the conversation, e.g. `conversationEnd notExists`. */
  readonly conversation?: readonly Predicate[] | undefined
  /** Each list must hold within one and the same segment. */
  readonly segments?: readonly (readonly Predicate[])[] | undefined
}

export interface DetailsPage {
  readonly conversations: readonly JsonValue[]
  /** Conversations that match, over all pages; approximate, and moving while data arrives. */
  readonly totalHits: number
  /** Whether the answer had it; otherwise `totalHits` is what the pages up to this one can have brought. */
  readonly totalKnown: boolean
  readonly pageNumber: number
  /** `performance.now()` when the request was sent: the data is no older than that. */
  readonly sentAt: number
}

/** How a request goes out. */
export interface Sending {
  readonly priority: Priority
  readonly signal: AbortSignal
}

/** The most that every production connector has seen the API deliver in a page. */
export const pageSize = 100
/** The API refuses pages beyond this many results. */
export const deepestResult = 100_000

/** Where the details query is. */
export const detailsQueryPath = '/api/v2/analytics/conversations/details/query'
const dayMs = 86_400_000

interface Filter {
  type: 'and' | 'or'
  predicates: readonly Predicate[]
}

interface DetailsQuery {
  interval: string
  order: 'asc'
  orderBy: 'conversationStart'
  paging: { pageSize: number; pageNumber: number }
  conversationFilters?: Filter[]
  segmentFilters?: Filter[]
}

/**
 * The body of a details query for one page (1-based) of an interval. Throws when the interval is longer than the API takes:
 * 7 days without a filter, 31 with one.
 */
export function buildDetailsQuery(
  interval: Interval,
  filter: DetailsFilter,
  page: { readonly pageNumber: number; readonly pageSize?: number },
): DetailsQuery {
  const conversationFilters = conversationFiltersOf(filter)
  const segmentFilters = segmentFiltersOf(filter)
  const days = isFiltered(filter) ? 31 : 7
  const text = intervalText(interval)
  if (interval.end.getTime() - interval.start.getTime() > days * dayMs)
    throw new EtlError(`details query ${text}: longer than ${days} days`, {
      code: 'GENESYS_INTERVAL',
      kind: 'fatal',
      hint: 'Cut the range into windows of a day.',
    })
  return {
    interval: text,
    order: 'asc',
    orderBy: 'conversationStart',
    paging: { pageSize: page.pageSize ?? pageSize, pageNumber: page.pageNumber },
    ...(conversationFilters.length > 0 ? { conversationFilters } : {}),
    ...(segmentFilters.length > 0 ? { segmentFilters } : {}),
  }
}

/** Whether a filter leaves anything out. */
export function isFiltered(filter: DetailsFilter): boolean {
  return conversationFiltersOf(filter).length + segmentFiltersOf(filter).length > 0
}

/** `2026-11-21T00:00:00.000Z/2026-11-22T00:00:00.000Z`. */
export function intervalText({ start, end }: Interval): string {
  return `${start.toISOString()}/${end.toISOString()}`
}

function conversationFiltersOf(filter: DetailsFilter): Filter[] {
  const predicates: Predicate[] = []
  if (filter.direction !== undefined) predicates.push(matches('originatingDirection', filter.direction))
  if (filter.minDurationSeconds !== undefined && filter.minDurationSeconds > 0)
    predicates.push({
      type: 'metric',
      metric: 'tConversationDuration',
      range: { gte: filter.minDurationSeconds * 1000 },
    })
  predicates.push(...(filter.conversation ?? []))
  return predicates.length === 0 ? [] : [{ type: 'and', predicates }]
}

function segmentFiltersOf(filter: DetailsFilter): Filter[] {
  const filters: Filter[] = (filter.segments ?? []).map((predicates) => ({ type: 'and', predicates }))
  if (filter.mediaTypes !== undefined && filter.mediaTypes.length > 0)
    filters.push({ type: 'or', predicates: filter.mediaTypes.map((mediaType) => matches('mediaType', mediaType)) })
  return filters
}

/** The predicate that a dimension has a value. */
export function matches(dimension: string, value: string): Predicate {
  return { type: 'dimension', dimension, operator: 'matches', value }
}

/** The predicate that a dimension has no value. */
export function notExists(dimension: string): Predicate {
  return { type: 'dimension', dimension, operator: 'notExists' }
}

/** One page of the conversations that match, of `size` at most. Past the last one there are none, and the list is empty. */
export async function queryDetailsPage(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  pageNumber: number,
  sending: Sending,
  size = pageSize,
): Promise<DetailsPage> {
  return await query(client, buildDetailsQuery(interval, filter, { pageNumber, pageSize: size }), sending)
}

/** How many conversations match, at the price of one request and hardly any data. */
export async function countDetails(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  sending: Sending,
): Promise<number> {
  const page = await query(client, buildDetailsQuery(interval, filter, { pageNumber: 1, pageSize: 1 }), sending)
  return page.totalHits
}

/** What reading an interval will cost: its hits, and the requests for their pages. */
export async function estimateWindow(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  sending: Sending,
): Promise<{ hits: number; requests: number }> {
  const hits = await countDetails(client, interval, filter, sending)
  return { hits, requests: Math.max(1, Math.ceil(hits / pageSize)) }
}

async function query(client: GenesysClient, body: DetailsQuery, sending: Sending): Promise<DetailsPage> {
  const { pageNumber, pageSize } = body.paging
  const { data, sentAt } = await client.request<Record<string, unknown>>({
    method: 'POST',
    path: detailsQueryPath,
    body,
    endpoint: 'details-query',
    refuse: (answer) => refusalOfPage(answer, body),
    ...sending,
  })
  const conversations = (data['conversations'] ?? []) as readonly JsonValue[]
  const totalHits = countOf(data['totalHits'])
  return {
    conversations,
    // Without it, what is seen so far: pages then disagree about it, which makes the window be read twice.
    totalHits: totalHits ?? (pageNumber - 1) * pageSize + conversations.length,
    totalKnown: totalHits !== null,
    pageNumber,
    sentAt,
  }
}

/**
 * Why a body is not a page of conversations; null when it is. Genesys leaves the list out of a page without conversations, so
 * `totalHits` alone is a page, and an error document, or a list that is null although there are hits, is none.
 */
function refusalOfPage(data: unknown, { interval, paging }: DetailsQuery): string | null {
  const fields = fieldsOf(data)
  const list = fields?.['conversations']
  const totalHits = countOf(fields?.['totalHits'])
  const isList = Array.isArray(list)
  if (fields === null || (!isList && (totalHits === null || (list !== undefined && list !== null))))
    return `not a page of conversations (${interval}): ${describeBody(data)}`
  if (list === null && totalHits !== 0)
    return `not a page of conversations (${interval}): ${totalHits} are said to match, and the list of them is null`
  const isEmptyPage = !isList || list.length === 0
  const isFirstOfMany = paging.pageNumber === 1 && paging.pageSize > 1
  if (isFirstOfMany && isEmptyPage && totalHits !== null && totalHits > toleratedShortfall(totalHits))
    return `not believable (${interval}): ${totalHits} conversations are said to match, and 0 came on the first page`
  return null
}

function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}
