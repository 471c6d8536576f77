/** Says of each difference what explains it, and whether that is to be expected. Pure. */
import { cellName, figureName, type Cells, type Difference } from './compare-cells.ts'

/**
 * Why a conversation counts differently here and at Genesys. `changed`: Genesys' record differs from what is stored. `missing`: it is not
 * stored, although its day is loaded. `before_first_day`: it began before the first loaded day. `erased`: Genesys does not know it any
 * more, or it was erased here on request. `division`: it is in no division that the client sees.
 */
export type Cause = 'changed' | 'missing' | 'before_first_day' | 'erased' | 'division'

/** `filter`: left out by a filter of the history. `unexplained`: nothing that was looked at explains it. */
export type DifferenceClass = Cause | 'filter' | 'unexplained'

/** Differences that are to be expected. */
const EXPECTED: ReadonlySet<DifferenceClass> = new Set(['before_first_day', 'erased', 'division', 'filter'])

/** Whether a difference of this class is no fault. */
export function isExpected(difference: DifferenceClass): boolean {
  return EXPECTED.has(difference)
}

/** A conversation that counts differently, and by how much more at Genesys than here. */
export interface Evidence {
  readonly conversationId: string
  readonly cause: Cause
  readonly more: Cells
}

/** A conversation that is named with a difference; `in_cell`: it has a metric in the cell, and the same at Genesys as far as is known. */
export interface NamedConversation {
  readonly conversationId: string
  readonly cause: Cause | 'in_cell'
}

/** A difference with what explains it. */
export interface ClassifiedDifference extends Difference {
  readonly class: DifferenceClass
  readonly conversations: readonly NamedConversation[]
}

/** What is known apart from conversations. */
export interface Circumstances {
  /** The history has a filter of its own that Genesys' aggregates do not apply, so that it holds less. */
  readonly isFiltered: boolean
  /** The client is known not to see all divisions. */
  readonly isLimitedToDivisions: boolean
  /** Conversations that began before the first loaded day were too many to be read, and may count in these cells. */
  readonly mayBeBeforeFirstDay: boolean
  /** Conversations with a metric in a cell, by cellName. */
  readonly inCell: ReadonlyMap<string, readonly string[]>
}

/** More conversations would hide the rest. */
const MAX_NAMED = 20

/** Classifies differences. What conversations were read for, and counts differently, comes before what is only plausible. */
export function classifyDifferences(
  differences: readonly Difference[],
  evidence: readonly Evidence[],
  circumstances: Circumstances,
): ClassifiedDifference[] {
  const byFigure = indexEvidence(evidence)
  return differences.map((difference) => {
    const place = placeOf(cellName(difference.key), figureName(difference))
    const contributions = byFigure.get(place) ?? []
    const explained = contributions.reduce((sum, { more }) => sum + more, 0n)
    const rest = difference.theirs - difference.ours - explained
    return {
      ...difference,
      class: classOf(contributions, rest, circumstances),
      conversations: namesFor(contributions, circumstances.inCell.get(cellName(difference.key)) ?? []),
    }
  })
}

/** What remains of each difference after the evidence: the differences that it does not explain. */
export function unexplainedRest(differences: readonly Difference[], evidence: readonly Evidence[]): Difference[] {
  const byFigure = indexEvidence(evidence)
  return differences.flatMap((difference) => {
    const contributions = byFigure.get(placeOf(cellName(difference.key), figureName(difference))) ?? []
    const ours = contributions.reduce((sum, { more }) => sum + more, difference.ours)
    return ours === difference.theirs ? [] : [{ ...difference, ours }]
  })
}

interface Contribution {
  readonly conversationId: string
  readonly cause: Cause
  readonly more: bigint
}

function placeOf(cell: string, figure: string): string {
  return `${cell} ${figure}`
}

function indexEvidence(evidence: readonly Evidence[]): Map<string, Contribution[]> {
  const byFigure = new Map<string, Contribution[]>()
  for (const { conversationId, cause, more } of evidence) {
    for (const [cell, { figures }] of more) {
      for (const [figure, value] of figures) {
        if (value === 0n) continue
        const place = placeOf(cell, figure)
        const known = byFigure.get(place) ?? []
        known.push({ conversationId, cause, more: value })
        byFigure.set(place, known)
      }
    }
  }
  return byFigure
}

function classOf(
  contributions: readonly Contribution[],
  rest: bigint,
  { isFiltered, isLimitedToDivisions, mayBeBeforeFirstDay }: Circumstances,
): DifferenceClass {
  const fault = contributions.find(({ cause }) => !isExpected(cause))
  if (fault) return fault.cause
  if (rest === 0n) return contributions[0]?.cause ?? 'unexplained'
  if (rest > 0n && isFiltered) return 'filter'
  if (rest > 0n && mayBeBeforeFirstDay) return 'before_first_day'
  return isLimitedToDivisions ? 'division' : 'unexplained'
}

/** Those that explain it first. */
function namesFor(contributions: readonly Contribution[], inCell: readonly string[]): NamedConversation[] {
  const named = new Map<string, NamedConversation>()
  const faultsFirst = contributions.toSorted((a, b) => Number(isExpected(a.cause)) - Number(isExpected(b.cause)))
  for (const { conversationId, cause } of faultsFirst) named.set(conversationId, { conversationId, cause })
  for (const conversationId of inCell)
    if (!named.has(conversationId)) named.set(conversationId, { conversationId, cause: 'in_cell' })
  return [...named.values()].slice(0, MAX_NAMED)
}
