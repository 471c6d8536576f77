/** Sorts the ways in which one attempt can fail, from what axios throws. */
import { type AxiosError, type AxiosResponse } from 'axios'
import { parseRetryAfter, type Failure } from './retry.ts'

/** Codes of the errors for answers that are not what was asked for, and for an attempt that our own deadline has ended. */
export const BAD_BODY = 'ETL_BAD_BODY'
export const ANSWER_TOO_LARGE = 'ETL_ANSWER_TOO_LARGE'
export const OUT_OF_TIME = 'ETL_OUT_OF_TIME'

/** Codes of a certificate that is not trusted; waiting does not fix those. */
const CERTIFICATE_CODES =
  /^(CERT_|UNABLE_TO_(VERIFY|GET)|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/

/** How an attempt failed. Whatever is not known to be permanent counts as a network error, which is retried. */
export function failureOf(error: AxiosError): Failure {
  const { response } = error
  if (error.code === OUT_OF_TIME) return { kind: 'timeout' }
  if (error.code === ANSWER_TOO_LARGE || error.message.startsWith('maxContentLength')) return { kind: 'too-large' }
  if (response !== undefined && (response.status < 200 || response.status > 299))
    return { kind: 'status', status: response.status, retryAfterMs: retryAfterOf(response) }
  const refusedBy = tunnelStatusOf(error)
  if (refusedBy !== null) return { kind: 'proxy', status: refusedBy }
  if (CERTIFICATE_CODES.test(networkCodeOf(error) ?? '')) return { kind: 'certificate' }
  // An answer of 200 that failed has broken off in its body, or is not JSON.
  return { kind: response === undefined && error.code !== BAD_BODY ? 'network' : 'bad-body' }
}

function retryAfterOf({ status, headers }: AxiosResponse): number | undefined {
  const serverNow = Date.parse(nonEmptyText(headers['date']) ?? '')
  return (
    parseRetryAfter(headers['retry-after'], Number.isNaN(serverNow) ? Date.now() : serverNow) ??
    // A 429 without Retry-After: the end of the server's window is the next best thing.
    (status === 429 ? parseRetryAfter(headers['inin-ratelimit-reset'], 0) : undefined)
  )
}

/** The status with which a proxy has refused CONNECT; null where that was not it, or where Node does not say. */
function tunnelStatusOf({ cause }: AxiosError): number | null {
  if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'ERR_PROXY_TUNNEL') return null
  return 'statusCode' in cause && typeof cause.statusCode === 'number' ? cause.statusCode : null
}

/** The parts of an error body that are safe to show: ErrorBody of the API, or the error fields of OAuth. */
export function errorBody(body: string): { code?: string; message?: string; contextId?: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return {}
  }
  if (typeof parsed !== 'object' || parsed === null) return {}
  const fields = parsed as Record<string, unknown>
  const code = nonEmptyText(fields['code']) ?? nonEmptyText(fields['error'])
  const message =
    nonEmptyText(fields['message']) ?? nonEmptyText(fields['error_description']) ?? nonEmptyText(fields['description'])
  const contextId = nonEmptyText(fields['contextId'])
  return {
    ...(code === undefined ? {} : { code: code.slice(0, 100) }),
    ...(message === undefined ? {} : { message: message.slice(0, 500) }),
    ...(contextId === undefined ? {} : { contextId: contextId.slice(0, 100) }),
  }
}

/** The code of a network error, such as ECONNRESET; never its message, which may hold a proxy's credentials. */
export function networkCodeOf(error: AxiosError): string | undefined {
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? cause.code : error.code
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? code : undefined
}

/** The `ININ-Correlation-Id` of an answer. */
export function correlationIdOf(response: AxiosResponse | undefined): string | undefined {
  return nonEmptyText(response?.headers['inin-correlation-id'])
}

/** A text that is not empty; undefined for anything else. */
export function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The label of an attempt in the metrics: 2xx … 5xx, 429, or the kind of a failure without a status. */
export function statusClassOf(failure: Failure | null, response: AxiosResponse | undefined): string {
  if (failure !== null && failure.kind !== 'status') return failure.kind
  const status = response?.status ?? 200
  return status === 429 ? '429' : `${Math.floor(status / 100)}xx`
}
