import { isStranger } from './stability.ts'
import { identify, toleratedShortfall, type Identity } from '../genesys/record-identity.ts'
import type { WindowRead } from './stability.ts'
import { addDays, startOfDay } from '../model/interval.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { DETAILS_PAGE_SIZE, queryDetailsPage } from '../genesys/details-query.ts'
import type { DetailsFilter, DetailsPage } from '../genesys/details-query.ts'
import type { Interval } from '../model/interval.ts'
import { forEachParallel } from '../genesys/parallel.ts'

/** What the queries of one window share. */
export interface Reading extends RequestOptions {
  readonly client: GenesysClient
  /** The API refuses to page beyond this many results; learned from its refusals. */
  readonly deepest: () => number
  onPage(page: DetailsPage): Promise<void>
  readonly progress: RequestCounter
}

/** Counts the requests of a window. */
interface RequestCounter {
  /** Announces requests to come. */
  plan(requests: number): void
  /** One of them was answered. */
  done(): void
}

/** A part of a window that is read by one query. */
export interface Query {
  readonly interval: Interval
  readonly filter: DetailsFilter
}

/** Conversations to request per page, where the API refuses to page beyond `deepest`. */
export function pageSizeWithin(deepest: number): number {
  return Math.min(DETAILS_PAGE_SIZE, deepest)
}

/** What is kept of a page that was passed on. Its conversations are not, since a window is read for minutes. */
export interface TakenPage extends Omit<DetailsPage, 'conversations' | 'sentAt'> {
  /** One for each conversation. */
  readonly identities: readonly Identity[]
}

/** Requests a page, counts it, and passes it on. */
export async function takePage(reading: Reading, query: Query, pageNumber: number): Promise<TakenPage> {
  const { client, signal, priority } = reading
  const size = pageSizeWithin(reading.deepest())
  const page = await queryDetailsPage(client, query.interval, query.filter, pageNumber, { priority, signal }, size)
  reading.progress.done()
  const { conversations, totalHits, totalKnown } = page
  const identities = conversations.map(identify)
  if (conversations.length > 0) await reading.onPage(page)
  return { pageNumber, totalHits, totalKnown, identities }
}

/**
 * Reads all pages of a query once, those after the first in parallel. Page 1's `totalHits` says how many to expect. The server may
 * give smaller pages than requested, and `totalHits` may be too low, so reading continues past the expected end as long as pages
 * bring something and either records are missing or the last page was full.
 */
export async function readPages(reading: Reading, query: Query, first: TakenPage): Promise<WindowRead> {
  const collected = collect(query.interval)
  collected.add(first)
  const requested = pageSizeWithin(reading.deepest())
  const lastPossible = (size: number): number => Math.max(1, Math.floor(reading.deepest() / size))

  let tail = first
  /** Takes the pages after the tail up to this one; returns whether they brought anything new. */
  async function takeUpTo(last: number): Promise<boolean> {
    const before = collected.distinct()
    reading.progress.plan(Math.max(0, last - tail.pageNumber))
    const numbers = pageNumbers(tail.pageNumber + 1, last)
    // the client bounds how many of them are in flight
    await forEachParallel(numbers, Infinity, reading.signal, async (number, signal) => {
      const page = await takePage({ ...reading, signal }, query, number)
      collected.add(page)
      if (number === last) tail = page
    })
    return collected.distinct() > before
  }

  await takeUpTo(Math.min(lastPossible(requested), Math.max(1, Math.ceil(first.totalHits / requested))))
  for (;;) {
    const size = collected.pageSize(requested)
    const missing = first.totalHits - collected.received()
    // Where pages come as large as requested, the few that are missing lie on none: `totalHits` is approximate.
    const slack = collected.hasFullPage(requested) ? toleratedShortfall(first.totalHits) : 0
    const mayContinue = missing > slack || tail.identities.length >= size || !first.totalKnown
    const last = Math.min(lastPossible(size), tail.pageNumber + Math.max(1, Math.ceil(missing / size)))
    if (!mayContinue || tail.identities.length === 0 || last <= tail.pageNumber) break
    if (!(await takeUpTo(last))) break
  }
  return collected.read()
}

/** Counts what the pages of one read bring. */
function collect(interval: Interval) {
  const days = daysOf(interval)
  const totals: number[] = []
  const records = new Map<string, number>()
  const strangers = new Set<string>()
  /** The records of each page in one text, to recognize repeated pages. */
  const contents = new Set<string>()
  let received = 0
  let repeatedPages = 0
  let largest = 0
  let withRecords = 0
  return {
    add({ pageNumber, totalHits, identities }: TakenPage): void {
      if (pageNumber === 1 || identities.length > 0) totals.push(totalHits)
      if (identities.length === 0) return
      largest = Math.max(largest, identities.length)
      withRecords++
      const content = identities.map(({ key }) => key).join('\n')
      const isRepeated = contents.has(content)
      contents.add(content)
      if (isRepeated) repeatedPages++
      for (const identity of identities) {
        if (isStranger(identity, days)) {
          strangers.add(identity.key)
        } else {
          records.set(identity.key, identity.start)
          if (!isRepeated) received++
        }
      }
    },
    distinct: () => records.size + strangers.size,
    received: () => received + strangers.size,
    /** The records of a full page: as many as requested, unless no page of several had that many. */
    pageSize: (requested: number): number => (withRecords > 1 && largest < requested ? largest : requested),
    hasFullPage: (requested: number): boolean => largest >= requested,
    read: (): WindowRead => ({ totals, records, received, strangers: strangers.size, repeatedPages }),
  }
}

/** The UTC days that an interval touches: the details query may select by them. */
export function daysOf({ start, end }: Interval): Interval {
  return { start: startOfDay(start), end: addDays(startOfDay(new Date(end.getTime() - 1)), 1) }
}

function* pageNumbers(from: number, to: number): Generator<number> {
  for (let number = from; number <= to; number++) yield number
}
