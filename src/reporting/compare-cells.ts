/** Compares our sums with Genesys', figure by figure. Pure. */
import { measures } from '../intervals/measures.ts'

/** Length of the intervals that are compared: the one in which Genesys' own reports are. */
export const COMPARED_INTERVAL_MS = 30 * 60_000

/** What the API calls a figure of a metric. */
type Statistic = 'count' | 'sum' | 'numerator' | 'denominator'

/** One number that is compared. */
export interface Figure {
  readonly metric: string
  readonly statistic: Statistic
}

/** A figure that is a column of the interval views. */
export interface ColumnFigure extends Figure {
  readonly column: string
}

const COMPARED_METRICS = new Set([
  'nOffered',
  'tAnswered',
  'tAbandon',
  'tShortAbandon',
  'tFlowOut',
  'nOverSla',
  'tAcd',
  'tHandle',
  'tTalkComplete',
  'tHeldComplete',
  'tAcw',
  'nTransferred',
])

/**
 * The figures that are compared, with our columns. Genesys' `count` of an `n` metric is the sum of its values, of a `t` metric the number
 * of its rows. Our intervals hold no milliseconds of tShortAbandon and tFlowOut, so of these only the numbers are compared.
 */
export const comparedFigures: readonly ColumnFigure[] = measures.flatMap(({ column, metric, aggregate }) => {
  if (!COMPARED_METRICS.has(metric) || aggregate === 'max') return []
  const isSum = aggregate === 'total' && metric.startsWith('t')
  return [{ column, metric, statistic: isSum ? 'sum' : 'count' }]
})

/** Genesys' ratio of the service level has no column of ours: see service-level.ts. */
export const SERVICE_LEVEL_METRIC = 'oServiceLevel'

/** The metrics to ask Genesys for. */
export const askedMetrics: readonly string[] = [...COMPARED_METRICS, SERVICE_LEVEL_METRIC]

/** What tells cells apart; null: the metrics in it have none. */
export interface CellKey {
  readonly intervalStart: Date
  readonly queueId: string | null
  readonly mediaType: string | null
  /** Null also in cells of all users. */
  readonly userId: string | null
}

/** The figures of one interval of one queue, media type and user, by figureName; those that are 0 may be absent. */
interface Cell {
  readonly key: CellKey
  readonly figures: Map<string, bigint>
}

/** Cells by cellName. */
export type Cells = Map<string, Cell>

/** A text that is equal for equal keys. */
export function cellName({ intervalStart, queueId, mediaType, userId }: CellKey): string {
  return JSON.stringify([+intervalStart, queueId, mediaType, userId])
}

/** `tHandle.sum`. */
export function figureName({ metric, statistic }: Figure): string {
  return `${metric}.${statistic}`
}

/** The figure of a figureName. */
function figureOf(name: string): Figure {
  const [metric = '', statistic = ''] = name.split('.')
  return { metric, statistic: statistic as Statistic }
}

/** Adds a value to a figure of a cell. */
export function addFigure(cells: Cells, key: CellKey, figure: string, value: bigint): void {
  if (value === 0n) return
  const name = cellName(key)
  let cell = cells.get(name)
  if (cell === undefined) cells.set(name, (cell = { key, figures: new Map() }))
  cell.figures.set(figure, (cell.figures.get(figure) ?? 0n) + value)
}

/** The start of the compared interval that contains an instant. */
export function comparedInterval(instant: Date): Date {
  return new Date(Math.floor(+instant / COMPARED_INTERVAL_MS) * COMPARED_INTERVAL_MS)
}

/** A figure that is not the same here and at Genesys. */
export interface Difference extends Figure {
  readonly key: CellKey
  readonly ours: bigint
  readonly theirs: bigint
}

/** Every figure that differs, by interval, queue, media type, user and figure; what is absent is 0. */
export function compareCells(ours: Cells, theirs: Cells): Difference[] {
  const differences: Difference[] = []
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [here, there] = [ours.get(name), theirs.get(name)]
    const key = (here ?? there)!.key
    for (const figure of new Set([...(here?.figures.keys() ?? []), ...(there?.figures.keys() ?? [])])) {
      const [mine, their] = [here?.figures.get(figure) ?? 0n, there?.figures.get(figure) ?? 0n]
      if (mine !== their) differences.push({ key, ...figureOf(figure), ours: mine, theirs: their })
    }
  }
  return differences.sort(inOrder)
}

/** The figures of `minuend` less those of `subtrahend`. */
export function subtractCells(minuend: Cells, subtrahend: Cells): Cells {
  const result: Cells = new Map()
  for (const { key, ours, theirs, ...figure } of compareCells(minuend, subtrahend))
    addFigure(result, key, figureName(figure), ours - theirs)
  return result
}

function inOrder(a: Difference, b: Difference): number {
  const [x, y] = [orderOf(a), orderOf(b)]
  const index = x.findIndex((part, position) => part !== y[position])
  if (index === -1) return 0
  return x[index]! < y[index]! ? -1 : 1
}

function orderOf({ key, metric, statistic }: Difference): string[] {
  const { intervalStart, queueId, mediaType, userId } = key
  return [intervalStart.toISOString(), queueId ?? '', mediaType ?? '', userId ?? '', metric, statistic]
}
