import type { JsonValue } from '../core/json.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from './client.ts'
import { GenesysError } from './errors.ts'
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

export interface Interval {
  readonly start: Date
  readonly end: Date
}

export interface DetailsPage {
  readonly conversations: readonly JsonValue[]
  /** Conversations that match, over all pages; approximate, and moving while data arrives. */
  readonly totalHits: number
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

const path = '/api/v2/analytics/conversations/details/query'
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
  const days = conversationFilters.length + segmentFilters.length > 0 ? 31 : 7
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

/** One page of the conversations that match. Past the last one there are none, and the list is empty. */
export async function queryDetailsPage(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  pageNumber: number,
  sending: Sending,
): Promise<DetailsPage> {
  return await query(client, buildDetailsQuery(interval, filter, { pageNumber }), sending)
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
  const answer = await client.request<unknown>({ method: 'POST', path, body, endpoint: 'details-query', ...sending })
  const { data, sentAt } = answer
  const fields = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : null
  const conversations = fields?.['conversations'] ?? []
  if (fields === null || Array.isArray(data) || !Array.isArray(conversations))
    throw new GenesysError(`POST ${path}: the answer is not a page of conversations (${body.interval})`, {
      code: 'GENESYS_BAD_ANSWER',
      kind: 'retryable',
      method: 'POST',
      path,
      status: answer.status,
      correlationId: answer.correlationId,
      attempts: 1,
    })
  const totalHits = fields['totalHits']
  const known = typeof totalHits === 'number' && Number.isSafeInteger(totalHits) && totalHits >= 0
  return {
    conversations: conversations as readonly JsonValue[],
    // Without it, what is seen so far: pages then disagree about it, which makes the window be read twice.
    totalHits: known ? totalHits : (pageNumber - 1) * pageSize + conversations.length,
    pageNumber,
    sentAt,
  }
}
