/** Notices what a wrong clock of the database does to the history. */
import { CLOCK_TOLERANCE_MS } from '../model/interval.ts'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { probeClock } from '../genesys/probes.ts'
import type { Logger } from '../log.ts'
import type { DatabaseClock } from '../postgres/clock.ts'
import type { LoadCounts } from '../loader/load-counts.ts'

/**
 * By how many milliseconds the database's clock is ahead of that of Genesys; null: Genesys did not tell.
 * @throws the signal's reason
 */
export async function readClockAhead(
  genesys: GenesysClient,
  clock: DatabaseClock,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    return await probeClock(genesys, { priority: 'history', signal }, () => +clock.now())
  } catch (error) {
    // an API that refuses or does not answer shows in the reads
    if (error instanceof EtlError && !signal.aborted) return null
    throw error
  }
}

/**
 * Compares the database's clock with that of Genesys and logs a warning if they differ by more than a minute. The days that
 * a run plans, and which of two answers is newer, go by the database's clock.
 * @returns as readClockAhead
 */
export async function warnOfWrongClock(
  { genesys, logger }: { readonly genesys: GenesysClient; readonly logger: Logger },
  clock: DatabaseClock,
  signal: AbortSignal,
): Promise<number | null> {
  const ahead = await readClockAhead(genesys, clock, signal)
  if (ahead === null || Math.abs(ahead) <= CLOCK_TOLERANCE_MS) return ahead
  logger.warn(
    { aheadSeconds: Math.round(ahead / 1000) },
    'the clock of the database differs from that of Genesys: synchronise the machine of the database with a time server',
  )
  return ahead
}

/**
 * Refuses to call a run successful whose every record was refused as stale: it has loaded nothing of what it read.
 * @throws EtlError retryable when that is so
 */
export function refuseAllStale({ received, rejected, erased, expired, stale }: LoadCounts): void {
  if (stale === 0 || stale < received - rejected - erased - expired) return
  throw new EtlError(`All ${stale} conversations that were read were refused as older than what is stored`, {
    code: 'LOAD_ALL_STALE',
    kind: 'retryable',
    hint: 'Another run has read the same days at the same time, or a clock was set meanwhile: run it again; if it happens again, run doctor.',
  })
}
