import { openApp } from '../app.ts'
import { runHistory } from '../history/sync.ts'
import { type CommandContext } from './context.ts'
import { printSummary, summaryExitCode } from './history-summary.ts'

/** `sync`: what the nightly tick does, once; exit code 75 where windows are not complete yet. */
export async function sync(_options: object, { env, output, signal }: CommandContext): Promise<number> {
  await using app = await openApp(env, { genesys: true, database: true })
  await app.ensureSchema()
  const summary = await runHistory(app.historyDependencies(), { job: 'sync' }, 'manual', signal)
  printSummary(output, summary)
  return summaryExitCode(summary)
}
