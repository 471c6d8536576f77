import http from 'node:http'
import https from 'node:https'
import { AxiosError, create as createAxios } from 'axios'
import type { AxiosResponse, InternalAxiosRequestConfig } from 'axios'
import axiosRetry from 'axios-retry'
import { parseJson } from '../model/json.ts'
import { decideRetry } from './retry.ts'
import type { Backoff, Failure, RetryDecision, RetryReason } from './retry.ts'
import { EtlError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { toGenesysError } from './errors.ts'
import type { FailedCall } from './errors.ts'
import { bodyText } from './body-text.ts'
import { badBodyCode, correlationIdOf, errorBody, failureOf, networkCodeOf, text } from './http-failure.ts'

/** What the metrics want to know; `statusClass` is 2xx … 5xx, 429, network, timeout, bad-body or certificate. */
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
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY (or in small letters) are read from here. */
  readonly proxyEnv: NodeJS.ProcessEnv
}

/** What one call brings along to every one of its attempts. */
interface CallPlan {
  readonly method: 'GET' | 'POST'
  /** With the query, which never reaches a log or an error. */
  readonly url: string
  readonly body?: string | undefined
  /** Label for metrics and logs. */
  readonly endpoint: string
  readonly signal: AbortSignal
  readonly login: boolean
  readonly staticToken: boolean
  /** Why a parsed body is no answer to this call, after "the answer is"; null when it is one. Such an attempt is made again. */
  refuse?: ((data: unknown) => string | null) | undefined
  /** Runs before each attempt: waits for the rate limit, brings the headers of this attempt. */
  prepare(): Promise<Record<string, string>>
  /** Sees the headers of each answer, whatever its status. */
  answered?(headers: Readonly<Record<string, unknown>>): void
  /** A retry is about to wait. */
  retrying?(reason: RetryReason, waitMs: number): void
}

export interface Answer {
  /** The parsed body; undefined for 204. */
  readonly data: unknown
  readonly status: number
  /** `performance.now()` when the attempt that won was sent. */
  readonly sentAt: number
  /** The answer's Date header. */
  readonly date?: string | undefined
  readonly correlationId?: string | undefined
}

export interface Http {
  send(plan: CallPlan): Promise<Answer>
  close(): void
}

declare module 'axios' {
  interface AxiosRequestConfig {
    /** Ours; axios passes on what it doesn't know, and an instance of a class by reference. */
    call?: Call
  }
}

/** One call and what its attempts have come to so far. */
class Call {
  readonly plan: CallPlan
  attempts = 0
  sentAt = 0
  readonly retries: RetryReason[] = []
  lastFailure: Failure | null = null
  retryAt: Date | undefined
  waitMs = 0
  #deadline: NodeJS.Timeout | undefined
  #onAbort: (() => void) | undefined
  timedOut = false

  constructor(plan: CallPlan) {
    this.plan = plan
  }

  /** Starts an attempt: a signal that ends with the caller's or at the deadline, whichever comes first. */
  begin(timeoutMs: number): AbortSignal {
    const attempt = new AbortController()
    this.end()
    this.attempts++
    this.timedOut = false
    this.sentAt = performance.now()
    this.#onAbort = () => attempt.abort(this.plan.signal.reason)
    this.plan.signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#deadline = setTimeout(() => {
      this.timedOut = true
      attempt.abort()
    }, timeoutMs)
    return attempt.signal
  }

  end(): void {
    clearTimeout(this.#deadline)
    if (this.#onAbort) this.plan.signal.removeEventListener('abort', this.#onAbort)
  }
}

/**
 * An HTTP client for one host of Genesys: keep-alive, compression, proxies, one deadline an attempt, retries, JSON, and
 * errors that carry nothing secret. What differs between API and login comes with each call.
 */
export function createHttp(options: HttpOptions): Http {
  const agentOptions = { keepAlive: true, proxyEnv: isLoopback(options.baseUrl) ? {} : options.proxyEnv }
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
    transformRequest: [(body: unknown) => body],
    transformResponse: [(body: unknown) => body],
    headers: { Accept: 'application/json', 'Accept-Encoding': 'gzip', 'User-Agent': 'genesys-etl' },
  })

  instance.interceptors.request.use(async (config) => {
    const call = callOf(config)
    call.plan.signal.throwIfAborted()
    for (const [name, value] of Object.entries(await call.plan.prepare())) config.headers.set(name, value)
    config.signal = call.begin(options.timeoutMs)
    return config
  })
  // Before axios-retry's, so that it gets to see a body that is no JSON as a failure.
  instance.interceptors.response.use(
    async (response) => {
      try {
        response.data = await parsedBody(response)
      } catch (error) {
        report(options, response.config, response, error as AxiosError)
        throw error
      }
      report(options, response.config, response)
      return response
    },
    (error: unknown) => {
      if (error instanceof AxiosError && error.config) report(options, error.config, error.response, error)
      throw error
    },
  )
  axiosRetry(instance, {
    retries: Number.POSITIVE_INFINITY,
    shouldResetTimeout: true,
    retryCondition: (error) => decide(error, options.backoff).action === 'retry',
    retryDelay: (_count, error) => callOf(error.config).waitMs,
    onRetry(_count, error, config) {
      const call = callOf(error.config)
      // The wait ends with the caller's signal, not with the deadline of the attempt that is over.
      config.signal = call.plan.signal
      const reason = call.retries.at(-1) ?? 'network'
      options.hooks?.onRetry?.({ endpoint: call.plan.endpoint, reason, waitMs: call.waitMs })
      call.plan.retrying?.(reason, call.waitMs)
    },
  })

  return {
    async send(plan) {
      plan.signal.throwIfAborted()
      const call = new Call(plan)
      try {
        const response = await instance.request<unknown>({
          method: plan.method,
          url: plan.url,
          call,
          ...(plan.body === undefined ? {} : { data: plan.body }),
        })
        return {
          data: response.data,
          status: response.status,
          sentAt: call.sentAt,
          date: text(response.headers['date']),
          correlationId: correlationIdOf(response),
        }
      } catch (error) {
        plan.signal.throwIfAborted()
        throw await converted(error, call)
      } finally {
        call.end()
      }
    },
    close() {
      httpAgent.destroy()
      httpsAgent.destroy()
    },
  }
}

/** A proxy would look for these on its own machine. */
function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

function callOf(config: { call?: Call } | undefined): Call {
  if (config?.call === undefined) throw new Error('a request without its call: use send()')
  return config.call
}

/** Decides about a failed attempt once; axios-retry asks for the wait separately, so the call keeps it. */
function decide(error: AxiosError, backoff: Backoff): RetryDecision {
  const call = callOf(error.config)
  const failure = failureOf(error, call.timedOut)
  call.lastFailure = failure
  if (call.plan.signal.aborted) return { action: 'give-up', why: 'permanent' }
  const decision: RetryDecision =
    failure.kind === 'status' && failure.status === 401 && (call.plan.staticToken || call.plan.login)
      ? { action: 'give-up', why: 'permanent' }
      : decideRetry(failure, call.retries, Math.random(), backoff)
  if (decision.action === 'retry') {
    call.retries.push(decision.reason)
    call.waitMs = decision.waitMs
  } else if (decision.why === 'told-to-wait') {
    call.retryAt = new Date(Date.now() + decision.waitMs)
  }
  return decision
}

async function parsedBody(response: AxiosResponse<unknown>): Promise<unknown> {
  const bad = (why: string): AxiosError => new AxiosError(why, badBodyCode, response.config, undefined, response)
  let data: unknown
  if (response.status !== 204) {
    try {
      data = parseJson(await bodyText(response))
    } catch {
      throw bad('cut off or is not JSON')
    }
  }
  const refusal = callOf(response.config).plan.refuse?.(data) ?? null
  if (refusal !== null) throw bad(refusal)
  return data
}

/** Metrics, one debug line, and the rate limit's headers, for an attempt that is over. */
function report(
  options: HttpOptions,
  config: InternalAxiosRequestConfig,
  response: AxiosResponse<unknown> | undefined,
  error?: AxiosError,
): void {
  const call = callOf(config)
  const { plan } = call
  call.end()
  if (response !== undefined) plan.answered?.(response.headers)
  if (plan.signal.aborted) return
  const durationMs = performance.now() - call.sentAt
  const failure = error === undefined ? null : failureOf(error, call.timedOut)
  const statusClass =
    failure === null || failure.kind === 'status' ? classOf(response?.status ?? 200) : (failure.kind satisfies string)
  options.hooks?.onRequest?.({ endpoint: plan.endpoint, statusClass, durationMs })
  options.logger.debug(
    {
      endpoint: plan.endpoint,
      status: response?.status,
      failure: failure?.kind,
      code: error === undefined ? undefined : networkCodeOf(error),
      durationMs: Math.round(durationMs),
      attempt: call.attempts,
      correlationId: correlationIdOf(response),
    },
    'genesys request',
  )
}

function classOf(status: number): string {
  return status === 429 ? '429' : `${Math.floor(status / 100)}xx`
}

/** The error that leaves: ours as they are, everything else without what axios hangs on it. */
async function converted(thrown: unknown, call: Call): Promise<unknown> {
  if (thrown instanceof EtlError || !(thrown instanceof AxiosError)) return thrown
  const { response } = thrown
  const failure = call.lastFailure ?? failureOf(thrown, call.timedOut)
  const body = failure.kind === 'status' && response ? errorBody(await bodyText(response).catch(() => '')) : {}
  const facts: FailedCall = {
    login: call.plan.login,
    staticToken: call.plan.staticToken,
    method: call.plan.method,
    path: call.plan.url.replace(/\?.*$/s, ''),
    kind: failure.kind,
    attempts: call.attempts,
    status: failure.kind === 'status' ? failure.status : undefined,
    correlationId: correlationIdOf(response) ?? body.contextId,
    apiCode: body.code,
    apiMessage: body.message,
    networkCode: networkCodeOf(thrown),
    retryAt: call.retryAt,
    refusal: thrown.code === badBodyCode ? thrown.message : undefined,
  }
  return toGenesysError(facts)
}
