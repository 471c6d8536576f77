/** How fresh the live side is. Pure. */
import type { LiveRecord } from './records.ts'
import { CLOCK_TOLERANCE_MS, secondsBetween } from '../model/interval.ts'

/** Live data older than this is called stale, unless the schedule is slower. */
export const LIVE_STALE_SECONDS = 180

/** The live side at an instant. */
export interface LiveStatus {
  readonly snapshotAt: Date | null
  readonly ageSeconds: number | null
  readonly isStale: boolean
  readonly source: string | null
  readonly conversations: number | null
  readonly durationMs: number | null
  readonly requests: number | null
  readonly stretched: boolean
  readonly failure: LiveRecord['failure']
  readonly byState: LiveRecord['byState']
}

/** The live side as of `now`. `staleSeconds`: from what age on it is stale. */
export function liveStatus({ snapshot, failure, byState }: LiveRecord, now: Date, staleSeconds: number): LiveStatus {
  // one that is dated in the future was taken at an unknown time, while the database's clock was ahead
  const isFromFuture = snapshot !== null && +snapshot.at > +now + CLOCK_TOLERANCE_MS
  const ageSeconds = snapshot && !isFromFuture ? secondsBetween(snapshot.at, now) : null
  return {
    snapshotAt: snapshot?.at ?? null,
    ageSeconds,
    isStale: ageSeconds === null || ageSeconds > staleSeconds,
    source: snapshot?.source ?? null,
    conversations: snapshot?.conversations ?? null,
    durationMs: snapshot?.durationMs ?? null,
    requests: snapshot?.requests ?? null,
    stretched: snapshot?.stretched ?? false,
    failure,
    byState,
  }
}
