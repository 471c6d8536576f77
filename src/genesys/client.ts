import { type Logger } from '../log.ts'
import { createTokenProvider, type Credentials } from './auth.ts'
import { createHttp, type Answer, type HttpHooks } from './http.ts'
import { type Permit, type RateLimiter } from './rate-limiter.ts'
import { DEFAULT_BACKOFF, type Backoff } from './retry.ts'
import { type Priority } from './send-budget.ts'

export interface GenesysClientOptions {
  readonly apiUrl: string
  readonly loginUrl: string
  readonly credentials: Credentials
  /** One for all clients that use the same OAuth client. */
  readonly limiter: RateLimiter
  readonly logger: Logger
  readonly metrics?: HttpHooks | undefined
  /** For one attempt, from options to the last byte. */
  readonly timeoutMs?: number
  readonly backoff?: Backoff
  readonly proxyEnv?: NodeJS.ProcessEnv
}

/** How a request goes out. */
export interface RequestOptions {
  readonly priority: Priority
  readonly signal: AbortSignal
}

export interface GenesysRequest extends RequestOptions {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the API's URL, without a query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>> | undefined
  readonly body?: unknown
  /**
   * Why a parsed body is not an answer to this request, worded to follow "the answer is"; null when it is one. A refused
   * answer is retried like a body that was cut off, and ends as GENESYS_BAD_ANSWER.
   */
  readonly refuse?: ((data: unknown) => string | null) | undefined
  /** Whether the resource has a limit of its own beside that of all requests: its 429 then holds back no other request. */
  readonly hasOwnLimit?: boolean | undefined
  /** Short name for metrics and logs, without ids. */
  readonly endpoint: string
}

type GenesysAnswer<T> = Omit<Answer, 'data'> & { readonly data: T }

export interface GenesysClient {
  /**
   * Sends a request within the rate limit, with a token, and again where that may help. `data` is the parsed body, assumed to
   * be a T unless the request refuses it.
   * @throws GenesysError; the signal's reason as soon as it is aborted
   */
  request<T>(request: GenesysRequest): Promise<GenesysAnswer<T>>
  /** Closes idle connections and ends a login in flight. */
  close(): void
}

/** The only way to the API of Genesys Cloud: rate limit, token, retries and errors are the same for every request. */
export function createGenesysClient(options: GenesysClientOptions): GenesysClient {
  const { limiter, logger, metrics: hooks, timeoutMs = 60_000, backoff = DEFAULT_BACKOFF } = options
  const shared = { logger, hooks, timeoutMs, backoff, proxyEnv: options.proxyEnv ?? process.env }
  const api = createHttp({ ...shared, baseUrl: options.apiUrl })
  const login = createHttp({ ...shared, baseUrl: options.loginUrl })
  const tokens = createTokenProvider(options.credentials, login)

  return {
    async request<T>(request: GenesysRequest): Promise<GenesysAnswer<T>> {
      const { method, path, priority, signal, endpoint } = request
      let permit: Permit = { sequence: 0, sentAt: 0 }
      let token = ''
      const answer = await api.send({
        method,
        url: request.query === undefined ? path : `${path}?${queryString(request.query)}`,
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        endpoint,
        signal,
        login: false,
        staticToken: tokens.fixed,
        refuse: request.refuse,
        async prepare() {
          // The token first: a login between the permit and the request would let requests bunch up.
          await tokens.token(signal)
          permit = await limiter.acquire(priority, signal)
          token = await tokens.token(signal)
          return { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
        },
        onAnswer: (headers) => limiter.observe(headers, permit),
        onRetry(reason, waitMs) {
          if (reason === 'rate-limited' && request.hasOwnLimit !== true) limiter.pause(waitMs)
          if (reason === 'unauthorized') tokens.refused(token)
        },
      })
      return answer as GenesysAnswer<T>
    },
    close() {
      tokens.close()
      api.close()
      login.close()
    },
  }
}

function queryString(query: Readonly<Record<string, string | number | boolean>>): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value))
  return parameters.toString()
}
