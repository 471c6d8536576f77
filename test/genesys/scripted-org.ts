import { json } from '../support/fake-server.ts'
import type { ReceivedRequest } from '../support/fake-server.ts'
import { fakeGenesys } from './support.ts'
import type { FakeGenesys } from './support.ts'

/** A conversation as the org has it; the API gives `conversationId`, `conversationStart` and `conversationEnd` of it. */
export interface Held {
  readonly id?: string
  readonly start: number
  readonly end: number
  readonly direction?: string
  readonly mediaType?: string
  readonly divisionIds?: readonly string[]
  readonly queueIds?: readonly string[]
}

interface Query {
  readonly from: number
  readonly to: number
  readonly pageNumber: number
  readonly pageSize: number
  readonly filters: readonly Filter[]
}

interface Filter {
  readonly type: 'and' | 'or'
  readonly predicates: readonly { dimension: string; operator: string; value?: string }[]
}

export interface ScriptedOrg extends FakeGenesys {
  held: Held[]
  readonly queries: readonly Query[]
}

export interface OrgScript {
  /** What an interval selects: what overlaps it, or what started on a UTC day that it touches. */
  readonly reading?: 'overlap' | 'day'
  /** Added to every `totalHits`. */
  readonly hitsOff?: number
  /** The most conversations of a page, whatever is asked for. */
  readonly mostPerPage?: number
  /** Results beyond which it refuses to page, and the words in which it does. */
  readonly paginationLimit?: number
  readonly refusal?: string
  readonly divisions?: readonly string[]
  readonly queues?: readonly string[]
  /** Runs before a query is answered, with its number from 1; changes the org, or answers by itself and returns true. */
  before?(org: { held: Held[] }, query: Query, number: number, request: ReceivedRequest): unknown
}

const dayMs = 86_400_000
export const day = Date.parse('2026-11-20T00:00:00.000Z')
export const window = { start: new Date(day), end: new Date(day + dayMs) }

/** This number of conversations of a minute each, evenly over the day. */
export function conversations(count: number, changes: (index: number) => Partial<Held> = () => ({})): Held[] {
  return Array.from({ length: count }, (_, index) => {
    const start = day + Math.floor(((index + 0.5) / count) * dayMs)
    return { id: `c${index}`, start, end: start + 60_000, direction: 'inbound', mediaType: 'voice', ...changes(index) }
  })
}

/** An org in memory, behind real HTTP, that pages by offset over what it holds at that moment. */
export async function scriptedOrg(held: Held[], script: OrgScript = {}): Promise<ScriptedOrg> {
  const queries: Query[] = []
  const org: { held: Held[] } = { held }

  const genesys = await fakeGenesys(async (request) => {
    const url = new URL(request.url, 'http://org')
    if (url.pathname.endsWith('/authorization/divisions')) return list(request, url, script.divisions ?? [])
    if (url.pathname.endsWith('/routing/queues')) return list(request, url, script.queues ?? [])
    const query = parsed(request.body)
    queries.push(query)
    if ((await script.before?.(org, query, queries.length, request)) === true) return undefined
    const found = org.held
      .filter((each) => selected(each, query, script.reading ?? 'overlap'))
      .sort((a, b) => a.start - b.start)
    const { paginationLimit: limit = 100_000, refusal = `Pagination may not exceed ${limit} results.` } = script
    if (query.pageNumber * query.pageSize > limit) return json(request, { message: refusal, status: 400 }, 400)
    const size = Math.min(query.pageSize, script.mostPerPage ?? query.pageSize)
    const offset = (query.pageNumber - 1) * size
    const page = found.slice(offset, offset + size).map(asAnswered)
    const totalHits = found.length + (script.hitsOff ?? 0)
    return json(request, page.length > 0 ? { conversations: page, totalHits } : { totalHits })
  })
  return {
    ...genesys,
    queries,
    get held() {
      return org.held
    },
    set held(held) {
      org.held = held
    },
  }
}

function asAnswered({ id, start, end }: Held): unknown {
  const times = { conversationStart: new Date(start).toISOString(), conversationEnd: new Date(end).toISOString() }
  return id === undefined ? times : { conversationId: id, ...times }
}

function parsed(body: string): Query {
  const {
    interval,
    paging,
    conversationFilters = [],
    segmentFilters = [],
  } = JSON.parse(body) as {
    interval: string
    paging: { pageSize: number; pageNumber: number }
    conversationFilters?: Filter[]
    segmentFilters?: Filter[]
  }
  const [from, to] = interval.split('/').map((text) => Date.parse(text)) as [number, number]
  return { from, to, ...paging, filters: [...conversationFilters, ...segmentFilters] }
}

function selected(held: Held, query: Query, reading: 'overlap' | 'day'): boolean {
  const { from, to } =
    reading === 'overlap'
      ? query
      : { from: Math.floor(query.from / dayMs) * dayMs, to: Math.ceil(query.to / dayMs) * dayMs }
  const inTime = reading === 'overlap' ? held.start < to && held.end >= from : held.start >= from && held.start < to
  return inTime && query.filters.every((filter) => holds(held, filter))
}

function holds(held: Held, { type, predicates }: Filter): boolean {
  const results = predicates.map(({ dimension, operator, value }) => {
    const values = {
      originatingDirection: [held.direction],
      mediaType: [held.mediaType],
      divisionId: held.divisionIds ?? [],
      queueId: held.queueIds ?? [],
    }[dimension]?.filter((each) => each !== undefined)
    if (values === undefined) throw new Error(`the org has no dimension ${dimension}`)
    return operator === 'notExists' ? values.length === 0 : values.includes(value ?? '')
  })
  return type === 'or' ? results.some(Boolean) : results.every(Boolean)
}

function list(request: ReceivedRequest, url: URL, ids: readonly string[]): void {
  const pageSize = Number(url.searchParams.get('pageSize'))
  const pageNumber = Number(url.searchParams.get('pageNumber'))
  const entities = ids
    .slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
    .map((id) => ({ id, name: `name of ${id}` }))
  json(request, { entities, pageNumber, pageSize, total: ids.length, pageCount: Math.ceil(ids.length / pageSize) })
}

/** How a reader of the org cut a window whose query had these filters: undefined, not at all. */
export function splitOf(
  { queries }: ScriptedOrg,
  whole: { readonly start: Date; readonly end: Date },
  filters: number,
): 'time' | 'predicate' | undefined {
  const pages = queries.filter(({ pageSize }) => pageSize > 1)
  if (pages.some((page) => page.filters.flatMap(({ predicates }) => predicates).length > filters)) return 'predicate'
  return pages.some(({ from, to }) => from !== +whole.start || to !== +whole.end) ? 'time' : undefined
}
