import type { Json } from './conversation-plan.ts'

/** An answer of the API that is not 200; its body is the API's ErrorBody. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly params: Readonly<Record<string, string>> | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: string,
    message: string,
    more: { params?: Record<string, string>; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.params = more.params
    this.headers = more.headers ?? {}
  }

  /** The body of the answer. */
  body(contextId: string): Json {
    return {
      message: this.message,
      code: this.code,
      status: this.status,
      ...(this.params && { messageWithParams: this.message, messageParams: this.params }),
      contextId,
      details: [],
      errors: [],
    }
  }
}

/** The normalised answer to too many requests (all APIs since 2021-11-10). */
export function tooManyRequests(
  retryAfterSeconds: number,
  retryAfter: string | undefined = String(retryAfterSeconds),
): ApiError {
  return new ApiError(
    429,
    retryAfter === undefined ? 'too.many.requests' : 'too.many.requests.retry.after',
    retryAfter === undefined
      ? 'Rate limit exceeded the maximum [300] requests within [60] seconds'
      : `Rate limit exceeded the maximum. Retry the request in [${retryAfterSeconds}] seconds`,
    { headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } },
  )
}
