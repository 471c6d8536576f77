/** Windows that were read, and of which it is not known that they are whole. Pure. */
import { subtract, type Interval } from '../model/interval.ts'
import type { WindowRecord } from './ledger.ts'
import type { LoadedWindow } from './load-window.ts'

/** A window that is loaded as far as it could be read, and will be read again. */
export interface UnsettledWindow extends Interval {
  readonly reason: string
  /** Null: with the next run. */
  readonly nextAttemptAt: Date | null
}

/**
 * What the ledger has as unstable in a scope and no done window covers, those that rest included; and what of the current day the
 * run that loaded these windows found incomplete.
 */
export function unsettledIn(
  scope: Interval,
  ledger: readonly WindowRecord[],
  loaded: readonly LoadedWindow[] = [],
): UnsettledWindow[] {
  const done = ledger.filter(({ status }) => status === 'done')
  const unstable = ledger.filter(
    (window) =>
      window.status === 'unstable' &&
      window.start < scope.end &&
      window.end > scope.start &&
      subtract(window, done).length > 0,
  )
  const provisional = loaded.filter(
    ({ status, instability }) => status === 'provisional' && instability?.code === 'WINDOW_INCOMPLETE',
  )
  return [
    ...unstable.map(({ start, end, error, nextAttemptAt }) => ({
      start,
      end,
      reason: error ?? 'the reads of it did not agree',
      nextAttemptAt,
    })),
    ...provisional.map(({ window: { start, end }, instability }) => ({
      start,
      end,
      reason: instability?.reason ?? '',
      nextAttemptAt: null,
    })),
  ]
}
