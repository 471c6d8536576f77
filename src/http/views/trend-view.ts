/** Waiting and handled conversations over the last hours, as an SVG of our own. */
import type { TrendPoint } from '../../live/wallboard.ts'
import { markup, number, type Html } from './format.ts'

const WIDTH = 600
const HEIGHT = 150
/** Longer without a snapshot is a gap, which must not look like a quiet time. */
const GAP_MS = 10 * 60_000

/** The curve of each figure, broken where there were no snapshots. */
export function trend(points: readonly TrendPoint[], now: Date, hours: number): Html {
  if (points.length < 2) return markup`<p>There will be a curve after a few snapshots.</p>`
  const most = niceCeiling(Math.max(...points.map(({ waiting, interacting }) => Math.max(waiting, interacting))))
  const x = (at: Date): number => round(WIDTH * (1 - (+now - +at) / (hours * 3_600_000)))
  const y = (value: number): number => round(HEIGHT - (HEIGHT * value) / most)
  const stretches = splitAtGaps(points)
  const line = (of: (point: TrendPoint) => number, stretch: readonly TrendPoint[]): string =>
    stretch.map((point, index) => `${index === 0 ? 'M' : 'L'}${x(point.at)} ${y(of(point))}`).join('')
  const area = (stretch: readonly TrendPoint[]): string => {
    const [first, last] = [stretch[0], stretch.at(-1)]
    return first && last
      ? `${line(({ interacting }) => interacting, stretch)}L${x(last.at)} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z`
      : ''
  }
  const last = points.at(-1)
  const words = `Waiting: now ${number(last?.waiting ?? 0)}, most ${number(Math.max(...points.map(({ waiting }) => waiting)))}. Interacting: now ${number(last?.interacting ?? 0)}, most ${number(Math.max(...points.map(({ interacting }) => interacting)))}.`
  const ticks = Array.from({ length: hours + 1 }, (_, index) => hours - index)
  return markup`<figure class="trend-figure">
<div class="plot">
<div class="y-axis" aria-hidden="true"><span>${number(most)}</span><span>${number(most / 2)}</span><span>0</span></div>
<div class="canvas"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${words}">
${[0, 0.5, 1].map((share) => markup`<line class="grid" x1="0" x2="${WIDTH}" y1="${HEIGHT * share}" y2="${HEIGHT * share}" />`)}
${stretches.map((stretch) => markup`<path class="interacting-area" d="${area(stretch)}" /><path class="interacting-line" d="${line(({ interacting }) => interacting, stretch)}" />`)}
${stretches.map((stretch) => markup`<path class="waiting-line" d="${line(({ waiting }) => waiting, stretch)}" />`)}
</svg></div>
<div class="x-axis" aria-hidden="true">${ticks.map((hour) => markup`<span>${hour === 0 ? 'now' : `−${hour} h`}</span>`)}</div>
</div>
<figcaption><span class="key waiting-key" aria-hidden="true"></span>waiting <span class="key interacting-key" aria-hidden="true"></span>interacting</figcaption>
</figure>`
}

function splitAtGaps(points: readonly TrendPoint[]): TrendPoint[][] {
  const stretches: TrendPoint[][] = []
  for (const point of points) {
    const current = stretches.at(-1)
    const before = current?.at(-1)
    if (current && before && +point.at - +before.at <= GAP_MS) current.push(point)
    else stretches.push([point])
  }
  return stretches
}

/** The smallest even number of the kind 2, 4, 6, 10 × 10ⁿ that is not below `value`, so that its half is a whole one. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  const step = [1, 2, 4, 6, 10].find((factor) => factor * power >= value && (factor * power) % 2 === 0) ?? 10
  return step * power
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
