import { compareHits } from './stability.ts'
import { countDetails } from '../genesys/details-query.ts'
import type { Interval } from '../model/interval.ts'
import { forEachParallel } from '../genesys/parallel.ts'
import type { Query, Reading } from './read-pages.ts'
import { narrowed, partsBy, splitDimensions } from './split-dimensions.ts'

/** A part of a window, with what is known about splitting it further. */
export interface Part extends Query {
  /** Halves of its time have as many hits as the whole: the API selects by day. */
  readonly timeFails: boolean
  /** Index of the first split dimension that was not used yet. */
  readonly nextDimension: number
  /** It was made smaller because its query took too long; that is tried once. */
  readonly shrunk: boolean
}

export interface Split {
  readonly parts: readonly Part[]
}

const MS_PER_DAY = 86_400_000
const SHORTEST_MS = 1000

/** Beyond this multiple of the whole's hits, reading parts that overlap costs more than it is worth. */
const MOST_OVERLAP = 3

/**
 * Splits a part of a window so that each smaller part has fewer hits: into halves of its time if their hits add up to the whole's,
 * otherwise by the first dimension that makes every part smaller and misses none. Null where nothing does. Costs one request for each
 * smaller part that is tried.
 */
export async function splitPart(reading: Reading, part: Part, hits: number): Promise<Split | null> {
  if (!part.timeFails) {
    const halves = halve(part.interval)
    if (halves !== null) {
      const parts = halves.map((interval): Part => ({ ...part, interval }))
      const counts = await countAll(reading, parts)
      // Where each half has as many as the whole, halving would never end and make nothing smaller.
      const smaller = Math.min(...counts) < hits * 0.9
      if (smaller && compareHits(hits, counts) === 'same') return { parts }
    }
  }
  for (const [index, dimension] of splitDimensions.entries()) {
    if (index < part.nextDimension) continue
    if (dimension.name === 'originatingDirection' && part.filter.direction !== undefined) continue
    reading.progress.plan(1)
    const values = await dimension.values(reading.client, reading)
    reading.progress.done()
    const parts = partsBy(dimension, values).map((predicate): Part => ({
      ...part,
      filter: narrowed(part.filter, dimension, predicate),
      timeFails: true,
      nextDimension: index + 1,
    }))
    const counts = await countAll(reading, parts)
    const sum = counts.reduce((total, count) => total + count, 0)
    const smaller = Math.max(...counts) < hits * 0.9 && sum <= hits * MOST_OVERLAP
    if (smaller && compareHits(hits, counts) !== 'less') return { parts: parts.filter((_, i) => counts[i] !== 0) }
  }
  return null
}

/** How many hits each query has. */
async function countAll(reading: Reading, queries: readonly Query[]): Promise<number[]> {
  const counts = queries.map(() => 0)
  reading.progress.plan(queries.length)
  await forEachParallel(queries.entries(), Infinity, reading.signal, async ([index, query], signal) => {
    const { client, priority } = reading
    counts[index] = await countDetails(client, query.interval, query.filter, { priority, signal })
    reading.progress.done()
  })
  return counts
}

/** Two halves, at a UTC midnight where there is one inside; null when it is too short to be worth it. */
function halve({ start, end }: Interval): Interval[] | null {
  const length = end.getTime() - start.getTime()
  if (length < 2 * SHORTEST_MS) return null
  const middle = start.getTime() + Math.floor(length / 2)
  const midnights = [Math.floor(middle / MS_PER_DAY) * MS_PER_DAY, Math.ceil(middle / MS_PER_DAY) * MS_PER_DAY]
  const cut = new Date(midnights.find((at) => at > start.getTime() && at < end.getTime()) ?? middle)
  return [
    { start, end: cut },
    { start: cut, end },
  ]
}
