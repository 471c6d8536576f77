/** How fresh the live data is. Pure. */
import { CLOCK_TOLERANCE_MS, secondsBetween } from '../model/interval.ts'
import { type LiveRecord } from './records.ts'

/** Live data older than this is stale, unless the schedule is slower. */
export const LIVE_STALE_SECONDS = 180
/** Without a complete snapshot for this long, live is late. A slower schedule is allowed three ticks. */
export const LIVE_LATE_SECONDS = 600

/** The live data as of an instant. */
export interface LiveStatus {
  readonly snapshotAt: Date | null
  readonly ageSeconds: number | null
  readonly isStale: boolean
  readonly source: string | null
  readonly conversations: number | null
  readonly durationMs: number | null
  readonly requests: number | null
  /** Snapshots are throttled to stay within live's share of the request limit. */
  readonly stretched: boolean
  readonly failure: LiveRecord['failure']
  readonly byState: LiveRecord['byState']
}

/**
 * Judges the live data as of `now`.
 * @param staleSeconds the age from which on it is stale
 */
export function liveStatus({ snapshot, failure, byState }: LiveRecord, now: Date, staleSeconds: number): LiveStatus {
  // A snapshot dated in the future was taken while the database's clock was ahead: its true age is unknown.
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
