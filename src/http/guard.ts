/** Who may see the pages, and what a browser may do with them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { isLoopback } from '../loopback.ts'

/** Nothing but our own files, no inline script or style, no framing: text that slipped through could still do nothing. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Sets the headers that every answer carries. */
export const secureHeaders: MiddlewareHandler = async (context, next) => {
  await next()
  const { headers } = context.res
  headers.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
  headers.set('X-Content-Type-Options', 'nosniff')
  headers.set('Referrer-Policy', 'no-referrer')
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store')
}

/**
 * Lets pass who knows the token, as the password of Basic (any user) or as Bearer. Without a token the server is on loopback,
 * where only loopback names are answered: a foreign page whose name is made to lead here would otherwise read everything.
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
    return context.text('HTTP_TOKEN is needed: as the password (any user name), or as a Bearer token.\n', 401)
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

/** Of equal length whatever goes in, so that the comparison tells nothing of the token's. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
