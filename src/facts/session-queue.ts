import { queueTimeline, type QueueSegment } from '../intervals/queue-at.ts'
import { columnIndex } from '../model/columns.ts'
import type { Session } from './conversation.ts'

const SLOT = {
  index: columnIndex('segments', '_index'),
  start: columnIndex('segments', 'segment_start'),
  queue: columnIndex('segments', 'queue_id'),
}

/**
 * The one queue that a session as a whole belongs to: that of its last segment with a queue, which is where the metrics that close it
 * count; null: it has none. Pure.
 */
export function queueOf({ segments }: Session): string | null {
  const inQueues: QueueSegment[] = []
  for (const segment of segments) {
    const queue = segment[SLOT.queue] as string | null
    if (queue === null) continue
    inQueues.push({ queue, start: segment[SLOT.start] as string | null, index: segment[SLOT.index] as number })
  }
  return queueTimeline(inQueues).at(-1)?.queue ?? null
}
