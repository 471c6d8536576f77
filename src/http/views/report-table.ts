/** The table of a report: sorted by links, or at once by reports.js, with a link from each row to its conversations. */
import { sortGroups } from '../../reporting/report-order.ts'
import { type Group, type Report } from '../../reporting/report-query.ts'
import { dayCount } from '../../reporting/report-range.ts'
import {
  FIGURES_OF,
  listQuery,
  MAX_LIST_DAYS,
  reportQuery,
  type FigureName,
  type Grouping,
  type ReportRequest,
  type Sort,
} from '../../reporting/report-request.ts'
import { markup, number, type Html } from './format.ts'
import { table, type Column } from './layout.ts'
import { figureHeading, figureValue } from './report-figures.ts'

/** More rows would make a page slow; the CSV file has all of them. */
const MAX_ROWS = 500
const NAME_HEADINGS: Readonly<Record<Grouping, string>> = { queue: 'Queue', media: 'Media type', agent: 'Agent' }
const WITHOUT: Readonly<Record<Grouping, string>> = {
  queue: 'Without a queue',
  media: 'Unknown',
  agent: 'Without an agent',
}
/** Figures for which a phone has no room. */
const WIDE: Readonly<Record<Grouping, readonly FigureName[]>> = {
  queue: ['answered', 'abandon_rate', 'average_handle_seconds'],
  media: ['answered', 'abandon_rate', 'average_handle_seconds'],
  agent: ['average_talk_seconds', 'average_hold_seconds', 'average_acw_seconds', 'transfer_rate'],
}

/** Rows by the order of the request, and their sum. */
export function reportTable(request: ReportRequest, report: Report): Html {
  const { by } = request
  const names = FIGURES_OF[by]
  const rows = sortGroups(report.groups, request.sort)
  if (rows.length === 0) return markup`<p>Nothing counts in this range.</p>`
  const columns: Column[] = [
    sortableColumn(request, 'name', markup`${NAME_HEADINGS[by]}`, ''),
    ...names.map((name) => sortableColumn(request, name, figureHeading(name), classOf(by, name))),
  ]
  const isLinked = dayCount(report.days) <= MAX_LIST_DAYS
  const foot = markup`<tr><th scope="row">All</th>${names.map((name) => cell(by, name, report.total[name]))}</tr>`
  const omitted = rows.length - MAX_ROWS
  return markup`${table(
    `Figures by ${NAME_HEADINGS[by].toLowerCase()}`,
    columns,
    rows.slice(0, MAX_ROWS).map((group) => row(request, group, isLinked)),
    foot,
  )}
${omitted > 0 ? markup`<p class="quiet">and ${number(omitted)} more, which the CSV file has</p>` : ''}`
}

function classOf(by: Grouping, name: FigureName): string {
  return WIDE[by].includes(name) ? 'right wide' : 'right'
}

function cell(by: Grouping, name: FigureName, value: number | null): Html {
  return markup`<td class="${classOf(by, name)}" data-value="${value ?? ''}">${figureValue(name, value)}</td>`
}

function row(request: ReportRequest, { id, name, team, figures }: Group, isLinked: boolean): Html {
  const text = name ?? WITHOUT[request.by]
  const label =
    id !== null && name === id && request.by !== 'media'
      ? markup`<bdi class="id">${text}</bdi>`
      : markup`<bdi>${text}</bdi>`
  const link = isLinked ? markup`<a href="${listAddress(request, id)}">${label}</a>` : label
  return markup`<tr><th scope="row" data-value="${text}">${link}${team === null ? '' : markup` <span class="quiet media wide">${team}</span>`}</th>
${FIGURES_OF[request.by].map((each) => cell(request.by, each, figures[each]))}</tr>`
}

/** The conversations of a row: those of the report's filters that have a metric of the row. */
function listAddress({ by, range, queue, media, theme }: ReportRequest, id: string | null): string {
  const filters = { queue, media, agent: undefined, [by]: id }
  return `/conversations${listQuery({ range, theme, ...filters, after: null })}`
}

function sortableColumn(request: ReportRequest, by: Sort['by'], heading: Html, className: string): Column {
  const { sort } = request
  const isCurrent = sort.by === by
  // names begin with A, figures with the largest
  const descending = isCurrent ? !sort.descending : by !== 'name'
  const address = `/reports${reportQuery({ ...request, sort: { by, descending } })}`
  const link = markup`<a href="${address}" data-sort="${by}">${heading}${isCurrent ? markup`<span class="arrow" aria-hidden="true">${sort.descending ? '▼' : '▲'}</span>` : ''}</a>`
  return { heading: link, className, sorted: isCurrent ? (sort.descending ? 'descending' : 'ascending') : undefined }
}
