/** Which queue a metric of a session counts under. Pure. */
import { compareTimes } from '../model/timestamps.ts'

/** A segment with a queue, of one session. */
export interface QueueSegment {
  readonly queue: string
  /** segment_start in canonical spelling; null: not readable. */
  readonly start: string | null
  /** Its `_index` in the conversation. */
  readonly index: number
}

/**
 * The segments of a session that have a queue, given in any order, as queueAt needs them: in the order in which they began, of segments
 * that began at once the lower index first, and those without a readable start before all others; of successive ones with the same queue
 * only the first.
 */
export function queueTimeline(segments: readonly QueueSegment[]): readonly QueueSegment[] {
  const first = segments[0]
  // almost every session has one queue, so that nothing has to be ordered
  if (first === undefined || segments.every(({ queue }) => queue === first.queue)) return segments.slice(0, 1)
  const ordered = segments.toSorted((a, b) => compareTimes(a.start, b.start) || a.index - b.index)
  return ordered.filter(({ queue }, index) => queue !== ordered[index - 1]?.queue)
}

/**
 * The queue at an instant (canonical spelling): that of the last segment that had begun, at the instant or before it, else that of the
 * first one. Null: there is no segment.
 */
export function queueAt(timeline: readonly QueueSegment[], instant: string): string | null {
  const begun = timeline.length > 1 ? timeline.findLast(({ start }) => compareTimes(start, instant) <= 0) : undefined
  return (begun ?? timeline[0])?.queue ?? null
}
