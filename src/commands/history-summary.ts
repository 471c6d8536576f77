import { commandLine } from '../command-line.ts'
import { type HistorySummary } from '../history/sync.ts'
import { formatWindow, type Interval } from '../model/interval.ts'
import { formatInterval } from '../monitoring/problems.ts'
import { formatCount, table, type Output } from './print.ts'

/** 75, try again later, where windows of the range are not complete, even if their next attempt is not due yet; else 0. */
export function summaryExitCode({ unsettled }: HistorySummary): number {
  return unsettled.length > 0 ? 75 : 0
}

/** Prints what a run of the history read and wrote. */
export function printSummary(output: Output, summary: HistorySummary): void {
  output.data(summary)
  printDropped(output, summary.dropped)
  if (summary.windows.planned > 0) printLoaded(output, summary)
  else if (summary.dropped.length === 0 || summary.unsettled.length > 0) output.line(nothingToRead(summary.unsettled))
  printParts(output, summary.counts)
  printUnsettled(output, summary.unsettled)
  printActivity(output, summary)
}

function printActivity(output: Output, { activity }: HistorySummary): void {
  if (activity === null) return
  const { done, waiting } = activity
  const waits = waiting.map(formatWindow).join(', ')
  output.line(
    `Activity of ${formatCount(done, 'day')} read by details jobs${waits ? `; their data of ${waits} are not complete yet` : ''}.`,
  )
}

/** Says which days were left out, since they are not kept any more. */
export function printDropped(output: Output, dropped: readonly Interval[]): void {
  if (dropped.length === 0) return
  output.line(
    `${dropped.map(formatInterval).join(', ')}: not kept any more (HISTORY_RETENTION_MONTHS, etl.dropped_months), so left out. ` +
      `To bring days back: ${commandLine('backfill --reload')}`,
  )
}

/** Why a plan has no windows. */
export function nothingToRead(unsettled: HistorySummary['unsettled']): string {
  if (unsettled.some(({ waitsForData }) => waitsForData))
    return `Nothing to load now: what is due waits for the data of details jobs. To read it at once: ${commandLine('backfill --source query')}`
  return unsettled.length === 0
    ? `Nothing to load: every window is already complete. To read it again: ${commandLine('backfill --reload')}`
    : `Nothing to load now: what is due waits for its next attempt. To read it at once: ${commandLine('backfill --reload')}`
}

/** Names the windows that are not complete, and why. */
export function printUnsettled(output: Output, unsettled: HistorySummary['unsettled']): void {
  for (const { reason, nextAttemptAt, ...window } of unsettled) {
    const again = nextAttemptAt ? `; it will be read again after ${nextAttemptAt.toISOString().slice(0, 16)}Z` : ''
    output.line(`${formatWindow(window)} is not complete: ${reason}${again}.`)
  }
}

/** What was read beside the windows, where that was anything. */
function printParts(output: Output, { parts = {} }: HistorySummary['counts']): void {
  const read = Object.entries(parts).filter(([, { requests }]) => requests > 0)
  if (read.length > 0) {
    output.line(
      table(
        ['read beside the windows', 'requests', 'conversations', 'new', 'changed', 'missing'],
        read.map(([name, counts]) => [
          PART_NAMES[name] ?? name,
          counts.requests,
          counts.received,
          counts.inserted,
          counts.changed,
          counts.missing,
        ]),
      ),
    )
  }
  for (const what of Object.values(parts).flatMap(({ refused = [] }) => refused))
    output.line(`Late ${what} were not looked for: Genesys refuses to filter by them (see the log).`)
}

const PART_NAMES: Readonly<Record<string, string>> = {
  openSet: 'open conversations',
  threads: 'threads of 40 days',
  settleRereads: 'settled conversations',
  eventRereads: 'late evaluations, surveys, resolutions',
}

function printLoaded(output: Output, { windows, counts, requests }: HistorySummary): void {
  output.line(
    `${formatCount(windows.planned, 'window')} in ${formatCount(requests, 'request')}: ${windows.done} done` +
      (windows.provisional ? `, ${windows.provisional} provisional (day not over yet)` : '') +
      (windows.unstable ? `, ${windows.unstable} unstable (not complete yet; will be read again)` : ''),
  )
  output.line(
    table(
      ['conversations', 'number'],
      [
        ['new', counts.inserted],
        ['changed', counts.changed],
        ['of these, reopened', counts.reopened],
        ['unchanged', counts.unchanged],
        ['older than the stored version', counts.stale],
        ['rejected (see etl.rejected_records)', counts.rejected],
        ['erased on request, so not loaded', counts.erased],
        ['expired, so not loaded (not kept any more)', counts.expired],
        ['found to be missing at Genesys', counts.missing],
      ],
    ),
  )
  if (counts.emptiedWindows > 0)
    output.line(
      `${formatCount(counts.emptiedWindows, 'window')} had conversations before and ${counts.emptiedWindows === 1 ? 'has' : 'have'} none now (see the log).`,
    )
}
