import type { HistorySummary } from '../jobs/history.ts'
import { formatNumber, table, type Output } from './print.ts'

/** Prints what a history run has read and written. */
export function printSummary(output: Output, summary: HistorySummary): void {
  const { windows, counts, requests } = summary
  output.data(summary)
  if (windows.planned === 0) {
    output.line('Nothing is owed: every window is loaded already.')
    return
  }
  output.line(
    `${formatNumber(windows.planned)} windows in ${formatNumber(requests)} requests: ${windows.done} done` +
      (windows.provisional ? `, ${windows.provisional} provisional (its day goes on)` : '') +
      (windows.unstable ? `, ${windows.unstable} unstable (kept changing; will be read again)` : ''),
  )
  output.line(
    table(
      ['conversations', 'number'],
      [
        ['new', counts.inserted],
        ['changed', counts.changed],
        ['unchanged', counts.unchanged],
        ['older than what is stored', counts.stale],
        ['rejected (see etl.rejected_records)', counts.rejected],
      ],
    ),
  )
}
