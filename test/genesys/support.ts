import { Writable } from 'node:stream'
import { createGenesysClient } from '../../src/genesys/client.ts'
import type { GenesysClient, GenesysClientOptions, GenesysRequest } from '../../src/genesys/client.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { createLogger } from '../../src/log.ts'
import { json, startFakeServer } from '../support/fake-server.ts'
import type { FakeServer, ReceivedRequest } from '../support/fake-server.ts'

export const secret = 'kept-secret-0815'
export const never = new AbortController().signal

export interface FakeGenesys extends AsyncDisposable {
  readonly server: FakeServer
  readonly client: GenesysClient
  /** Requests to the API, logins left out. */
  api(): readonly ReceivedRequest[]
  logins(): readonly ReceivedRequest[]
  /** All that was logged, at every level. */
  log(): string
}

/** A client against a server whose API answers by `answer`; the login issues token-1, token-2, … */
export async function fakeGenesys(
  answer: (request: ReceivedRequest, apiRequests: readonly ReceivedRequest[]) => unknown,
  options: Partial<GenesysClientOptions> & { login?: (request: ReceivedRequest, count: number) => unknown } = {},
): Promise<FakeGenesys> {
  const { login, ...clientOptions } = options
  const isLogin = ({ url }: ReceivedRequest): boolean => url === '/oauth/token'
  const server = await startFakeServer((request, all) => {
    if (!isLogin(request))
      return answer(
        request,
        all.filter((each) => !isLogin(each)),
      )
    const count = all.filter(isLogin).length
    if (login) return login(request, count)
    return json(request, { access_token: `token-${count}`, token_type: 'bearer', expires_in: 86_399 })
  })
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const client = createGenesysClient({
    apiUrl: server.url,
    loginUrl: server.url,
    credentials: { clientId: 'the-client', clientSecret: secret },
    limiter: createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY }),
    logger: createLogger('trace', destination),
    backoff: { baseMs: 1, ceilingMs: 4 },
    proxyEnv: {},
    ...clientOptions,
  })
  return {
    server,
    client,
    api: () => server.requests.filter((request) => !isLogin(request)),
    logins: () => server.requests.filter(isLogin),
    log: () => lines.join(''),
    async [Symbol.asyncDispose]() {
      client.close()
      await server.close()
    },
  }
}

/** A small read of history; `changes` on top. */
export function request(changes: Partial<GenesysRequest> = {}): GenesysRequest {
  return { method: 'GET', path: '/api/v2/thing', endpoint: 'thing', priority: 'history', signal: never, ...changes }
}
