/** When a conversation that has ended is read once more, since its closing fields arrive late. Pure. */
import { LIVE_SHARE } from './live-budget.ts'

/** Wrap-up codes and closing metrics have arrived by then: seconds to a minute by what users report. */
const REREAD_AFTER_MS = 6 * 60_000
const IDS_PER_REQUEST = 50
/** Of the live share of the request limit, what a snapshot may spend on re-reads. */
const REREAD_SHARE = 0.25

/**
 * Six minutes after the end, so that with a snapshot per minute it is read between five and ten minutes after it. Never before
 * the snapshot that saw the end, nor later than six minutes after that, whatever the record claims.
 */
export function rereadDueAt(endedAt: string | null, seenAt: Date): Date {
  const seen = seenAt.getTime()
  const ended = Math.min(endedAt === null ? seen : Date.parse(endedAt), seen)
  return new Date(Math.max(ended + REREAD_AFTER_MS, seen))
}

/** How many ended conversations a snapshot may read again: a quarter of a minute's live share, at least a request's worth. */
export function rereadIdsPerSnapshot(requestsPerMinute: number): number {
  return Math.max(1, Math.floor(requestsPerMinute * LIVE_SHARE * REREAD_SHARE)) * IDS_PER_REQUEST
}
