import { EtlError } from '../errors.ts'
import { GenesysError } from './errors.ts'
import { type Http } from './http.ts'

export type Credentials =
  | { readonly clientId: string; readonly clientSecret: string }
  /** A user's token, issued elsewhere; it cannot be renewed. */
  | { readonly accessToken: string }

export interface TokenProvider {
  /** True when a refused token cannot be renewed. */
  readonly fixed: boolean
  /**
   * The token to send now; logs in when there is none or it is about to expire.
   * @throws GenesysError where the login fails; the signal's reason
   */
  token(signal: AbortSignal): Promise<string>
  /** This token was answered with 401: do not hand it out again. Does nothing if it has been replaced already. */
  refused(token: string): void
  /** Ends a login in flight. */
  close(): void
}

/** The shortest lifetime that Genesys allows for a token; assumed where the login does not say. */
const MIN_LIFETIME_S = 300
/** A shorter lifetime is not believed: it would mean a login for every request. A token that really ends earlier is renewed at its 401. */
const MIN_BELIEVED_LIFETIME_S = 60

/**
 * Provides the OAuth token: logs in on first use, again before the token expires, and after a 401 (an idle timeout or a rotated
 * client can end a token at any time). At most one login is in flight, however many requests wait for it.
 */
export function createTokenProvider(
  credentials: Credentials,
  login: Http,
  now: () => number = () => performance.now(),
): TokenProvider {
  if ('accessToken' in credentials) {
    const { accessToken } = credentials
    return { fixed: true, token: async () => accessToken, refused() {}, close() {} }
  }

  // A login serves all requests that wait for it, so the signal of one of them must not end it.
  const closed = new AbortController()
  let current: { token: string; renewAt: number } | null = null
  let inFlight: Promise<string> | null = null

  async function logIn(): Promise<string> {
    const startedAt = now()
    const { data } = await login.send({ ...loginCall(credentials as ClientCredentials), signal: closed.signal })
    const { token, lifetimeMs } = tokenFrom(data)
    current = { token, renewAt: startedAt + lifetimeMs - Math.min(60_000, lifetimeMs / 10) }
    return token
  }

  return {
    fixed: false,
    async token(signal) {
      signal.throwIfAborted()
      if (current !== null && now() < current.renewAt) return current.token
      inFlight ??= logIn().finally(() => (inFlight = null))
      return await unlessAborted(inFlight, signal)
    },
    refused(token) {
      if (current?.token === token) current = null
    },
    close() {
      closed.abort(new EtlError('the client was closed', { code: 'GENESYS_CLOSED', kind: 'retryable' }))
    },
  }
}

interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string
}

function loginCall({ clientId, clientSecret }: ClientCredentials) {
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
  return {
    method: 'POST',
    url: '/oauth/token',
    body: 'grant_type=client_credentials',
    endpoint: 'login',
    login: true,
    staticToken: false,
    prepare: async () => ({ Authorization: `Basic ${basic}`, 'Content-Type': 'application/x-www-form-urlencoded' }),
  } as const
}

function tokenFrom(data: unknown): { token: string; lifetimeMs: number } {
  const answer = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {}
  const token = answer['access_token']
  if (typeof token !== 'string' || token === '')
    throw new GenesysError('POST /oauth/token: the answer has no access_token', {
      code: 'GENESYS_LOGIN',
      kind: 'fatal',
      hint: 'Check GENESYS_LOGIN_URL: the server there is not the login of Genesys Cloud.',
      method: 'POST',
      path: '/oauth/token',
      status: 200,
      attempts: 1,
    })
  const seconds = Number(answer['expires_in'])
  const lifetimeS = seconds > 0 ? Math.max(seconds, MIN_BELIEVED_LIFETIME_S) : MIN_LIFETIME_S
  return { token, lifetimeMs: lifetimeS * 1000 }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
