/** How much of the history the reporting rows cover. Pure. */
import type { DerivationRecord, StatusWindow } from './records.ts'

/**
 * Part of the loaded conversations that start after the place that the walk has reached, 0 to 1: by what the ledger's windows found,
 * since counting rows would read them all.
 */
export function filledShare(
  { isFilled, filledBackTo }: Pick<DerivationRecord, 'isFilled' | 'filledBackTo'>,
  windows: readonly Pick<StatusWindow, 'start' | 'end' | 'hits'>[],
): number {
  if (isFilled) return 1
  if (filledBackTo === null) return 0
  const all = windows.reduce((sum, { hits }) => sum + (hits ?? 0), 0)
  const passed = windows.reduce((sum, window) => sum + (window.hits ?? 0) * passedPart(window, filledBackTo), 0)
  return all === 0 ? 0 : passed / all
}

function passedPart({ start, end }: Pick<StatusWindow, 'start' | 'end'>, filledBackTo: Date): number {
  if (end <= filledBackTo) return 0
  return start >= filledBackTo ? 1 : (+end - +filledBackTo) / (+end - +start)
}
