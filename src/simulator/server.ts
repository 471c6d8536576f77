import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer } from './api.ts'
import { ApiError, tooManyRequests } from './api-error.ts'
import { createChanges } from './changes.ts'
import { createClock } from './clock.ts'
import type { ControlSettings, LoggedRequest, Simulator, SimulatorControl, SimulatorOptions } from './contract.ts'
import { answerControl } from './control-http.ts'
import { readDetailsQuery } from './details-query.ts'
import { parseExactly } from './exact-json.ts'
import { createFaults } from './faults.ts'
import { createGenerator, dayMs } from './generate.ts'
import { isKeyable } from './nasty.ts'
import { allPermissions, createTokens } from './oauth.ts'
import type { OAuthClient } from './oauth.ts'
import { createOrg } from './org.ts'
import { createRandom } from './random.ts'
import { createRateLimit } from './rate-limit.ts'
import { createSelector } from './selection.ts'
import type { PagingNoise } from './selection.ts'
import { createStore } from './store.ts'
import type { Stored } from './store.ts'
import { readBody, send, sendFault } from './wire.ts'
import type { Answer } from './wire.ts'

export type { LoggedRequest, Simulator, SimulatorOptions } from './contract.ts'

const maxBodyBytes = 512_000
const maxLogged = 200_000

/** Starts the fake organization. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', perDay = 200, days = 7, nastyShare = 0.03, precompute = false } = options
  const seed = String(options.seed ?? 1)
  const clock = createClock(options.now, options.clockSpeed)
  const org = createOrg(seed)
  const generator = createGenerator(org, {
    seed,
    perDay,
    exactPerDay: options.exactPerDay ?? false,
    utcOffsetHours: options.utcOffsetHours ?? 0,
    nastyShare,
    reopenedShare: options.reopenedShare ?? 0.1,
  })
  const settings: ControlSettings = {
    paginationLimit: options.paginationLimit ?? 100_000,
    closingDelayMs: options.closingDelayMs ?? 0,
  }
  const firstDay = Math.floor(clock.now() / dayMs) - days
  const store = createStore({ seed, generator, clock, firstDay, view: settings })
  const noise: PagingNoise = { totalHitsOffset: 0, totalHitsJitter: 0, duplicateShare: 0 }
  const selector = createSelector(store, options.intervalReading ?? 'day', noise, precompute)
  const changes = createChanges(store, generator, org, seed)
  const faults = createFaults(seed)
  faults.add(...(options.faults ?? []))
  const rateLimit = createRateLimit(options.rateLimit ?? {})
  const clients = new Map<string, OAuthClient>()
  const tokens = createTokens(clients)
  const random = createRandom(`${seed}/clients`)
  const requests: LoggedRequest[] = []
  const started = performance.now()
  let latencyMs = options.latencyMs ?? 0
  let dateSkewMs = 0

  const addClient: SimulatorControl['addClient'] = (fields = {}) => {
    const client: OAuthClient = {
      id: random.uuid(),
      secret: `simulated-${random.uuid()}`,
      name: 'genesys-etl',
      state: 'active',
      permissions: new Set(allPermissions),
      divisions: '*',
      tokenSeconds: options.tokenSeconds ?? 86_400,
      ...fields,
    }
    clients.set(client.id, client)
    return client
  }
  const first = addClient()
  const context = {
    org,
    store,
    selector,
    changes,
    settings,
    requestsPerMinute: options.rateLimit?.requestsPerMinute ?? 300,
  }

  const control: SimulatorControl = {
    clock: {
      now: clock.now,
      set: (instant) => {
        clock.set(instant)
        store.touch()
      },
      advance: (milliseconds) => {
        clock.advance(milliseconds)
        store.touch()
      },
    },
    faults,
    changes,
    clients,
    addClient,
    userToken: (userId) => tokens.issue(first, userId),
    revokeTokens: () => tokens.revoke(),
    set: (given) => {
      latencyMs = given.latencyMs ?? latencyMs
      dateSkewMs = given.dateSkewMs ?? dateSkewMs
      for (const key of ['totalHitsOffset', 'totalHitsJitter', 'duplicateShare'] as const)
        noise[key] = given[key] ?? noise[key]
      for (const key of ['paginationLimit', 'closingDelayMs'] as const) settings[key] = given[key] ?? settings[key]
      store.touch()
    },
  }

  function visible(day?: number): Stored[] {
    const { first: from, end } = store.days()
    const list = Array.from({ length: day === undefined ? end - from : 1 }, (_, index) =>
      store.day((day ?? from) + index),
    )
    return list.flat().filter((stored) => store.show(stored) !== undefined)
  }
  const truthLines = (day?: number): Buffer[] => visible(day).flatMap((stored) => store.show(stored)?.bytes ?? [])

  const jsonBody = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)))

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const { pathname: path, searchParams: query } = new URL(url, 'http://localhost')
    const contextId = randomUUID()
    const body = await readBody(request, maxBodyBytes)
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'inin-correlation-id': contextId,
      'cache-control': 'no-cache, no-store, must-revalidate',
      'strict-transport-security': 'max-age=600; includeSubDomains',
      ...(dateSkewMs !== 0 && { date: new Date(Date.now() + dateSkewMs).toUTCString() }),
    }
    const failed = (error: unknown): Answer => {
      const known =
        error instanceof ApiError ? error : new ApiError(500, 'internal.server.error', `simulator: ${String(error)}`)
      return { status: known.status, headers: { ...headers, ...known.headers }, body: jsonBody(known.body(contextId)) }
    }

    if (path.startsWith('/_simulator/')) {
      let reply: Answer
      try {
        const sources = { control, truthLines, requests: () => requests, violations: rateLimit.violations }
        reply = { status: 200, headers, body: jsonBody(answerControl(method, path, query, body ?? '', sources)) }
      } catch (error) {
        reply = failed(error)
      }
      return send(request, response, reply, false)
    }

    const endpoint =
      path === '/oauth/token' ? 'token' : path === '/api/v2/analytics/conversations/details/query' ? 'details' : path
    const logged: LoggedRequest = { at: performance.now() - started, method, path, endpoint }
    requests.push(logged)
    if (requests.length > maxLogged) requests.splice(0, maxLogged / 10)
    const rule = faults.decide({ endpoint, path, fingerprint: `${method} ${url} ${body}` })

    let reply: Answer
    try {
      if (body === undefined) throw new ApiError(413, 'request.entity.too.large', 'HTTP 413 Request Entity Too Large')
      if (endpoint === 'token') {
        if (latencyMs > 0) await later(latencyMs)
        const { authorization, 'content-type': contentType } = request.headers
        if (method !== 'POST') throw new ApiError(405, 'method.not.allowed', 'HTTP 405 Method Not Allowed')
        const granted = tokens.grant(authorization, contentType, body)
        reply = { status: granted.status, headers, body: jsonBody(granted.body) }
      } else {
        const { client, userId } = tokens.check(request.headers.authorization)
        logged.clientId = client.id
        const admission = rateLimit.admit(client.id)
        Object.assign(headers, admission.headers)
        if (latencyMs > 0) await later(latencyMs)
        if (!admission.admitted) throw tooManyRequests(admission.retryAfterSeconds)
        const note: Record<string, unknown> = {}
        const contentType = request.headers['content-type']
        const value = answer({ method, path, query, contentType, body, client, userId, note }, context)
        Object.assign(logged, note)
        reply = { status: 200, headers, body: jsonBody(value) }
      }
    } catch (error) {
      reply = failed(error)
    }
    logged.status = reply.status
    logged.doneAt = performance.now() - started
    if (!rule) return send(request, response, reply, options.gzip ?? true)
    logged.fault = rule.kind
    if (rule.kind === '401') tokens.revoke(request.headers.authorization)
    return sendFault(request, response, reply, rule, contextId)
  }

  if (precompute) writeAhead()
  function writeAhead(): void {
    const { first: from, end } = store.days()
    for (let day = from; day < end; day++) {
      const interval = `${new Date(day * dayMs).toISOString()}/${new Date((day + 1) * dayMs).toISOString()}`
      for (let pageNumber = 1, left = 1; left > 0; pageNumber++) {
        const query = readDetailsQuery({ interval, paging: { pageSize: 100, pageNumber } }, Infinity)
        const selection = selector.select(query)
        selector.page(query, selection)
        left = selection.totalHits - pageNumber * 100
      }
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = 60_000
  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function close(): Promise<void> {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const dayNumber = (day?: string): number | undefined =>
    day === undefined ? undefined : Date.parse(`${day}T00:00:00Z`) / dayMs
  const truthText = (day?: string): string[] => truthLines(dayNumber(day)).map(String)

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    clientId: first.id,
    clientSecret: first.secret,
    org,
    control,
    requests,
    violations: rateLimit.violations,
    truth: (day) => truthText(day).map(parseExactly),
    truthText,
    nasty: (day) =>
      visible(dayNumber(day)).flatMap(({ id, nasty: kind }) => (kind ? [{ id, kind, keyable: isKeyable(kind) }] : [])),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
