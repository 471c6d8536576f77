/** The charts of a report: columns of the volume and steps of a mean, with the weeks before as a dashed line. */
import { type Figures, type Point, type Report } from '../../reporting/report-query.ts'
import { type FigureName, type Grouping } from '../../reporting/report-request.ts'
import { clockText } from '../assets/clock.js'
import { HEIGHT, niceCeiling, plot, round, WIDTH } from './chart.ts'
import { dayName, markup, number, type Html } from './format.ts'
import { table, type Column } from './layout.ts'
import { FIGURES, figureHeading, figureValue } from './report-figures.ts'

/** More labels than these do not fit below the chart of a phone. */
const MAX_TIMES = 6
const MAX_DAYS = 8

/** The figure that the columns show, and the one of the second chart. */
const CHARTED: Readonly<Record<Grouping, { readonly volume: FigureName; readonly quality: FigureName }>> = {
  queue: { volume: 'offered', quality: 'service_level' },
  media: { volume: 'offered', quality: 'service_level' },
  agent: { volume: 'handled', quality: 'average_handle_seconds' },
}

/** Columns of what was offered, hatched where it was abandoned; of agents what was handled. */
export function volumeChart(report: Report, by: Grouping): Html {
  const { points } = report
  const { volume } = CHARTED[by]
  const value = (figures: Figures | null): number => figures?.[volume] ?? 0
  const max = niceCeiling(
    Math.max(1, ...points.flatMap(({ figures, before }) => [value(figures), value(before), figures?.abandoned ?? 0])),
  )
  const width = WIDTH / points.length
  const column = (count: number, index: number, className: string): Html => {
    const height = round((HEIGHT * Math.min(count, max)) / max)
    return markup`<rect class="${className}" x="${round(index * width + width * 0.1)}" y="${round(HEIGHT - height)}"
 width="${round(width * 0.8)}" height="${height}" />`
  }
  const columns = points.map(
    (point, index) => markup`<g><title>${pointInWords(point, by)}</title>
<rect class="hover" x="${round(index * width)}" y="0" width="${round(width)}" height="${HEIGHT}" />
${column(value(point.figures), index, 'volume')}
${by === 'agent' ? '' : column(point.figures?.abandoned ?? 0, index, 'abandoned')}</g>`,
  )
  const hasBefore = points.some(({ before }) => before !== null)
  const before = steps(
    points.map((point) => (hasBefore ? value(point.before) : null)),
    max,
  )
  const label = FIGURES[volume].label
  const total = points.reduce((sum, { figures }) => sum + value(figures), 0)
  const words = `${label}: ${number(total)} in ${points.length} steps; the table below has each of them.`
  const content = markup`<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M-1 1l2-2M0 6l6-6M5 7l2-2" /></pattern></defs>
${columns}<path class="before" d="${before}" />`
  const abandoned = by === 'agent' ? '' : markup`<span class="key abandoned-key" aria-hidden="true"></span>abandoned`
  return markup`<figure class="chart">${plot(max, words, content, axisOf(points))}
<figcaption><span class="key volume-key" aria-hidden="true"></span>${label.toLowerCase()}
${abandoned} ${beforeKey(hasBefore, report)}</figcaption></figure>`
}

/** Steps of the service level; of agents of the average handle time. */
export function qualityChart(report: Report, by: Grouping): Html {
  const { points } = report
  const { quality } = CHARTED[by]
  const values = points.map(({ figures }) => figures?.[quality] ?? null)
  const before = points.map((point) => point.before?.[quality] ?? null)
  const isShare = quality === 'service_level'
  const known = [...values, ...before].filter((value) => value !== null)
  const max = isShare ? 1 : niceCeiling(Math.max(60, ...known))
  const { label } = FIGURES[quality]
  const last = values.findLast((value) => value !== null)
  const words = `${label}: ${last === undefined ? 'no value' : `last ${FIGURES[quality].format(last)}`}; the table below has each step.`
  const content = markup`<path class="before" d="${steps(before, max)}" /><path class="current" d="${steps(values, max)}" />`
  const format = isShare ? (value: number): string => `${number(value * 100)}%` : clockText
  return markup`<figure class="chart">${plot(max, words, content, { ...axisOf(points), format })}
<figcaption><span class="key current-key" aria-hidden="true"></span>${label.toLowerCase()}
${beforeKey(
  before.some((value) => value !== null),
  report,
)}</figcaption></figure>`
}

/** The same as a table, for those who cannot see the charts or want the numbers. */
export function chartTable({ points }: Report, by: Grouping): Html {
  const names: readonly FigureName[] =
    by === 'agent' ? ['handled', 'average_handle_seconds'] : ['offered', 'answered', 'abandoned', 'service_level']
  const { volume, quality } = CHARTED[by]
  const columns: Column[] = [
    { heading: 'From' },
    ...names.map((name) => ({ heading: figureHeading(name), className: 'right' })),
    ...[volume, quality].map((name) => ({ heading: markup`${figureHeading(name)} before`, className: 'right' })),
  ]
  const cell = (name: FigureName, figures: Figures | null): Html =>
    markup`<td class="right">${figureValue(name, figures?.[name])}</td>`
  const rows = points
    .filter(({ figures, before }) => figures ?? before)
    .map(
      ({ slot, figures, before }) => markup`<tr><th scope="row">${slotName(slot)}</th>
${names.map((name) => cell(name, figures))}${[volume, quality].map((name) => cell(name, before))}</tr>`,
    )
  return markup`<details class="numbers"><summary>The charts as a table</summary>
${table('The charts as a table', columns, rows)}</details>`
}

/** 2026-11-26 09:30 → Thu 26 Nov 09:30. */
function slotName(slot: string): string {
  return `${dayName(slot.slice(0, 10))}${slot.slice(10)}`
}

function beforeKey(hasBefore: boolean, { comparison: { first, last }, isBeforeComplete }: Report): Html {
  const days = first === last ? dayName(first) : `${dayName(first)} – ${dayName(last)}`
  if (!hasBefore) return markup`<span class="quiet">(nothing counts on ${days})</span>`
  const state = isBeforeComplete ? '' : ' (not completely loaded)'
  return markup`<span class="key before-key" aria-hidden="true"></span>${days}${state}`
}

function pointInWords({ slot, figures, before }: Point, by: Grouping): string {
  const { volume, quality } = CHARTED[by]
  const texts = [volume, ...(by === 'agent' ? [] : (['abandoned'] as const)), quality].flatMap((name) => {
    const value = figures?.[name] ?? null
    return value === null ? [] : [`${FIGURES[name].label.toLowerCase()} ${FIGURES[name].format(value)}`]
  })
  const earlier = before?.[volume] ?? null
  return `${slotName(slot)}: ${texts.join(', ') || 'nothing'}${earlier === null ? '' : `; before ${number(earlier)}`}`
}

/**
 * A path of horizontal steps, one for each value, joined where values follow each other. Values stay in the box: the service level of an
 * interval can be negative, since answers and what was late about them count at instants of their own.
 */
function steps(values: readonly (number | null)[], max: number): string {
  const width = WIDTH / values.length
  return values
    .map((value, index) => {
      if (value === null) return ''
      const y = round(HEIGHT - (HEIGHT * Math.max(0, Math.min(value, max))) / max)
      const isJoined = index > 0 && values[index - 1] !== null
      return `${isJoined ? `V${y}` : `M${round(index * width)} ${y}`}H${round((index + 1) * width)}`
    })
    .join('')
}

/** A label for every step, most of them empty: of one day the times, of more days the days. */
function axisOf(points: readonly Point[]): { labels: string[]; className: string } {
  const days = new Set(points.map(({ slot }) => slot.slice(0, 10)))
  const isOneDay = days.size === 1
  const isLabeled = (slot: string): boolean => isOneDay || slot.length === 10 || slot.endsWith(' 00:00')
  const all = points.filter(({ slot }) => isLabeled(slot)).length
  const every = Math.ceil(all / (isOneDay ? MAX_TIMES : MAX_DAYS))
  let seen = 0
  let lastMonth = ''
  const labels = points.map(({ slot }) => {
    if (!isLabeled(slot) || seen++ % every !== 0) return ''
    if (isOneDay) return slot.slice(11)
    const [, day = '', month = ''] = dayName(slot.slice(0, 10)).split(' ')
    const hasMonth = month !== lastMonth
    lastMonth = month
    return hasMonth ? `${day} ${month}` : day
  })
  return { labels, className: 'per-day' }
}
