import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../backoff.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import {
  countDetails,
  MAX_PAGED_RESULTS,
  DETAILS_QUERY_PATH,
  intervalText,
  isFiltered,
  type DetailsFilter,
  type DetailsPage,
} from '../genesys/details-query.ts'
import { badAnswer, GenesysError, paginationLimit } from '../genesys/errors.ts'
import { toleratedShortfall } from '../genesys/record-identity.ts'
import type { Priority } from '../genesys/send-budget.ts'
import type { Interval } from '../model/interval.ts'
import type { Progress } from '../progress.ts'
import { daysOf, pageSizeWithin, readPages, takePage, type Reading, type TakenPage } from './read-pages.ts'
import { splitPart, type Part, type Split } from './split-window.ts'
import {
  implausibility,
  judgeReads,
  startingInside,
  whyUnstable,
  type Instability,
  type WindowRead,
} from './stability.ts'

export interface ReadWindowOptions {
  readonly window: Interval
  readonly filter: DetailsFilter
  readonly priority: Priority
  readonly signal: AbortSignal
  /** Gets every page of every read that has records, several at a time. Its failure ends the reading. */
  onPage(page: DetailsPage): Promise<void>
  onProgress?(progress: { requestsDone: number; requestsPlanned: number }): void
  /** Before an implausible read is made again; doubles with each one. Default: a second. */
  readonly pauseMs?: number
  /** Hits up to which a window is read whole, and beyond which the API refuses. Default: what the API documents. */
  readonly limits?: ReadLimits
}

export interface ReadLimits {
  readonly wholeUpTo: number
  readonly deepest: number
}

/** How the reading of a window ended. */
export interface ReadOutcome {
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
}

/** Implausible reads after which the window has failed. */
const MOST_IMPLAUSIBLE_READS = 3

const DEFAULT_LIMITS: ReadLimits = { wholeUpTo: 20_000, deepest: MAX_PAGED_RESULTS }
const DEFAULT_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000

interface PartOutcome {
  readonly records: ReadonlyMap<string, number>
  readonly reads: number
  /** Null when it is done. */
  readonly unstable: Instability | null
}

/**
 * Reads all conversations of a window, page by page, until it is known to be complete (`done`), or still changes after several
 * reads, or keeps lacking what Genesys says there is (`unstable`). A window with more hits than a query should have, or than the
 * API lets us page through, is read in parts. How many requests are in flight at once is the client's matter.
 * @throws GenesysError, with the code GENESYS_BAD_ANSWER where the answers can't be right
 * @throws EtlError GENESYS_WINDOW_TOO_LARGE when the API refuses to page so deep and nothing makes the window smaller
 * @throws what `onPage` throws, or the signal's reason
 */
export async function readWindow(client: GenesysClient, options: ReadWindowOptions): Promise<ReadOutcome> {
  return await new WindowReader(client, options).read()
}

/** The same, and shows the requests as they are answered. */
export async function readWindowWithProgress(
  client: GenesysClient,
  progress: Progress,
  options: Omit<ReadWindowOptions, 'onProgress'>,
): Promise<ReadOutcome> {
  let shown = 0
  return await readWindow(client, {
    ...options,
    onPage: (page) => options.onPage(page),
    onProgress({ requestsDone }) {
      progress.advance(requestsDone - shown)
      shown = requestsDone
    },
  })
}

class WindowReader {
  readonly #options: ReadWindowOptions
  readonly #reading: Reading
  /** Become smaller as the API's refusals name its limit. */
  readonly #limits: { wholeUpTo: number; deepest: number }
  #hits: number | null = null
  #requestsDone = 0
  #requestsPlanned = 0

  constructor(client: GenesysClient, options: ReadWindowOptions) {
    this.#options = options
    this.#limits = { ...(options.limits ?? DEFAULT_LIMITS) }
    this.#reading = {
      client,
      priority: options.priority,
      signal: options.signal,
      deepest: () => this.#limits.deepest,
      onPage: (page) => options.onPage(page),
      progress: {
        plan: (requests) => this.#count(requests, 0),
        done: () => this.#count(0, 1),
      },
    }
  }

  async read(): Promise<ReadOutcome> {
    const { window, filter } = this.#options
    const { records, reads, unstable } = await this.#readPart({
      interval: window,
      filter,
      timeFails: false,
      nextDimension: 0,
      shrunk: false,
    })
    return {
      status: unstable === null ? 'done' : 'unstable',
      instability: unstable ?? undefined,
      hits: this.#hits ?? records.size,
      distinct: records.size,
      startingInside: startingInside(records, window).length,
      reads,
      requests: this.#requestsDone,
    }
  }

  /** Reads a part whole, or in smaller parts where it is too large or a query of it takes too long. */
  async #readPart(part: Part): Promise<PartOutcome> {
    let first: TakenPage | null = null
    try {
      first = await this.#takeFirstPage(part)
      this.#hits ??= first.totalHits
      if (first.totalHits > Math.min(this.#limits.wholeUpTo, this.#reach())) return await this.#readInParts(part, first)
      return await this.#readUntilStable(part, first)
    } catch (error) {
      const refusedBeyond = paginationLimit(error)
      if (refusedBeyond !== undefined && this.#learnLimit(refusedBeyond, first)) return await this.#readPart(part)
      if (part.shrunk || !(error instanceof GenesysError) || error.code !== 'GENESYS_TIMEOUT') throw error
      return await this.#readSmaller(part, error)
    }
  }

  /** As many results as whole pages reach within the API's limit. */
  #reach(): number {
    const size = pageSizeWithin(this.#limits.deepest)
    return Math.floor(this.#limits.deepest / size) * size
  }

  /** Adopts the limit that the API has named; false when that can't help. */
  #learnLimit(limit: number, first: TakenPage | null): boolean {
    const limits = this.#limits
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

  async #readInParts(part: Part, first: TakenPage): Promise<PartOutcome> {
    const isBeyondReach = first.totalHits > this.#reach()
    const split = await splitPart(this.#reading, part, first.totalHits)
    if (split === null) {
      if (isBeyondReach) throw tooLarge(part, first.totalHits, this.#limits.deepest)
      return await this.#readUntilStable(part, first)
    }
    const outcome = await this.#readAll(split)
    // The parts must account for the whole, whose hits may have changed meanwhile.
    const distinct = outcome.records.size
    const hitsNow = first.totalHits > distinct ? await this.#countHits(part) : first.totalHits
    if (hitsNow <= distinct) return outcome
    if (isBeyondReach) return { ...outcome, unstable: outcome.unstable ?? lackingParts(hitsNow, distinct) }
    const read = await this.#readUntilStable(part, first)
    return { ...read, records: new Map([...outcome.records, ...read.records]) }
  }

  /** A query that took too long is tried in smaller parts, once. */
  async #readSmaller(part: Part, error: GenesysError): Promise<PartOutcome> {
    const smaller = { ...part, shrunk: true }
    const split = await splitPart(this.#reading, smaller, await this.#countHits(part)).catch((reason: unknown) => {
      throw reason instanceof GenesysError && reason.code === 'GENESYS_TIMEOUT' ? error : reason
    })
    if (split === null) throw error
    return await this.#readAll(split)
  }

  /** Reads the parts of a split one after the other. */
  async #readAll({ parts }: Split): Promise<PartOutcome> {
    const records = new Map<string, number>()
    let reads = 0
    let unstable: Instability | null = null
    for (const part of parts) {
      const outcome = await this.#readPart(part)
      for (const [key, start] of outcome.records) records.set(key, start)
      reads = Math.max(reads, outcome.reads)
      unstable ??= outcome.unstable
    }
    return { records, reads, unstable }
  }

  /** Reads a part again and again until its reads show that it is complete, or that it will not be. */
  async #readUntilStable(part: Part, first: TakenPage): Promise<PartOutcome> {
    const reads: WindowRead[] = []
    const records = new Map<string, number>()
    let implausibleReads = 0
    for (let page = first; ; page = await this.#takeFirstPage(part)) {
      const read = await readPages(this.#reading, part, page)
      const problem = implausibility(read, daysOf(part.interval), isFiltered(part.filter))
      if (problem !== null) {
        implausibleReads++
        if (implausibleReads >= MOST_IMPLAUSIBLE_READS) throw implausibleAnswer(part, problem)
        await this.#pause(implausibleReads)
        continue
      }
      reads.push(read)
      for (const [key, start] of read.records) records.set(key, start)
      const verdict = judgeReads(reads, part.interval)
      const unstable = verdict === 'unstable' ? whyUnstable(reads, part.interval) : null
      if (verdict !== 'read-again') return { records, reads: reads.length, unstable }
    }
  }

  async #takeFirstPage(part: Part): Promise<TakenPage> {
    this.#count(1, 0)
    return await takePage(this.#reading, part, 1)
  }

  async #countHits({ interval, filter }: Part): Promise<number> {
    const { client, priority, signal } = this.#reading
    this.#count(1, 0)
    const hits = await countDetails(client, interval, filter, { priority, signal })
    this.#count(0, 1)
    return hits
  }

  async #pause(implausibleReads: number): Promise<void> {
    const { pauseMs = DEFAULT_PAUSE_MS, signal } = this.#options
    const waitMs = backoffMs(implausibleReads, { baseMs: pauseMs, ceilingMs: LONGEST_PAUSE_MS })
    await sleep(waitMs, undefined, { signal }).catch(() => {})
    signal.throwIfAborted()
  }

  #count(planned: number, done: number): void {
    this.#requestsPlanned += planned
    this.#requestsDone += done
    this.#options.onProgress?.({ requestsDone: this.#requestsDone, requestsPlanned: this.#requestsPlanned })
  }
}

/** Parts that are each complete and together are not; null where `totalHits` may be off by as much. */
function lackingParts(hits: number, distinct: number): Instability | null {
  if (hits - distinct <= toleratedShortfall(hits)) return null
  return {
    code: 'WINDOW_INCOMPLETE',
    reason: `Genesys says that ${hits} conversations match, and its parts have ${hits - distinct} conversations fewer than the whole (${distinct})`,
  }
}

function implausibleAnswer(part: Part, problem: string): GenesysError {
  const text = `the answers about ${intervalText(part.interval)} can't be right, ${MOST_IMPLAUSIBLE_READS} reads: ${problem}`
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
