import { isJsonObject, textOfDeep } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { canonicalTime } from './timestamps.ts'

/** What one complete read of a window, all its pages, has brought. */
export interface WindowRead {
  /** `totalHits` as each page gave it. */
  readonly totals: readonly number[]
  /** Every distinct record → when it started, in epoch milliseconds (NaN when that can't be told). */
  readonly records: ReadonlyMap<string, number>
}

/** Half-open, as all windows are. */
interface Range {
  readonly start: Date
  readonly end: Date
}

/** Reads after which a window that still changes is left to the next run. */
const mostReads = 3

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
  window: Range,
  options: { readonly mostReads?: number; readonly confirm?: boolean } = {},
): Verdict {
  const last = reads.at(-1)
  const before = reads.at(-2)
  if (last === undefined) return 'read-again'
  if (options.confirm !== true && isConsistent(last)) return 'done'
  if (before !== undefined && agreeInside(before, last, window)) return 'done'
  return reads.length >= (options.mostReads ?? mostReads) ? 'unstable' : 'read-again'
}

function isConsistent({ totals, records }: WindowRead): boolean {
  return totals.every((total) => total === records.size)
}

function agreeInside(a: WindowRead, b: WindowRead, window: Range): boolean {
  const insideA = startingInside(a.records, window)
  const insideB = new Set(startingInside(b.records, window))
  return insideA.length === insideB.size && insideA.every((key) => insideB.has(key))
}

/** The records that start inside a window; an answer may have others, too. */
export function startingInside(records: ReadonlyMap<string, number>, { start, end }: Range): string[] {
  const keys: string[] = []
  for (const [key, at] of records) if (at >= start.getTime() && at < end.getTime()) keys.push(key)
  return keys
}

/**
 * What tells a record from the others, its id, or its whole content when it has no usable id; and when it started, in
 * epoch milliseconds, NaN when that can't be told.
 */
export function identify(record: JsonValue): { readonly key: string; readonly start: number } {
  const { conversationId: id, conversationStart } = isJsonObject(record) ? record : ({} as JsonObject)
  const start = typeof conversationStart === 'string' ? canonicalTime(conversationStart) : null
  return {
    key: typeof id === 'string' && id !== '' ? `id ${id}` : `content ${textOfDeep(record)}`,
    start: start === null ? Number.NaN : Date.parse(start),
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
function toleratedShortfall(hits: number): number {
  return Math.max(10, Math.floor(hits / 1000))
}
