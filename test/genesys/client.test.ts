import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { EtlError } from '../../src/errors.ts'
import { GenesysError } from '../../src/genesys/errors.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { createLogger } from '../../src/log.ts'
import { json } from '../support/fake-server.ts'
import type { ReceivedRequest } from '../support/fake-server.ts'
import { fakeGenesys, request, secret } from './support.ts'

const errorBody = { message: 'so it is', code: 'some.code', status: 0, contextId: 'ctx-1', details: [], errors: [] }

/** Answers with each of these in turn, then with `{ok: true}`. */
function script(...faults: ((request: ReceivedRequest) => unknown)[]) {
  return (received: ReceivedRequest, all: readonly ReceivedRequest[]) => {
    const fault = faults[all.length - 1]
    return fault ? fault(received) : json(received, { ok: true })
  }
}
const answers =
  (status: number, headers: Record<string, string | number> = {}) =>
  (received: ReceivedRequest) =>
    json(received, { ...errorBody, status }, status, headers)
const html = (status: number) => (received: ReceivedRequest) => {
  received.response.writeHead(status, { 'Content-Type': 'text/html' })
  received.response.end('<html>Bad gateway, call +1 555 0100</html>')
}
const reset = ({ socket }: ReceivedRequest) => socket.resetAndDestroy()
const hang = () => undefined

async function failure(work: Promise<unknown>): Promise<GenesysError> {
  try {
    await work
  } catch (error) {
    if (error instanceof GenesysError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('faults that a retry heals', () => {
  const faults: [name: string, fault: (received: ReceivedRequest) => unknown][] = [
    ['502 with HTML', html(502)],
    ['503', answers(503)],
    ['500', answers(500)],
    ['504', answers(504)],
    ['429 with Retry-After', answers(429, { 'Retry-After': '0.02' })],
    ['429 without Retry-After', answers(429)],
    ['429 with a Retry-After that says nothing', answers(429, { 'Retry-After': 'soon' })],
    ['429 with a date', answers(429, { 'Retry-After': new Date(Date.now() - 1000).toUTCString() })],
    ['a reset before the answer', reset],
    [
      'a reset in the body',
      ({ response, socket }) => {
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
        response.write('{"conversations": [', () => socket.resetAndDestroy())
      },
    ],
    [
      'a chunked body that ends early',
      ({ response, socket }) => {
        response.writeHead(200, { 'Content-Type': 'application/json' })
        response.write('{"ok":', () => socket.end())
      },
    ],
    ['truncated JSON with a matching length', ({ response }) => response.end('{"conversations": [{"conver')],
    [
      'truncated gzip',
      ({ response }) => {
        const whole = gzipSync(JSON.stringify({ ok: 'x'.repeat(1000) }))
        response.writeHead(200, { 'Content-Encoding': 'gzip' })
        response.end(whole.subarray(0, whole.length - 12))
      },
    ],
    ['HTML with status 200', html(200)],
    ['an empty body with status 200', ({ response }) => response.end()],
    ['a hang', hang],
    [
      'a body that drips forever',
      ({ response }) => {
        const drip = setInterval(() => response.write(' '), 10)
        response.on('close', () => clearInterval(drip))
      },
    ],
  ]
  test.each(faults)('one fault, then a good answer is one good answer: %s', async (_name, fault) => {
    await using genesys = await fakeGenesys(script(fault), { timeoutMs: 300 })
    const answer = await genesys.client.request(request({ method: 'POST', body: { a: 1 } }))
    expect(answer.data).toEqual({ ok: true })
    expect(genesys.api().map(({ body }) => body)).toEqual(['{"a":1}', '{"a":1}'])
  })
})

describe('bodies and what their headers say about them', () => {
  const gzipped = gzipSync('{"ok":true}')
  test.each([
    ['identity', '{"ok":true}'],
    ['gzip', gzipped],
    ['x-gzip', gzipped],
    ['deflate', deflateSync('{"ok":true}')],
    ['gzip', '{"ok":true}'],
    ['br', '{"ok":true}'],
    [undefined, gzipped],
    [undefined, '\uFEFF{"ok":true}'],
  ])('Content-Encoding %s is understood, whether it is true or not', async (encoding, body) => {
    await using genesys = await fakeGenesys(({ response }) => {
      response.writeHead(200, encoding === undefined ? {} : { 'Content-Encoding': encoding })
      response.end(body)
    })
    expect((await genesys.client.request(request())).data).toEqual({ ok: true })
    expect(genesys.api()).toHaveLength(1)
  })

  test('an answer that unpacks to more than 64 MB ends the request at once, and says so', async () => {
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20))
    await using genesys = await fakeGenesys(({ response }) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' })
      response.end(bomb)
    })
    const error = await failure(genesys.client.request(request()))
    expect(error).toMatchObject({ code: 'GENESYS_ANSWER_TOO_LARGE', kind: 'fatal', attempts: 1 })
    expect(error.message).toContain('64 MB')
  })

  test('an answer that is sent unpacked and without end is cut off at 64 MB', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 0x20)
    let sent = 0
    await using genesys = await fakeGenesys(({ response }) => {
      const more = (): void => {
        while (!response.destroyed && response.write(megabyte)) sent++
      }
      response.on('drain', more)
      more()
    })
    expect(await failure(genesys.client.request(request()))).toMatchObject({
      code: 'GENESYS_ANSWER_TOO_LARGE',
      attempts: 1,
    })
    expect(sent).toBeLessThan(200)
  })

  test('an error document that unpacks to gigabytes is still only a 400', async () => {
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20))
    await using genesys = await fakeGenesys(({ response }) => {
      response.writeHead(400, { 'Content-Encoding': 'gzip' })
      response.end(bomb)
    })
    expect(await failure(genesys.client.request(request()))).toMatchObject({ code: 'GENESYS_BAD_REQUEST', status: 400 })
  })
})

describe('faults that end a request', () => {
  test.each([400, 403, 404, 413])('%i is not asked again', async (status) => {
    await using genesys = await fakeGenesys(answers(status, { 'ININ-Correlation-Id': 'corr-1' }))
    const error = await failure(genesys.client.request(request()))
    expect(error).toMatchObject({ kind: 'fatal', status, correlationId: 'corr-1', apiCode: 'some.code', attempts: 1 })
    expect(error.message).toContain('so it is')
    expect(genesys.api()).toHaveLength(1)
  })

  test('a 403 names the permission to grant', async () => {
    await using genesys = await fakeGenesys(answers(403))
    const path = '/api/v2/analytics/conversations/details/query'
    const error = await failure(genesys.client.request(request({ method: 'POST', path, body: {} })))
    expect(error.code).toBe('GENESYS_FORBIDDEN')
    expect(error.hint).toContain('analytics:conversationDetail:view')
    expect(error.correlationId).toBe('ctx-1')
  })

  test('a request that is answered 500 is sent three times, then fails as retryable', async () => {
    await using genesys = await fakeGenesys(answers(500))
    expect(await failure(genesys.client.request(request()))).toMatchObject({ kind: 'retryable', attempts: 3 })
  })

  test.each([
    ['a hang', hang],
    ['504', answers(504)],
  ])('a request that ends in %s is sent twice, then fails as a timeout', async (_name, fault) => {
    await using genesys = await fakeGenesys(fault, { timeoutMs: 50 })
    const error = await failure(genesys.client.request(request()))
    expect(error).toMatchObject({ code: 'GENESYS_TIMEOUT', kind: 'retryable', attempts: 2 })
  })

  test('a request that is answered 502 is sent seven times, then fails as retryable', async () => {
    await using genesys = await fakeGenesys(html(502))
    expect(await failure(genesys.client.request(request()))).toMatchObject({ kind: 'retryable', attempts: 7 })
  })

  test('a server that refuses connections fails as retryable, with the network code', async () => {
    await using genesys = await fakeGenesys(script(), { apiUrl: 'http://127.0.0.1:1' })
    const error = await failure(genesys.client.request(request()))
    expect(error).toMatchObject({ code: 'GENESYS_UNREACHABLE', kind: 'retryable', attempts: 7 })
    expect(error.message).toContain('ECONNREFUSED')
  })

  test('a Retry-After beyond 180 s ends the request at once and says when to come back', async () => {
    await using genesys = await fakeGenesys(answers(429, { 'Retry-After': 3600 }))
    const error = await failure(genesys.client.request(request()))
    expect(error).toMatchObject({ code: 'GENESYS_RATE_LIMITED', kind: 'retryable', attempts: 1 })
    const seconds = (error.retryAt!.getTime() - Date.now()) / 1000
    expect(seconds).toBeGreaterThan(3590)
    expect(seconds).toBeLessThan(3601)
  })

  test.each(['99999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT', '9'.repeat(300)])(
    'a Retry-After of %s is believed for a day at most',
    async (header) => {
      await using genesys = await fakeGenesys(answers(429, { 'Retry-After': header }))
      const error = await failure(genesys.client.request(request()))
      expect(error).toMatchObject({ code: 'GENESYS_RATE_LIMITED', kind: 'retryable' })
      expect(error.retryAt!.getTime() - Date.now()).toBeLessThanOrEqual(86_400_000)
    },
  )

  test.each([
    ['an hour behind', -3_600_000],
    ['an hour ahead of', 3_600_000],
  ])('a Retry-After date of a server whose clock is %s ours is measured from its own Date', async (_name, skewMs) => {
    const theirs = Date.now() + skewMs
    const abort = new AbortController()
    const waits: number[] = []
    await using genesys = await fakeGenesys(
      answers(429, {
        Date: new Date(theirs).toUTCString(),
        'Retry-After': new Date(theirs + 90_000).toUTCString(),
      }),
      {
        metrics: {
          onRetry({ waitMs }) {
            waits.push(waitMs)
            setImmediate(() => abort.abort())
          },
        },
      },
    )
    await genesys.client.request(request({ signal: abort.signal })).catch(() => {})
    expect(waits).toEqual([90_000])
  })

  test('a redirect is not followed', async () => {
    await using genesys = await fakeGenesys(({ response }) => {
      response.writeHead(302, { Location: 'http://127.0.0.1:1/portal' })
      response.end()
    })
    expect(await failure(genesys.client.request(request()))).toMatchObject({ code: 'GENESYS_REDIRECT', attempts: 1 })
  })
})

describe('what an answer brings', () => {
  test('an answer has the time of the successful attempt, the Date, the correlation id, and exact numbers', async () => {
    await using genesys = await fakeGenesys(
      script(answers(503), ({ response }) => {
        response.writeHead(200, { 'ININ-Correlation-Id': 'corr-2', 'Content-Encoding': 'gzip' })
        response.end(gzipSync('{"big": 12345678901234567890}'))
      }),
    )
    const answer = await genesys.client.request(request({ query: { id: 'a,b', pageSize: 5 } }))
    const [first, second] = genesys.api()
    expect(answer.sentAt).toBeGreaterThan(first!.at)
    expect(answer.sentAt).toBeLessThanOrEqual(second!.at)
    expect(Date.parse(answer.date!)).toBeGreaterThan(0)
    expect(answer.correlationId).toBe('corr-2')
    expect(JSON.stringify(answer.data)).toBe('{"big":12345678901234567890}')
    expect(second!.url).toBe('/api/v2/thing?id=a%2Cb&pageSize=5')
    expect(second!.headers['accept-encoding']).toContain('gzip')
  })

  test('connections are kept and used again', async () => {
    await using genesys = await fakeGenesys(script())
    for (let i = 0; i < 3; i++) await genesys.client.request(request())
    expect(new Set(genesys.api().map(({ socket }) => socket)).size).toBe(1)
  })

  test('metrics see every attempt and every retry', async () => {
    const onRequest = vi.fn<(request: { endpoint: string; statusClass: string; durationMs: number }) => void>()
    const onRetry = vi.fn<(retry: { endpoint: string; reason: string; waitMs: number }) => void>()
    await using genesys = await fakeGenesys(script(answers(429), reset, html(200), hang), {
      metrics: { onRequest, onRetry },
      timeoutMs: 100,
    })
    await genesys.client.request(request())
    const seen = onRequest.mock.calls.map(([{ endpoint, statusClass }]) => `${endpoint} ${statusClass}`)
    expect(seen).toEqual(['login 2xx', 'thing 429', 'thing network', 'thing bad-body', 'thing timeout', 'thing 2xx'])
    expect(onRetry.mock.calls.map(([{ reason }]) => reason)).toEqual(['rate-limited', 'network', 'bad-body', 'timeout'])
  })
})

describe('abort', () => {
  const reason = new Error('stop now')

  test('an abort while the answer is awaited ends the request with its reason', async () => {
    await using genesys = await fakeGenesys(hang)
    const abort = new AbortController()
    const work = genesys.client.request(request({ signal: abort.signal }))
    work.catch(() => {})
    await genesys.server.received(2)
    abort.abort(reason)
    await expect(work).rejects.toBe(reason)
  })

  test('an abort while a Retry-After is waited for ends the wait at once, with its reason', async () => {
    const abort = new AbortController()
    await using genesys = await fakeGenesys(answers(429, { 'Retry-After': 100 }), {
      metrics: { onRetry: () => setImmediate(() => abort.abort(reason)) },
    })
    const work = genesys.client.request(request({ signal: abort.signal })).catch((error: unknown) => error)
    const late = sleep(5_000, 'still waiting 5 s after the abort')
    expect(await Promise.race([work, late])).toBe(reason)
    expect(genesys.api()).toHaveLength(1)
  })

  test('an abort while the rate limit is waited for leaves the queue, with its reason', async () => {
    const limiter = createRateLimiter({ requestsPerMinute: 1 })
    await using genesys = await fakeGenesys(script(), { limiter })
    await genesys.client.request(request())
    const abort = new AbortController()
    const work = genesys.client.request(request({ signal: abort.signal }))
    work.catch(() => {})
    await vi.waitFor(() => expect(limiter.stats().waiting).toBe(1))
    abort.abort(reason)
    await expect(work).rejects.toBe(reason)
    expect(limiter.stats().waiting).toBe(0)
  })

  test('an abort while the login is awaited leaves the login to the other requests', async () => {
    let answerLogin = (): void => {}
    await using genesys = await fakeGenesys(script(), {
      login: (received) => {
        answerLogin = () => json(received, { access_token: 'late', expires_in: 300 })
      },
    })
    const abort = new AbortController()
    const work = genesys.client.request(request({ signal: abort.signal }))
    const other = genesys.client.request(request())
    work.catch(() => {})
    await genesys.server.received(1)
    abort.abort(reason)
    await expect(work).rejects.toBe(reason)
    answerLogin()
    expect((await other).data).toEqual({ ok: true })
    expect(genesys.logins()).toHaveLength(1)
  })

  test('a request whose signal has already aborted sends nothing', async () => {
    await using genesys = await fakeGenesys(script())
    await expect(genesys.client.request(request({ signal: AbortSignal.abort(reason) }))).rejects.toBe(reason)
    expect(genesys.server.requests).toHaveLength(0)
  })
})

describe('rate limit', () => {
  const fullWindow = { 'inin-ratelimit-count': 300, 'inin-ratelimit-allowed': 300, 'inin-ratelimit-reset': 60 }

  test('a 429 holds back every other request for as long as it says', async () => {
    const limiter = createRateLimiter({ requestsPerMinute: 1000 })
    await using genesys = await fakeGenesys(script(answers(429, { 'Retry-After': '0.4' })), { limiter })
    const refused = genesys.client.request(request())
    await vi.waitFor(() => expect(limiter.stats().pausedForMs).toBeGreaterThan(0))
    const [first] = genesys.api()
    await Promise.all([
      refused,
      genesys.client.request(request({ priority: 'live' })),
      genesys.client.request(request()),
    ])
    for (const { at } of genesys.api().slice(1)) expect(at - first!.at).toBeGreaterThan(390)
    expect(genesys.api()).toHaveLength(4)
  })

  test.each([
    [400, {}],
    [503, { 'Retry-After': 600 }],
  ])("the server's count in a failed answer of %i holds back the requests after it", async (status, headers) => {
    const limiter = createRateLimiter({ requestsPerMinute: 1000 })
    await using genesys = await fakeGenesys(answers(status, { ...fullWindow, ...headers }), { limiter })
    expect(await failure(genesys.client.request(request()))).toMatchObject({ status, attempts: 1 })
    const abort = new AbortController()
    const next = genesys.client.request(request({ signal: abort.signal }))
    next.catch(() => {})
    await expect.poll(() => limiter.stats().waiting, { message: 'requests that wait for the reset' }).toBe(1)
    abort.abort()
    await expect(next).rejects.toThrow()
    expect(genesys.api(), 'requests sent before the reset').toHaveLength(1)
  })

  test("the server's count in a 429 outlasts a shorter Retry-After", async () => {
    const limiter = createRateLimiter({ requestsPerMinute: 1000 })
    await using genesys = await fakeGenesys(script(answers(429, { ...fullWindow, 'Retry-After': '0.05' })), { limiter })
    const abort = new AbortController()
    const work = genesys.client.request(request({ signal: abort.signal }))
    work.catch(() => {})
    const waiting = () => [limiter.stats().waiting, limiter.stats().pausedForMs, genesys.api().length]
    await expect.poll(waiting, { message: 'waiting requests, pause left, requests sent' }).toEqual([1, 0, 1])
    abort.abort()
    await expect(work).rejects.toThrow()
  })
})

test('requests that are over leave no listener on a signal that lives on', async () => {
  await using genesys = await fakeGenesys(script(answers(503), reset, html(200), answers(429)))
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 10 }, () => genesys.client.request(request({ signal }))))
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

describe('secrets', () => {
  test('neither errors nor logs have a token, a secret, a header, a body or a query', async () => {
    const faults: ((received: ReceivedRequest) => unknown)[] = [
      answers(400),
      html(502),
      reset,
      html(200),
      answers(429, { 'Retry-After': 999 }),
    ]
    for (const fault of faults) {
      await using genesys = await fakeGenesys(fault)
      const error = await failure(
        genesys.client.request(
          request({ method: 'POST', query: { id: 'query-value' }, body: { phone: 'body-value' } }),
        ),
      )
      const logged: string[] = []
      const logger = createLogger('trace', {
        write: (line: string) => logged.push(line),
      } as unknown as NodeJS.WritableStream)
      logger.error({ err: error, error }, 'failed')
      logger.error(new EtlError('around it', { code: 'X', kind: 'fatal', cause: error }))
      const all = [...logged, genesys.log(), error.stack, JSON.stringify(error)].join('\n')
      expect(genesys.api()[0]!.headers.authorization).toBe('Bearer token-1')
      for (const word of ['token-1', secret, 'Bearer', 'Basic', 'query-value', 'body-value', '555 0100', 'the-client'])
        expect(all).not.toContain(word)
      expect(genesys.log()).toContain('"endpoint":"thing"')
    }
  })
})
