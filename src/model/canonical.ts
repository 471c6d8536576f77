import { canonicalNumber, isAbsent, isJsonObject, isRawNumber, put, storableValue } from './json.ts'
import type { JsonValue } from './json.ts'

/** One place where two values differ; undefined: absent. Holds data: not for logs. */
export interface Difference {
  /** E.g. `participants[0].sessions[2].ani`; empty for the value itself. Positions are those in the first value, where it has one. */
  readonly path: string
  readonly a: JsonValue | undefined
  readonly b: JsonValue | undefined
}

/**
 * The one form of all values that count as equal: members that are null or [] removed, keys sorted, numbers in one spelling, and
 * what Postgres can't hold replaced as storableJson does. Arrays keep their order.
 */
export function canonical(value: JsonValue): JsonValue {
  return canonicalForm(storableValue(value))
}

function canonicalForm(value: JsonValue): JsonValue {
  if (typeof value === 'number') return value + 0
  if (typeof value !== 'object' || value === null) return value
  if (isRawNumber(value)) return canonicalNumber(value)
  if (Array.isArray(value)) return value.map(canonicalForm)
  const form: Record<string, JsonValue> = {}
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isAbsent(member)) put(form, key, canonicalForm(member))
  }
  return form
}

/**
 * Where two values differ, apart from what canonical() makes equal and from the order of arrays, which the content hash ignores too.
 * Elements without an equal on the other side are compared pairwise in their order.
 */
export function differences(a: JsonValue, b: JsonValue): Difference[] {
  const found: Difference[] = []
  collect('', canonical(a), canonical(b), found)
  return found
}

function collect(path: string, a: JsonValue | undefined, b: JsonValue | undefined, found: Difference[]): void {
  if (a !== undefined && b !== undefined && orderless(a) === orderless(b)) return
  if (Array.isArray(a) && Array.isArray(b)) {
    const [onlyA, onlyB] = unmatched(a as readonly JsonValue[], b as readonly JsonValue[])
    for (let i = 0; i < Math.max(onlyA.length, onlyB.length); i++) {
      const position = onlyA[i]?.position ?? onlyB[i]!.position
      collect(`${path}[${position}]`, onlyA[i]?.element, onlyB[i]?.element, found)
    }
  } else if (isJsonObject(a) && isJsonObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const own = [a, b].map((side) => (Object.hasOwn(side, key) ? side[key] : undefined))
      collect(path === '' ? key : `${path}.${key}`, own[0], own[1], found)
    }
  } else if (a !== b) {
    found.push({ path, a, b })
  }
}

interface Element {
  readonly position: number
  readonly element: JsonValue
}

/** The elements of each array that have no equal in the other, as many times as it occurs there. */
function unmatched(a: readonly JsonValue[], b: readonly JsonValue[]): [Element[], Element[]] {
  const waiting = Map.groupBy(
    b.map((element, position) => ({ element, position })),
    ({ element }) => orderless(element),
  )
  const onlyA = a
    .map((element, position) => ({ element, position }))
    .filter(({ element }) => waiting.get(orderless(element))?.shift() === undefined)
  const onlyB = [...waiting.values()].flat().sort((x, y) => x.position - y.position)
  return [onlyA, onlyB]
}

/** A text that is the same for canonical values that differ at most in the order of their arrays. */
function orderless(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(orderless).sort().join()}]`
  if (!isJsonObject(value)) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${orderless(member)}`)
  return `{${members.sort().join()}}`
}
