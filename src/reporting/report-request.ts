/** What a viewer asks of the report pages: the query string, read strictly, and written again for links. Pure. */
import { dayCount, isDay, type Days } from './report-range.ts'

export const GROUPINGS = ['queue', 'media', 'agent'] as const
/** What a row of the table is. */
export type Grouping = (typeof GROUPINGS)[number]

/** Ranges that move with the day: their first and last day, counted from today. */
export const NAMED_RANGES = { today: [0, 0], yesterday: [-1, -1], '7-days': [-7, -1], '28-days': [-28, -1] } as const
export type RangeName = keyof typeof NAMED_RANGES
export type Range = RangeName | Days

/** Steps of the chart by their names in the address, with the most days that one chart can show in them. */
export const GRANULARITIES = {
  '30-minutes': { name: '30 minutes', maxDays: 8 },
  '1-hour': { name: '1 hour', maxDays: 16 },
  '1-day': { name: '1 day', maxDays: 400 },
  '1-week': { name: '1 week', maxDays: 400 },
} as const
export type Granularity = keyof typeof GRANULARITIES

const QUEUE_FIGURES = [
  'offered',
  'answered',
  'abandoned',
  'abandon_rate',
  'service_level',
  'average_speed_of_answer_seconds',
  'average_handle_seconds',
] as const
const AGENT_FIGURES = [
  'handled',
  'average_talk_seconds',
  'average_hold_seconds',
  'average_acw_seconds',
  'average_handle_seconds',
  'transferred',
  'transfer_rate',
] as const
/** A figure by the name of its column in reporting.queue_daily and agent_daily. */
export type FigureName = (typeof QUEUE_FIGURES)[number] | (typeof AGENT_FIGURES)[number]
/** The figures of each grouping, the decisive one first. Offered, abandoned and service level have no agent. */
export const FIGURES_OF: Readonly<Record<Grouping, readonly FigureName[]>> = {
  queue: QUEUE_FIGURES,
  media: QUEUE_FIGURES,
  agent: AGENT_FIGURES,
}

export interface Sort {
  readonly by: FigureName | 'name'
  readonly descending: boolean
}

const THEMES = ['light', 'dark'] as const

/** undefined: all; null: only what has none. */
export type IdFilter = string | null | undefined

/** What the report and the list of its conversations have in common. */
interface Selection {
  readonly range: Range
  readonly queue: IdFilter
  readonly media: IdFilter
  readonly theme: (typeof THEMES)[number] | null
}

export interface ReportRequest extends Selection {
  readonly by: Grouping
  /** null: by the length of the range. */
  readonly granularity: Granularity | null
  readonly sort: Sort
}

export interface ListRequest extends Selection {
  readonly agent: IdFilter
  /** The last conversation of the page before; null: the first page. */
  readonly after: Cursor | null
}

export interface Cursor {
  /** ISO text with microseconds. */
  readonly start: string
  readonly id: string
}

export type Parsed<Request> = { readonly request: Request } | { readonly problems: readonly string[] }

/** A page of at most this many days is read in seconds, however large the organization. */
const MAX_DAYS = 400
/** A list of conversations is for looking closer. */
export const MAX_LIST_DAYS = 31
const ID = /^[\w.:-]{1,100}$/
// Postgres has no year 0
const CURSOR = /^((?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)~(.+)$/
const MAX_ECHOED_CHARACTERS = 40

/** Reads the query string of `/reports`. Unknown parameters are refused, since a misspelled filter would show too much. */
export function parseReportRequest(query: Iterable<readonly [string, string]>): Parsed<ReportRequest> {
  const reader = createReader(query, ['range', 'from', 'to', 'queue', 'media', 'theme', 'by', 'granularity', 'sort'])
  const selection = readSelection(reader, MAX_DAYS)
  const by = reader.oneOf('by', GROUPINGS) ?? 'queue'
  const granularity = reader.oneOf('granularity', Object.keys(GRANULARITIES) as Granularity[]) ?? null
  if (granularity !== null && daysIn(selection.range) > GRANULARITIES[granularity].maxDays) {
    reader.problem(`granularity: ${granularity} is for at most ${GRANULARITIES[granularity].maxDays} days`)
  }
  const names: readonly string[] = ['name', ...FIGURES_OF[by]]
  const sort = reader.oneOf(
    'sort',
    names.flatMap((name) => [name, `-${name}`]),
  )
  return reader.result({ ...selection, by, granularity, sort: sort === undefined ? defaultSort(by) : readSort(sort) })
}

/** Reads the query string of `/conversations`. */
export function parseListRequest(query: Iterable<readonly [string, string]>): Parsed<ListRequest> {
  const reader = createReader(query, ['range', 'from', 'to', 'queue', 'media', 'theme', 'agent', 'after'])
  const selection = readSelection(reader, MAX_LIST_DAYS)
  const agent = reader.id('agent')
  const cursor = reader.text('after')
  const [, start = '', id = ''] = CURSOR.exec(cursor ?? '') ?? []
  const isCursor = ID.test(id) && isInstant(start)
  if (cursor !== undefined && !isCursor) reader.problem('after: is not the address of a further page')
  return reader.result({ ...selection, agent, after: isCursor ? { start, id } : null })
}

/** Whether a text in the form of a cursor's start is an instant of the calendar. */
function isInstant(text: string): boolean {
  const at = new Date(text)
  return !Number.isNaN(+at) && at.toISOString().slice(0, 19) === text.slice(0, 19)
}

/** The query string of a report, without what is the default; parseReportRequest reads it back. */
export function reportQuery(request: ReportRequest): string {
  const { by, granularity, sort } = request
  const isDefault = sort.by === defaultSort(by).by && sort.descending === defaultSort(by).descending
  return queryOf([
    ...selectionPairs(request),
    ['by', by === 'queue' ? undefined : by],
    ['granularity', granularity ?? undefined],
    ['sort', isDefault ? undefined : `${sort.descending ? '-' : ''}${sort.by}`],
  ])
}

/** The query string of a list; parseListRequest reads it back. */
export function listQuery(request: ListRequest): string {
  const { agent, after } = request
  return queryOf([
    ...selectionPairs(request),
    ['agent', filterText(agent)],
    ['after', after ? `${after.start}~${after.id}` : undefined],
  ])
}

/** The decisive figure, the largest first. */
export function defaultSort(by: Grouping): Sort {
  return { by: FIGURES_OF[by][0]!, descending: true }
}

function daysIn(range: Range): number {
  if (typeof range !== 'string') return dayCount(range)
  const [first, last] = NAMED_RANGES[range]
  return last - first + 1
}

function readSort(text: string): Sort {
  const descending = text.startsWith('-')
  return { by: (descending ? text.slice(1) : text) as Sort['by'], descending }
}

function selectionPairs({ range, queue, media, theme }: Selection): [string, string | undefined][] {
  const named = typeof range === 'string'
  return [
    ['range', named && range !== 'today' ? range : undefined],
    ['from', named ? undefined : range.first],
    ['to', named ? undefined : range.last],
    ['queue', filterText(queue)],
    ['media', filterText(media)],
    ['theme', theme ?? undefined],
  ]
}

function filterText(filter: IdFilter): string | undefined {
  return filter === null ? 'none' : filter
}

function queryOf(pairs: readonly (readonly [string, string | undefined])[]): string {
  const given = pairs.flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]))
  const text = new URLSearchParams(given).toString()
  return text === '' ? '' : `?${text}`
}

function readSelection(reader: Reader, maxDays: number): Selection {
  return {
    range: readRange(reader, maxDays),
    queue: reader.id('queue'),
    media: reader.id('media'),
    theme: reader.oneOf('theme', THEMES) ?? null,
  }
}

function readRange(reader: Reader, maxDays: number): Range {
  const name = reader.oneOf('range', Object.keys(NAMED_RANGES) as RangeName[])
  const first = reader.day('from')
  const last = reader.day('to')
  if (first === undefined && last === undefined) return name ?? 'today'
  if (name !== undefined) reader.problem('range: give range, or from and to, not both')
  if (first === undefined || last === undefined) {
    reader.problem('from and to: give both, the first and the last day')
    return 'today'
  }
  if (first > last) reader.problem(`from: ${first} is after to, ${last}`)
  else if (dayCount({ first, last }) > maxDays) {
    reader.problem(`from and to: ${dayCount({ first, last })} days are too many; at most ${maxDays} can be shown`)
  }
  return { first, last }
}

type Reader = ReturnType<typeof createReader>

/** Reads parameters by name, and collects what is wrong with them. An empty one, as forms send it, counts as absent. */
function createReader(query: Iterable<readonly [string, string]>, known: readonly string[]) {
  const problems: string[] = []
  const values = new Map<string, string>()
  for (const [name, value] of query) {
    if (!known.includes(name)) problems.push(`${echo(name)}: is no parameter of this page; it has ${known.join(', ')}`)
    else if (value === '') continue
    else if (values.has(name)) problems.push(`${name}: is given twice`)
    else values.set(name, value)
  }
  const problem = (text: string): void => void problems.push(text)
  return {
    problem,
    text: (name: string): string | undefined => values.get(name),
    oneOf<Value extends string>(name: string, allowed: readonly Value[]): Value | undefined {
      const value = values.get(name)
      const found = allowed.find((each) => each === value)
      if (value !== undefined && found === undefined)
        problem(`${name}: ${echo(value)} is none of ${allowed.join(', ')}`)
      return found
    },
    day(name: string): string | undefined {
      const value = values.get(name)
      if (value === undefined || isDay(value)) return value
      problem(`${name}: ${echo(value)} is no day since 2015, such as 2026-11-26`)
      return undefined
    },
    id(name: string): IdFilter {
      const value = values.get(name)
      if (value === undefined) return undefined
      if (!ID.test(value)) problem(`${name}: ${echo(value)} is no id`)
      return value === 'none' ? null : value
    },
    result<Request>(request: Request): Parsed<Request> {
      return problems.length === 0 ? { request } : { problems }
    },
  }
}

function echo(text: string): string {
  return text.length <= MAX_ECHOED_CHARACTERS ? text : `${text.slice(0, MAX_ECHOED_CHARACTERS).toWellFormed()}…`
}
