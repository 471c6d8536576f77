import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface ReceivedRequest {
  readonly method: string
  /** With the query. */
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  /** `performance.now()` when its head arrived. */
  readonly at: number
  readonly response: http.ServerResponse
  readonly socket: Socket
}

export interface FakeServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** All received requests, in order. */
  readonly requests: readonly ReceivedRequest[]
  /** Resolves when at least `count` requests have arrived. */
  received(count: number): Promise<void>
  close(): Promise<void>
}

/** Starts an HTTP server on a free loopback port, whose handler answers, or misbehaves, as a test needs. */
export async function startFakeServer(
  handler: (request: ReceivedRequest, requests: readonly ReceivedRequest[]) => unknown,
): Promise<FakeServer> {
  const requests: ReceivedRequest[] = []
  let waiters: { count: number; resolve: () => void }[] = []

  const server = http.createServer((incoming, response) => {
    const at = performance.now()
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', () => {})
    incoming.on('end', () => {
      const request: ReceivedRequest = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
        at,
        response,
        socket: incoming.socket,
      }
      requests.push(request)
      for (const waiter of waiters) if (requests.length >= waiter.count) waiter.resolve()
      waiters = waiters.filter(({ count }) => requests.length < count)
      void Promise.resolve(handler(request, requests)).catch((error: unknown) => response.destroy(error as Error))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    received: (count) =>
      requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiters.push({ count, resolve })),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Answers with JSON. */
export function json(
  { response }: ReceivedRequest,
  body: unknown,
  status = 200,
  headers: Record<string, string | number> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
