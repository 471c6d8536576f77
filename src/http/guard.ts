/** Who may read the pages, and what a browser may do with them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { type MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { isLoopback } from '../loopback.ts'

/** Only our own files, no inline script or style, no framing: injected text could still do nothing. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
}

/** Security headers of every response. No Strict-Transport-Security: TLS, if any, belongs to the proxy in front. */
export const pageHeaders: MiddlewareHandler = secureHeaders({
  contentSecurityPolicy: CONTENT_SECURITY_POLICY,
  strictTransportSecurity: false,
  xFrameOptions: 'DENY',
})

/** Nothing is stored by a cache unless the route says otherwise. */
export const noStore: MiddlewareHandler = async (context, next) => {
  await next()
  if (!context.res.headers.has('Cache-Control')) context.res.headers.set('Cache-Control', 'no-store')
}

/**
 * Admits requests with the token, as the password of Basic (any user) or as Bearer. Without a token the server listens on
 * loopback and answers only to loopback names: otherwise a foreign page whose name resolves to this address (DNS rebinding)
 * could read everything. Not hono's bearerAuth and basicAuth: those answer a malformed header with 400, which shows no password
 * prompt, and restrict the characters of a token.
 */
export function guard(token: string | null): MiddlewareHandler {
  if (token === null) {
    return async (context, next) => {
      if (isLoopback(new URL(context.req.url).hostname)) return await next()
      return context.text('Answers only to localhost. Set HTTP_TOKEN to serve under other names.\n', 421)
    }
  }
  const expected = digest(token)
  return async (context, next) => {
    const given = credentialOf(context.req.header('Authorization'))
    if (given !== null && timingSafeEqual(digest(given), expected)) return await next()
    context.header('WWW-Authenticate', 'Basic realm="genesys-etl", charset="UTF-8"')
    return context.text('HTTP_TOKEN is required: as the password (any user name), or as a Bearer token.\n', 401)
  }
}

/** The token of a Bearer header or the password of a Basic one; null for anything else. */
function credentialOf(header: string | undefined): string | null {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(header ?? '') ?? []
  if (/^bearer$/i.test(scheme)) return value
  if (!/^basic$/i.test(scheme)) return null
  const pair = Buffer.from(value, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon === -1 ? null : pair.slice(colon + 1)
}

/** Of equal length for every input, so that the time of the comparison reveals nothing about the token. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
