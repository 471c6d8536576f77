import { openApp } from '../app.ts'
import { type HistoryPlan } from '../history/plan-history.ts'
import { dryRunHistory, runHistory } from '../history/sync.ts'
import { formatWindow } from '../model/interval.ts'
import { formatDuration } from '../progress.ts'
import { parseRange, parseWholeNumber } from './arguments.ts'
import { type CommandContext } from './context.ts'
import { nothingToRead, printDropped, printSummary, printUnsettled, summaryExitCode } from './history-summary.ts'
import { formatCount, table, type Output } from './print.ts'

interface BackfillOptions {
  readonly from: string
  readonly to: string
  readonly source: 'query' | 'jobs' | 'auto'
  readonly concurrency?: string | undefined
  readonly reload: boolean
  readonly dryRun: boolean
}

/** `backfill`: loads a range, resuming where an earlier run stopped; exit code 75 where windows of it are not complete yet. */
export async function backfill(options: BackfillOptions, { env, output, signal }: CommandContext): Promise<number> {
  const range = parseRange(options)
  const concurrency =
    options.concurrency === undefined ? undefined : parseWholeNumber(options.concurrency, '--concurrency', 1, 50)
  await using app = await openApp(env, { genesys: true, database: true })
  await app.ensureSchema()
  const dependencies = app.historyDependencies({ concurrency })
  const request = { job: 'backfill', range, reload: options.reload, source: options.source } as const
  if (options.dryRun) {
    printPlan(output, await dryRunHistory(dependencies, request, signal))
    return 0
  }
  const summary = await runHistory(dependencies, request, 'manual', signal)
  await app.unknownIds.settled(signal)
  printSummary(output, summary)
  return summaryExitCode(summary)
}

function printPlan(output: Output, plan: HistoryPlan): void {
  const windows = plan.windows.map((window) => ({
    window: formatWindow(window),
    reason: window.reason,
    source: window.source ?? 'query',
    conversations: window.hits,
    requests: window.requests,
  }))
  output.data({ windows, dropped: plan.dropped, requests: plan.requests, minutes: plan.minutes })
  printDropped(output, plan.dropped)
  if (windows.length === 0) {
    if (plan.dropped.length === 0 || plan.unsettled.length > 0) output.line(nothingToRead(plan.unsettled))
    printUnsettled(output, plan.unsettled)
    return
  }
  output.line(
    table(
      ['window (UTC)', 'source', 'conversations', 'requests'],
      windows.map((row) => [row.window, row.source, row.conversations, row.requests]),
    ),
  )
  output.line()
  output.line(
    `${formatCount(windows.length, 'window')}, ${formatCount(plan.requests, 'request')}, about ${formatDuration(plan.minutes * 60)} at the rate limit. Nothing was loaded.`,
  )
  printUnsettled(output, plan.unsettled)
}
