/** What a snapshot counts by queue and media type. */
import type { LiveConversation } from './state.ts'

/** A queue and medium of one snapshot. */
export interface QueueCounts {
  readonly queueId: string
  readonly mediaType: string
  waiting: number
  alerting: number
  interacting: number
  hold: number
  acw: number
  longestWaitSeconds: number | null
  readonly onQueueUsers: number | null
  readonly offQueueUsers: number | null
}

/**
 * Counts conversations by the queue and medium that decide about their state. Users of a queue stand on each of its rows; a
 * queue that has users on queue but no conversation has one row of medium `none`.
 * @param users by queue id; null: they can't be read
 */
export function countQueues(
  conversations: Iterable<LiveConversation>,
  users: ReadonlyMap<string, { readonly onQueue: number; readonly offQueue: number }> | null,
  at: Date,
): QueueCounts[] {
  const counts = new Map<string, QueueCounts>()
  const rowOf = (queueId: string, mediaType: string): QueueCounts => {
    const key = `${mediaType}/${queueId}`
    const known = counts.get(key)
    if (known) return known
    const { onQueue: onQueueUsers = null, offQueue: offQueueUsers = null } = users?.get(queueId) ?? {}
    const none = { waiting: 0, alerting: 0, interacting: 0, hold: 0, acw: 0, longestWaitSeconds: null }
    const row = { queueId, mediaType, ...none, onQueueUsers, offQueueUsers }
    counts.set(key, row)
    return row
  }
  const busy = new Set<string>()
  for (const { queueId, mediaType, state, waitingSince } of conversations) {
    if (queueId === null) continue
    busy.add(queueId)
    const row = rowOf(queueId, mediaType ?? 'unknown')
    if (state === 'waiting' || state === 'alerting' || state === 'interacting' || state === 'hold' || state === 'acw')
      row[state]++
    if (waitingSince !== null) {
      const waited = Math.max(0, at.getTime() - Date.parse(waitingSince)) / 1000
      row.longestWaitSeconds = Math.max(row.longestWaitSeconds ?? 0, waited)
    }
  }
  for (const [queueId, { onQueue }] of users ?? []) if (onQueue > 0 && !busy.has(queueId)) rowOf(queueId, 'none')
  return [...counts.values()]
}
