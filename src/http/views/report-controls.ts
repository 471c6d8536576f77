/** What a viewer chooses: the range, what a row is, and filters. Links and forms with GET, so that the address holds all of it. */
import { type Report } from '../../reporting/report-query.ts'
import {
  defaultSort,
  GRANULARITIES,
  GROUPINGS,
  reportQuery,
  type Granularity,
  type Grouping,
  type IdFilter,
  type RangeName,
  type ReportRequest,
} from '../../reporting/report-request.ts'
import { dayCount } from '../../reporting/report-range.ts'
import { markup, type Html } from './format.ts'

const RANGES: Readonly<Record<RangeName, string>> = {
  today: 'Today',
  yesterday: 'Yesterday',
  '7-days': '7 days',
  '28-days': '28 days',
}
const GROUPING_NAMES: Readonly<Record<Grouping, string>> = { queue: 'Queues', media: 'Media types', agent: 'Agents' }

/** All controls of a report. */
export function controls(request: ReportRequest, report: Report): Html {
  return markup`<div class="controls">
<nav class="pills" aria-label="Range">${Object.keys(RANGES).map((name) => rangeLink(request, name as RangeName))}</nav>
${dayForm(request, report)}
<nav class="pills" aria-label="Rows">${GROUPINGS.map((by) => groupingLink(request, by))}</nav>
${filterForm(request, report)}
</div>`
}

function pill(address: string, text: string, isCurrent: boolean): Html {
  return markup`<a href="${address}" data-keeps-sort ${isCurrent ? markup`aria-current="true"` : ''}>${text}</a>`
}

/** Without the step of the chart, which may not fit another range. */
function rangeLink(request: ReportRequest, range: RangeName): Html {
  return pill(
    `/reports${reportQuery({ ...request, range, granularity: null })}`,
    RANGES[range],
    request.range === range,
  )
}

function groupingLink(request: ReportRequest, by: Grouping): Html {
  const address = `/reports${reportQuery({ ...request, by, sort: defaultSort(by) })}`
  return pill(address, GROUPING_NAMES[by], request.by === by)
}

function dayForm(request: ReportRequest, { days }: Report): Html {
  const isChosen = typeof request.range !== 'string'
  const input = (name: string, label: string, value: string): Html =>
    markup`<label>${label} <input type="date" name="${name}" value="${value}" required min="2015-01-01" max="2999-12-31" /></label>`
  return markup`<form action="/reports" class="${isChosen ? 'chosen' : ''}" aria-label="Chosen days">
${hiddenFields(reportQuery({ ...request, range: 'today', granularity: null }))}
${input('from', 'From', days.first)} ${input('to', 'to', days.last)} <button>Show</button></form>`
}

function filterForm(request: ReportRequest, { choices, days, granularity }: Report): Html {
  const { queue, media } = request
  const names = new Map(choices.queues.map(({ id, name }) => [id, name]))
  if (typeof queue === 'string' && !names.has(queue)) names.set(queue, queue)
  const mediaTypes = new Map(choices.mediaTypes.map((each) => [each, each]))
  if (typeof media === 'string') mediaTypes.set(media, media)
  const steps = (Object.keys(GRANULARITIES) as Granularity[]).filter(
    (step) => dayCount(days) <= GRANULARITIES[step].maxDays,
  )
  return markup`<form action="/reports" class="filters" aria-label="Filters">
${hiddenFields(reportQuery({ ...request, queue: undefined, media: undefined, granularity: null }))}
${select('queue', 'Queue', filterOptions('All queues', 'Without a queue', names, queue))}
${select('media', 'Media type', filterOptions('All media types', 'Unknown', mediaTypes, media))}
${select(
  'granularity',
  'Chart by',
  steps.map((step) => option(step, GRANULARITIES[step].name, step === granularity)),
)}
<button>Apply</button></form>`
}

function select(name: string, label: string, options: readonly Html[]): Html {
  return markup`<label><span class="unseen">${label}</span><select name="${name}">${options}</select></label>`
}

function filterOptions(all: string, none: string, names: ReadonlyMap<string, string>, chosen: IdFilter): Html[] {
  const sorted = [...names].sort(([, a], [, b]) => a.localeCompare(b, 'en'))
  return [
    option('', all, chosen === undefined),
    ...sorted.map(([id, name]) => option(id, name, id === chosen)),
    option('none', none, chosen === null),
  ]
}

function option(value: string, text: string, isSelected: boolean): Html {
  return markup`<option value="${value}" ${isSelected ? markup`selected` : ''}>${text}</option>`
}

/** What a form keeps of the address. */
function hiddenFields(query: string): Html[] {
  return [...new URLSearchParams(query)].map(
    ([name, value]) => markup`<input type="hidden" name="${name}" value="${value}" />`,
  )
}
