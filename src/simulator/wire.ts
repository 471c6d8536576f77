import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { tooManyRequests } from './api-error.ts'
import type { FaultRule } from './faults.ts'

/** A finished answer, before faults and compression. */
export interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

const compress = promisify(gzip)
const compressed = new WeakMap<Buffer, Buffer>()

/** Compresses a body; a body that is served again is compressed once. */
async function gzipped(body: Buffer): Promise<Buffer> {
  const known = compressed.get(body)
  if (known) return known
  const bytes = await compress(body, { level: constants.Z_BEST_SPEED })
  compressed.set(body, bytes)
  return bytes
}

/**
 * Reads a request's body.
 * @returns undefined when it is larger than the limit
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= limit) chunks.push(chunk)
  }
  return size > limit ? undefined : Buffer.concat(chunks).toString()
}

/** Writes an answer, compressed when the client accepts it. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  useGzip: boolean,
): Promise<void> {
  if (response.destroyed) return
  let { body } = answer
  const headers: Record<string, string> = { ...answer.headers }
  if (useGzip && body.length > 1_400 && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) {
    body = await gzipped(body)
    headers['content-encoding'] = 'gzip'
    headers['vary'] = 'accept-encoding'
  }
  headers['content-length'] = String(body.length)
  response.writeHead(answer.status, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}

const html = (status: number, title: string): Answer => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: Buffer.from(
    `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center><h1>${status} ${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
  ),
})

/** Kinds of faults that replace the answer; the rest happen to the connection. */
function replacement(rule: FaultRule, answer: Answer, contextId: string): Answer | undefined {
  const json = (status: number, code: string, message: string, headers: Record<string, string> = {}): Answer => ({
    status,
    headers: { ...answer.headers, ...headers, 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ message, code, status, contextId, details: [], errors: [] })),
  })
  const limited = (seconds: number, retryAfter: string | undefined = String(seconds)): Answer => {
    const error = tooManyRequests(seconds, retryAfter)
    return json(429, error.code, error.message, error.headers)
  }
  const seconds = rule.retryAfterSeconds ?? 1
  switch (rule.kind) {
    case '429':
      return limited(seconds)
    case '429-no-header': {
      const { 'retry-after': _, ...headers } = limited(seconds).headers
      return {
        ...json(429, 'too.many.requests', 'Rate limit exceeded the maximum [300] requests within [60] seconds'),
        headers,
      }
    }
    case '429-date':
      // A date has whole seconds: one more keeps it at least as far away as requested.
      return limited(seconds, new Date(Date.now() + (seconds + 1) * 1_000).toUTCString())
    case '429-long':
      return limited(rule.retryAfterSeconds ?? 3_600)
    case '500-html':
      return html(500, 'Internal Server Error')
    case '502-html':
      return html(502, 'Bad Gateway')
    case '503':
      return json(
        503,
        'service.unavailable',
        'Service Unavailable - The server is currently unavailable (because it is overloaded or down for maintenance).',
        rule.retryAfterSeconds === undefined ? {} : { 'retry-after': String(rule.retryAfterSeconds) },
      )
    case '504':
      return json(504, 'request.timeout', 'The request timed out.')
    case '401':
      return json(401, 'bad.credentials', 'Invalid login credentials.')
    case 'html-200':
      return html(200, 'Welcome to the proxy')
    case 'empty-200':
      return { status: 200, headers: answer.headers, body: Buffer.alloc(0) }
    case 'error-200':
      return { ...json(503, 'service.unavailable', 'Service Unavailable'), status: 200 }
    case '403':
      return json(403, 'missing.permissions', 'Unable to perform the requested action. You are missing a permission.')
    case 'truncated':
      return { ...answer, body: answer.body.subarray(0, Math.floor(answer.body.length / 2)) }
    case 'hang':
    case 'reset-before':
    case 'reset-in-body':
    default:
      return undefined
  }
}

/** Applies a fault to a request. A hanging request stays open until the client or the server closes it. */
export async function sendFault(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  rule: FaultRule,
  contextId: string,
): Promise<void> {
  const other = replacement(rule, answer, contextId)
  if (other) return send(request, response, other, false)
  if (rule.kind === 'hang') return
  if (rule.kind === 'reset-in-body') {
    response.writeHead(answer.status, { ...answer.headers, 'content-length': String(answer.body.length) })
    await new Promise<void>((resolve) => {
      response.write(answer.body.subarray(0, Math.ceil(answer.body.length / 2)), () => resolve())
    })
  }
  request.socket.resetAndDestroy()
}
