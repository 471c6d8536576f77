/** Charts as SVG of our own: curves of the wallboard's trend, and columns of the daily volume. */
import { type TrendPoint } from '../../live/wallboard.ts'
import { type CalendarDay } from '../../monitoring/calendar.ts'
import { DAY_STATES } from './calendar-view.ts'
import { day, markup, number, type Html } from './format.ts'

/** The box in which charts are drawn; it is scaled to the room that there is. */
export const WIDTH = 600
export const HEIGHT = 150
/** A longer time without a snapshot is a gap, which must not look like a quiet time. */
const GAP_MS = 10 * 60_000
/** More columns would be too thin to read. */
const DAYS_SHOWN = 92
/** Up to this many columns, each has its own label. */
const DAYS_LABELED = 14

/** Waiting and interacting conversations over the last `hours`, interrupted where there were no snapshots. */
export function trendChart(points: readonly TrendPoint[], now: Date, hours: number): Html {
  if (points.length < 2) return markup`<p class="quiet">The chart appears after a few snapshots.</p>`
  const max = niceCeiling(Math.max(...points.map(({ waiting, interacting }) => Math.max(waiting, interacting))))
  const x = (at: Date): number => round(WIDTH * (1 - (+now - +at) / (hours * 3_600_000)))
  const y = (value: number): number => round(HEIGHT - (HEIGHT * value) / max)
  const segments = splitAtGaps(points)
  const line = (value: (point: TrendPoint) => number, segment: readonly TrendPoint[]): string =>
    segment.map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.at)} ${y(value(point))}`).join('')
  const interacting = (segment: readonly TrendPoint[]): Html => {
    const [first, last] = [segment[0], segment.at(-1)]
    if (!first || !last) return markup``
    const curve = line((point) => point.interacting, segment)
    return markup`<path class="interacting-area" d="${curve}L${x(last.at)} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z" />
<path class="interacting-line" d="${curve}" />`
  }
  const waiting = (segment: readonly TrendPoint[]): Html =>
    markup`<path class="waiting-line" d="${line((point) => point.waiting, segment)}" />`
  const ticks = Array.from({ length: hours + 1 }, (_, index) => (index === hours ? 'now' : `−${hours - index} h`))
  return markup`<figure class="chart">
${plot(max, trendInWords(points), markup`${segments.map(interacting)}${segments.map(waiting)}`, { labels: ticks })}
<figcaption><span class="key waiting-key" aria-hidden="true"></span>waiting
<span class="key interacting-key" aria-hidden="true"></span>interacting or on hold</figcaption>
</figure>`
}

/** Conversations per day, the last three months at most, colored by the state of the day. */
export function volumeChart(days: readonly CalendarDay[]): Html {
  const shown = days.slice(-DAYS_SHOWN)
  if (!shown.some(({ conversations }) => conversations))
    return markup`<p class="quiet">No conversations are loaded yet.</p>`
  const max = niceCeiling(Math.max(0, ...shown.map(({ conversations }) => conversations ?? 0)))
  const width = WIDTH / Math.max(1, shown.length)
  const column = ({ day: date, state, conversations }: CalendarDay, index: number): Html => {
    const height = round((HEIGHT * (conversations ?? 0)) / max)
    const text = `${date}: ${conversations === null ? 'not read yet' : number(conversations)} (${DAY_STATES[state]})`
    return markup`<g><title>${text}</title>
<rect class="hover" x="${round(index * width)}" y="0" width="${round(width)}" height="${HEIGHT}" />
<rect class="volume ${state}" x="${round(index * width + width * 0.12)}" y="${round(HEIGHT - height)}"
 width="${round(width * 0.76)}" height="${height}" /></g>`
  }
  const isLabeled = shown.length <= DAYS_LABELED
  const labels = isLabeled
    ? shown.map((each) => dayLabel(each))
    : [shown[0], shown.at(-1)].flatMap((each) => (each ? dayOf(each) : []))
  const total = shown.reduce((sum, { conversations }) => sum + (conversations ?? 0), 0)
  const [first, last] = [shown[0], shown.at(-1)]
  const words = `${number(total)} conversations from ${first ? dayOf(first) : ''} to ${last ? dayOf(last) : ''}`
  return markup`<figure class="chart">
${plot(max, words, markup`${shown.map(column)}`, { labels, className: isLabeled ? 'per-day' : '' })}
<figcaption>${words}. The current day is incomplete.</figcaption>
</figure>`
}

function dayOf({ day: date }: CalendarDay): string {
  return day(new Date(`${date}T00:00:00Z`))
}

/** The first day of a month with its month, the others only by their number. */
function dayLabel(each: CalendarDay): string {
  return each.day.endsWith('-01') ? dayOf(each) : String(Number(each.day.slice(8)))
}

/**
 * The axes and the grid of a chart. `content` is drawn in a box of WIDTH × HEIGHT.
 * @param max the value at the top
 * @param words what a screen reader says instead
 * @param axes labels below the chart, and how values beside it are written
 */
export function plot(
  max: number,
  words: string,
  content: Html,
  axes: {
    readonly labels: readonly string[]
    readonly className?: string
    readonly format?: (value: number) => string
  },
): Html {
  const { labels, className = '', format = number } = axes
  const gridLine = (share: number): Html =>
    markup`<line class="grid" x1="0" x2="${WIDTH}" y1="${HEIGHT * share}" y2="${HEIGHT * share}" />`
  return markup`<div class="plot">
<div class="y-axis" aria-hidden="true"><span>${format(max)}</span><span>${format(max / 2)}</span><span>${format(0)}</span></div>
<div class="canvas"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${words}">
${[0, 0.5, 1].map(gridLine)}
${content}
</svg></div>
<div class="x-axis ${className}" aria-hidden="true">${labels.map((label) => markup`<span>${label}</span>`)}</div>
</div>`
}

function trendInWords(points: readonly TrendPoint[]): string {
  const words = (name: string, value: (point: TrendPoint) => number): string => {
    const last = points.at(-1)
    return `${name}: now ${number(last ? value(last) : 0)}, at most ${number(Math.max(...points.map(value)))}.`
  }
  return `${words('Waiting', (point) => point.waiting)} ${words('Interacting', (point) => point.interacting)}`
}

function splitAtGaps(points: readonly TrendPoint[]): TrendPoint[][] {
  const segments: TrendPoint[][] = []
  for (const point of points) {
    const current = segments.at(-1)
    const before = current?.at(-1)
    if (current && before && +point.at - +before.at <= GAP_MS) current.push(point)
    else segments.push([point])
  }
  return segments
}

/** The smallest even round number that is not below `value`, so that its half is an integer. */
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  const step =
    [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value && (factor * power) % 2 === 0) ?? 10
  return step * power
}

/** To a tenth: nobody sees more, and pages stay small. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}
