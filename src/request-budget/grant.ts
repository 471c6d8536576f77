/** How a request limit is shared by processes: what each may send now, from what all of them have leased. Pure. */
import { liveReserve, SPAN_MS, type Priority } from '../genesys/send-budget.ts'

/** Requests leased within one slot of time: its end in epoch milliseconds, and how many by priority. */
type Slot = readonly [at: number, live: number, history: number]

/** What the processes of one OAuth client have leased. Kept as JSON. */
export interface SharedState {
  /** Oldest first; no older than two windows. */
  readonly slots: readonly Slot[]
  /** Until then history gets nothing, because live did not get all that it wanted; epoch milliseconds. */
  readonly liveWaitsUntil: number
}

export interface Grant {
  readonly state: SharedState
  readonly granted: number
  /** Milliseconds until more can be granted; 0 when all that was wanted is granted. */
  readonly waitMs: number
}

export const NOTHING_LEASED: SharedState = { slots: [], liveWaitsUntil: 0 }

/** Leases of the same slot count as one: few slots to store, and a slot's end comes at most this much after a lease. */
const SLOT_MS = 500
/** Live asks again within this time while it waits. */
const LIVE_TURN_MS = 10_000
const MIN_WAIT_MS = 50

/**
 * Leases up to `wanted` requests of a limit of `limit` per minute.
 *
 * All processes together get at most `limit` in any window. A part is kept free for live (see `liveReserve`), and while live has not got
 * all that it wanted, history gets nothing.
 * @param now epoch milliseconds of the one clock that all processes use
 */
export function grant(
  state: SharedState,
  { priority, wanted, limit }: { readonly priority: Priority; readonly wanted: number; readonly limit: number },
  now: number,
): Grant {
  // A clock that was set back must not leave leases in the future, where they would count for too long.
  const slots = state.slots
    .map(([at, live, history]): Slot => [Math.min(at, now + SLOT_MS), live, history])
    .filter(([at]) => at > now - 2 * SPAN_MS)
  const current = slots.filter(([at]) => at > now - SPAN_MS)
  const [live, history] = sumOf(current)
  const used = Math.max(live, sumOf(slots)[0] - live)

  const isHistory = priority === 'history'
  const liveWaitMs = Math.max(0, Math.min(state.liveWaitsUntil - now, LIVE_TURN_MS))
  const reserve = isHistory ? liveReserve(used, limit) : 0
  const free = isHistory && liveWaitMs > 0 ? 0 : Math.min(limit - live - history, limit - reserve - history)
  const granted = Math.max(0, Math.min(wanted, Math.floor(free)))
  const isShort = granted < wanted
  return {
    state: {
      slots: granted === 0 ? slots : withLease(slots, priority, granted, now),
      liveWaitsUntil: isHistory ? now + liveWaitMs : isShort ? now + LIVE_TURN_MS : 0,
    },
    granted,
    waitMs: isShort ? Math.max(MIN_WAIT_MS, liveWaitMs, untilFree(current, priority, 1 - free + granted, now)) : 0,
  }
}

/** Milliseconds until `count` more requests have left the window. */
function untilFree(current: readonly Slot[], priority: Priority, count: number, now: number): number {
  let freed = 0
  for (const [at, live, history] of current) {
    // What live gives back is kept free for live.
    freed += priority === 'live' ? live + history : history
    if (freed >= count) return at + SPAN_MS - now
  }
  return (current.at(-1)?.[0] ?? now) + SPAN_MS - now
}

function withLease(slots: readonly Slot[], priority: Priority, count: number, now: number): Slot[] {
  const end = Math.ceil(now / SLOT_MS) * SLOT_MS
  const last = slots.at(-1)
  const isSame = last !== undefined && last[0] >= end
  const [at, live, history] = isSame ? last : ([end, 0, 0] as const)
  const slot: Slot = priority === 'live' ? [at, live + count, history] : [at, live, history + count]
  return [...(isSame ? slots.slice(0, -1) : slots), slot]
}

function sumOf(slots: readonly Slot[]): [live: number, history: number] {
  return slots.reduce(([live, history], slot) => [live + slot[1], history + slot[2]], [0, 0])
}
