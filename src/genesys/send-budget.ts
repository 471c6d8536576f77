/** When the next request may be sent, from what has been sent and what the server says. Pure. */

/** `live` goes first. */
export type Priority = 'live' | 'history'

/** Length of the window in which Genesys Cloud counts requests. */
const WINDOW_MS = 60_000
/** By how much longer than the window a request counts, since requests can move closer together on their way to the server. */
const GUARD_MS = 1200
/** How long a request counts. */
export const SPAN_MS = WINDOW_MS + GUARD_MS
/** How much later than recorded a request may arrive that has to open its connection first. */
const HANDSHAKE_MS = 1800
/** The share of the limit that live requests may use on average, and that is kept free for them at most. */
export const LIVE_SHARE = 0.4

/** The server's own count for this client, from an answer. Times in milliseconds of the caller's clock. */
export interface ServerCount {
  readonly count: number
  readonly allowed: number
  readonly resetAt: number
}

/**
 * How many times its recent use is kept free for live. A request counts a little longer than the window, so a snapshot every
 * minute still finds its predecessor there, and needs its own room beside it.
 */
const RESERVE_FACTOR = 2

/**
 * The same for snapshots beyond the share of live: twice their requests would be the whole limit, and with less than all of
 * their requests the last one would wait for a whole window. So they wait for seconds, and half the limit is left to history.
 */
const LARGE_RESERVE_FACTOR = 1.25

/**
 * How many requests of `limit` are kept free for live.
 * @param used the most that live has used in one of the last two windows
 */
export function liveReserve(used: number, limit: number): number {
  const share = Math.max(1, Math.floor(limit * LIVE_SHARE))
  const large = Math.min(Math.ceil(used * LARGE_RESERVE_FACTOR), limit / 2)
  return Math.min(Math.max(share, large), limit - 1, used * RESERVE_FACTOR)
}

/**
 * Computes when the next request may be sent. It has no timers and no clock: times are arguments, in milliseconds.
 *
 * Three bounds hold at once. Our own: at most `limit` requests in any window, by a sliding log. The server's: its count as of
 * the latest answer plus what we have sent since that request. And for history: twice the recent use of live is kept free, up
 * to about the share of live, so that a long backfill cannot make a snapshot wait for a whole window. Live itself is not held
 * back here, since half a snapshot is useless: the live job keeps to its share by skipping ticks.
 */
export class SendBudget {
  readonly #limit: number
  readonly #live = new SendLog(2 * SPAN_MS)
  readonly #history = new SendLog(SPAN_MS)
  #server: (ServerCount & { readonly sequence: number }) | null = null
  #pausedUntil = Number.NEGATIVE_INFINITY
  #sequence = 0
  #lastAnswer = Number.NEGATIVE_INFINITY

  /** @param limit requests that we allow ourselves in any window */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The earliest time, not before `now`, at which a request of this priority may go. */
  nextAt(priority: Priority, now: number): number {
    let at = Math.max(now, this.#pausedUntil)
    const from = now - SPAN_MS
    const live = this.#live.since(from)
    const history = this.#history.since(from)

    const excess = live + history + 1 - this.#limit
    if (excess > 0) at = Math.max(at, this.#freedAt(excess, from))

    if (priority !== 'live') {
      const before = this.#live.since(from - SPAN_MS) - live
      const over = history + 1 - (this.#limit - liveReserve(Math.max(live, before), this.#limit))
      if (over > 0) at = Math.max(at, (this.#history.nth(over - 1, from) ?? now) + SPAN_MS)
    }

    const server = this.#server
    if (server !== null && now < server.resetAt && this.#serverUsed(server) >= server.allowed)
      at = Math.max(at, server.resetAt)
    return at
  }

  /** Records a request sent at `now`; returns its number, which `observe` wants together with its answer. */
  record(priority: Priority, now: number): number {
    const log = priority === 'live' ? this.#live : this.#history
    const isFirstInAWhile = now - this.#lastAnswer > WINDOW_MS
    log.add(isFirstInAWhile ? now + HANDSHAKE_MS : now)
    return ++this.#sequence
  }

  /**
   * Takes the server's count from the answer to the request with this number. The answer to the latest request counts, since
   * answers can overtake each other; later requests are added to it.
   */
  observe(server: ServerCount, sequence: number): void {
    if (this.#server === null || sequence >= this.#server.sequence) this.#server = { ...server, sequence }
  }

  /** An answer has arrived: connections are open. */
  answered(now: number): void {
    this.#lastAnswer = now
  }

  /** Nothing is sent before `until`, whatever its priority. A shorter pause never ends a longer one. */
  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until)
  }

  /** Requests that still count at `now`, and the end of the pause. */
  used(now: number): { live: number; history: number; pausedUntil: number } {
    const from = now - SPAN_MS
    return { live: this.#live.since(from), history: this.#history.since(from), pausedUntil: this.#pausedUntil }
  }

  #serverUsed(server: { count: number; sequence: number }): number {
    return server.count + (this.#sequence - server.sequence)
  }

  /** When the `count` oldest requests of both logs will have left the window. */
  #freedAt(count: number, from: number): number {
    let live = 0
    let history = 0
    let at = from
    for (let freed = 0; freed < count; freed++) {
      const nextLive = this.#live.nth(live, from) ?? Number.POSITIVE_INFINITY
      const nextHistory = this.#history.nth(history, from) ?? Number.POSITIVE_INFINITY
      at = Math.min(nextLive, nextHistory)
      if (nextLive <= nextHistory) live++
      else history++
    }
    return at + SPAN_MS
  }
}

/** Times of requests in ascending order; those older than `keepMs` are forgotten. */
class SendLog {
  readonly #keepMs: number
  #times: number[] = []
  #head = 0

  constructor(keepMs: number) {
    this.#keepMs = keepMs
  }

  add(at: number): void {
    const time = Math.max(at, this.#times.at(-1) ?? at)
    this.#times.push(time)
    while ((this.#times[this.#head] ?? time) <= time - this.#keepMs) this.#head++
    if (this.#head > 1024 && this.#head * 2 > this.#times.length) {
      this.#times = this.#times.slice(this.#head)
      this.#head = 0
    }
  }

  /** How many were after `from`. */
  since(from: number): number {
    return this.#times.length - this.#firstAfter(from)
  }

  /** The `index`-th of those after `from`, oldest first. */
  nth(index: number, from: number): number | undefined {
    return this.#times[this.#firstAfter(from) + index]
  }

  #firstAfter(from: number): number {
    let low = this.#head
    let high = this.#times.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#times[middle] ?? 0) > from) high = middle
      else low = middle + 1
    }
    return low
  }
}
