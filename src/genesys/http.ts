/** HTTP with one host of Genesys: deadlines, retries, JSON, and errors that carry nothing secret. */
import http from 'node:http'
import https from 'node:https'
import {
  AxiosError,
  create as createAxios,
  getAdapter,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios'
import axiosRetry from 'axios-retry'
import { EtlError } from '../errors.ts'
import { type Logger } from '../log.ts'
import { isLoopback } from '../loopback.ts'
import { parseJson } from '../model/json.ts'
import { BodyTooLargeError, bodyText, MAX_ANSWER_BYTES } from './body-text.ts'
import { toGenesysError } from './errors.ts'
import {
  ANSWER_TOO_LARGE,
  BAD_BODY,
  correlationIdOf,
  errorBody,
  failureOf,
  networkCodeOf,
  nonEmptyText,
  OUT_OF_TIME,
  statusClassOf,
} from './http-failure.ts'
import { decideRetry, type Backoff, type RetryReason } from './retry.ts'

/** What the metrics want to know; `statusClass` is 2xx … 5xx, 429, or the kind of a failure without a status. */
export interface HttpHooks {
  onRequest?(request: { endpoint: string; statusClass: string; durationMs: number }): void
  onRetry?(retry: { endpoint: string; reason: RetryReason; waitMs: number }): void
}

export interface HttpOptions {
  readonly baseUrl: string
  readonly logger: Logger
  readonly hooks?: HttpHooks | undefined
  /** For a whole attempt, from sending to the last byte. */
  readonly timeoutMs: number
  readonly backoff: Backoff
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY (or their lower-case spellings) are read from here. */
  readonly proxyEnv: NodeJS.ProcessEnv
}

/** One request, which may take several attempts. */
interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With the query, which never reaches a log or an error. */
  readonly url: string
  readonly body?: string | undefined
  /** Label for metrics and logs. */
  readonly endpoint: string
  readonly signal: AbortSignal
  readonly login: boolean
  readonly staticToken: boolean
  /** Why a parsed body is not an answer to this request, after "the answer is"; null when it is one. A refused answer is retried. */
  refuse?: ((data: unknown) => string | null) | undefined
  /** Runs before each attempt: waits for the rate limit and returns the headers of this attempt. */
  prepare(): Promise<Record<string, string>>
  /** Receives the headers of each answer, whatever its status. */
  onAnswer?(headers: Readonly<Record<string, unknown>>): void
  /** Called before the wait for the next attempt. */
  onRetry?(reason: RetryReason, waitMs: number): void
}

export interface Answer {
  /** The parsed body; undefined for 204. */
  readonly data: unknown
  readonly status: number
  /** `performance.now()` when the successful attempt was sent. */
  readonly sentAt: number
  /** The answer's Date header. */
  readonly date?: string | undefined
  readonly correlationId?: string | undefined
}

export interface Http {
  /**
   * Sends a request, again where that may help.
   * @throws GenesysError; the signal's reason as soon as it is aborted; what `prepare` throws
   */
  send(request: HttpRequest): Promise<Answer>
  /** Closes idle connections. */
  close(): void
}

const sendByHttp = getAdapter('http')

/** An HTTP client for one host of Genesys. What differs between the API and the login comes with each request. */
export function createHttp(options: HttpOptions): Http {
  const isLocal = isLoopback(new URL(options.baseUrl).hostname)
  // A proxy would resolve a loopback address on its own machine.
  const agentOptions = { keepAlive: true, proxyEnv: isLocal ? {} : options.proxyEnv }
  const httpAgent = new http.Agent(agentOptions)
  const httpsAgent = new https.Agent(agentOptions)
  const instance = createAxios({
    baseURL: options.baseUrl,
    httpAgent,
    httpsAgent,
    // No `proxy: false` here: it would make axios replace these agents by ones without a proxy.
    maxRedirects: 0,
    // unpacked by bodyText
    responseType: 'arraybuffer',
    decompress: false,
    maxContentLength: MAX_ANSWER_BYTES,
    transformRequest: [(body: unknown) => body],
    transformResponse: [(body: unknown) => body],
    headers: { Accept: 'application/json', 'Accept-Encoding': 'gzip', 'User-Agent': 'genesys-etl' },
  })
  axiosRetry(instance)

  return {
    async send(request) {
      return await new Call(request, options).send(instance)
    },
    close() {
      httpAgent.destroy()
      httpsAgent.destroy()
    },
  }
}

/**
 * One request with its attempts. axios-retry makes the loop: attempt, decide, wait, and again. Its steps are the methods here,
 * which go along with the request as axios' adapter (one attempt) and as axios-retry's options.
 */
class Call {
  readonly #request: HttpRequest
  readonly #options: HttpOptions
  readonly #retries: RetryReason[] = []
  #attempts = 0
  #sentAt = 0
  #waitMs = 0
  #retryAt: Date | undefined

  constructor(request: HttpRequest, options: HttpOptions) {
    this.#request = request
    this.#options = options
  }

  async send(instance: AxiosInstance): Promise<Answer> {
    const { method, url, body, signal } = this.#request
    signal.throwIfAborted()
    try {
      const response = await instance.request<unknown>({
        method,
        url,
        signal,
        ...(body === undefined ? {} : { data: body }),
        adapter: (config) => this.#attempt(config),
        'axios-retry': {
          retries: Number.POSITIVE_INFINITY,
          retryCondition: (error) => this.#decide(error),
          retryDelay: () => this.#waitMs,
          onRetry: () => this.#announceRetry(),
        },
      })
      return {
        data: response.data,
        status: response.status,
        sentAt: this.#sentAt,
        date: nonEmptyText(response.headers['date']),
        correlationId: correlationIdOf(response),
      }
    } catch (error) {
      signal.throwIfAborted()
      throw await this.#describe(error)
    }
  }

  /** One attempt: waits for its turn, sends within the deadline, parses the answer. */
  async #attempt(config: InternalAxiosRequestConfig): Promise<AxiosResponse<unknown>> {
    const request = this.#request
    for (const [name, value] of Object.entries(await request.prepare())) config.headers.set(name, value)
    this.#attempts++
    this.#sentAt = performance.now()
    let response: AxiosResponse<unknown> | undefined
    try {
      response = await this.#sendWithinDeadline(config)
      response.data = await this.#parse(response, config)
      this.#report(response, null)
      return response
    } catch (error) {
      if (error instanceof AxiosError) this.#report(error.response ?? response, error)
      throw error
    }
  }

  /** A signal of this attempt's own ends it at the deadline, or when the caller gives up. */
  async #sendWithinDeadline(config: InternalAxiosRequestConfig): Promise<AxiosResponse<unknown>> {
    const { signal } = this.#request
    const attempt = new AbortController()
    const stop = (): void => attempt.abort()
    let isOutOfTime = false
    const deadline = setTimeout(() => {
      isOutOfTime = true
      attempt.abort()
    }, this.#options.timeoutMs)
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await sendByHttp({ ...config, signal: attempt.signal })
    } catch (error) {
      throw isOutOfTime ? new AxiosError('no answer in time', OUT_OF_TIME, config) : ownedBy(config, error)
    } finally {
      clearTimeout(deadline)
      signal.removeEventListener('abort', stop)
    }
  }

  async #parse(response: AxiosResponse<unknown>, config: InternalAxiosRequestConfig): Promise<unknown> {
    const refused = (why: string, code = BAD_BODY): AxiosError => new AxiosError(why, code, config, undefined, response)
    let data: unknown
    if (response.status !== 204) {
      try {
        data = parseJson(await bodyText(response.data as Buffer))
      } catch (error) {
        if (error instanceof BodyTooLargeError) throw refused(error.message, ANSWER_TOO_LARGE)
        throw refused('cut off or is not JSON')
      }
    }
    const refusal = this.#request.refuse?.(data) ?? null
    if (refusal !== null) throw refused(refusal)
    return data
  }

  /** Metrics, the rate limit's headers and one debug line for an attempt that is over. */
  #report(response: AxiosResponse<unknown> | undefined, error: AxiosError | null): void {
    const { endpoint, signal } = this.#request
    if (response !== undefined) this.#request.onAnswer?.(response.headers)
    if (signal.aborted) return
    const durationMs = performance.now() - this.#sentAt
    const failure = error === null ? null : failureOf(error)
    this.#options.hooks?.onRequest?.({ endpoint, statusClass: statusClassOf(failure, response), durationMs })
    this.#options.logger.debug(
      {
        endpoint,
        status: response?.status,
        failure: failure?.kind,
        code: error === null ? undefined : networkCodeOf(error),
        durationMs: Math.round(durationMs),
        attempt: this.#attempts,
        correlationId: correlationIdOf(response),
      },
      'genesys request',
    )
  }

  /** Whether a failed attempt is made again; keeps how long to wait before that, which axios-retry asks for separately. */
  #decide(error: AxiosError): boolean {
    const { signal, login, staticToken } = this.#request
    const failure = failureOf(error)
    const isFinalRefusal = failure.kind === 'status' && failure.status === 401 && (login || staticToken)
    if (signal.aborted || isFinalRefusal) return false
    const decision = decideRetry(failure, this.#retries, Math.random(), this.#options.backoff)
    if (decision.action === 'retry') {
      this.#retries.push(decision.reason)
      this.#waitMs = decision.waitMs
      return true
    }
    if (decision.why === 'long-wait') this.#retryAt = new Date(Date.now() + decision.waitMs)
    return false
  }

  #announceRetry(): void {
    const { endpoint } = this.#request
    const reason = this.#retries.at(-1) ?? 'network'
    this.#options.hooks?.onRetry?.({ endpoint, reason, waitMs: this.#waitMs })
    this.#request.onRetry?.(reason, this.#waitMs)
  }

  /** The error that leaves: ours unchanged, everything else without what axios attaches to it. */
  async #describe(thrown: unknown): Promise<unknown> {
    if (thrown instanceof EtlError || !(thrown instanceof AxiosError)) return thrown
    const { login, staticToken, method, url } = this.#request
    const { response } = thrown
    const failure = failureOf(thrown)
    const hasErrorBody = failure.kind === 'status' && response !== undefined
    const body = hasErrorBody ? errorBody(await bodyText(response.data as Buffer).catch(() => '')) : {}
    return toGenesysError({
      login,
      staticToken,
      method,
      path: url.replace(/\?.*$/s, ''),
      kind: failure.kind,
      attempts: this.#attempts,
      status: 'status' in failure ? failure.status : undefined,
      correlationId: correlationIdOf(response) ?? body.contextId,
      apiCode: body.code,
      apiMessage: body.message,
      networkCode: networkCodeOf(thrown),
      retryAt: this.#retryAt,
      refusal: thrown.code === BAD_BODY ? thrown.message : undefined,
    })
  }
}

/** axios-retry repeats an error's `config`: the next attempt must not inherit the signal of the one that is over. */
function ownedBy(config: InternalAxiosRequestConfig, error: unknown): unknown {
  if (error instanceof AxiosError) error.config = config
  return error
}
