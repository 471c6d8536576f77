/** The coverage of the history as a calendar: a small table per month, a cell per day. */
import { type CalendarDay, type DayState } from '../../monitoring/calendar.ts'
import { markup, nothing, plural, type Html } from './format.ts'

/** What a day's mark means. */
export const DAY_STATES: Readonly<Record<DayState, string>> = {
  loaded: 'loaded',
  provisional: 'loaded so far',
  loading: 'loading',
  unstable: 'loaded, will be read again',
  due: 'loaded, re-read overdue',
  owed: 'not loaded yet',
  failed: 'failed',
  open: 'today, not read yet',
}

/** Explained in the legend even if no day has them. */
const ALWAYS_EXPLAINED: readonly DayState[] = ['loaded', 'provisional', 'owed', 'failed', 'loading']
const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const
const monthName = new Intl.DateTimeFormat('en', { month: 'long', year: 'numeric', timeZone: 'UTC' })

/** The months that `days` touch, oldest first, and a legend of the marks. */
export function calendar(days: readonly CalendarDay[]): Html {
  if (days.length === 0) return nothing
  const months = Map.groupBy(days, ({ day }) => day.slice(0, 7))
  const max = Math.max(1, ...days.map(({ conversations }) => conversations ?? 0))
  return markup`
<div class="months">${[...months].map(([month, ofMonth]) => monthTable(month, ofMonth, max))}</div>
${legend(new Set(days.map(({ state }) => state)))}`
}

function legend(used: ReadonlySet<DayState>): Html {
  const explained = (Object.keys(DAY_STATES) as DayState[]).filter(
    (state) => ALWAYS_EXPLAINED.includes(state) || used.has(state),
  )
  const entry = (state: DayState): Html =>
    markup`<li><span class="day ${state} level-2" aria-hidden="true"></span>${DAY_STATES[state]}</li>`
  return markup`<ul class="legend" aria-label="Legend">${explained.map(entry)}</ul>`
}

function monthTable(month: string, days: readonly CalendarDay[], max: number): Html {
  const first = new Date(`${month}-01T00:00:00Z`)
  const byDay = new Map(days.map((day) => [day.day, day]))
  const weekday = (name: string): Html => markup`<th scope="col" abbr="${name}">${name.slice(0, 1)}</th>`
  const cell = (date: string | null): Html =>
    date === null ? markup`<td></td>` : markup`<td>${dayMark(date, byDay.get(date), max)}</td>`
  return markup`<table class="month">
<caption>${monthName.format(first)}</caption>
<thead><tr>${WEEKDAYS.map(weekday)}</tr></thead>
<tbody>${weeksOf(first).map((week) => markup`<tr>${week.map(cell)}</tr>`)}</tbody>
</table>`
}

function dayMark(date: string, day: CalendarDay | undefined, max: number): Html {
  const ofMonth = String(Number(date.slice(8)))
  if (!day) return markup`<span class="day outside">${ofMonth}</span>`
  const { state, conversations } = day
  const text =
    conversations === null ? DAY_STATES[state] : `${DAY_STATES[state]}, ${plural(conversations, 'conversation')}`
  const level = Math.min(3, 1 + Math.floor((3 * (conversations ?? 0)) / max))
  return markup`<span class="day ${state} level-${level}" title="${date}: ${text}">${ofMonth}<span
 class="unseen"> ${text}</span></span>`
}

/** The days of a month as weeks from Monday to Sunday; null for days of its neighbors. */
function weeksOf(first: Date): (string | null)[][] {
  const before = (first.getUTCDay() + 6) % 7
  const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  const cells = Array.from({ length: Math.ceil((before + length) / 7) * 7 }, (_, index) => {
    const date = index - before + 1
    return date >= 1 && date <= length ? `${first.toISOString().slice(0, 8)}${String(date).padStart(2, '0')}` : null
  })
  return Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7))
}
