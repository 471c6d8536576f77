/** The coverage of the history as a calendar: a small table a month, a cell a day. */
import type { CalendarDay, DayState } from '../../monitoring/calendar.ts'
import { markup, nothing, number, type Html } from './format.ts'

const STATES: Readonly<Record<DayState, string>> = {
  loaded: 'loaded',
  provisional: 'loaded so far',
  loading: 'being loaded',
  unstable: 'loaded, to be read again',
  due: 'loaded, late changes may be missing',
  owed: 'owed',
  failed: 'failed',
  open: 'today, nothing yet',
}

/** In the legend only where it occurs, but for these. */
const ALWAYS_EXPLAINED: readonly DayState[] = ['loaded', 'provisional', 'owed', 'failed', 'loading']
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const
const monthName = new Intl.DateTimeFormat('en', { month: 'long', year: 'numeric', timeZone: 'UTC' })

/** The months that `days` touch, oldest first, and what the marks mean. */
export function calendar(days: readonly CalendarDay[]): Html {
  if (days.length === 0) return nothing
  const months = Map.groupBy(days, ({ day }) => day.slice(0, 7))
  const most = Math.max(1, ...days.map(({ conversations }) => conversations ?? 0))
  const used = new Set(days.map(({ state }) => state))
  const explained = (Object.keys(STATES) as DayState[]).filter(
    (state) => ALWAYS_EXPLAINED.includes(state) || used.has(state),
  )
  return markup`
<div class="months">${[...months].map(([month, ofMonth]) => monthTable(month, ofMonth, most))}</div>
<ul class="legend" aria-label="What the marks mean">
${explained.map((state) => markup`<li><span class="day ${state} level-2" aria-hidden="true"></span>${STATES[state]}</li>`)}
</ul>`
}

function monthTable(month: string, days: readonly CalendarDay[], most: number): Html {
  const first = new Date(`${month}-01T00:00:00Z`)
  const byDay = new Map(days.map((day) => [day.day, day]))
  const weeks = weeksOf(first)
  return markup`<table class="month">
<caption>${monthName.format(first)}</caption>
<thead><tr>${WEEKDAYS.map((name) => markup`<th scope="col" abbr="${name}">${name.slice(0, 1)}</th>`)}</tr></thead>
<tbody>${weeks.map((week) => markup`<tr>${week.map((day) => (day === null ? markup`<td></td>` : cell(day, byDay.get(day), most)))}</tr>`)}</tbody>
</table>`
}

function cell(date: string, day: CalendarDay | undefined, most: number): Html {
  const number_ = String(Number(date.slice(8)))
  if (!day) return markup`<td><span class="day outside">${number_}</span></td>`
  const told = day.conversations === null ? '' : `, ${number(day.conversations)} conversations`
  const level = Math.min(3, 1 + Math.floor((3 * (day.conversations ?? 0)) / most))
  return markup`<td><span class="day ${day.state} level-${level}" title="${date}: ${STATES[day.state]}${told}">${number_}<span class="unseen"> ${STATES[day.state]}${told}</span></span></td>`
}

/** The days of a month as weeks from Monday to Sunday; null for days of its neighbours. */
function weeksOf(first: Date): (string | null)[][] {
  const before = (first.getUTCDay() + 6) % 7
  const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  const cells = Array.from({ length: Math.ceil((before + length) / 7) * 7 }, (_, index) => {
    const date = index - before + 1
    return date >= 1 && date <= length ? `${first.toISOString().slice(0, 8)}${String(date).padStart(2, '0')}` : null
  })
  return Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7))
}
