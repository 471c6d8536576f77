/** One POST of a JSON text to a URL that the operator configured: webhooks and alerts. */
import http from 'node:http'
import https from 'node:https'
import { create as createAxios, isAxiosError, type AxiosInstance } from 'axios'
import { isLoopback } from './loopback.ts'

export interface PostJsonOptions {
  /** Sent beside Content-Type and User-Agent. */
  readonly headers?: Readonly<Record<string, string>>
  /** HTTPS_PROXY, HTTP_PROXY and NO_PROXY are read from here; a loopback address is always reached directly. */
  readonly proxyEnv: NodeJS.ProcessEnv
  /** Limit for the whole request, in milliseconds. */
  readonly timeoutMs: number
  /** Aborts the request. */
  readonly signal?: AbortSignal
}

/** Why a POST was not accepted. */
export interface PostFailure {
  /** HTTP status of the answer; null: there was no answer. */
  readonly status: number | null
  /** A phrase for logs. It holds neither the URL, which may be a secret, nor anything of the answer's body. */
  readonly reason: string
}

/** An environment without proxies. */
const NO_PROXIES: NodeJS.ProcessEnv = {}
const clients = new WeakMap<NodeJS.ProcessEnv, AxiosInstance>()

/**
 * Posts a JSON text as it is, so that a signature made over it stays valid. Redirects are not followed: they would carry
 * the body and its signature to a host that nobody configured. Connections are kept alive between calls.
 * @param body the JSON text
 * @returns null for an answer of 2xx, otherwise why the POST failed
 * @throws the reason of `signal` when that was aborted
 */
export async function postJson(url: string, body: string, options: PostJsonOptions): Promise<PostFailure | null> {
  const { headers, proxyEnv, timeoutMs, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    await clientFor(isLoopback(new URL(url).hostname) ? NO_PROXIES : proxyEnv).post(url, body, {
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'genesys-etl', ...headers },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    return null
  } catch (error) {
    signal?.throwIfAborted()
    if (!isAxiosError(error)) throw error
    if (error.response)
      return { status: error.response.status, reason: `the receiver answered ${error.response.status}` }
    if (error.code === 'ERR_CANCELED') return { status: null, reason: 'no answer in time' }
    return { status: null, reason: `no connection (${error.code ?? 'unknown'})` }
  }
}

function clientFor(proxyEnv: NodeJS.ProcessEnv): AxiosInstance {
  const known = clients.get(proxyEnv)
  if (known) return known
  const agentOptions = { keepAlive: true, proxyEnv }
  const client = createAxios({
    httpAgent: new http.Agent(agentOptions),
    httpsAgent: new https.Agent(agentOptions),
    // No `proxy: false` here: it would make axios replace these agents by ones without a proxy.
    maxRedirects: 0,
    maxContentLength: 65_536,
    responseType: 'text',
  })
  clients.set(proxyEnv, client)
  return client
}
