/** What a viewer must know about the numbers of a report: up to when they are complete, and what filters hide. */
import { type Report } from '../../reporting/report-query.ts'
import { type ReportRequest } from '../../reporting/report-request.ts'
import { dayName, markup, number, plural, type Html } from './format.ts'

/** More days than this are not listed. */
const DAYS_LISTED = 5

/** Up to when the range is loaded, and whether its numbers may still change. */
export function completeness({ freshness, days }: Report): Html {
  const { completeUntilLocal: until, isComplete, incompleteDays, unsettledDays, wholeFrom } = freshness
  const loaded = isComplete
    ? markup`<b>Complete.</b>`
    : until === null
      ? markup`<b>Not loaded</b> from its beginning on.`
      : markup`<b>Complete until ${days.first === days.last && until.startsWith(days.first) ? '' : dayName(until.slice(0, 10))}
${until.slice(11)}.</b>`
  const missing =
    incompleteDays.length === 0
      ? ''
      : markup` Not complete: ${dayList(incompleteDays)} (UTC); see <a href="/">Status</a>.`
  const changing =
    unsettledDays === 0
      ? ' Settled: the numbers change no more.'
      : ` Not settled: ${plural(unsettledDays, 'UTC day')} of it may still change, as conversations end and Genesys corrects them.`
  const earlier =
    wholeFrom === null
      ? ''
      : ` Conversations that began before the loaded history are missing, so numbers are whole from ${dayName(wholeFrom)} on.`
  return markup`<p>${loaded}${missing}${changing}${earlier}</p>`
}

/** What the filters of this page leave out. */
export function pageFilters({ queue, media, by }: ReportRequest, { hidden, choices }: Report): Html {
  if (queue === undefined && media === undefined) return markup``
  const name = queue === null ? 'without a queue' : (choices.queues.find(({ id }) => id === queue)?.name ?? queue)
  const texts = [
    ...(queue === undefined ? [] : [`queue ${name}`]),
    ...(media === undefined ? [] : [`media type ${media ?? 'unknown'}`]),
  ]
  const figure = by === 'agent' ? 'handled' : 'offered'
  const rest = hidden === null ? 'It hides nothing.' : `It hides ${number(hidden[figure] ?? 0)} ${figure} of the rest.`
  return markup`<p><b>Filter:</b> ${texts.join(', ')}. ${rest}</p>`
}

/** What was left out when the history was read. */
export function loadFilters({ freshness }: Report): Html {
  const filters = freshness.filters.map(({ mediaTypes, direction, minDurationSeconds }) =>
    [
      ...(mediaTypes ? [`only the media types ${mediaTypes.join(', ')}`] : []),
      ...(direction === undefined ? [] : [`only ${direction} conversations`]),
      ...(minDurationSeconds === undefined ? [] : [`none shorter than ${minDurationSeconds} s`]),
    ].join(', '),
  )
  if (filters.length === 0) return markup``
  return markup`<p><b>Loaded with a filter:</b> ${filters.join('; ')}. Numbers differ from those of Genesys.</p>`
}

function dayList(days: readonly string[]): string {
  const rest = days.length - DAYS_LISTED
  return `${days.slice(0, DAYS_LISTED).map(dayName).join(', ')}${rest > 0 ? ` and ${plural(rest, 'more day')}` : ''}`
}
