import { openApp } from '../app.ts'
import { commandLine } from '../command-line.ts'
import { ageInDays, formatWindow } from '../model/interval.ts'
import { healthCheck } from '../monitoring/health-check.ts'
import { threeTicks } from '../monitoring/live-deadlines.ts'
import { LIVE_STALE_SECONDS } from '../monitoring/live-status.ts'
import { formatInterval } from '../monitoring/problems.ts'
import { readStatus } from '../monitoring/read-status.ts'
import { type StatusDocument } from '../monitoring/status.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { formatDuration } from '../progress.ts'
import { type CommandContext } from './context.ts'
import { formatCount, formatNumber, table, type Output } from './print.ts'

/**
 * `status`: coverage, gaps and last runs; exit code 0. With --check, for sensors: one line, and exit code 0 (fresh and healthy),
 * 75 (late, or failing for now: check again) or 1 (somebody has to act).
 */
export async function status({ check }: { readonly check: boolean }, { env, output }: CommandContext): Promise<number> {
  await using app = await openApp(env, { database: true })
  await requireCurrentSchema(app.warehouse.db)
  const { live, cronTimezone: timezone, history } = app.config
  const document = await readStatus(app.warehouse, history, {
    live: live.source !== 'off',
    liveStaleSeconds: threeTicks({ cron: live.cron, timezone }, LIVE_STALE_SECONDS, new Date()),
  })
  if (check) {
    const verdict = healthCheck(document)
    output.data({ ...document, check: verdict })
    output.line(verdict.reason)
    return verdict.exitCode
  }
  output.data(document)
  if (isUntouched(document)) printFirstSteps(output, document)
  else printStatus(output, document)
  return 0
}

const STATES = {
  ok: 'Everything due is loaded.',
  behind: 'Some windows are due; the next sync reads them.',
  failing: 'Something failed; see below.',
}

function isUntouched({ history, runs, problems }: StatusDocument): boolean {
  const isTrouble = problems.some(({ severity }) => severity === 'trouble')
  return !isTrouble && runs.length === 0 && history.covered.length === 0 && history.provisionalUntil === null
}

function printFirstSteps(output: Output, { history }: StatusDocument): void {
  const first = history.firstDay.toISOString().slice(0, 10)
  output.line('Nothing has been loaded yet.')
  output.line()
  output.line(`The first sync loads the days since ${first}. To do that now: ${commandLine('sync')}`)
  output.line(`To load older days: ${commandLine('backfill --from 2026-01-01 --to 2026-02-01')}`)
  output.line(`To load every night and take live snapshots: ${commandLine('serve')}`)
}

function printStatus(output: Output, document: StatusDocument): void {
  output.line(STATES[document.state])
  output.line()
  printHistory(output, document)
  printProblems(output, document)
  printReference(output, document)
  output.line()
  printRuns(output, document.runs)
}

function describeReporting(reporting: StatusDocument['reporting']): string {
  const { isFilled, filledBackTo, filledShare, staleConversations } = reporting
  const stale = staleConversations ? `, ${formatCount(staleConversations, 'conversation')} to derive again` : ''
  if (isFilled) return `complete${stale}`
  if (!filledBackTo) return `not filled yet: serve fills them, or ${commandLine('derive')}`
  return `filled back to ${filledBackTo.toISOString().slice(0, 10)}, ${Math.floor(100 * filledShare)} %${stale}`
}

/** Whether our numbers are Genesys' own, as far as that was checked. */
function describeReconciliation(reconciliation: StatusDocument['reconciliation']): string {
  const { newestDay, days, differences, expected, missingPermission } = reconciliation
  const lacking = missingPermission === null ? '' : `not compared any more: ${missingPermission} is missing`
  if (newestDay === null) return lacking === '' ? 'not compared yet' : `not compared: ${missingPermission} is missing`
  const found =
    differences === 0
      ? 'no difference'
      : `${formatCount(differences, 'figure')} ${differences === 1 ? 'differs' : 'differ'}`
  const known = expected === 0 ? '' : `, ${formatNumber(expected)} for an expected cause`
  const until = `${formatCount(days, 'day')} until ${newestDay.toISOString().slice(0, 10)}`
  return [`${found}${known} (${until})`, lacking].filter(Boolean).join('; ')
}

function describeSettling({ open, stuck, overdue }: StatusDocument['settling']): string {
  return [
    `${formatNumber(open)} open`,
    ...(stuck > 0 ? [`${formatNumber(stuck)} of them stuck`] : []),
    ...(overdue > 0 ? [`${formatNumber(overdue)} ended and overdue to be read again`] : []),
  ].join(', ')
}

/** How long the history is kept, and what was dropped. */
function describeRetention({ months, floor, dropped, restored, lastDroppedAt }: StatusDocument['retention']): string {
  return [
    months === null ? 'everything from now on' : `${formatCount(months, 'month')} before the current one`,
    ...(floor ? [`dropped before ${floor.toISOString().slice(0, 7)}`] : []),
    `${formatCount(dropped, 'month')} dropped${lastDroppedAt ? `, the last ${formatInstant(lastDroppedAt)}` : ''}`,
    ...(restored > 0 ? [`${formatCount(restored, 'month')} brought back`] : []),
  ].join(', ')
}

/** How far the days of activity are read, which find what happens in old threads, and bring attributes. */
function describeActivity(activity: StatusDocument['history']['activity']): string {
  if (!activity) return 'not read yet: sync reads them, where details jobs are permitted (see doctor)'
  const days = activity.waiting.reduce((sum, { start, end }) => sum + ageInDays(start, end), 0)
  const waiting =
    days === 0 ? '' : `; ${formatCount(days, 'day')} waiting (${activity.waiting.map(formatInterval).join(', ')})`
  return `read until ${activity.readUntil.toISOString().slice(0, 10)}${waiting}`
}

function printHistory(output: Output, document: StatusDocument): void {
  const { history, rejectedRecords, reporting, reconciliation, settling, retention } = document
  const complete = history.coveredUntil
    ? `${formatInstant(history.coveredUntil)} (${formatDuration(history.lagSeconds)} ago)`
    : 'not yet: the first day is not loaded'
  output.line(`History since      ${history.firstDay.toISOString().slice(0, 10)}`)
  output.line(`Complete until     ${complete}`)
  output.line(`Today read until   ${history.provisionalUntil ? formatInstant(history.provisionalUntil) : '–'}`)
  output.line(`Loaded             ${history.covered.map(formatInterval).join(', ') || '–'}`)
  if (retention.months !== null || retention.dropped > 0)
    output.line(`Kept               ${describeRetention(retention)}`)
  output.line(`Due                ${history.owed.map(formatInterval).join(', ') || '–'}`)
  if (history.due.length > 0) output.line(`Due again          ${history.due.map(formatInterval).join(', ')}`)
  output.line(`Not settled        ${describeSettling(settling)}`)
  output.line(`Deep re-read       ${settling.deepReadAt ? formatInstant(settling.deepReadAt) : 'not yet'}`)
  output.line(`Activity days      ${describeActivity(history.activity)}`)
  output.line(`Reporting rows     ${describeReporting(reporting)}`)
  output.line(`Equal to Genesys   ${describeReconciliation(reconciliation)}`)
  const hint = rejectedRecords > 0 ? ' (see etl.rejected_records)' : ''
  output.line(`Rejected records   ${formatNumber(rejectedRecords)}${hint}`)
  const { unfinished, conversations, oldestAt } = document.erasures
  if (oldestAt !== null)
    output.line(
      `Erasures           ${formatNumber(unfinished)} not complete since ${formatInstant(oldestAt)}, ${formatCount(conversations, 'conversation')} to delete`,
    )
  for (const { status: state, attempts, error, ...window } of history.unsettled) {
    const reason = error ? `: ${error}` : ''
    output.line(`${formatWindow(window)} is ${state} after ${formatCount(attempts, 'attempt')}${reason}`)
  }
}

function printProblems(output: Output, { problems }: StatusDocument): void {
  for (const { title, detail, hint } of problems.filter(({ severity }) => severity === 'trouble')) {
    output.line()
    output.line(title)
    if (detail) output.line(detail)
    if (hint) output.line(hint)
  }
}

function printReference(output: Output, { reference }: StatusDocument): void {
  const read = reference.flatMap(({ readAt }) => readAt ?? [])
  if (reference.length === 0) return
  output.line()
  const oldest = read.length === 0 ? '–' : formatInstant(new Date(Math.min(...read.map(Number))))
  output.line(`Names read         ${read.length} of ${formatCount(reference.length, 'list')}, the oldest at ${oldest}`)
  for (const { list, error, hint } of reference) {
    if (error === null) continue
    output.line(`${list} could not be read: ${error}`)
    if (hint) output.line(`    ${hint}`)
  }
}

function printRuns(output: Output, runs: StatusDocument['runs']): void {
  if (runs.length === 0) {
    output.line('No job has run yet.')
    return
  }
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
