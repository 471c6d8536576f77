/** Windows that were read and may be incomplete. Pure. */
import { subtract, type Interval } from '../model/interval.ts'
import type { WindowRecord } from './ledger.ts'
import type { LoadedWindow } from './load-window.ts'

/** A window that is loaded as far as it could be read, and is read again. */
export interface UnsettledWindow extends Interval {
  readonly reason: string
  /** Null: at the next run. */
  readonly nextAttemptAt: Date | null
  /** It was not read, since jobs, which are to read it, do not have all of it yet. */
  readonly waitsForData?: true
}

/**
 * The unstable windows of the ledger within a scope that no done window covers, including those that wait for their next attempt; and
 * the part of the current day that the run which loaded these windows found incomplete.
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
      reason: error ?? 'its reads did not agree',
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
