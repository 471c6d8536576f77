import { identify } from '../core/window-stability.ts'
import type { WindowRead } from '../core/window-stability.ts'
import type { GenesysClient } from './client.ts'
import { pageSize, queryDetailsPage } from './details-query.ts'
import type { DetailsFilter, DetailsPage, Interval, Sending } from './details-query.ts'
import { forEachParallel } from './parallel.ts'

/** What all reading of one window shares. */
export interface Reading extends Sending {
  readonly client: GenesysClient
  readonly concurrency: number
  /** Results beyond this the API refuses. */
  readonly deepest: number
  onPage(page: DetailsPage): Promise<void>
  /** Announces requests to come (`planned`), or that one is done. */
  readonly progress: Progress
}

export interface Progress {
  plan(requests: number): void
  done(): void
}

/** A piece of a window that is read by one query. */
export interface Query {
  readonly interval: Interval
  readonly filter: DetailsFilter
}

/** Asks for a page, counts it, and hands it on. */
export async function takePage(reading: Reading, query: Query, pageNumber: number): Promise<DetailsPage> {
  const { client, signal, priority } = reading
  const page = await queryDetailsPage(client, query.interval, query.filter, pageNumber, { priority, signal })
  reading.progress.done()
  if (page.conversations.length > 0) await reading.onPage(page)
  return page
}

/**
 * Reads all pages of a query once, those after the first in parallel. Page 1's `totalHits` says how many to expect; since it
 * may be too low, reading goes on past the expected end for as long as pages are full and bring new records.
 */
export async function readPages(reading: Reading, query: Query, first: DetailsPage): Promise<WindowRead> {
  const totals: number[] = []
  const records = new Map<string, number>()
  const note = (page: DetailsPage): void => {
    if (page.pageNumber === 1 || page.conversations.length > 0) totals.push(page.totalHits)
    for (const record of page.conversations) {
      const { key, start } = identify(record)
      records.set(key, start)
    }
  }
  note(first)

  const lastPossible = Math.floor(reading.deepest / pageSize)
  const lastExpected = Math.min(lastPossible, Math.max(1, Math.ceil(first.totalHits / pageSize)))
  let tail = first
  reading.progress.plan(lastExpected - 1)
  await forEachParallel(pageNumbers(2, lastExpected), reading.concurrency, reading.signal, async (number, signal) => {
    const page = await takePage({ ...reading, signal }, query, number)
    note(page)
    if (number === lastExpected) tail = page
  })

  while (tail.conversations.length >= pageSize && tail.pageNumber < lastPossible) {
    const before = records.size
    reading.progress.plan(1)
    tail = await takePage(reading, query, tail.pageNumber + 1)
    note(tail)
    if (records.size === before) break
  }
  return { totals, records }
}

function* pageNumbers(from: number, to: number): Generator<number> {
  for (let number = from; number <= to; number++) yield number
}
