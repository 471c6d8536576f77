import { isJsonObject } from './json.ts'

/** What one complete read of a window, all its pages, has brought. */
export interface WindowRead {
  /** `totalHits` as each page gave it. */
  readonly totals: readonly number[]
  /** Every distinct record → whether it starts inside the window. */
  readonly records: ReadonlyMap<string, boolean>
}

/** Reads after which a window that still changes is left to the next run. */
export const mostReads = 3

/** What to do with a window after these complete reads of it. */
export type Verdict = 'done' | 'read-again' | 'unstable'

/**
 * Offset paging over changing data repeats records and skips others, and `totalHits` is approximate: it can be off for
 * good. So a window is done when one read had the same `totalHits` on every page and as many distinct records, or when the
 * last two reads agree on the records that start inside it. `confirm` asks for two agreeing reads in any case: a removal and an
 * insertion that cancel out between two pages show in nothing else.
 */
export function judgeReads(
  reads: readonly WindowRead[],
  options: { readonly mostReads?: number; readonly confirm?: boolean } = {},
): Verdict {
  const last = reads.at(-1)
  const before = reads.at(-2)
  if (last === undefined) return 'read-again'
  if (options.confirm !== true && isConsistent(last)) return 'done'
  if (before !== undefined && agreeInside(before, last)) return 'done'
  return reads.length >= (options.mostReads ?? mostReads) ? 'unstable' : 'read-again'
}

function isConsistent({ totals, records }: WindowRead): boolean {
  return totals.every((total) => total === records.size)
}

function agreeInside(a: WindowRead, b: WindowRead): boolean {
  const insideA = inside(a)
  const insideB = inside(b)
  return insideA.size === insideB.size && insideA.isSubsetOf(insideB)
}

function inside({ records }: WindowRead): Set<string> {
  return new Set(records.entries().flatMap(([key, isInside]) => (isInside ? [key] : [])))
}

/**
 * What tells a record from the others, its id, or its whole content when it has no usable id; and when it started, in
 * epoch milliseconds, NaN when that can't be told.
 */
export function identify(record: unknown): { readonly key: string; readonly start: number } {
  if (!isJsonObject(record)) return { key: `content ${JSON.stringify(record)}`, start: Number.NaN }
  const id = record['conversationId']
  const start = record['conversationStart']
  return {
    key: typeof id === 'string' && id !== '' ? `id ${id}` : `content ${JSON.stringify(record)}`,
    start: typeof start === 'string' ? Date.parse(start) : Number.NaN,
  }
}

/**
 * Whether the hits of the parts account for those of the whole. `less`: the parts miss some. `same`: they do, give or take
 * what lies in two parts at once. `more`: most lies in several parts, so this is no way to make the whole smaller.
 */
export function compareHits(whole: number, parts: readonly number[]): 'less' | 'same' | 'more' {
  const sum = parts.reduce((total, hits) => total + hits, 0)
  if (sum < whole - toleratedShortfall(whole)) return 'less'
  return sum <= whole * 1.25 + 100 ? 'same' : 'more'
}

/** Hits that may be missing without alarm, because `totalHits` is approximate: one in a thousand, at least ten. */
export function toleratedShortfall(hits: number): number {
  return Math.max(10, Math.floor(hits / 1000))
}
