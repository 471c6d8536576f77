/** `/reports`: figures of a range, their charts, and a table. Data in, HTML out. */
import { type LocalClock } from '../../reporting/local-days.ts'
import { type Figures, type Report } from '../../reporting/report-query.ts'
import { type Days } from '../../reporting/report-range.ts'
import { FIGURES_OF, reportQuery, type FigureName, type ReportRequest } from '../../reporting/report-request.ts'
import { type Reading } from '../service-status.ts'
import { dayName, markup, number, plural, type Html } from './format.ts'
import { part, plainPart, type View } from './layout.ts'
import { chartTable, qualityChart, volumeChart } from './report-chart.ts'
import { controls } from './report-controls.ts'
import { FIGURES, figureValue } from './report-figures.ts'
import { completeness, loadFilters, pageFilters } from './report-notes.ts'
import { reportTable } from './report-table.ts'

/** The report; without one it says why. */
export function reportPage(request: ReportRequest, { content: report, reason }: Reading<Report>): View {
  if (report === null) return unreadablePage('Reports', reason)
  const heading = rangeName(request, report)
  const { by } = request
  const parts = [
    plainPart('range', 'Range and filters', markup`<h1>${heading}</h1>${controls(request, report)}`),
    plainPart(
      'notes',
      'What the numbers cover',
      markup`${completeness(report)}${pageFilters(request, report)}${loadFilters(report)}`,
    ),
    plainPart('figures', 'Figures', figures(request, report)),
    part('volume-chart', FIGURES[FIGURES_OF[by][0]!].label, volumeChart(report, by)),
    part('quality-chart', by === 'agent' ? 'Average handle time' : 'Service level', qualityChart(report, by)),
    plainPart('numbers', 'The charts as a table', chartTable(report, by)),
    part('rows', 'Details', markup`${reportTable(request, report)}${files(request, report)}`),
  ]
  return {
    title: `${heading} · genesys-etl`,
    current: '/reports',
    isComplete: true,
    footer: `Times and days are those of ${zoneName(report.clock)}. As of ${report.clock.now.slice(11)}; reload the page for newer numbers.`,
    main: markup`<main id="main" class="report">${parts}</main>`,
  }
}

/** A page of reports that could not be read. */
export function unreadablePage(name: string, reason: string | null): View {
  return {
    title: `${name} · genesys-etl`,
    current: '/reports',
    isComplete: false,
    footer: 'Reload the page to try again.',
    main: markup`<main id="main" class="report"><h1>${name}</h1>
<p class="banner"><strong>The numbers cannot be read.</strong> ${reason ?? ''}</p></main>`,
  }
}

/** A page whose address asks for something that does not exist, and what is wrong with it. */
export function refusedPage(problems: readonly string[]): View {
  return {
    title: 'Not understood · genesys-etl',
    current: '/reports',
    isComplete: false,
    footer: '',
    main: markup`<main id="main" class="report"><h1>This address is not understood</h1>
<ul class="refused">${problems.map((problem) => markup`<li>${problem}</li>`)}</ul>
<p><a href="/reports">To the report of today</a></p></main>`,
  }
}

/** America/New_York (UTC−05:00). */
export function zoneName({ timeZone, offsetMinutes }: LocalClock): string {
  if (timeZone === 'UTC') return timeZone
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.abs(offsetMinutes)
  return `${timeZone} (UTC${offsetMinutes < 0 ? '−' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)})`
}

function rangeName({ range }: ReportRequest, { days }: Report): string {
  if (typeof range !== 'string') return daysName(days)
  const names = { today: 'Today so far', yesterday: 'Yesterday', '7-days': 'Last 7 days', '28-days': 'Last 28 days' }
  return `${names[range]}, ${daysName(days)}`
}

/** Thu 26 Nov 2026, or Fri 20 Nov – Thu 26 Nov 2026. */
export function daysName({ first, last }: Days): string {
  const year = last.slice(0, 4)
  if (first === last) return `${dayName(first)} ${year}`
  return `${dayName(first)}${first.startsWith(year) ? '' : ` ${first.slice(0, 4)}`} – ${dayName(last)} ${year}`
}

function figures({ by }: ReportRequest, report: Report): Html {
  const { total, comparison, beforeUntil, isBeforeComplete } = report
  const before = isBeforeComplete ? report.before : null
  const days =
    comparison.first === comparison.last
      ? dayName(comparison.first)
      : `${dayName(comparison.first)} – ${dayName(comparison.last)}`
  const until = beforeUntil === null ? '' : ` until ${beforeUntil.slice(11)}`
  const figure = (name: FigureName): Html => markup`<div class="figure"><dt>${FIGURES[name].label}</dt>
<dd>${figureValue(name, total[name])}</dd><dd class="note">${change(name, total, before)}</dd></div>`
  return markup`<dl class="figure-list">${FIGURES_OF[by].map(figure)}</dl>
<p class="quiet">${isBeforeComplete ? `Compared with ${days}${until}${before === null ? ', when nothing counted' : ''}.` : `Nothing to compare with: ${days} is not completely loaded.`}</p>`
}

/** A value of the weeks before, and by how much a count differs from it. */
function change(name: FigureName, total: Figures, before: Figures | null): Html {
  const earlier = before?.[name] ?? null
  const now = total[name]
  if (earlier === null) return markup``
  const text = FIGURES[name].format(earlier)
  const isCount =
    Number.isInteger(earlier) && ['offered', 'answered', 'abandoned', 'handled', 'transferred'].includes(name)
  if (!isCount || earlier === 0 || now === null || now === earlier) return markup`before: ${text}`
  const percent = Math.round((100 * (now - earlier)) / earlier)
  return markup`before: ${text} (${percent < 0 ? '−' : '+'}${number(Math.abs(percent))}%)`
}

function files(request: ReportRequest, { days, groups }: Report): Html {
  const fixed = reportQuery({ ...request, range: days })
  const link =
    typeof request.range === 'string'
      ? markup`, <a href="/reports${fixed}" data-keeps-sort>link to exactly these days</a>`
      : ''
  return markup`<p class="files"><a href="/reports.csv${reportQuery(request)}" data-keeps-sort>CSV file</a>
<span class="quiet">(${plural(groups.length, 'row')})</span>${link}</p>`
}
