import type { DetailsQuery } from './details-query.ts'
import { DAY_MS } from './generate.ts'
import { hash32, hashFraction } from './random.ts'
import type { Store, Stored } from './store.ts'
import type { Json } from './conversation-plan.ts'

/**
 * How an interval selects. `day`: whatever started on a UTC day that it touches (what the documentation says);
 * `overlap`: of those, what was in progress at some time of the interval; `start`: what started inside it.
 */
export type IntervalReading = 'day' | 'overlap' | 'start'

/** What a query finds, in order, and its pages as they were written. */
export interface Selection {
  readonly hits: readonly Stored[]
  readonly totalHits: number
  readonly pages: Map<string, { readonly bytes: Buffer; readonly until: number }>
}

interface Kept extends Selection {
  readonly version: number
  readonly from: number
  readonly until: number
}

/** Disturbances of paging that a test asks for. */
export interface PagingNoise {
  /** Added to the true totalHits on every answer. */
  totalHitsOffset: number
  /** totalHits is off by a different number between -n and n on every page. */
  totalHitsJitter: number
  /** Share of records that appear twice in a result, next to each other. */
  duplicateShare: number
}

function edge(conversation: Json, field: 'segmentStart' | 'segmentEnd'): string | undefined {
  let found: string | undefined
  for (const participant of (conversation['participants'] ?? []) as Json[])
    for (const session of (participant['sessions'] ?? []) as Json[])
      for (const segment of (session['segments'] ?? []) as Json[]) {
        const value = segment[field]
        if (typeof value !== 'string') continue
        if (found === undefined || (field === 'segmentStart' ? value < found : value > found)) found = value
      }
  return found
}

function overlaps(stored: Stored, end: number, query: DetailsQuery): boolean {
  return stored.start < query.end && (stored.start >= query.start || end > query.start)
}

/**
 * Runs details queries over the store and remembers their results until something changes.
 * @param rememberPages keeps written pages as long as they stay true, so that serving them again costs nothing
 */
export function createSelector(store: Store, reading: IntervalReading, noise: PagingNoise, rememberPages: boolean) {
  const kept = new Map<string, Kept>()
  let written = 0

  function candidates(query: DetailsQuery): { list: Stored[]; until: number } {
    const now = store.clock.now()
    const { first, end } = store.days()
    const from = Math.max(Math.floor(query.start / DAY_MS), first)
    const to = Math.min(Math.ceil(query.end / DAY_MS), end)
    const list: Stored[] = []
    let until = Infinity
    for (let day = from; day < to; day++)
      for (const stored of store.day(day)) {
        if (stored.start > now) {
          until = Math.min(until, stored.start)
          break
        }
        if (stored.hidden) continue
        if (reading === 'start' && (stored.start < query.start || stored.start >= query.end)) continue
        list.push(stored)
      }
    // A day that has not begun yet brings its first conversation at an instant that only its generation knows.
    if (to < Math.ceil(query.end / DAY_MS)) until = Math.min(until, Math.max(to, first) * DAY_MS)
    return { list, until }
  }

  function run(query: DetailsQuery, visible: ReadonlySet<string> | undefined): Kept {
    const from = store.clock.now()
    const version = store.version()
    let { list, until } = candidates(query)
    const looksInside =
      query.filtered || visible !== undefined || reading === 'overlap' || query.orderBy !== 'conversationStart'
    if (looksInside) {
      list = list.filter((stored) => {
        const shown = store.show(stored)
        if (!shown) return false
        until = Math.min(until, shown.changesAt)
        if (reading === 'overlap' && !overlaps(stored, shown.end, query)) return false
        if (visible && !shown.divisionIds.some((id) => visible.has(id))) return false
        if (query.tests.length === 0) return true
        const conversation = store.clean(stored)
        return query.tests.every((test) => test(conversation))
      })
    }
    sort(list, query)
    if (noise.duplicateShare > 0)
      list = list.flatMap((stored) =>
        hashFraction(`duplicate/${stored.id}`) < noise.duplicateShare ? [stored, stored] : [stored],
      )
    return { hits: list, totalHits: list.length, pages: new Map(), version, from, until }
  }

  function sort(list: Stored[], query: DetailsQuery): void {
    if (query.order === 'unordered') {
      const salt = store.clock.now() + query.pageNumber
      list.sort((a, b) => hash32(`${salt}${a.id}`) - hash32(`${salt}${b.id}`))
      return
    }
    if (query.orderBy !== 'conversationStart') {
      const last = '\uffff'
      const key = (stored: Stored): string => {
        const conversation = store.clean(stored)
        const value =
          query.orderBy === 'conversationEnd'
            ? conversation['conversationEnd']
            : edge(conversation, query.orderBy as 'segmentStart')
        return typeof value === 'string' ? value : last
      }
      const keys = new Map(list.map((stored) => [stored, key(stored)]))
      list.sort((a, b) => ((keys.get(a) ?? last) < (keys.get(b) ?? last) ? -1 : 1))
    }
    if (query.order === 'desc') list.reverse()
  }

  return {
    /** What a query finds now, of what has one of the visible divisions. */
    select(query: DetailsQuery, visible?: ReadonlySet<string>): Selection {
      const key = `${query.order === 'unordered' ? query.pageNumber : ''}${visible ? [...visible].join() : '*'}${query.key}`
      const known = kept.get(key)
      const now = store.clock.now()
      if (known && known.version === store.version() && known.from <= now && now < known.until) return known
      const fresh = run(query, visible)
      kept.delete(key)
      kept.set(key, fresh)
      const [oldest] = kept.keys()
      if (kept.size > (rememberPages ? 4_000 : 64) && oldest !== undefined) kept.delete(oldest)
      return fresh
    },

    /** The answer to a query as JSON, UTF-8. */
    page(query: DetailsQuery, selection: Selection): Buffer {
      const { pageSize, pageNumber } = query
      const key = `${pageSize}/${pageNumber}`
      const known = selection.pages.get(key)
      const now = store.clock.now()
      if (known && now < known.until) return known.bytes
      const wobble = noise.totalHitsJitter
        ? Math.round((hashFraction(`jitter/${query.key}/${pageNumber}/${++written}`) * 2 - 1) * noise.totalHitsJitter)
        : 0
      const totalHits = Math.max(0, selection.totalHits + noise.totalHitsOffset + wobble)
      const shown = selection.hits
        .slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
        .flatMap((stored) => store.show(stored) ?? [])
      const records = shown.map(({ bytes }) => bytes)
      const parts: Buffer[] = [Buffer.from(records.length > 0 ? '{"conversations":[' : '{')]
      for (const [index, bytes] of records.entries()) {
        if (index > 0) parts.push(Buffer.from(','))
        parts.push(bytes)
      }
      parts.push(Buffer.from(`${records.length > 0 ? '],' : ''}"totalHits":${totalHits}}`))
      const bytes = Buffer.concat(parts)
      if (rememberPages && !wobble)
        selection.pages.set(key, { bytes, until: Math.min(...shown.map(({ changesAt }) => changesAt)) })
      return bytes
    },
  }
}
