import { toleratedShortfall, type Identity } from '../genesys/record-identity.ts'
import type { Interval } from '../model/interval.ts'

/** What one complete read of a window, all its pages, has brought. */
export interface WindowRead {
  /** `totalHits` as each page gave it. */
  readonly totals: readonly number[]
  /** Every distinct record → when it started, in epoch milliseconds (NaN when unknown). */
  readonly records: ReadonlyMap<string, number>
  /** Records received, repeated ones counted each time; not those of `strangers`. */
  readonly received: number
  /** Records that neither start on a requested day nor last into it: they belong to another query. */
  readonly strangers: number
  /** Pages that have the same records as another page of this read. */
  readonly repeatedPages: number
}

/** Reads after which a window that still changes is left to the next run. */
const MOST_READS = 3

/** What to do with a window after these complete reads of it. */
type Verdict = 'done' | 'read-again' | 'unstable'

/**
 * Offset paging over changing data repeats records and skips others, and `totalHits` is approximate: it can stay wrong
 * permanently. So a window is done when one read had the same `totalHits` on every page and as many distinct records, or when
 * the last two reads agree on the records that start inside it and brought about as many as `totalHits` says: two reads that
 * agree prove nothing when both lack the same records. A removal and an insertion that cancel out between two pages show in
 * neither; the lookback reads the window again for that reason.
 */
export function judgeReads(reads: readonly WindowRead[], window: Interval): Verdict {
  const last = reads.at(-1)
  const before = reads.at(-2)
  if (last === undefined) return 'read-again'
  if (isConsistent(last)) return 'done'
  if (before !== undefined && agreeInside(before, last, window) && shortfallOf([before, last]) === 0) return 'done'
  return reads.length >= MOST_READS ? 'unstable' : 'read-again'
}

/** Why a window is unstable after these reads of it: a stable code, and a sentence with the numbers. */
export function whyUnstable(reads: readonly WindowRead[], window: Interval): Instability {
  const [before, last] = reads.slice(-2)
  if (before === undefined || last === undefined) return { code: 'WINDOW_CHANGING', reason: 'read less than twice' }
  const hits = leastTotal([before, last])
  if (agreeInside(before, last, window) && shortfallOf([before, last]) > 0)
    return {
      code: 'WINDOW_INCOMPLETE',
      reason: `Genesys says that ${hits} conversations match, and ${reads.length} reads brought no more than ${last.received}`,
    }
  return {
    code: 'WINDOW_CHANGING',
    reason: `still changing after ${reads.length} reads (the last: totalHits reports ${hits} conversations, and ${last.records.size} came)`,
  }
}

/** Why a window may be incomplete. */
export interface Instability {
  /** CHANGING: reads do not agree. INCOMPLETE: they do, and lack what `totalHits` says there is. */
  readonly code: 'WINDOW_CHANGING' | 'WINDOW_INCOMPLETE'
  readonly reason: string
}

/**
 * What is wrong with the answers of one read, all its pages; null when they can be right together. A proxy that answers every
 * page with the first one, or the query of one day with the records of another, gives such answers.
 * @param days the UTC days that the query touches
 * @param isFiltered whether the query selects only some conversations, of which a day may have none
 */
export function implausibility(read: WindowRead, days: Interval, isFiltered: boolean): string | null {
  const { records, totals, strangers, repeatedPages } = read
  const hits = Math.max(0, ...totals)
  const mayAllBeOlder = strangers === 0 && (isFiltered || records.size <= MOST_OLDER_ALONE)
  if (!mayAllBeOlder && noneMayStartIn(records, days))
    return `totalHits reports ${hits} conversations, and none of the ${strangers + records.size} that came starts on the requested days`
  // Beyond the last page a server may well give that page again, so it matters only where something is missing.
  if (repeatedPages > 0 && records.size < hits)
    return `totalHits reports ${hits} conversations, and ${records.size} came: ${repeatedPages} of the pages repeat another one`
  return null
}

function noneMayStartIn(records: ReadonlyMap<string, number>, { start, end }: Interval): boolean {
  // An unknown start is NaN, which is neither before nor after.
  return [...records.values()].every((at) => at < start.getTime() || at >= end.getTime())
}

/** A quiet day may have a few conversations alone that started before it and have not ended. */
const MOST_OLDER_ALONE = 50

/** How many records the better of two reads lacks, by the smallest `totalHits` that they had; 0 when that is tolerable. */
function shortfallOf(reads: readonly WindowRead[]): number {
  const hits = leastTotal(reads)
  const shortfall = hits - Math.max(...reads.map(({ received }) => received))
  return shortfall > toleratedShortfall(hits) ? shortfall : 0
}

/** `totalHits` may differ from page to page; only what every page claims is sure to be missing. */
function leastTotal(reads: readonly WindowRead[]): number {
  return Math.min(...reads.flatMap(({ totals }) => totals))
}

function isConsistent({ totals, records }: WindowRead): boolean {
  return totals.every((total) => total === records.size)
}

function agreeInside(a: WindowRead, b: WindowRead, window: Interval): boolean {
  const insideA = startingInside(a.records, window)
  const insideB = new Set(startingInside(b.records, window))
  return insideA.length === insideB.size && insideA.every((key) => insideB.has(key))
}

/** The records that start inside a window; an answer may have others too. */
export function startingInside(records: ReadonlyMap<string, number>, { start, end }: Interval): string[] {
  const keys: string[] = []
  for (const [key, at] of records) if (at >= start.getTime() && at < end.getTime()) keys.push(key)
  return keys
}

/** Whether a record is known to have nothing to do with a range: it starts after it, or has ended before it. */
export function isStranger({ start, end }: Identity, range: Interval): boolean {
  return start >= range.end.getTime() || Math.max(start, end) < range.start.getTime()
}

/**
 * Whether the hits of the parts account for those of the whole. `less`: the parts miss some. `same`: they do, give or take
 * what lies in two parts at once. `more`: most lies in several parts, so cutting it this way makes nothing smaller.
 */
export function compareHits(whole: number, parts: readonly number[]): 'less' | 'same' | 'more' {
  const sum = parts.reduce((total, hits) => total + hits, 0)
  if (sum < whole - unaccountedHits(whole)) return 'less'
  return sum <= whole * 1.25 + 100 ? 'same' : 'more'
}

/** Hits of a whole that its parts need not have for a split to be tried; what is read in them is compared more strictly. */
function unaccountedHits(hits: number): number {
  return Math.max(10, Math.floor(hits / 1000))
}
