import { type Interval } from '../model/interval.ts'
import { type JsonValue } from '../model/json.ts'
import { toleratedShortfall } from './record-identity.ts'
import { EtlError } from '../errors.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { describeBody, fieldsOf } from './answer-body.ts'
import { isTooLarge } from './errors.ts'

/** "Dimension operator value", or a metric with a range; `matches` is the operator when none is given. */
export interface Predicate {
  readonly type: 'dimension' | 'metric'
  readonly dimension?: string
  readonly metric?: string
  readonly operator?: 'matches' | 'exists' | 'notExists'
  readonly value?: string
  readonly range?: { readonly gt?: number; readonly gte?: number; readonly lt?: number; readonly lte?: number }
}

/** Which conversations to read; everything given must hold. */
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
  /** Conversations with an evaluation for which any of these holds; likewise for surveys and resolutions. */
  readonly evaluation?: readonly Predicate[] | undefined
  readonly survey?: readonly Predicate[] | undefined
  readonly resolution?: readonly Predicate[] | undefined
}

export interface DetailsPage {
  readonly conversations: readonly JsonValue[]
  /** Conversations that match, over all pages; approximate, and changing while data arrives. */
  readonly totalHits: number
  /** Whether the answer had it; otherwise `totalHits` counts the pages up to this one. */
  readonly totalKnown: boolean
  readonly pageNumber: number
  /** `performance.now()` when the request was sent: the data is no older than that. */
  readonly sentAt: number
}

/** Conversations per page: the largest page that production connectors are known to receive from the API. */
export const DETAILS_PAGE_SIZE = 100
/** The API refuses pages beyond this number of results. */
export const MAX_PAGED_RESULTS = 100_000

/** Path of the details query. */
export const DETAILS_QUERY_PATH = '/api/v2/analytics/conversations/details/query'
const DAY_MS = 86_400_000

interface Filter {
  type: 'and' | 'or'
  predicates: readonly Predicate[]
}

interface DetailsQuery extends QueryFilters {
  interval: string
  order: 'asc'
  orderBy: 'conversationStart'
  paging: { pageSize: number; pageNumber: number }
}

/** The fields of a query's body that express a filter. */
interface QueryFilters {
  conversationFilters?: Filter[]
  segmentFilters?: Filter[]
  evaluationFilters?: Filter[]
  surveyFilters?: Filter[]
  resolutionFilters?: Filter[]
}

/**
 * The body of a details query for one page (1-based) of an interval. Pure.
 * @throws EtlError GENESYS_INTERVAL where the interval is longer than the API allows: 7 days without a filter, 31 with one
 */
export function buildDetailsQuery(
  interval: Interval,
  filter: DetailsFilter,
  page: { readonly pageNumber: number; readonly pageSize?: number },
): DetailsQuery {
  const days = isFiltered(filter) ? 31 : 7
  const text = intervalText(interval)
  if (interval.end.getTime() - interval.start.getTime() > days * DAY_MS)
    throw new EtlError(`details query ${text}: longer than ${days} days`, {
      code: 'GENESYS_INTERVAL',
      kind: 'fatal',
      hint: 'Split the range into windows of a day.',
    })
  return {
    interval: text,
    order: 'asc',
    orderBy: 'conversationStart',
    paging: { pageSize: page.pageSize ?? DETAILS_PAGE_SIZE, pageNumber: page.pageNumber },
    ...queryFiltersOf(filter),
  }
}

/** A filter as the fields of a query's body that express it, none of them empty; the details query and the details job have the same ones. */
export function queryFiltersOf(filter: DetailsFilter): QueryFilters {
  const filters: Required<QueryFilters> = {
    conversationFilters: conversationFiltersOf(filter),
    segmentFilters: segmentFiltersOf(filter),
    evaluationFilters: anyOf(filter.evaluation),
    surveyFilters: anyOf(filter.survey),
    resolutionFilters: anyOf(filter.resolution),
  }
  return Object.fromEntries(Object.entries(filters).filter(([, list]) => list.length > 0))
}

/** Whether a filter leaves anything out. */
export function isFiltered(filter: DetailsFilter): boolean {
  return Object.keys(queryFiltersOf(filter)).length > 0
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

function anyOf(predicates: readonly Predicate[] = []): Filter[] {
  return predicates.length === 0 ? [] : [{ type: 'or', predicates }]
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

/** The predicate that a dimension is an instant within an interval. */
export function within(dimension: string, interval: Interval): Predicate {
  return matches(dimension, intervalText(interval))
}

/** The predicate that a dimension has no value. */
export function notExists(dimension: string): Predicate {
  return { type: 'dimension', dimension, operator: 'notExists' }
}

/**
 * One page of the conversations that match, of `size` at most; empty past the last one. A page whose answer is too large to be
 * read comes from smaller pages at the same place.
 * @throws GenesysError
 */
export async function queryDetailsPage(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  pageNumber: number,
  options: RequestOptions,
  size = DETAILS_PAGE_SIZE,
): Promise<DetailsPage> {
  try {
    return await query(client, buildDetailsQuery(interval, filter, { pageNumber, pageSize: size }), options)
  } catch (error) {
    if (!isTooLarge(error) || size === 1) throw error
    return await querySmallerPages(client, interval, filter, pageNumber, options, size)
  }
}

/** The page of `size` that starts at the same result, put together from pages of a tenth of it, or of one where that is no whole number. */
async function querySmallerPages(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  pageNumber: number,
  options: RequestOptions,
  size: number,
): Promise<DetailsPage> {
  const smaller = size % 10 === 0 ? size / 10 : 1
  const count = size / smaller
  const first = (pageNumber - 1) * count + 1
  const pages: DetailsPage[] = []
  for (let number = first; number < first + count; number++) {
    const page = await queryDetailsPage(client, interval, filter, number, options, smaller)
    pages.push(page)
    if (page.conversations.length === 0) break
  }
  return {
    conversations: pages.flatMap(({ conversations }) => conversations),
    totalHits: Math.max(...pages.map(({ totalHits }) => totalHits)),
    totalKnown: pages.every(({ totalKnown }) => totalKnown),
    pageNumber,
    sentAt: Math.min(...pages.map(({ sentAt }) => sentAt)),
  }
}

/** How many conversations match: one request, hardly any data. */
export async function countDetails(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  options: RequestOptions,
): Promise<number> {
  const page = await query(client, buildDetailsQuery(interval, filter, { pageNumber: 1, pageSize: 1 }), options)
  return page.totalHits
}

/** The cost of reading an interval: its hits, and the requests for their pages. */
export async function estimateWindow(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  options: RequestOptions,
): Promise<{ hits: number; requests: number }> {
  const hits = await countDetails(client, interval, filter, options)
  return { hits, requests: Math.max(1, Math.ceil(hits / DETAILS_PAGE_SIZE)) }
}

async function query(client: GenesysClient, body: DetailsQuery, options: RequestOptions): Promise<DetailsPage> {
  const { pageNumber, pageSize } = body.paging
  const { data, sentAt } = await client.request<Record<string, unknown>>({
    method: 'POST',
    path: DETAILS_QUERY_PATH,
    body,
    endpoint: 'details-query',
    refuse: (answer) => refusalOfPage(answer, body),
    ...options,
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
 * `totalHits` alone is a page; an error document is not, nor is a list that is null although there are hits.
 */
function refusalOfPage(data: unknown, { interval, paging }: DetailsQuery): string | null {
  const fields = fieldsOf(data)
  const list = fields?.['conversations']
  const totalHits = countOf(fields?.['totalHits'])
  const isList = Array.isArray(list)
  if (fields === null || (!isList && (totalHits === null || (list !== undefined && list !== null))))
    return `not a page of conversations (${interval}): ${describeBody(data)}`
  if (list === null && totalHits !== 0)
    return `not a page of conversations (${interval}): totalHits is ${totalHits}, and the list is null`
  const isEmptyPage = !isList || list.length === 0
  const isFirstOfMany = paging.pageNumber === 1 && paging.pageSize > 1
  if (isFirstOfMany && isEmptyPage && totalHits !== null && totalHits > toleratedShortfall(totalHits))
    return `implausible (${interval}): totalHits is ${totalHits}, and the first page is empty`
  return null
}

function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}
