import { openApp } from '../app.ts'
import { ConfigError } from '../errors.ts'
import { runHistory } from '../history/sync.ts'
import { readReference } from '../reference/read-reference.ts'
import { type CommandContext } from './context.ts'
import { printSummary, summaryExitCode } from './history-summary.ts'
import { printReferenceSummary, referenceExitCode } from './reference-summary.ts'

interface SyncOptions {
  readonly reference: boolean
  readonly deep: boolean
}

/**
 * `sync`: what the nightly tick does, once; exit code 75 where windows are not complete yet. `--deep`: what the weekly tick does. `--reference`:
 * what the hourly tick does for reference data; exit code 75 where reading a list again may help.
 */
export async function sync({ reference, deep }: SyncOptions, { env, output, signal }: CommandContext): Promise<number> {
  if (reference && deep)
    throw new ConfigError('--reference and --deep read different things', 'Run sync once with each of them.')
  await using app = await openApp(env, { genesys: true, database: true })
  await app.ensureSchema()
  if (reference) {
    const summary = await readReference(app.referenceDependencies(), { trigger: 'manual' }, signal)
    printReferenceSummary(output, summary)
    return referenceExitCode(summary)
  }
  const summary = await runHistory(app.historyDependencies(), { job: deep ? 'deep' : 'sync' }, 'manual', signal)
  await app.unknownIds.settled(signal)
  printSummary(output, summary)
  return summaryExitCode(summary)
}
