/** Settings of the API's rate limit. */
export interface RateLimitOptions {
  /** Requests of one OAuth client in a window; Infinity switches the limit off. */
  readonly requestsPerMinute?: number
  /** Length of the window: a minute at Genesys, less in fast tests. */
  readonly windowMs?: number
  /** Whether answers carry the inin-ratelimit headers. */
  readonly headers?: boolean
}

/** Whether one request is admitted, with the headers of its answer. */
export interface Admission {
  readonly admitted: boolean
  readonly headers: Record<string, string>
  readonly retryAfterSeconds: number
}

/**
 * Fixed windows per OAuth client; a window begins with the first request after the last one has passed.
 * `inin-ratelimit-reset` is in whole seconds, as in the API; in windows shorter than a minute it has decimals, so that a
 * shortened minute behaves like a real one.
 */
export function createRateLimit(options: RateLimitOptions) {
  const { requestsPerMinute: allowed = 300, windowMs = 60_000, headers = true } = options
  const windows = new Map<string, { since: number; count: number }>()
  let violations = 0

  return {
    /** Counts a request of a client. */
    admit(clientId: string): Admission {
      const now = performance.now()
      let window = windows.get(clientId)
      if (!window || now - window.since >= windowMs) {
        window = { since: now, count: 0 }
        windows.set(clientId, window)
      }
      window.count++
      const left = window.since + windowMs - now
      const admitted = window.count <= allowed
      if (!admitted) violations++
      const reset = windowMs < 60_000 ? (left / 1_000).toFixed(3) : String(Math.ceil(left / 1_000))
      return {
        admitted,
        retryAfterSeconds: Math.max(1, Math.ceil(left / 1_000)),
        headers:
          headers && Number.isFinite(allowed)
            ? {
                'inin-ratelimit-allowed': String(allowed),
                'inin-ratelimit-count': String(window.count),
                'inin-ratelimit-reset': reset,
              }
            : {},
      }
    },
    /** How many requests exceeded the limit. */
    violations: () => violations,
  }
}
