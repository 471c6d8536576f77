import type { Json } from './conversation-plan.ts'
import type { DetailsQuery } from './details-query.ts'
import { DAY_MS } from './generate.ts'
import { hash32, hashFraction } from './random.ts'
import type { ConversationStore, Stored } from './store.ts'

/**
 * How an interval selects. `day`: the conversations that started on a UTC day that it touches (what the documentation
 * says); `overlap`: of those, the ones in progress at some time of the interval; `start`: the ones that started inside it.
 */
export type IntervalReading = 'day' | 'overlap' | 'start'

/** The result of a query, in order, with the pages of it that were written. */
export interface Selection {
  readonly hits: readonly Stored[]
  readonly totalHits: number
  readonly pages: Map<string, { readonly bytes: Buffer; readonly until: number }>
}

/** A selection that can be served again as long as the version is the same and the clock is in [from, until). */
interface CachedSelection extends Selection {
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

/** How many selections are kept, without and with their pages. */
const CACHED_SELECTIONS = 64
const CACHED_SELECTIONS_WITH_PAGES = 4_000
/** Sorts after every instant. */
const LAST = '\uffff'

/** Runs details queries over the store and remembers their results until something changes. */
export class Selector {
  readonly #store: ConversationStore
  readonly #reading: IntervalReading
  readonly #noise: Readonly<PagingNoise>
  readonly #rememberPages: boolean
  readonly #cache = new Map<string, CachedSelection>()
  #pagesWritten = 0

  /** @param rememberPages keeps written pages as long as they are current, so that serving them again costs nothing */
  constructor(
    store: ConversationStore,
    reading: IntervalReading,
    noise: Readonly<PagingNoise>,
    rememberPages: boolean,
  ) {
    this.#store = store
    this.#reading = reading
    this.#noise = noise
    this.#rememberPages = rememberPages
  }

  /** What a query finds now, of the conversations that have one of the visible divisions. */
  select(query: DetailsQuery, visible?: ReadonlySet<string>): Selection {
    const key = `${query.order === 'unordered' ? query.pageNumber : ''}${visible ? [...visible].join() : '*'}${query.key}`
    const known = this.#cache.get(key)
    const now = this.#store.clock.now()
    if (known && known.version === this.#store.version() && known.from <= now && now < known.until) return known
    const selection = this.#run(query, visible)
    this.#cache.delete(key)
    this.#cache.set(key, selection)
    const [oldest] = this.#cache.keys()
    const limit = this.#rememberPages ? CACHED_SELECTIONS_WITH_PAGES : CACHED_SELECTIONS
    if (this.#cache.size > limit && oldest !== undefined) this.#cache.delete(oldest)
    return selection
  }

  /** The answer to a query as JSON, UTF-8. */
  page(query: DetailsQuery, selection: Selection): Buffer {
    const { pageSize, pageNumber } = query
    const key = `${pageSize}/${pageNumber}`
    const known = selection.pages.get(key)
    if (known && this.#store.clock.now() < known.until) return known.bytes
    const jitter = this.#jitterOf(query)
    const totalHits = Math.max(0, selection.totalHits + this.#noise.totalHitsOffset + jitter)
    const shown = selection.hits
      .slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
      .flatMap((stored) => this.#store.show(stored) ?? [])
    const bytes = writePage(
      shown.map((each) => each.bytes),
      totalHits,
    )
    if (this.#rememberPages && !jitter)
      selection.pages.set(key, { bytes, until: Math.min(...shown.map(({ changesAt }) => changesAt)) })
    return bytes
  }

  #jitterOf(query: DetailsQuery): number {
    const { totalHitsJitter } = this.#noise
    if (!totalHitsJitter) return 0
    const fraction = hashFraction(`jitter/${query.key}/${query.pageNumber}/${++this.#pagesWritten}`)
    return Math.round((fraction * 2 - 1) * totalHitsJitter)
  }

  #run(query: DetailsQuery, visible: ReadonlySet<string> | undefined): CachedSelection {
    const from = this.#store.clock.now()
    const version = this.#store.version()
    let { list, until } = this.#candidates(query)
    const needsContent =
      query.filtered || visible !== undefined || this.#reading === 'overlap' || query.orderBy !== 'conversationStart'
    if (needsContent) {
      const matching = this.#matching(list, query, visible)
      list = matching.list
      until = Math.min(until, matching.until)
    }
    this.#sort(list, query)
    const { duplicateShare } = this.#noise
    if (duplicateShare > 0)
      list = list.flatMap((stored) =>
        hashFraction(`duplicate/${stored.id}`) < duplicateShare ? [stored, stored] : [stored],
      )
    return { hits: list, totalHits: list.length, pages: new Map(), version, from, until }
  }

  /** The conversations that the interval selects by their start alone, and the instant at which that changes. */
  #candidates(query: DetailsQuery): { list: Stored[]; until: number } {
    const now = this.#store.clock.now()
    const { first, end } = this.#store.days()
    const from = Math.max(Math.floor(query.start / DAY_MS), first)
    const to = Math.min(Math.ceil(query.end / DAY_MS), end)
    const list: Stored[] = []
    let until = Infinity
    for (let day = from; day < to; day++)
      for (const stored of this.#store.day(day)) {
        if (stored.start > now) {
          until = Math.min(until, stored.start)
          break
        }
        if (stored.hidden) continue
        if (this.#reading === 'start' && (stored.start < query.start || stored.start >= query.end)) continue
        list.push(stored)
      }
    // A day that has not begun yet brings its first conversation at an instant that only its generation knows.
    if (to < Math.ceil(query.end / DAY_MS)) until = Math.min(until, Math.max(to, first) * DAY_MS)
    return { list, until }
  }

  /** Those of a list that pass the query's filters and the client's divisions, and the instant at which that changes. */
  #matching(
    list: readonly Stored[],
    query: DetailsQuery,
    visible: ReadonlySet<string> | undefined,
  ): { list: Stored[]; until: number } {
    let until = Infinity
    const matching = list.filter((stored) => {
      const shown = this.#store.show(stored)
      if (!shown) return false
      until = Math.min(until, shown.changesAt)
      if (this.#reading === 'overlap' && !overlaps(stored, shown.end, query)) return false
      if (visible && !shown.divisionIds.some((id) => visible.has(id))) return false
      if (query.tests.length === 0) return true
      const conversation = this.#store.wellFormed(stored)
      return query.tests.every((test) => test(conversation))
    })
    return { list: matching, until }
  }

  #sort(list: Stored[], query: DetailsQuery): void {
    if (query.order === 'unordered') {
      const salt = this.#store.clock.now() + query.pageNumber
      list.sort((a, b) => hash32(`${salt}${a.id}`) - hash32(`${salt}${b.id}`))
      return
    }
    if (query.orderBy !== 'conversationStart') {
      const keys = new Map(list.map((stored) => [stored, sortKey(this.#store.wellFormed(stored), query.orderBy)]))
      list.sort((a, b) => ((keys.get(a) ?? LAST) < (keys.get(b) ?? LAST) ? -1 : 1))
    }
    if (query.order === 'desc') list.reverse()
  }
}

function writePage(records: readonly Buffer[], totalHits: number): Buffer {
  const parts: Buffer[] = [Buffer.from(records.length > 0 ? '{"conversations":[' : '{')]
  for (const [index, bytes] of records.entries()) {
    if (index > 0) parts.push(Buffer.from(','))
    parts.push(bytes)
  }
  parts.push(Buffer.from(`${records.length > 0 ? '],' : ''}"totalHits":${totalHits}}`))
  return Buffer.concat(parts)
}

function overlaps(stored: Stored, end: number, query: DetailsQuery): boolean {
  return stored.start < query.end && (stored.start >= query.start || end > query.start)
}

function sortKey(conversation: Json, orderBy: DetailsQuery['orderBy']): string {
  const value =
    orderBy === 'conversationEnd'
      ? conversation['conversationEnd']
      : edgeOf(conversation, orderBy === 'segmentEnd' ? 'segmentEnd' : 'segmentStart')
  return typeof value === 'string' ? value : LAST
}

/** The earliest start or the latest end of the segments of a conversation. */
function edgeOf(conversation: Json, field: 'segmentStart' | 'segmentEnd'): string | undefined {
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
