/** What a snapshot counts by queue and media type. Pure. */
import { LIVE_STATES, type LiveConversation, type LiveState } from './state.ts'

/** Conversations by state, and all of them: the states add up to `conversations`. */
export type StateCounts = Record<LiveState, number> & { conversations: number }

/** The counts of one queue and media type. */
export interface QueueCounts extends StateCounts {
  /** null: conversations that are in no queue. */
  readonly queueId: string | null
  readonly mediaType: string
  /** The longest time since a conversation that is waiting or alerting entered the queue; null: none is. */
  longestWaitSeconds: number | null
  readonly onQueueUsers: number | null
  readonly offQueueUsers: number | null
}

/**
 * Counts conversations by the queue and medium of their state. The users of a queue are the same on each of its rows; a queue
 * that has users on queue but no conversation has one row with the medium `none`.
 * @param users users by queue id; null: they could not be read
 * @param at the time of the snapshot
 */
export function countQueues(
  conversations: Iterable<LiveConversation>,
  users: ReadonlyMap<string, { readonly onQueue: number; readonly offQueue: number }> | null,
  at: Date,
): QueueCounts[] {
  const rows = new Map<string, QueueCounts>()
  const rowOf = (queueId: string | null, mediaType: string): QueueCounts => {
    const key = JSON.stringify([queueId, mediaType])
    const known = rows.get(key)
    if (known) return known
    const { onQueue: onQueueUsers = null, offQueue: offQueueUsers = null } = users?.get(queueId ?? '') ?? {}
    const row = { queueId, mediaType, ...noConversations(), longestWaitSeconds: null, onQueueUsers, offQueueUsers }
    rows.set(key, row)
    return row
  }
  const busy = new Set<string | null>()
  for (const { queueId, mediaType, state, waitingSince } of conversations) {
    busy.add(queueId)
    const row = rowOf(queueId, mediaType ?? 'unknown')
    row[state]++
    row.conversations++
    if (waitingSince !== null) {
      const waited = Math.max(0, at.getTime() - Date.parse(waitingSince)) / 1000
      row.longestWaitSeconds = Math.max(row.longestWaitSeconds ?? 0, waited)
    }
  }
  for (const [queueId, { onQueue }] of users ?? []) if (onQueue > 0 && !busy.has(queueId)) rowOf(queueId, 'none')
  return [...rows.values()]
}

/** Adds the media types of each queue up: one row per queue, in the order of their first rows. */
export function sumMediaTypes(
  rows: readonly QueueCounts[],
): (Omit<QueueCounts, 'mediaType'> & { readonly mediaTypes: readonly string[] })[] {
  return [...Map.groupBy(rows, ({ queueId }) => queueId)].map(([queueId, group]) => {
    const waits = group.map((row) => row.longestWaitSeconds).filter((seconds) => seconds !== null)
    return {
      queueId,
      mediaTypes: group.map(({ mediaType }) => mediaType),
      ...sumCounts(group),
      longestWaitSeconds: waits.length === 0 ? null : Math.max(...waits),
      onQueueUsers: group[0]?.onQueueUsers ?? null,
      offQueueUsers: group[0]?.offQueueUsers ?? null,
    }
  })
}

/** The sum of counts. */
export function sumCounts(rows: Iterable<StateCounts>): StateCounts {
  const sum = noConversations()
  for (const row of rows) {
    for (const state of LIVE_STATES) sum[state] += row[state]
    sum.conversations += row.conversations
  }
  return sum
}

function noConversations(): StateCounts {
  const zeros = Object.fromEntries(LIVE_STATES.map((state) => [state, 0])) as Record<LiveState, number>
  return { ...zeros, conversations: 0 }
}
