import type { DerivedColumn } from '../intervals/derived-column.ts'
import { measures } from '../intervals/measures.ts'
import { addValue, slotsByMetric, storable } from '../intervals/sums.ts'
import { columnIndex, type Value } from '../model/columns.ts'
import type { Session } from './conversation.ts'

const NAME = columnIndex('session_metrics', 'name')
const VALUE = columnIndex('session_metrics', 'value')

/** Columns that add metrics up. */
export interface Totals {
  readonly columns: readonly DerivedColumn[]
  /** Their values for sessions, over all metrics that count, whenever they were emitted; null: there is no such metric. */
  readonly of: (sessions: readonly Session[]) => Value[]
}

/** The totals of some measures of the intervals, which are given by their columns. Pure. */
export function totals(names: readonly string[]): Totals {
  const chosen = names.map((name) => measures.find(({ column }) => column === name)!)
  const slots = slotsByMetric(chosen, 0)
  return {
    columns: names.map((name) => ({ name, type: 'bigint' })),
    of: (sessions) => {
      const sums: Value[] = names.map(() => null)
      for (const { metrics } of sessions) {
        for (const metric of metrics) {
          const at = slots.get(metric[NAME] as string)
          if (at) addValue(sums, at, metric[VALUE] as number | bigint)
        }
      }
      return sums.map((sum) => (sum === null ? null : storable(sum as number | bigint)))
    },
  }
}
