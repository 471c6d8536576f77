import type { JsonValue } from '../core/json.ts'
import type { GenesysClient } from './client.ts'
import { deepestResult, intervalText, notExists, pageSize, queryDetailsPage } from './details-query.ts'
import type { DetailsFilter, DetailsPage, Interval, Predicate, Sending } from './details-query.ts'
import { GenesysError } from './errors.ts'
import { forEachParallel } from './parallel.ts'

/** How often live requests may be under way at once. */
export const LIVE_CONCURRENCY = 15

const open: DetailsFilter = { conversation: [notExists('conversationEnd')] }
const inAfterCallWork: DetailsFilter = {
  conversation: [exists('conversationEnd')],
  // In one and the same segment: after-call work that has not ended.
  segments: [
    [{ type: 'dimension', dimension: 'segmentType', operator: 'matches', value: 'wrapup' }, notExists('segmentEnd')],
  ],
}

/** A record and when its request was sent, on the clock of performance.now(). */
export interface ReadRecord {
  readonly record: JsonValue
  readonly sentAt: number
}

/**
 * All conversations of an interval that have not ended. Repeated ones come as often as they came; what started on a UTC day
 * that the interval touches may come too.
 */
export function readOpen(client: GenesysClient, interval: Interval, sending: Sending): Promise<ReadRecord[]> {
  return readShrinking(client, interval, open, sending)
}

/**
 * Conversations of an interval that have ended although a segment of after-call work in them has not: invisible to the query for
 * open ones. Genuine records have no end before their after-call work is done, so there may never be one.
 */
export function readAfterCallWork(client: GenesysClient, interval: Interval, sending: Sending): Promise<ReadRecord[]> {
  return readShrinking(client, interval, inAfterCallWork, sending)
}

/**
 * Reads all pages of a set that shrinks in the middle while it is read. In order of start, what ends moves everything after it
 * to earlier positions, so the pages are read from the last to the first: what moves over a page's edge then comes twice
 * instead of not at all. What starts meanwhile comes behind the last page, where it disturbs nothing.
 */
async function readShrinking(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  sending: Sending,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  const take = async (pageNumber: number, signal: AbortSignal): Promise<DetailsPage> => {
    const page = await queryDetailsPage(client, interval, filter, pageNumber, { ...sending, signal })
    for (const record of page.conversations) records.push({ record, sentAt: page.sentAt })
    return page
  }
  const first = await take(1, sending.signal)
  if (first.totalHits > 0 && first.conversations.length === 0) throw implausible(interval, first)
  const pages = Math.ceil(first.totalHits / pageSize)
  if (first.totalHits > deepestResult) throw tooMany(first.totalHits)
  let tail = first
  if (pages > 1) {
    await forEachParallel(downwards(pages), LIVE_CONCURRENCY, sending.signal, async (number, signal) => {
      const page = await take(number, signal)
      if (number === pages) tail = page
    })
    // The first page once more: it was read first, and what moved onto it since has been on no other page.
    await take(1, sending.signal)
  }
  // totalHits is approximate: where the last page is full there may be more.
  while (tail.conversations.length >= pageSize && tail.pageNumber * pageSize < deepestResult)
    tail = await take(tail.pageNumber + 1, sending.signal)
  return records
}

function* downwards(from: number): Generator<number> {
  for (let number = from; number > 1; number--) yield number
}

function exists(dimension: string): Predicate {
  return { type: 'dimension', dimension, operator: 'exists' }
}

const path = '/api/v2/analytics/conversations/details/query'

function implausible(interval: Interval, page: DetailsPage): GenesysError {
  return new GenesysError(
    `POST ${path}: ${page.totalHits} open conversations are said to be there, and none came (${intervalText(interval)})`,
    { code: 'GENESYS_BAD_ANSWER', kind: 'retryable', method: 'POST', path, attempts: 1 },
  )
}

function tooMany(hits: number): GenesysError {
  return new GenesysError(`POST ${path}: ${hits} open conversations, more than the API can page through`, {
    code: 'GENESYS_TOO_MANY_OPEN',
    kind: 'fatal',
    method: 'POST',
    path,
    attempts: 1,
    hint: 'Close what is left over in Genesys Cloud (old e-mails, messages and callbacks), or set LIVE_SOURCE=off.',
  })
}
