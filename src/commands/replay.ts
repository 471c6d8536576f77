import { openApp } from '../app.ts'
import { replayRejected } from '../loader/replay.ts'
import { addUpAfterRun } from '../reporting/rollups.ts'
import { runJob } from '../runs/run-job.ts'
import { type CommandContext } from './context.ts'
import { formatCount, table } from './print.ts'

/** `replay`: loads rejected records again; exit code 0 where none was rejected once more, else 1. */
export async function replay(_options: object, { env, output, signal }: CommandContext): Promise<number> {
  await using app = await openApp(env, { database: true })
  await app.ensureSchema()
  const progress = app.progress('records')
  const request = { job: 'replay', trigger: 'manual', parameters: {} } as const
  const { counts } = await runJob(app, request, signal, async (run, jobSignal) => {
    const options = {
      runId: run.id,
      signal: jobSignal,
      onLoaded: app.metrics.countLoad,
      onPlan: (records: number) => progress.plan('replay', records),
      onProgress: (records: number) => progress.advance(records),
    }
    try {
      return { counts: await replayRejected(app.warehouse, options) }
    } finally {
      progress.finish()
    }
  })
  await addUpAfterRun(app, signal)
  output.data(counts)
  output.line(
    counts.records === 0
      ? 'There are no rejected records.'
      : `Loaded ${formatCount(counts.records, 'rejected record')} again.`,
  )
  if (counts.records > 0) {
    const outcomes: [string, number][] = [
      ['new', counts.inserted],
      ['changed', counts.changed],
      ['unchanged', counts.unchanged],
      ['older than the stored version', counts.stale],
      ['rejected again (see etl.rejected_records)', counts.rejected],
    ]
    output.line(table(['conversations', 'number'], outcomes))
  }
  return counts.rejected > 0 ? 1 : 0
}
