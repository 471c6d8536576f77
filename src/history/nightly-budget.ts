/** Keeps a night's requests within bounds. Pure. */
import { ageInDays } from '../model/interval.ts'
import { type EstimatedWindow } from './plan.ts'

/** A nightly plan beyond this many requests reads the days of a few ages only, and re-reads a part of the rest. */
const NIGHTLY_REQUEST_BUDGET = 5000

/** The least that a night spends on late re-reads, however much else there is to read: otherwise they might never end. */
const LEAST_CATCH_UP_REQUESTS = NIGHTLY_REQUEST_BUDGET / 10

/** The most that each part of a sync beside its windows spends in a night. */
export const PART_REQUEST_BUDGET = NIGHTLY_REQUEST_BUDGET / 5

/** Ages in days that a large org reads again each night, besides those that depend on the settings: see `withinBudget`. */
const SPARSE_LOOKBACK_AGES: readonly number[] = [1, 2, 7]

/**
 * Keeps a nightly plan within the request budget. Windows that were never read completely stay. The lookback thins out to a few ages:
 * `SPARSE_LOOKBACK_AGES`; the day after `settleDays`, when what ended on the day of its start has settled, which saves reading it by its ids;
 * and the last age, which settles a day. Of the late re-reads beyond it as many stay as the rest of the budget allows, the oldest first. At
 * least one always stays, so that each has its turn.
 */
export function withinBudget(
  plan: readonly EstimatedWindow[],
  now: Date,
  { lookbackDays, settleDays }: { readonly lookbackDays: number; readonly settleDays: number },
): EstimatedWindow[] {
  if (requestsOf(plan) <= NIGHTLY_REQUEST_BUDGET) return [...plan]
  const isLate = (window: EstimatedWindow) =>
    window.reason === 'lookback' && ageInDays(window.start, now) > lookbackDays
  const ages = [...SPARSE_LOOKBACK_AGES, settleDays + 1, lookbackDays]
  const isKept = (window: EstimatedWindow) =>
    window.reason !== 'lookback' || (!isLate(window) && ages.includes(ageInDays(window.start, now)))
  let left = Math.max(NIGHTLY_REQUEST_BUDGET - requestsOf(plan.filter(isKept)), LEAST_CATCH_UP_REQUESTS)
  const caughtUp = new Set<EstimatedWindow>()
  for (const window of plan.filter(isLate).sort((a, b) => +a.start - +b.start)) {
    if (caughtUp.size > 0 && window.requests > left) break
    left -= window.requests
    caughtUp.add(window)
  }
  return plan.filter((window) => isKept(window) || caughtUp.has(window))
}

function requestsOf(plan: readonly EstimatedWindow[]): number {
  return plan.reduce((sum, window) => sum + window.requests, 0)
}
