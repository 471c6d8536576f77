import type { AxiosError, AxiosResponse } from 'axios'
import { parseRetryAfter } from './retry.ts'
import type { Failure } from './retry.ts'

/** Code of the error for a body that is not JSON. */
export const badBodyCode = 'ETL_BAD_BODY'

/** Codes of a certificate that isn't trusted; waiting doesn't mend those. */
const certificateCodes =
  /^(CERT_|UNABLE_TO_(VERIFY|GET)|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/

/** How an attempt failed; `timedOut` tells that our own deadline ended it. */
export function failureOf(error: AxiosError, timedOut: boolean): Failure {
  if (timedOut) return { kind: 'timeout' }
  const { response } = error
  if (response !== undefined && (response.status < 200 || response.status > 299)) {
    const now = Date.parse(text(response.headers['date']) ?? '')
    return {
      kind: 'status',
      status: response.status,
      retryAfterMs:
        parseRetryAfter(response.headers['retry-after'], Number.isNaN(now) ? Date.now() : now) ??
        // A 429 without Retry-After: the end of the server's window is the next best thing.
        (response.status === 429 ? parseRetryAfter(response.headers['inin-ratelimit-reset'], 0) : undefined),
    }
  }
  if (certificateCodes.test(networkCodeOf(error) ?? '')) return { kind: 'certificate' }
  // An answer of 200 that failed has broken off in its body, or isn't JSON.
  return { kind: response === undefined && error.code !== badBodyCode ? 'network' : 'bad-body' }
}

/** The parts of an error body that are safe to show: ErrorBody of the API, or what OAuth calls an error. */
export function errorBody(body: string): { code?: string; message?: string; contextId?: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return {}
  }
  if (typeof parsed !== 'object' || parsed === null) return {}
  const fields = parsed as Record<string, unknown>
  const code = text(fields['code']) ?? text(fields['error'])
  const message = text(fields['message']) ?? text(fields['error_description']) ?? text(fields['description'])
  const contextId = text(fields['contextId'])
  return {
    ...(code === undefined ? {} : { code: code.slice(0, 100) }),
    ...(message === undefined ? {} : { message: message.slice(0, 500) }),
    ...(contextId === undefined ? {} : { contextId: contextId.slice(0, 100) }),
  }
}

/** Code of a network error, such as ECONNRESET; never its message, which may hold a proxy's credentials. */
export function networkCodeOf(error: AxiosError): string | undefined {
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? cause.code : error.code
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : undefined
}

/** `ININ-Correlation-Id` of an answer. */
export function correlationIdOf(response: AxiosResponse | undefined): string | undefined {
  return text(response?.headers['inin-correlation-id'])
}

/** A text that is not empty. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
