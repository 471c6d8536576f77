import { openApp } from '../app.ts'
import { commandLine } from '../command-line.ts'
import { ConfigError } from '../errors.ts'
import { formatWindow, splitByDay, type Interval } from '../model/interval.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import {
  isExpected,
  type ClassifiedDifference,
  type DifferenceClass,
  type NamedConversation,
} from '../reporting/classify.ts'
import { cellName, COMPARED_INTERVAL_MS } from '../reporting/compare-cells.ts'
import { reconcileDays, type Reconciliation } from '../reporting/reconcile.ts'
import { SWITCHES } from '../reporting/service-level.ts'
import { parseRange } from './arguments.ts'
import { type CommandContext } from './context.ts'
import { formatCount, formatNumber, type Output } from './print.ts'

interface ReconcileOptions {
  readonly from: string
  readonly to: string
  readonly byUser: boolean
}

/**
 * `reconcile`: exit code 0 where our numbers are Genesys' own, 1 where they differ for no expected cause, 75 where some days could not be
 * compared yet.
 */
export async function reconcile(options: ReconcileOptions, { env, output, signal }: CommandContext): Promise<number> {
  const range = parseHalfHours(options)
  await using app = await openApp(env, { genesys: true, database: true })
  await requireCurrentSchema(app.warehouse.db)
  const request = { days: splitByDay(range), byUser: options.byUser }
  const found = await reconcileDays(app.reconcileDependencies(), request, 'manual', signal)
  const faults = found.differences.filter((difference) => !isExpected(difference.class))
  output.data(asJson(found, faults.length === 0 && found.skipped.length === 0))
  print(output, found, faults)
  if (faults.length > 0) return 1
  return found.skipped.length > 0 ? 75 : 0
}

/** @throws ConfigError as parseRange, and where the bounds are not on half hours, which are what is compared */
function parseHalfHours(options: ReconcileOptions): Interval {
  const range = parseRange(options)
  for (const [option, instant] of Object.entries({ '--from': range.start, '--to': range.end })) {
    if (+instant % COMPARED_INTERVAL_MS === 0) continue
    throw new ConfigError(
      `${option} ${instant.toISOString()} is not on a half hour`,
      'Genesys and the tables are compared by intervals of 30 minutes: give days, or instants such as 2026-01-31T10:30.',
    )
  }
  return range
}

function asJson(found: Reconciliation, isEqual: boolean): object {
  return {
    equal: isEqual,
    byUser: found.byUser,
    days: found.days,
    skipped: found.skipped,
    classes: found.classes,
    serviceLevel: found.serviceLevel,
    differences: found.differences.map(({ key, ...difference }) => ({ ...key, ...difference })),
  }
}

/** Cells that differ, named in the text. */
const CELLS_SHOWN = 20

const CLASSES: Readonly<Record<DifferenceClass, string>> = {
  changed: "a conversation differs from Genesys' record",
  missing: 'a conversation is not in the tables',
  unexplained: 'no conversation explains it',
  before_first_day: 'conversations that began before the first loaded day',
  filter: 'left out by the filters of the history',
  division: 'conversations of divisions that the OAuth client does not see',
  erased: 'conversations that Genesys does not have any more',
}

const CAUSES: Readonly<Record<NamedConversation['cause'], string>> = {
  changed: "differs from Genesys' record",
  missing: 'not in the tables',
  before_first_day: 'began before the first loaded day',
  division: 'in no division that the OAuth client sees',
  erased: 'not at Genesys any more',
  in_cell: '',
}

function print(output: Output, found: Reconciliation, faults: readonly ClassifiedDifference[]): void {
  const cells = found.days.reduce((sum, day) => sum + day.cells, 0)
  const grain = `30 minutes, queue and media type${found.byUser ? ', and by user' : ''}`
  output.line(
    `Compared ${formatCount(cells, 'cell')} of ${formatCount(found.days.length, 'day')} with Genesys' aggregates, by ${grain}.`,
  )
  for (const { day, reason } of found.skipped) output.line(`${formatWindow(day)} was not compared: ${reason}.`)
  printFaults(output, faults)
  for (const [name, count] of Object.entries(found.classes) as [DifferenceClass, number][])
    if (isExpected(name))
      output.line(
        `${formatCount(count, 'figure')} ${count === 1 ? 'differs' : 'differ'} as expected: ${CLASSES[name]}.`,
      )
  printServiceLevel(output, found.serviceLevel)
  if (faults.length > 0)
    output.line(
      `The numbers differ from Genesys' own. Run ${commandLine('backfill --reload')} over the days on which these conversations began, then ` +
        `${commandLine('reconcile')} again; what remains is explained in docs/operations.md, "When numbers differ".`,
    )
  else if (found.days.length > 0) output.line("No difference: the numbers are Genesys' own.")
}

function printFaults(output: Output, faults: readonly ClassifiedDifference[]): void {
  const cells = [...Map.groupBy(faults, ({ key }) => cellName(key)).values()]
  for (const differences of cells.slice(0, CELLS_SHOWN)) {
    const { intervalStart, queueId, mediaType, userId } = differences[0]!.key
    const user = userId === null ? '' : `, user ${userId}`
    output.line(
      `${intervalStart.toISOString().slice(0, 16)}Z, queue ${queueId ?? 'none'}, ${mediaType ?? 'no media type'}${user}:`,
    )
    for (const { metric, statistic, ours, theirs, class: why } of differences)
      output.line(
        `    ${statistic} of ${metric}: Genesys ${formatNumber(Number(theirs))}, here ${formatNumber(Number(ours))} (${CLASSES[why]})`,
      )
    const named = new Map(
      differences.flatMap(({ conversations }) => conversations.map((each) => [each.conversationId, each])),
    )
    const first = [...named.values()].sort((a, b) => Number(a.cause === 'in_cell') - Number(b.cause === 'in_cell'))
    for (const { conversationId, cause } of first.slice(0, CELLS_SHOWN))
      output.line(`    conversation ${conversationId}${cause === 'in_cell' ? '' : `: ${CAUSES[cause]}`}`)
  }
  if (cells.length > CELLS_SHOWN)
    output.line(`… and ${formatNumber(cells.length - CELLS_SHOWN)} more cells (--json lists all of them)`)
}

function printServiceLevel(
  output: Output,
  { switches, differing, groups, contradicted }: Reconciliation['serviceLevel'],
): void {
  for (const name of SWITCHES) {
    if (differing.includes(name))
      output.line(
        `reporting.settings.${name} is ${!switches[name]}, but Genesys calculates its service level with ${switches[name]}: update reporting.settings.`,
      )
    else if (switches[name] === null)
      output.line(`Whether ${name} is as Genesys has it cannot be determined: nothing that it is about happened.`)
  }
  if (contradicted > 0)
    output.line(
      `${formatNumber(contradicted)} of ${formatCount(groups, 'cell')} have a service level at Genesys that none of its settings explains.`,
    )
}
