import { type JsonValue } from '../model/json.ts'
import { identify } from './record-identity.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import {
  MAX_PAGED_RESULTS,
  DETAILS_QUERY_PATH,
  intervalText,
  notExists,
  DETAILS_PAGE_SIZE,
  queryDetailsPage,
} from './details-query.ts'
import { type DetailsFilter, type DetailsPage, type Predicate } from './details-query.ts'
import { type Interval } from '../model/interval.ts'
import { badAnswer, GenesysError, paginationLimit } from './errors.ts'
import { forEachParallel } from './parallel.ts'

/** Live requests in flight at once, at most. */
export const LIVE_CONCURRENCY = 15

const OPEN: DetailsFilter = { conversation: [notExists('conversationEnd')] }
const IN_AFTER_CALL_WORK: DetailsFilter = {
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
 * All conversations of an interval that have not ended. Those that pages repeat are repeated here; conversations that started
 * on a UTC day that the interval touches may be included.
 * @throws GenesysError
 */
export function readOpen(client: GenesysClient, interval: Interval, options: RequestOptions): Promise<ReadRecord[]> {
  return readShrinking(client, interval, OPEN, options)
}

/**
 * Conversations of an interval that have ended although a segment of after-call work in them has not: invisible to the query for
 * open ones. Genuine records have no end before their after-call work is done, so there may never be one.
 */
export function readAfterCallWork(
  client: GenesysClient,
  interval: Interval,
  options: RequestOptions,
): Promise<ReadRecord[]> {
  return readShrinking(client, interval, IN_AFTER_CALL_WORK, options)
}

/**
 * Open conversations that may be missing: those that end between the first request and that for their page are rightly absent,
 * and as many others may have started meanwhile, so that `totalHits` does not show it.
 */
function toleratedChurn(hits: number): number {
  return Math.max(10, Math.floor(hits / 20))
}

/**
 * Reads all pages of a set that shrinks in the middle while it is read. In order of start, what ends moves everything after it
 * to earlier positions, so the pages are read from the last to the first: what moves across a page boundary is then read twice
 * instead of never. What starts meanwhile is placed after the last page, where it does no harm.
 * @throws GenesysError GENESYS_TOO_MANY_OPEN; GENESYS_BAD_ANSWER where a page repeats the first one, or where much is missing
 * by every totalHits
 */
async function readShrinking(
  client: GenesysClient,
  interval: Interval,
  filter: DetailsFilter,
  options: RequestOptions,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  const distinct = new Set<string>()
  const totals: number[] = []
  let firstPage = ''
  const take = async (pageNumber: number, signal: AbortSignal): Promise<DetailsPage> => {
    const page = await queryDetailsPage(client, interval, filter, pageNumber, { ...options, signal })
    const keys = page.conversations.map((record) => identify(record).key)
    const content = keys.join('\n')
    if (pageNumber === 1) firstPage = content
    else if (keys.length > 0 && content === firstPage) throw repeated(interval, page)
    totals.push(page.totalHits)
    for (const record of page.conversations) records.push({ record, sentAt: page.sentAt })
    for (const key of keys) distinct.add(key)
    return page
  }
  try {
    const first = await take(1, options.signal)
    if (first.totalHits > 0 && first.conversations.length === 0) throw incomplete(interval, first.totalHits, 0)
    if (first.totalHits > MAX_PAGED_RESULTS) throw tooMany(first.totalHits, MAX_PAGED_RESULTS)
    // The server may give smaller pages than requested.
    const size = Math.min(DETAILS_PAGE_SIZE, Math.max(1, first.conversations.length))
    const pages = Math.ceil(first.totalHits / size)
    let tail = first
    if (pages > 1) {
      await forEachParallel(downwards(pages), LIVE_CONCURRENCY, options.signal, async (number, signal) => {
        const page = await take(number, signal)
        if (number === pages) tail = page
      })
      // The first page again: it was read first, and conversations that have moved onto it since were on no other page.
      await take(1, options.signal)
    }
    const isShort = (): boolean => Math.min(...totals) - distinct.size > toleratedChurn(Math.min(...totals))
    // totalHits is approximate: where the last page is full, or where records are missing, there may be more.
    const mayGoOn = (): boolean =>
      tail.conversations.length >= DETAILS_PAGE_SIZE ||
      (tail.conversations.length > 0 && (!tail.totalKnown || isShort()))
    for (let before = -1; mayGoOn() && distinct.size > before && tail.pageNumber * size < MAX_PAGED_RESULTS;) {
      before = distinct.size
      tail = await take(tail.pageNumber + 1, options.signal)
    }
    if (isShort()) throw incomplete(interval, Math.min(...totals), distinct.size)
  } catch (error) {
    const limit = paginationLimit(error)
    throw limit === undefined ? error : tooMany(Math.max(...totals, 0), limit)
  }
  return records
}

function* downwards(from: number): Generator<number> {
  for (let number = from; number > 1; number--) yield number
}

function exists(dimension: string): Predicate {
  return { type: 'dimension', dimension, operator: 'exists' }
}

function incomplete(interval: Interval, hits: number, distinct: number): GenesysError {
  return badAnswer(
    { method: 'POST', path: DETAILS_QUERY_PATH },
    `totalHits reports ${hits} open conversations, and the pages have ${distinct} (${intervalText(interval)})`,
  )
}

function repeated(interval: Interval, { pageNumber, totalHits }: DetailsPage): GenesysError {
  return badAnswer(
    { method: 'POST', path: DETAILS_QUERY_PATH },
    `totalHits reports ${totalHits} open conversations, and page ${pageNumber} repeats the first one (${intervalText(interval)})`,
  )
}

function tooMany(hits: number, limit: number): GenesysError {
  const path = DETAILS_QUERY_PATH
  return new GenesysError(
    `POST ${path}: ${hits} open conversations, and the API pages through ${limit} at most, so they can't all be read`,
    {
      code: 'GENESYS_TOO_MANY_OPEN',
      kind: 'fatal',
      method: 'POST',
      path,
      attempts: 1,
      hint: 'Close what is left open in Genesys Cloud (old e-mails, messages and callbacks), or set LIVE_SOURCE=off.',
    },
  )
}
