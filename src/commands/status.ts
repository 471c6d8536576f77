import { openApp } from '../app.ts'
import type { CommandContext } from './context.ts'
import type { StatusDocument } from '../monitoring/status.ts'
import { formatWindow } from '../model/interval.ts'
import { formatInterval } from '../monitoring/problems.ts'
import { readStatus } from '../monitoring/read-status.ts'
import { formatDuration } from '../progress.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { table, type Output } from './print.ts'

/** `status`: coverage, gaps, last runs and what is owed; exit code 0 whatever it finds. */
export async function status(_options: object, { env, output }: CommandContext): Promise<void> {
  await using app = await openApp(env, { database: true })
  await requireCurrentSchema(app.warehouse.db)
  const document = await readStatus(app.warehouse, app.config.history)
  output.data(document)
  printStatus(output, document)
}

const STATES = {
  ok: 'All is loaded.',
  behind: 'Something is owed, or due to be read again; the next sync reads it.',
  failing: 'Something failed; see below.',
}

function printStatus(output: Output, { state, history, runs, rejectedRecords, problems }: StatusDocument): void {
  output.line(STATES[state])
  output.line()
  output.line(`History since      ${history.firstDay.toISOString().slice(0, 10)}`)
  output.line(
    `Complete until     ${history.coveredUntil ? formatInstant(history.coveredUntil) : '–'} (${formatDuration(history.lagSeconds)} ago)`,
  )
  output.line(`Today read until   ${history.provisionalUntil ? formatInstant(history.provisionalUntil) : '–'}`)
  output.line(`Loaded             ${history.covered.map(formatInterval).join(', ') || '–'}`)
  output.line(`Owed               ${history.owed.map(formatInterval).join(', ') || '–'}`)
  if (history.due.length > 0) output.line(`Due again          ${history.due.map(formatInterval).join(', ')}`)
  output.line(`Rejected records   ${rejectedRecords}${rejectedRecords > 0 ? ' (see etl.rejected_records)' : ''}`)
  for (const window of history.unsettled) {
    output.line(
      `${formatWindow(window)} is ${window.status} after ${window.attempts} attempts${window.error ? `: ${window.error}` : ''}`,
    )
  }
  for (const { title, detail, hint } of problems.filter(({ severity }) => severity === 'trouble')) {
    output.line()
    output.line(title)
    if (detail) output.line(detail)
    if (hint) output.line(hint)
  }
  output.line()
  if (runs.length === 0) return output.line('No job has run yet.')
  output.line(
    table(
      ['run', 'job', 'trigger', 'started (UTC)', 'took', 'status'],
      runs.map((run) => [
        String(run.id),
        run.job,
        run.trigger,
        formatInstant(run.startedAt),
        run.finishedAt ? formatDuration((+run.finishedAt - +run.startedAt) / 1000) : '–',
        run.status,
      ]),
    ),
  )
}

function formatInstant(instant: Date): string {
  return `${instant.toISOString().slice(0, 16)}Z`
}
