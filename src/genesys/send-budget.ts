export type Priority = 'live' | 'reference' | 'history'

export interface SendBudgetLimits {
  /** Requests that we allow ourselves in any `windowMs`. */
  readonly limit: number
  readonly windowMs: number
  /** By how much longer than the window a send counts: on the way to the server, sends can move closer together. */
  readonly guardMs: number
  /** How much later than noted a send may arrive that has to open connections first. */
  readonly coldMs: number
  /** Share of the limit that stays free for live requests at most. */
  readonly liveShare: number
}

/** What the server said about its own count for this client, in an answer. Times in milliseconds of the caller's clock. */
export interface ServerCount {
  readonly count: number
  readonly allowed: number
  readonly resetAt: number
}

/**
 * How many times what live used of late stays free for it. A send counts a little longer than the window, so a snapshot every
 * minute still finds its predecessor there, and needs its own room beside it.
 */
const reserveFactor = 2

/**
 * The same for snapshots beyond the share of live: twice their requests would be all there is, and with less than all of them
 * the last would wait for a whole window. So they wait for seconds; half the limit is left to others.
 */
const largeReserveFactor = 1.25

/**
 * When may the next request be sent? No timers and no clock: times come in and go out as milliseconds.
 *
 * Three bounds hold at once. Our own: never more than `limit` sends in any window, by a sliding log. The server's: its
 * count as of the latest answer plus what we have sent since that request. And for all but live: twice as much as live used
 * of late stays free for it, up to about its share, so that a long backfill can't make a snapshot wait for a whole window. Live
 * itself is not held back here, since half a snapshot is of no use: the live job keeps to its share by leaving out ticks.
 */
export class SendBudget {
  readonly #limits: SendBudgetLimits
  readonly #span: number
  readonly #mostReserved: number
  readonly #live: SendLog
  readonly #rest: SendLog
  #server: (ServerCount & { readonly sequence: number }) | null = null
  #pausedUntil = Number.NEGATIVE_INFINITY
  #sequence = 0
  #lastAnswer = Number.NEGATIVE_INFINITY

  constructor(limits: SendBudgetLimits) {
    this.#limits = limits
    this.#span = limits.windowMs + limits.guardMs
    this.#mostReserved = Math.max(1, Math.floor(limits.limit * limits.liveShare))
    this.#live = new SendLog(2 * this.#span)
    this.#rest = new SendLog(this.#span)
  }

  /** The earliest time, not before `now`, at which a request of this priority may go. */
  nextAt(priority: Priority, now: number): number {
    let at = Math.max(now, this.#pausedUntil)
    const from = now - this.#span
    const live = this.#live.since(from)
    const rest = this.#rest.since(from)

    const excess = live + rest + 1 - this.#limits.limit
    if (excess > 0) at = Math.max(at, this.#freedAt(excess, from))

    if (priority !== 'live') {
      const before = this.#live.since(from - this.#span) - live
      const used = Math.max(live, before)
      const large = Math.min(Math.ceil(used * largeReserveFactor), this.#limits.limit / 2)
      const reserve = Math.min(Math.max(this.#mostReserved, large), this.#limits.limit - 1, used * reserveFactor)
      const over = rest + 1 - (this.#limits.limit - reserve)
      if (over > 0) at = Math.max(at, (this.#rest.nth(over - 1, from) ?? now) + this.#span)
    }

    const server = this.#server
    if (server !== null && now < server.resetAt && this.#serverUsed(server) >= server.allowed)
      at = Math.max(at, server.resetAt)
    return at
  }

  /** Notes a send at `now`; returns its number, which belongs to what the server says in the answer. */
  record(priority: Priority, now: number): number {
    const log = priority === 'live' ? this.#live : this.#rest
    const cold = now - this.#lastAnswer > this.#limits.windowMs
    log.add(cold ? now + this.#limits.coldMs : now)
    return ++this.#sequence
  }

  /**
   * Takes the server's count from the answer to the send with this number. The answer to the latest send counts, since
   * answers can overtake each other; what was sent after it is added by ourselves.
   */
  observe(server: ServerCount, sequence: number): void {
    if (this.#server === null || sequence >= this.#server.sequence) this.#server = { ...server, sequence }
  }

  /** An answer has come: connections are open. */
  answered(now: number): void {
    this.#lastAnswer = now
  }

  /** Nothing goes before `until`, whatever its priority. A shorter pause never ends a longer one. */
  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until)
  }

  /** Sends that still count at `now`, for metrics and tests. */
  used(now: number): { live: number; rest: number; server: ServerCount | null; pausedUntil: number } {
    const from = now - this.#span
    const server = this.#server !== null && now < this.#server.resetAt ? this.#server : null
    return { live: this.#live.since(from), rest: this.#rest.since(from), server, pausedUntil: this.#pausedUntil }
  }

  #serverUsed(server: { count: number; sequence: number }): number {
    return server.count + (this.#sequence - server.sequence)
  }

  /** When the `count` oldest sends of both logs will have left the window. */
  #freedAt(count: number, from: number): number {
    let live = 0
    let rest = 0
    let at = from
    for (let freed = 0; freed < count; freed++) {
      const nextLive = this.#live.nth(live, from) ?? Number.POSITIVE_INFINITY
      const nextRest = this.#rest.nth(rest, from) ?? Number.POSITIVE_INFINITY
      at = Math.min(nextLive, nextRest)
      if (nextLive <= nextRest) live++
      else rest++
    }
    return at + this.#span
  }
}

/** Times of sends, never falling; those older than `keepMs` are forgotten. */
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
