/** The figures of the local day on the wallboard. Data in, HTML out. */
import { type DayFigures } from '../../live/today-figures.ts'
import { type Today } from '../../live/today-store.ts'
import { type NameOf } from '../../live/names.ts'
import { clockText } from '../assets/clock.js'
import { dayName, markup, named, nothing, number, percent, plural, span, time, type Html } from './format.ts'
import { omitted, table, type Column } from './layout.ts'

/** A wall has room for at most this many queues; those with the fewest contacts are left out first. */
const QUEUES_ON_A_WALL = 6
/** The figures are read every five minutes; older ones than this are marked. */
const OLD_SECONDS = 15 * 60

const SERVICE_LEVEL = markup`<abbr title="Service level">SL</abbr>`
const ASA = markup`<abbr title="Average speed of answer">ASA</abbr>`
const COLUMNS: readonly Column[] = [
  { heading: 'Queue' },
  { heading: 'Offered', className: 'right' },
  { heading: 'Answered', className: 'right wide' },
  { heading: markup`<abbr title="Abandoned">Aband<span class="wide">oned</span></abbr>`, className: 'right' },
  { heading: SERVICE_LEVEL, className: 'right' },
  { heading: ASA, className: 'right' },
]

/** Totals and queues of the day, and where they come from as of when. */
export function todayContent(today: Today, now: Date, nameOf: NameOf): Html {
  const { total, queues } = today
  const rows = queues.map((queue) => queueRow(queue, nameOf))
  const list =
    rows.length === 0
      ? markup`<p>No contact has been in a queue yet.</p>`
      : markup`${table('Queues today', COLUMNS, rows)}
${omitted(QUEUES_ON_A_WALL, rows.length, (shown) => markup`and ${plural(rows.length - shown, 'more queue')}`)}`
  return markup`${totals(total)}
${list}
${origin(today, now)}`
}

function totals(total: DayFigures): Html {
  const figure = (label: Html | string, value: Html | string): Html =>
    markup`<div class="day-figure"><dt>${label}</dt><dd>${value}</dd></div>`
  return markup`<dl class="day-list">
${figure('Offered', number(total.offered))}
${figure('Answered', number(total.answered))}
${figure('Abandoned', number(total.abandoned))}
${figure(SERVICE_LEVEL, serviceLevel(total))}
${figure(ASA, speedOfAnswer(total))}
</dl>`
}

function queueRow(queue: DayFigures, nameOf: NameOf): Html {
  return markup`<tr><th scope="row">${named(nameOf, 'queue', queue.queueId)}</th>
<td class="right strong">${number(queue.offered)}</td>
<td class="right wide">${number(queue.answered)}</td>
<td class="right">${number(queue.abandoned)}</td>
<td class="right strong">${serviceLevel(queue)}</td>
<td class="right">${speedOfAnswer(queue)}</td></tr>`
}

function serviceLevel({ answeredInTime, serviceLevelContacts }: DayFigures): Html {
  return serviceLevelContacts === 0 ? nothing : markup`${percent(answeredInTime / serviceLevelContacts)}`
}

function speedOfAnswer({ answerMs, answered }: DayFigures): Html {
  return answered === 0 ? nothing : markup`${clockText(answerMs / answered / 1000)}`
}

/** Who has counted, as of when, and of which day. */
function origin({ day, timeZone, source, readAt }: Today, now: Date): Html {
  const ageSeconds = (+now - +readAt) / 1000
  const age = ageSeconds > OLD_SECONDS ? markup` <span class="tag bad">${span(ageSeconds)} old</span>` : markup``
  const missing =
    source === 'genesys'
      ? ''
      : ' From the loaded conversations, without those in progress: doctor shows the missing permission.'
  return markup`<p class="quiet origin">As of ${time(readAt, now)} UTC${age}, ${dayName(day)}, ${timeZone}.${missing}</p>`
}
