import { openApp } from '../app.ts'
import { commandLine } from '../command-line.ts'
import { verifyRange, type Mismatch, type Verification } from '../history/verify.ts'
import { columnsOf, tables } from '../model/columns.ts'
import { formatWindow } from '../model/interval.ts'
import { isRawNumber, type JsonValue } from '../model/json.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { parseRange } from './arguments.ts'
import { type CommandContext } from './context.ts'
import { printDropped } from './history-summary.ts'
import { formatCount, formatNumber, type Output } from './print.ts'

/** `verify`: exit code 0 where the tables equal Genesys, 1 where they differ, 75 where the range could not be read completely. */
export async function verify(
  options: { readonly from: string; readonly to: string },
  { env, output, signal }: CommandContext,
): Promise<number> {
  const range = parseRange(options)
  await using app = await openApp(env, { genesys: true, database: true })
  await requireCurrentSchema(app.warehouse.db)
  const verification = await verifyRange(app.historyDependencies(), range, signal)
  const isEqual = foundNothing(verification)
  const isComplete = verification.incomplete.length === 0
  const { duplicates, inconsistent, orphans } = verification.misplaced
  output.data({
    equal: isEqual && isComplete,
    ...verification,
    misplaced: { twins: duplicates, undecided: inconsistent, orphans },
    mismatches: verification.mismatches.map(withoutPersonalData),
  })
  printVerification(output, verification, isEqual)
  if (!isEqual) return 1
  return isComplete ? 0 : 75
}

function foundNothing({ mismatches, misplaced }: Verification): boolean {
  const { duplicates, orphans, inconsistent } = misplaced
  return mismatches.length + duplicates.length + inconsistent.length + Object.keys(orphans).length === 0
}

/** Conversations that differ, named in the text. */
const SHOWN = 20

function printVerification(output: Output, verification: Verification, isEqual: boolean): void {
  const { compared, windows, requests, mismatches, misplaced, unkeyable, erased, dropped, incomplete } = verification
  output.line(
    `Compared ${formatCount(compared, 'conversation')} of ${formatCount(windows, 'window')}, field by field (${formatCount(requests, 'request')}).`,
  )
  if (unkeyable > 0)
    output.line(`${formatCount(unkeyable, 'record')} without a usable key, kept in etl.rejected_records.`)
  if (erased > 0) output.line(`${formatCount(erased, 'conversation')} of Genesys were erased here on request.`)
  printDropped(output, dropped)
  for (const { window, reason } of incomplete)
    output.line(`${formatWindow(window)} was not read completely, so not all of it was compared: ${reason}.`)
  for (const mismatch of mismatches.slice(0, SHOWN).map(withoutPersonalData)) {
    output.line(`${mismatch.conversationId} (${formatWindow(mismatch.window)}): ${mismatch.kind}`)
    for (const { path, genesys, here } of mismatch.differences)
      output.line(`    ${path}: Genesys ${genesys}, here ${here}`)
  }
  if (mismatches.length > SHOWN)
    output.line(`… and ${formatNumber(mismatches.length - SHOWN)} more (--json lists all of them)`)
  if (misplaced.duplicates.length > 0) output.line(`Stored under two starts: ${misplaced.duplicates.join(', ')}`)
  if (misplaced.inconsistent.length > 0)
    output.line(`Inconsistent with etl.conversations: ${misplaced.inconsistent.join(', ')}`)
  for (const [table, count] of Object.entries(misplaced.orphans)) {
    output.line(`genesys.${table}: ${formatCount(count, 'row')} without a conversation`)
  }
  if (isEqual && incomplete.length > 0) {
    output.line('No difference in what could be read. Run verify again later for the remaining windows.')
    return
  }
  output.line(
    isEqual
      ? 'No difference: the tables equal Genesys.'
      : `The tables differ from Genesys. Run ${commandLine('backfill --reload')} over the range: it repairs whatever Genesys still returns.`,
  )
}

const PERSONAL_FIELDS = new Set(
  tables.flatMap((table) => columnsOf(table).flatMap(({ api, personal }) => (personal && api ? [api] : []))),
)
const KNOWN_FIELDS = new Set(tables.flatMap((table) => columnsOf(table).flatMap(({ api }) => api ?? [])))

/** The paths of all differences; values only of known fields without personal data. */
function withoutPersonalData({ differences, ...mismatch }: Mismatch): Omit<Mismatch, 'differences'> & {
  readonly differences: readonly { readonly path: string; readonly genesys: string; readonly here: string }[]
} {
  return {
    ...mismatch,
    differences: differences.map(({ path, a, b }) => {
      const fields = path.split(/[.[\]]+/).filter((part) => part !== '' && !/^\d+$/.test(part))
      const isShown = KNOWN_FIELDS.has(fields.at(-1) ?? '') && !fields.some((field) => PERSONAL_FIELDS.has(field))
      const show = (value: JsonValue | undefined): string =>
        isShown ? describe(value) : value === undefined ? 'absent' : 'present'
      return { path, genesys: show(a), here: show(b) }
    }),
  }
}

function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'absent'
  if (typeof value === 'object' && value !== null && !isRawNumber(value))
    return Array.isArray(value) ? `${value.length} elements` : 'an object'
  return JSON.stringify(value).slice(0, 80)
}
