/** The order of the rows of a report. Pure. */
import { type Group } from './report-query.ts'
import { type Sort } from './report-request.ts'

const collator = new Intl.Collator('en', { numeric: true })

/** Sorted by a figure or by name. What has no value comes last in both directions; equal ones are in the order of their names. */
export function sortGroups(groups: readonly Group[], { by, descending }: Sort): Group[] {
  const sign = descending ? -1 : 1
  const byName = (a: Group, b: Group): number =>
    collator.compare(a.name ?? '\uffff', b.name ?? '\uffff') || collator.compare(a.id ?? '', b.id ?? '')
  return groups.toSorted((a, b) => {
    if (by === 'name') return sign * byName(a, b)
    const [left, right] = [a.figures[by], b.figures[by]]
    if (left === null || right === null) return Number(left === null) - Number(right === null) || byName(a, b)
    return sign * (left - right) || byName(a, b)
  })
}
