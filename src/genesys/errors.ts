import { EtlError, type ErrorDetails } from '../errors.ts'
import { referenceEntity, referenceNames } from '../model/reference.ts'
import { MAX_ANSWER_BYTES } from './body-text.ts'
import { type Failure } from './retry.ts'

interface CallFacts {
  readonly method: string
  /** Without the query: ids and filters stay out of errors. */
  readonly path: string
  readonly status?: number | undefined
  /** `ININ-Correlation-Id`, which Genesys' support asks for. */
  readonly correlationId?: string | undefined
  /** The API's own code, such as `missing.permissions`. */
  readonly apiCode?: string | undefined
  readonly attempts: number
}

/** A call to Genesys that has finally failed. Holds no header, no token, no body. */
export class GenesysError extends EtlError implements CallFacts {
  override readonly name = 'GenesysError'
  readonly method: string
  readonly path: string
  readonly status: number | undefined
  readonly correlationId: string | undefined
  readonly apiCode: string | undefined
  readonly attempts: number

  constructor(message: string, details: Omit<ErrorDetails, 'cause'> & CallFacts) {
    super(message, details)
    this.method = details.method
    this.path = details.path
    this.status = details.status
    this.correlationId = details.correlationId
    this.apiCode = details.apiCode
    this.attempts = details.attempts
  }
}

/**
 * The error of requests that were all answered, and whose answers can't be right together. `problem` is a sentence with the
 * interval and the numbers.
 */
export function badAnswer(call: { readonly method: string; readonly path: string }, problem: string): GenesysError {
  return new GenesysError(`${call.method} ${call.path}: ${problem}`, {
    ...call,
    code: 'GENESYS_BAD_ANSWER',
    kind: 'retryable',
    hint: BAD_ANSWER_HINT,
    attempts: 1,
  })
}

const BAD_ANSWER_HINT = 'If this persists, check for a proxy that answers in place of Genesys.'

/**
 * The number of results beyond which the API refuses to page, as its 400 says: "Pagination may not exceed 100000 results".
 * Undefined when the error is another one. The number is read rather than known, because Genesys may change it.
 */
export function paginationLimit(error: unknown): number | undefined {
  if (!(error instanceof GenesysError) || error.status !== 400) return undefined
  const digits = /\bpagination\b\D*\bexceed\D*(\d[\d,._' ]*)(?:results|records|conversations|hits)\b/i.exec(
    error.message,
  )?.[1]
  const limit = Number(digits?.replaceAll(/\D/g, '') ?? Number.NaN)
  return limit > 0 ? limit : undefined
}

/** Whether the answer to a request was too large to be read: a smaller page, or fewer ids, may fit. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof GenesysError && error.code === 'GENESYS_ANSWER_TOO_LARGE'
}

/** What is known of a failed call once the retries are over. */
export interface FailedCall extends CallFacts {
  readonly login: boolean
  /** How the last attempt failed. */
  readonly kind: Failure['kind']
  /** Code of the network or certificate error, e.g. ECONNREFUSED. */
  readonly networkCode?: string | undefined
  /** The API's message; shown for 4xx only. */
  readonly apiMessage?: string | undefined
  /** When the server accepts requests again, if it asked for a longer wait than a request allows. */
  readonly retryAt?: Date | undefined
  /** Why the last answer was refused, after "the answer is". */
  readonly refusal?: string | undefined
  /** The token was configured and cannot be renewed. */
  readonly staticToken: boolean
}

/** Turns the facts of a failed call into the error that leaves this folder: what happened, and what to do now. Pure. */
export function toGenesysError(call: FailedCall): GenesysError {
  const { message, ...explanation } = call.login && call.kind === 'status' ? judgeLogin(call) : judge(call)
  return new GenesysError(message, { ...call, ...explanation })
}

type Explanation = Pick<ErrorDetails, 'code' | 'kind' | 'hint'> & { readonly message: string }

function judge(call: FailedCall): Explanation {
  const what = `${call.method} ${call.path}`
  switch (call.kind) {
    case 'certificate':
      return {
        message: `${what}: the server's certificate is not trusted (${call.networkCode ?? 'unknown'})`,
        code: 'GENESYS_CERTIFICATE',
        kind: 'fatal',
        hint: 'If a proxy of your own signs the traffic, name its CA file in NODE_EXTRA_CA_CERTS.',
      }
    case 'network':
      return {
        message: `${what}: no connection (${call.networkCode ?? 'unknown'}) after ${attempts(call)}`,
        code: 'GENESYS_UNREACHABLE',
        kind: 'retryable',
        hint: 'Check the network, HTTPS_PROXY and GENESYS_ENVIRONMENT; the next run tries again.',
      }
    case 'proxy':
      return judgeProxy(call, call.status ?? 0)
    case 'timeout':
      return timedOut(call)
    case 'too-large':
      return {
        message: `${what}: the answer is larger than ${MAX_ANSWER_BYTES / 1024 ** 2} MB`,
        code: 'GENESYS_ANSWER_TOO_LARGE',
        kind: 'fatal',
        hint: 'Not even a smaller page fits. Check for a proxy that answers in place of Genesys.',
      }
    case 'bad-body':
      return {
        message: `${what}: the answer is ${call.refusal ?? 'cut off or is not JSON'}, after ${attempts(call)}`,
        code: 'GENESYS_BAD_ANSWER',
        kind: 'retryable',
        hint: BAD_ANSWER_HINT,
      }
    case 'status':
      break
  }
  return judgeStatus(call, call.status ?? 0)
}

function judgeStatus(call: FailedCall, status: number): Explanation {
  const what = `${call.method} ${call.path}: Genesys answered ${status}`
  const said = call.apiMessage === undefined ? '' : `: ${call.apiMessage}`
  if (status === 429)
    return {
      message: `${what}, rate limited${call.retryAt ? `, retry after ${call.retryAt.toISOString()}` : ''}`,
      code: 'GENESYS_RATE_LIMITED',
      kind: 'retryable',
      hint: 'Lower GENESYS_REQUESTS_PER_MINUTE if other programs use the same OAuth client.',
    }
  if (status === 504 || status === 408) return timedOut(call)
  if (status >= 500)
    return {
      message: `${what} after ${attempts(call)}`,
      code: 'GENESYS_UNAVAILABLE',
      kind: 'retryable',
      hint: 'See status.mypurecloud.com; the next run tries again.',
    }
  if (status === 401)
    return {
      message: `${what}${said}`,
      code: 'GENESYS_UNAUTHORIZED',
      kind: 'fatal',
      hint: call.staticToken
        ? 'GENESYS_ACCESS_TOKEN has expired or was revoked: put a new one there.'
        : 'Fresh tokens were refused: check that GENESYS_API_URL and GENESYS_LOGIN_URL are of the same region, and that the OAuth client is active.',
    }
  if (status === 403) return { message: `${what}${said}`, code: 'GENESYS_FORBIDDEN', kind: 'fatal', hint: grant(call) }
  if (status === 404)
    return {
      message: `${what}${said}`,
      code: 'GENESYS_NOT_FOUND',
      kind: 'fatal',
      hint: 'Check GENESYS_ENVIRONMENT and GENESYS_API_URL.',
    }
  if (status === 407) return judgeProxy(call, status)
  if (status === 413)
    return { message: `${what}${said}: the request is too big`, code: 'GENESYS_TOO_LARGE', kind: 'fatal' }
  if (status >= 300 && status < 400)
    return {
      message: `${what}, a redirect, which the API never does`,
      code: 'GENESYS_REDIRECT',
      kind: 'fatal',
      hint: 'Check GENESYS_API_URL and whether a proxy asks for a login.',
    }
  return {
    message: `${what}${said}`,
    code: 'GENESYS_BAD_REQUEST',
    kind: 'fatal',
    hint: 'The API does not accept the request; the message says why.',
  }
}

/** A proxy has refused to pass the request on. */
function judgeProxy(call: FailedCall, status: number): Explanation {
  const what = `${call.method} ${call.path}`
  if (status === 407)
    return {
      message: `${what}: the proxy requires authentication`,
      code: 'GENESYS_PROXY',
      kind: 'fatal',
      hint: 'Put user and password into HTTPS_PROXY.',
    }
  if (status < 500 && status !== 408 && status !== 429)
    return {
      message: `${what}: the proxy refuses the connection (${status})`,
      code: 'GENESYS_PROXY',
      kind: 'fatal',
      hint: 'Allow the hosts of Genesys Cloud on the proxy, or put them into NO_PROXY.',
    }
  return {
    message: `${what}: the proxy could not connect (${status}) after ${attempts(call)}`,
    code: 'GENESYS_UNREACHABLE',
    kind: 'retryable',
    hint: 'Check the proxy of HTTPS_PROXY; the next run tries again.',
  }
}

function timedOut(call: FailedCall): Explanation {
  const how =
    call.status === undefined ? 'no answer in time' : `Genesys answered ${call.status}, the query took too long`
  return {
    message: `${call.method} ${call.path}: ${how}, after ${attempts(call)}`,
    code: 'GENESYS_TIMEOUT',
    kind: 'retryable',
    hint: 'The next run tries again; a smaller range or a filter makes the query lighter.',
  }
}

/** The permission that a path needs, where the API documents one; from the docs of the official SDK 259. */
const PERMISSIONS: readonly (readonly [path: RegExp, permission: string])[] = [
  [/^\/api\/v2\/analytics\/conversations\/activity\//, 'analytics:queueObservation:view'],
  [/^\/api\/v2\/analytics\/conversations\/aggregates\//, 'analytics:conversationAggregate:view'],
  [/^\/api\/v2\/analytics\/conversations\/details/, 'analytics:conversationDetail:view'],
  [/^\/api\/v2\/analytics\/queues\/observations\//, 'analytics:queueObservation:view'],
  [/^\/api\/v2\/gdpr\/requests/, 'gdpr:request:view'],
  ...referenceNames.flatMap((name): [RegExp, string][] => {
    const { listing, permission } = referenceEntity(name)
    if (listing === null || permission === null) return []
    return [[new RegExp(`^${listing.path.replace('{id}', '[^/]+')}$`), permission]]
  }),
]

function grant(call: FailedCall): string {
  const permission = PERMISSIONS.find(([path]) => path.test(call.path))?.[1]
  return permission === undefined
    ? 'Give the roles of the OAuth client the permission that the message names, for all divisions.'
    : `Grant ${permission} to a role of the OAuth client, for all divisions (Admin › Integrations › OAuth › Roles).`
}

/** The login host answers with OAuth errors; the texts come from real organizations. */
function judgeLogin(call: FailedCall): Explanation {
  const status = call.status ?? 0
  if (status === 429 || status >= 500) return judgeStatus(call, status)
  const said = call.apiMessage ?? ''
  const message = `Genesys refused the login with ${status}${said === '' ? '' : `: ${said}`}`
  const kind = 'fatal'
  if (/client not found/i.test(said))
    return {
      message,
      kind,
      code: 'GENESYS_LOGIN_CLIENT',
      hint: 'GENESYS_ENVIRONMENT is not the region of the OAuth client, or GENESYS_CLIENT_ID is wrong.',
    }
  if (/inactive|disabled|not active/i.test(said))
    return { message, kind, code: 'GENESYS_LOGIN_INACTIVE', hint: 'Activate the OAuth client in Genesys Cloud Admin.' }
  if (/authentication failed/i.test(said))
    return {
      message,
      kind,
      code: 'GENESYS_LOGIN_SECRET',
      hint:
        'GENESYS_CLIENT_SECRET does not belong to GENESYS_CLIENT_ID, or the OAuth client belongs to another region than ' +
        'GENESYS_ENVIRONMENT.',
    }
  return {
    message,
    kind,
    code: 'GENESYS_LOGIN',
    hint: 'Check GENESYS_CLIENT_ID, GENESYS_CLIENT_SECRET and GENESYS_ENVIRONMENT, and that the client is active and of type "client credentials".',
  }
}

function attempts(call: FailedCall): string {
  return call.attempts === 1 ? 'one attempt' : `${call.attempts} attempts`
}
