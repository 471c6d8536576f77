import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { answer, OtherStatus } from './api.ts'
import { ApiError, tooManyRequests } from './api-error.ts'
import type { LoggedRequest, SimulatorControl } from './contract.ts'
import { answerControl } from './control-http.ts'
import { truthLines, type SimulatorState } from './state.ts'
import { readBody, send, sendFault, type Answer } from './wire.ts'

const MAX_BODY_BYTES = 512_000
const MAX_LOGGED_REQUESTS = 200_000

/** A request whose body was read, on its way to an answer. */
interface Exchange {
  readonly request: IncomingMessage
  readonly method: string
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  /** Undefined when it was larger than the API takes. */
  readonly body: string | undefined
  readonly contextId: string
  /** Headers of the answer. */
  readonly headers: Record<string, string>
}

/** Makes what answers the HTTP requests of a simulator: those to its control API, to the login, and to the API. */
export function createRequestHandler(state: SimulatorState, control: SimulatorControl) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const exchange = await readExchange(request, state.timing.dateSkewMs)
    if (exchange.path.startsWith('/_simulator/'))
      return send(request, response, answerToControl(exchange, state, control), false)

    const logged = logRequest(state, exchange)
    const { method, url, path, body, contextId } = exchange
    const rule = state.faults.ruleFor({ endpoint: logged.endpoint, path, fingerprint: `${method} ${url} ${body}` })
    const reply = await answerToClient(exchange, state, logged)
    logged.status = reply.status
    logged.doneAt = state.elapsedMs()
    if (!rule) return send(request, response, reply, state.gzip)
    logged.fault = rule.kind
    if (rule.kind === '401') state.tokens.revoke(request.headers.authorization)
    return sendFault(request, response, reply, rule, contextId)
  }
}

async function readExchange(request: IncomingMessage, dateSkewMs: number): Promise<Exchange> {
  const { method = 'GET', url = '/' } = request
  const { pathname: path, searchParams: query } = new URL(url, 'http://localhost')
  const contextId = randomUUID()
  const body = await readBody(request, MAX_BODY_BYTES)
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'inin-correlation-id': contextId,
    'cache-control': 'no-cache, no-store, must-revalidate',
    'strict-transport-security': 'max-age=600; includeSubDomains',
    ...(dateSkewMs !== 0 && { date: new Date(Date.now() + dateSkewMs).toUTCString() }),
  }
  return { request, method, url, path, query, body, contextId, headers }
}

function logRequest(state: SimulatorState, { method, path }: Exchange): LoggedRequest {
  const { requests } = state
  const logged: LoggedRequest = { at: state.elapsedMs(), method, path, endpoint: endpointOf(path) }
  requests.push(logged)
  if (requests.length > MAX_LOGGED_REQUESTS) requests.splice(0, MAX_LOGGED_REQUESTS / 10)
  return logged
}

function endpointOf(path: string): string {
  if (path === '/oauth/token') return 'token'
  return path === '/api/v2/analytics/conversations/details/query' ? 'details' : path
}

function answerToControl(exchange: Exchange, state: SimulatorState, control: SimulatorControl): Answer {
  const { method, path, query, body, headers } = exchange
  try {
    const sources = {
      control,
      truthLines: (day?: number) => truthLines(state.store, day),
      requests: () => state.requests,
      violations: state.rateLimit.violations,
    }
    return { status: 200, headers, body: jsonBody(answerControl(method, path, query, body ?? '', sources)) }
  } catch (error) {
    return failure(exchange, error)
  }
}

async function answerToClient(exchange: Exchange, state: SimulatorState, logged: LoggedRequest): Promise<Answer> {
  try {
    if (exchange.body === undefined)
      throw new ApiError(413, 'request.entity.too.large', 'HTTP 413 Request Entity Too Large')
    const given = { ...exchange, body: exchange.body }
    return logged.endpoint === 'token' ? await answerToLogin(given, state) : await answerToApi(given, state, logged)
  } catch (error) {
    return failure(exchange, error)
  }
}

type CompleteExchange = Exchange & { readonly body: string }

async function answerToLogin(exchange: CompleteExchange, state: SimulatorState): Promise<Answer> {
  const { method, body, headers, request } = exchange
  await delay(state)
  const { authorization, 'content-type': contentType } = request.headers
  if (method !== 'POST') throw new ApiError(405, 'method.not.allowed', 'HTTP 405 Method Not Allowed')
  const granted = state.tokens.grant(authorization, contentType, body)
  return { status: granted.status, headers, body: jsonBody(granted.body) }
}

async function answerToApi(exchange: CompleteExchange, state: SimulatorState, logged: LoggedRequest): Promise<Answer> {
  const { method, path, query, body, headers, request } = exchange
  const { client, userId } = state.tokens.check(request.headers.authorization)
  logged.clientId = client.id
  const admission = state.rateLimit.admit(client.id)
  Object.assign(headers, admission.headers)
  await delay(state)
  if (!admission.admitted) throw tooManyRequests(admission.retryAfterSeconds)
  const note: Record<string, unknown> = {}
  const contentType = request.headers['content-type']
  const value = answer({ method, path, query, contentType, body, client, userId, note }, state)
  Object.assign(logged, note)
  if (!(value instanceof OtherStatus)) return { status: 200, headers, body: jsonBody(value) }
  const { status, body: given } = value
  return { status, headers, body: given === undefined ? Buffer.alloc(0) : jsonBody(given) }
}

async function delay({ timing: { latencyMs } }: SimulatorState): Promise<void> {
  if (latencyMs > 0) await wait(latencyMs)
}

function failure({ headers, contextId }: Exchange, error: unknown): Answer {
  const known =
    error instanceof ApiError ? error : new ApiError(500, 'internal.server.error', `simulator: ${String(error)}`)
  return { status: known.status, headers: { ...headers, ...known.headers }, body: jsonBody(known.body(contextId)) }
}

function jsonBody(value: unknown): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))
}
