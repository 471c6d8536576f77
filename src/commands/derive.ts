import { openApp, type App } from '../app.ts'
import { ConfigError } from '../errors.ts'
import type { Interval } from '../model/interval.ts'
import { countStarted, deriveRange } from '../reporting/derive-range.ts'
import { addUpAfterRun } from '../reporting/rollups.ts'
import { countStale } from '../reporting/stale.ts'
import { deriveDue, type DueSummary } from '../reporting/walk.ts'
import { runJob } from '../runs/run-job.ts'
import { parseRange } from './arguments.ts'
import { type CommandContext } from './context.ts'
import { formatCount } from './print.ts'

interface DeriveOptions {
  readonly from?: string | undefined
  readonly to?: string | undefined
}

/** `derive`: derives the reporting rows of a range of conversation starts again; without a range, whatever is due. */
export async function derive(options: DeriveOptions, { env, output, signal }: CommandContext): Promise<void> {
  const range = parseOptionalRange(options)
  await using app = await openApp(env, { database: true })
  await app.ensureSchema()
  const parameters = range ? { from: range.start.toISOString(), to: range.end.toISOString() } : {}
  const request = { job: 'derive', trigger: 'manual', parameters } as const
  const { counts } = await runJob(app, request, signal, async (_run, jobSignal) => ({
    counts: await deriveWithProgress(app, range, jobSignal),
  }))
  await addUpAfterRun(app, signal)
  const { conversations, withoutRows } = counts
  output.data({ conversations, withoutRows })
  output.line(`Derived the reporting rows of ${formatCount(conversations, 'conversation')}.`)
  if (withoutRows > 0)
    output.line(
      `${formatCount(withoutRows, 'conversation')} of them are known but not in the tables, so they count nowhere.`,
    )
}

/** @throws ConfigError on half a range, and as parseRange */
function parseOptionalRange({ from, to }: DeriveOptions): Interval | null {
  if (from === undefined && to === undefined) return null
  if (from === undefined || to === undefined) {
    throw new ConfigError('--from and --to belong together', 'Without both, everything that is due is derived.')
  }
  return parseRange({ from, to })
}

async function deriveWithProgress(
  app: App,
  range: Interval | null,
  signal: AbortSignal,
): Promise<Pick<DueSummary, 'conversations' | 'withoutRows'>> {
  const { db } = app.warehouse
  const progress = app.progress('conversations')
  const dependencies = {
    ...app.derivationDependencies(),
    onDerived: ({ conversations }: { readonly conversations: number }) => progress.advance(conversations),
  }
  progress.plan('derive', range ? await countStarted(db, range) : await countStale(db))
  try {
    if (range) return await deriveRange(dependencies, range, signal)
    return await deriveDue(dependencies, {}, signal)
  } finally {
    progress.finish()
  }
}
