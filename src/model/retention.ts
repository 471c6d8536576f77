/** How long the history is kept. Pure: months of UTC, and which instants lie before what is kept. */
import { subtract, union, type Interval } from './interval.ts'

/** Nothing started earlier. */
const BEGINNING = new Date(0)

/** A clock that is further ahead of Genesys than this decides nothing that cannot be undone. */
export const MOST_AHEAD_MS = 86_400_000

/** A month that was dropped once, or was brought in although it is older than what is kept. */
interface DroppedMonth extends Interval {
  /** Whether conversations that started in it are stored: it was brought back on purpose. */
  readonly isStored: boolean
}

/** What decides which starts are stored. */
export interface Retention {
  /** The first instant that is kept; null: everything is. */
  readonly floor: Date | null
  readonly months: readonly DroppedMonth[]
}

/** The first instant that is kept: that of the UTC month so many months before the current one. */
export function retentionFloor(now: Date, months: number): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1))
}

/** The UTC month that begins at, or has in it, an instant. */
export function monthAround(instant: Date): Interval {
  const first = (offset: number): Date =>
    new Date(Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth() + offset, 1))
  return { start: first(0), end: first(1) }
}

/** The UTC months that a range touches. */
export function monthsTouching(range: Interval): Interval[] {
  const months: Interval[] = []
  for (let month = monthAround(range.start); month.start < range.end; month = monthAround(month.end)) months.push(month)
  return months
}

/** Days that so many whole months have at least, whichever they are. */
export function shortestDays(months: number): number {
  const MS_PER_DAY = 86_400_000
  const lengths = Array.from({ length: 48 }, (_, first) => {
    const [start, end] = [Date.UTC(2025, first, 1), Date.UTC(2025, first + months, 1)]
    return (end - start) / MS_PER_DAY
  })
  return Math.min(...lengths)
}

/** The times of which no conversation is stored: loads leave out what started in them. */
export function expiredTimes({ floor, months }: Retention): Interval[] {
  const before = floor === null ? [] : [{ start: BEGINNING, end: floor }]
  const stored = months.filter(({ isStored }) => isStored)
  return union([
    ...before.flatMap((interval) => subtract(interval, stored)),
    ...months.filter(({ isStored }) => !isStored),
  ])
}

/** The times that no job reads by itself: those of expiredTimes, and months that were brought back on purpose. */
export function timesNotDue({ floor, months }: Retention): Interval[] {
  return union([...(floor === null ? [] : [{ start: BEGINNING, end: floor }]), ...months])
}

/** Whether an instant lies in one of these times. */
export function isWithin(times: readonly Interval[], instant: Date): boolean {
  return times.some(({ start, end }) => instant >= start && instant < end)
}

/** The windows, or parts of windows, that lie outside these times. */
export function outside<Window extends Interval>(windows: readonly Window[], times: readonly Interval[]): Window[] {
  return windows.flatMap((window) => subtract(window, times).map((part) => ({ ...window, ...part })))
}
