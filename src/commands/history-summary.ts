import { formatWindow } from '../model/interval.ts'
import type { HistorySummary } from '../history/sync.ts'
import { formatNumber, table, type Output } from './print.ts'

/** 75, try again later, when what was asked for has windows that are not known to be whole, also if they only rest; else 0. */
export function summaryExitCode({ unsettled }: HistorySummary): number {
  return unsettled.length > 0 ? 75 : 0
}

/** Prints what a history run has read and written. */
export function printSummary(output: Output, summary: HistorySummary): void {
  output.data(summary)
  if (summary.windows.planned > 0) printLoaded(output, summary)
  else output.line(nothingToRead(summary.unsettled))
  printUnsettled(output, summary.unsettled)
}

/** Why a plan has no window. */
export function nothingToRead(unsettled: HistorySummary['unsettled']): string {
  return unsettled.length === 0
    ? 'Nothing is owed: every window is loaded already. `backfill --reload` reads it again.'
    : 'Nothing is read now: what is owed waits for its next attempt. `backfill --reload` reads it at once.'
}

/** Names the windows that are not known to be whole, and why. */
export function printUnsettled(output: Output, unsettled: HistorySummary['unsettled']): void {
  for (const { reason, nextAttemptAt, ...window } of unsettled) {
    const again = nextAttemptAt ? `; it is read again from ${nextAttemptAt.toISOString().slice(0, 16)}Z on` : ''
    output.line(`${formatWindow(window)} is not known to be whole: ${reason}${again}.`)
  }
}

function printLoaded(output: Output, { windows, counts, requests }: HistorySummary): void {
  output.line(
    `${formatNumber(windows.planned)} windows in ${formatNumber(requests)} requests: ${windows.done} done` +
      (windows.provisional ? `, ${windows.provisional} provisional (its day goes on)` : '') +
      (windows.unstable ? `, ${windows.unstable} unstable (not known to be whole; will be read again)` : ''),
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
  if (counts.emptiedWindows > 0)
    output.line(`${counts.emptiedWindows} windows had conversations and have none any more (see the log).`)
}
