/** Which days of threads are read again. Pure. */
import type { LedgerWindow } from '../history/plan.ts'
import { addDays, earlier, later, splitByDay, startOfDay, type Interval } from '../model/interval.ts'

/** E-mail threads reopen up to 30 days after each end (Genesys: email threading timeline), messages within 72 hours. */
export const THREAD_DAYS = 40

/**
 * The loaded UTC days up to an age of `THREAD_DAYS` that the nightly lookback does not read, without those that were read since the start
 * of the cycle; those that were read the longest ago first, and the newest of them first where they were read together.
 */
export function dueThreadDays({
  covered,
  ledger,
  now,
  lookbackDays,
  cycleStart,
}: {
  readonly covered: readonly Interval[]
  readonly ledger: readonly Pick<LedgerWindow, 'start' | 'end' | 'status' | 'readAt'>[]
  readonly now: Date
  readonly lookbackDays: number
  readonly cycleStart: Date
}): Interval[] {
  const today = startOfDay(now)
  const range = { start: addDays(today, -THREAD_DAYS), end: addDays(today, -lookbackDays) }
  // one in the future was written by a clock that was ahead
  const read = ledger.filter(({ status, readAt }) => status !== 'failed' && readAt <= now)
  const readAt = new Map(read.map((window) => [keyOf(window), window.readAt]))
  return covered
    .map(({ start, end }) => ({ start: later(start, range.start), end: earlier(end, range.end) }))
    .filter(({ start, end }) => start < end)
    .flatMap(splitByDay)
    .map((day) => ({ day, readAt: readAt.get(keyOf(day)) ?? new Date(0) }))
    .filter(({ readAt }) => readAt < cycleStart)
    .sort((a, b) => +startOfDay(a.readAt) - +startOfDay(b.readAt) || +b.day.start - +a.day.start)
    .map(({ day }) => day)
}

function keyOf({ start, end }: Interval): string {
  return `${+start}/${+end}`
}
