import { setTimeout as sleep } from 'node:timers/promises'
import { implausibility, judgeReads, startingInside, whyUnstable } from './stability.ts'
import { toleratedShortfall } from '../genesys/record-identity.ts'
import type { Instability, WindowRead } from './stability.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import {
  countDetails,
  MAX_PAGED_RESULTS,
  DETAILS_QUERY_PATH,
  intervalText,
  isFiltered,
} from '../genesys/details-query.ts'
import type { DetailsFilter, DetailsPage } from '../genesys/details-query.ts'
import type { Interval } from '../model/interval.ts'
import { badAnswer, GenesysError, paginationLimit } from '../genesys/errors.ts'
import { daysOf, pageSizeWithin, readPages, takePage } from './read-pages.ts'
import type { Progress, Reading } from './read-pages.ts'
import type { Priority } from '../genesys/send-budget.ts'
import { splitPart } from './split-window.ts'
import type { Part } from './split-window.ts'

export interface ReadWindowOptions {
  readonly window: Interval
  readonly filter: DetailsFilter
  /** Requests in flight at once. */
  readonly concurrency: number
  readonly priority: Priority
  readonly signal: AbortSignal
  /** Gets every page of every read that has records; up to `concurrency` at a time. Its failure ends the reading. */
  onPage(page: DetailsPage): Promise<void>
  onProgress?(progress: { requestsDone: number; requestsPlanned: number }): void
  /** Complete reads before the window is left as unstable; 3 unless told. */
  readonly mostReads?: number
  /** Wants two reads that agree even where one looks whole. */
  readonly confirm?: boolean
  /** Before a read whose answers can't be right is made again, doubling with each one; a second unless told. */
  readonly pauseMs?: number
  /** For tests: hits up to which a window is read whole, and beyond which the API refuses. */
  readonly limits?: { readonly wholeUpTo: number; readonly deepest: number }
}

export interface WindowOutcome {
  readonly status: 'done' | 'unstable'
  /** Why it is unstable. */
  readonly instability?: Instability | undefined
  /** `totalHits` of the first page. */
  readonly hits: number
  /** Distinct conversations that any read brought; an answer may have some from outside the window. */
  readonly distinct: number
  /** Those of them that start inside the window. */
  readonly startingInside: number
  /** Complete reads; of the part that took the most, if the window was split. */
  readonly reads: number
  /** Requests of all kinds, repeated attempts not counted. */
  readonly requests: number
  /** Pages that brought records. */
  readonly pagesRead: number
  readonly split?: 'time' | 'predicate' | undefined
}

/** Reads whose answers can't be right, after which the window has failed. */
const mostImplausibleReads = 3

const defaultLimits = { wholeUpTo: 20_000, deepest: MAX_PAGED_RESULTS }

interface PartOutcome {
  readonly records: ReadonlyMap<string, number>
  readonly reads: number
  /** Null when it is done. */
  readonly unstable: Instability | null
  readonly split?: 'time' | 'predicate' | undefined
}

/**
 * Reads all conversations of a window, page by page, until it is known to be complete (`done`) or has changed through
 * `mostReads` reads, or keeps lacking what Genesys says there is (`unstable`). A window with more hits than a query should
 * have, or than the API lets us page through, is read in parts. Throws GenesysError, with the code GENESYS_BAD_ANSWER where the
 * answers can't be right; EtlError GENESYS_WINDOW_TOO_LARGE when the API refuses to page so deep and nothing makes the window
 * smaller; what `onPage` throws; or the signal's reason.
 */
export async function readWindow(client: GenesysClient, options: ReadWindowOptions): Promise<WindowOutcome> {
  const { window, filter, concurrency, priority, signal } = options
  const limits = { ...(options.limits ?? defaultLimits) }
  const counter = requestCounter(options.onProgress?.bind(options))
  let pagesRead = 0
  const reading: Reading = {
    client,
    concurrency,
    priority,
    signal,
    deepest: () => limits.deepest,
    progress: counter,
    async onPage(page) {
      pagesRead++
      await options.onPage(page)
    },
  }
  const whole: Part = { interval: window, filter, timeFails: false, nextDimension: 0, shrunk: false }
  let hits: number | null = null

  async function readPart(part: Part): Promise<PartOutcome> {
    let first: DetailsPage | null = null
    try {
      counter.plan(1)
      first = await takePage(reading, part, 1)
      hits ??= first.totalHits
      if (first.totalHits > Math.min(limits.wholeUpTo, reach())) return await readInParts(part, first)
      return await readUntilStable(part, first)
    } catch (error) {
      const refusedBeyond = paginationLimit(error)
      if (refusedBeyond !== undefined && learnLimit(refusedBeyond, first)) return await readPart(part)
      if (part.shrunk || !(error instanceof GenesysError) || error.code !== 'GENESYS_TIMEOUT') throw error
      return await readSmaller(part, error)
    }
  }

  /** As many results as whole pages reach within the API's limit. */
  function reach(): number {
    const size = pageSizeWithin(limits.deepest)
    return Math.floor(limits.deepest / size) * size
  }

  /** Takes over the limit that the API has named; false when nothing is left to be learned from it. */
  function learnLimit(limit: number, first: DetailsPage | null): boolean {
    if (limit < limits.deepest) {
      limits.deepest = limit
      return true
    }
    // Known, and refused all the same: the server counts in another way, so what it was asked for must be smaller.
    const smaller = Math.floor(Math.min(limits.wholeUpTo, first?.totalHits ?? 0) / 2)
    if (smaller < pageSizeWithin(limits.deepest)) return false
    limits.wholeUpTo = smaller
    return true
  }

  async function readInParts(part: Part, first: DetailsPage): Promise<PartOutcome> {
    const split = await splitPart(reading, part, first.totalHits)
    const outcome = split === null ? null : await readAll(split.parts, split.by)
    if (outcome !== null) {
      // The parts must account for the whole, whose hits may have changed meanwhile.
      const distinct = outcome.records.size
      const hitsNow = first.totalHits > distinct ? await count(part) : first.totalHits
      if (hitsNow <= distinct) return outcome
      if (first.totalHits > reach())
        return { ...outcome, unstable: outcome.unstable ?? lackingParts(hitsNow, distinct) }
    } else if (first.totalHits > reach()) {
      throw tooLarge(part, first.totalHits, limits.deepest)
    }
    const read = await readUntilStable(part, first)
    return outcome === null
      ? read
      : { ...read, records: new Map([...outcome.records, ...read.records]), split: outcome.split }
  }

  /** A query that took too long is tried in smaller parts, once. */
  async function readSmaller(part: Part, error: GenesysError): Promise<PartOutcome> {
    const smaller = { ...part, shrunk: true }
    const split = await splitPart(reading, smaller, await count(part)).catch((reason: unknown) => {
      throw reason instanceof GenesysError && reason.code === 'GENESYS_TIMEOUT' ? error : reason
    })
    if (split === null) throw error
    return await readAll(split.parts, split.by)
  }

  async function readAll(parts: readonly Part[], split: 'time' | 'predicate'): Promise<PartOutcome> {
    const records = new Map<string, number>()
    let reads = 0
    let unstable: Instability | null = null
    let finest = split
    for (const part of parts) {
      const outcome = await readPart(part)
      for (const [key, start] of outcome.records) records.set(key, start)
      reads = Math.max(reads, outcome.reads)
      unstable ??= outcome.unstable
      if (outcome.split === 'predicate') finest = 'predicate'
    }
    return { records, reads, unstable, split: finest }
  }

  async function readUntilStable(part: Part, first: DetailsPage): Promise<PartOutcome> {
    const reads: WindowRead[] = []
    const records = new Map<string, number>()
    let page = first
    for (let implausible = 0; ;) {
      const read = await readPages(reading, part, page)
      const problem = implausibility(read, daysOf(part.interval), isFiltered(part.filter))
      if (problem === null) {
        reads.push(read)
        for (const [key, start] of read.records) records.set(key, start)
        const verdict = judgeReads(reads, part.interval, options)
        const unstable = verdict === 'unstable' ? whyUnstable(reads, part.interval) : null
        if (verdict !== 'read-again') return { records, reads: reads.length, unstable }
      } else {
        implausible++
        if (implausible >= mostImplausibleReads) throw implausibleAnswer(part, problem)
        await sleep((options.pauseMs ?? 1000) * 2 ** (implausible - 1), undefined, { signal }).catch(() => {})
        signal.throwIfAborted()
      }
      counter.plan(1)
      page = await takePage(reading, part, 1)
    }
  }

  async function count(part: Part): Promise<number> {
    counter.plan(1)
    const hits = await countDetails(client, part.interval, part.filter, { priority, signal })
    counter.done()
    return hits
  }

  const { records, reads, unstable, split } = await readPart(whole)
  return {
    status: unstable === null ? 'done' : 'unstable',
    instability: unstable ?? undefined,
    hits: hits ?? records.size,
    distinct: records.size,
    startingInside: startingInside(records, window).length,
    reads,
    requests: counter.requests(),
    pagesRead,
    split,
  }
}

function requestCounter(onProgress: ReadWindowOptions['onProgress']): Progress & { requests(): number } {
  const progress = { requestsDone: 0, requestsPlanned: 0 }
  return {
    plan(requests) {
      progress.requestsPlanned += requests
      onProgress?.({ ...progress })
    },
    done() {
      progress.requestsDone++
      onProgress?.({ ...progress })
    },
    requests: () => progress.requestsDone,
  }
}

/** Parts that are each whole and together are not; null where `totalHits` may be off by as much. */
function lackingParts(hits: number, distinct: number): Instability | null {
  if (hits - distinct <= toleratedShortfall(hits)) return null
  return {
    code: 'WINDOW_INCOMPLETE',
    reason: `Genesys says that ${hits} conversations match, and its parts have ${hits - distinct} conversations fewer than the whole (${distinct})`,
  }
}

function implausibleAnswer(part: Part, problem: string): GenesysError {
  const text = `the answers about ${intervalText(part.interval)} can't be right, ${mostImplausibleReads} reads: ${problem}`
  return badAnswer({ method: 'POST', path: DETAILS_QUERY_PATH }, text)
}

function tooLarge(part: Part, hits: number, deepest: number): EtlError {
  const text = intervalText(part.interval)
  return new EtlError(
    `window ${text}: ${hits} conversations match, the API pages through ${deepest} at most, and neither time, direction, media type, division nor queue splits them`,
    {
      code: 'GENESYS_WINDOW_TOO_LARGE',
      kind: 'fatal',
      hint: 'Set HISTORY_MEDIA_TYPES or HISTORY_MIN_DURATION_SECONDS to load a part of them, or load this day from the API for jobs.',
    },
  )
}
