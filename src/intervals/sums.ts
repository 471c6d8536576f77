/** Adds metrics up in rows of measures. Pure. */
import type { Value } from '../model/columns.ts'
import type { Aggregate, Measure } from './measures.ts'

/** The slots of a row that a metric goes to; -1: none. */
export type Slots = { readonly [Kind in Aggregate]: number }

/**
 * Where each metric goes in a row that has these measures, the first of them in the slot `offset`. By name of the metric; metrics that no
 * measure counts are not in it.
 */
export function slotsByMetric(measures: readonly Measure[], offset: number): ReadonlyMap<string, Slots> {
  const slots = new Map<string, Slots>()
  measures.forEach(({ metric, aggregate }, index) => {
    const others = slots.get(metric) ?? { total: -1, events: -1, max: -1 }
    slots.set(metric, { ...others, [aggregate]: offset + index })
  })
  return slots
}

/** Adds a value of a metric to its slots, which are null before the first one. Sums are exact, so they can exceed int64: see storable. */
export function addValue(row: Value[], slots: Slots, value: number | bigint): void {
  if (slots.events !== -1) row[slots.events] = ((row[slots.events] as number | null) ?? 0) + 1
  if (slots.total !== -1) row[slots.total] = sum((row[slots.total] as number | bigint | null) ?? 0, value)
  if (slots.max !== -1) {
    const largest = row[slots.max] as number | bigint | null
    if (largest === null || value > largest) row[slots.max] = value
  }
}

/** The exact sum of integers: a number where that is exact, else a BigInt. */
function sum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') {
    const total = a + b
    if (Number.isSafeInteger(total)) return total
  }
  return BigInt(a) + BigInt(b)
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** The integer, or the nearest limit of int64: no number that Genesys sends may make a load fail. */
export function storable(value: number | bigint): number | bigint {
  if (typeof value === 'number') return value
  if (Number.isSafeInteger(Number(value))) return Number(value)
  return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : value
}
