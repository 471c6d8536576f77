/**
 * argv → command. The only place that sets the exit code: 0 done, 1 failed and action is needed, 75 failed but worth another try
 * later, 78 bad configuration or arguments, 130/143 interrupted.
 */
import { Command, CommanderError, Option } from '@commander-js/extra-typings'
import { backfill } from './commands/backfill.ts'
import { type CommandContext } from './commands/context.ts'
import { demo } from './commands/demo.ts'
import { derive } from './commands/derive.ts'
import { doctor } from './commands/doctor/doctor.ts'
import { erase } from './commands/erase.ts'
import { exportPersonAsJson } from './commands/export-person.ts'
import { migrate } from './commands/migrate.ts'
import { createOutput } from './commands/print.ts'
import { reconcile } from './commands/reconcile.ts'
import { replay } from './commands/replay.ts'
import { serve } from './commands/serve.ts'
import { simulator } from './commands/simulator.ts'
import { snapshot } from './commands/snapshot.ts'
import { status } from './commands/status.ts'
import { sync } from './commands/sync.ts'
import { verify } from './commands/verify.ts'
import manifest from '../package.json' with { type: 'json' }
import { loadEnvFile } from './env-file.ts'
import { EtlError, exitCodeFor, Interrupted } from './errors.ts'
import { STOP_DEADLINE_MS, stopOnSignals } from './stop.ts'

/** Aborted by SIGINT and SIGTERM. */
const stopSignal = stopOnSignals({ deadlineMs: STOP_DEADLINE_MS })

const program = new Command('genesys-etl')
  .description('Brings the conversations of a Genesys Cloud contact centre into Postgres.')
  .version(manifest.version)
  .exitOverride()
  .showHelpAfterError('Run with --help for usage.')

program
  .command('serve')
  .description('run the scheduler and the HTTP server until SIGTERM')
  .action(() => run(serve, {}))
program
  .command('sync')
  .description('run the nightly job once: read the lookback again and load what is due')
  .option('--deep', 'read the days of the longer, weekly lookback again instead (HISTORY_DEEP_LOOKBACK_DAYS)', false)
  .option('--reference', 'read the names of queues, users, wrap-up codes and so on instead', false)
  .addOption(json())
  .action((options) => run(sync, options))
program
  .command('backfill')
  .description('load the conversations that started in [from, to)')
  .requiredOption('--from <date>', 'start of the range, a date or an instant (UTC)')
  .requiredOption('--to <date>', 'end of the range, exclusive (UTC)')
  .addOption(
    new Option('--source <source>', 'which API to read from')
      .choices(['query', 'jobs', 'auto'] as const)
      .default('auto' as const),
  )
  .option('--concurrency <n>', 'requests in flight (default: HISTORY_CONCURRENCY)')
  .option('--reload', 'read complete windows again', false)
  .option('--dry-run', 'print windows, requests and the expected time, and load nothing', false)
  .addOption(json())
  .action((options) => run(backfill, options))
program
  .command('derive')
  .description(
    'derive the reporting rows of the conversations that started in [from, to) again; without a range, what is due',
  )
  .option('--from <date>', 'start of the range, a date or an instant (UTC)')
  .option('--to <date>', 'end of the range, exclusive (UTC)')
  .addOption(json())
  .action((options) => run(derive, options))
program
  .command('snapshot')
  .description('take one live snapshot and print the open conversations by state, queue and media type')
  .addOption(json())
  .action((options) => run(snapshot, options))
program
  .command('migrate')
  .description('bring the schema up to date, revert its last migration, or list all migrations')
  .argument('[direction]', 'up, down or status', 'up')
  .option('--yes', 'down: even if that drops all conversations', false)
  .addOption(json())
  .action((direction, options) => run(migrate, { direction, ...options }))
program
  .command('status')
  .description('show coverage, gaps, what is due, and the last runs')
  .option(
    '--check',
    'print one line, and exit with 0 (fresh and healthy), 75 (late, or failing for now: check again) or 1 (action is needed)',
    false,
  )
  .addOption(json())
  .action((options) => run(status, options))
program
  .command('doctor')
  .description('check configuration, login, permissions, divisions, database and clocks, and explain how to fix each')
  .addOption(json())
  .action((options) => run(doctor, options))
program
  .command('verify')
  .description('read [from, to) again and compare it with the tables field by field; exit 1 on any difference')
  .requiredOption('--from <date>', 'start of the range, a date or an instant (UTC)')
  .requiredOption('--to <date>', 'end of the range, exclusive (UTC)')
  .addOption(json())
  .action((options) => run(verify, options))
program
  .command('reconcile')
  .description(
    "compare the numbers of [from, to) with Genesys' own aggregates; exit 1 on any difference without an expected cause",
  )
  .requiredOption('--from <date>', 'start of the range, a date or an instant on a half hour (UTC)')
  .requiredOption('--to <date>', 'end of the range, exclusive (UTC)')
  .option('--by-user', 'compare the numbers by user, too', false)
  .addOption(json())
  .action((options) => run(reconcile, options))
program
  .command('replay')
  .description(
    'load rejected records again, after the reason for their rejection is gone; exit 1 where some are rejected again',
  )
  .addOption(json())
  .action((options) => run(replay, options))
program
  .command('erase')
  .description("delete a person's conversations, and keep them from being loaded again")
  .option('--conversation-id <id...>', 'these conversations, stored or not')
  .option('--conversation-file <file>', 'the conversations of a file, one id per line')
  .option('--external-contact-id <id...>', 'all conversations with these external contacts')
  .option(
    '--address <address...>',
    'all conversations in which a telephone number, an e-mail address or the like occurs',
  )
  .option('--from-genesys', 'all whose deletion Genesys has completed on request (GDPR), each request once', false)
  .option('--keep-statistics', 'keep what the conversations add to the intervals, without conversation and user', false)
  .option('--dry-run', 'print what would be deleted, without personal data, and delete nothing', false)
  .option('--yes', 'even if it is a large part of all conversations', false)
  .option('--apply-policy', 'apply a changed policy for personal data (PII, PII_AGENTS) to all that is stored', false)
  .option(
    '--accept-mix',
    'use the policy and PII_RETENTION_MONTHS from now on, and leave as it is what cannot follow',
    false,
  )
  .addOption(json())
  .action((options) => run(erase, options))
program
  .command('export-person')
  .description('write what is stored about a person as JSON, for an access request')
  .option('--conversation-id <id...>', 'these conversations')
  .option('--external-contact-id <id...>', 'all conversations with these external contacts')
  .option(
    '--address <address...>',
    'all conversations in which a telephone number, an e-mail address or the like occurs',
  )
  .option('--output <file>', 'a new file instead of standard output')
  .action((options) => run(exportPersonAsJson, { ...options, json: false }))
program
  .command('simulator')
  .description('serve a fake Genesys Cloud organization over HTTP')
  .option('--port <n>', 'port on 127.0.0.1', '8090')
  .option('--seed <n>', 'the same seed makes the same organization', '1')
  .option('--days <n>', 'days of history before today', '14')
  .option('--per-day <n>', 'conversations on a weekday', '1000')
  .addOption(
    new Option('--interval-reading <reading>', 'how intervals select conversations')
      .choices(['overlap', 'day'] as const)
      .default('day' as const),
  )
  .option('--latency-ms <n>', 'duration of each request', '0')
  .option(
    '--late-changes',
    'corrections, moved starts, deletions, evaluations and surveys of days and weeks later',
    false,
  )
  .action((options) => run(simulator, { ...options, json: false }))
program
  .command('demo')
  .description(
    'start a simulator, a Postgres and the service, and load a week; uses no database or organization of yours',
  )
  .option('--once', 'load, print the figures, and exit', false)
  .addOption(json())
  .action((options) => run(demo, options))

function json(): Option<'--json', undefined, false> {
  return new Option('--json', 'JSON instead of text').default(false)
}

/** Runs a command; what it returns is the exit code. */
async function run<Options extends { readonly json?: boolean }>(
  command: (options: Options, context: CommandContext) => Promise<number | void>,
  options: Options,
): Promise<void> {
  const output = createOutput(process.stdout, options.json ?? false)
  process.exitCode = (await command(options, { env: process.env, output, signal: stopSignal })) ?? 0
}

/** Prints what happened and what to do now; a stack only for a bug. */
function explain(error: unknown): void {
  if (error instanceof Interrupted) return
  if (error instanceof EtlError) {
    process.stderr.write(`${error.message}\n${error.hint ? `${error.hint}\n` : ''}`)
  } else {
    process.stderr.write(`This is a bug in genesys-etl: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
}

/** A reader that has enough, such as `head`, closes the pipe: that is no error. */
function endQuietlyWithoutReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(process.exitCode ?? 0)
  })
  // a service outlives the reader of its log
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

async function main(): Promise<void> {
  endQuietlyWithoutReader()
  try {
    loadEnvFile('.env', process.env)
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 78
      return
    }
    explain(error)
    process.exitCode = exitCodeFor(error)
  }
}

await main()
