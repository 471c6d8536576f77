import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { EtlError } from '../errors.ts'
import { createRoutes, type RouteDependencies } from './routes.ts'

export interface HttpServer {
  readonly url: string
  /** Stops listening. Answers in flight end first, unless that takes long; connections without a whole request are closed then. */
  close(): Promise<void>
}

/** How long answers in flight may take once the server is closing. */
const CLOSE_GRACE_MS = 5_000

/**
 * Listens on host:port (0: any free port).
 * @throws EtlError HTTP_PORT_TAKEN, or HTTP_ADDRESS if the address cannot be used
 */
export async function startHttpServer(
  options: RouteDependencies & { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  const { host, port } = options
  const server = serve({ fetch: createRoutes(options).fetch, hostname: host, port })
  try {
    if (!server.listening) await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new EtlError(`HTTP cannot listen on ${host}:${port} (${code ?? 'unknown error'})`, {
      code: code === 'EADDRINUSE' ? 'HTTP_PORT_TAKEN' : 'HTTP_ADDRESS',
      kind: 'config',
      hint: 'Set HTTP_HOST and HTTP_PORT to an address that is free.',
      cause: error,
    })
  }
  const address = server.address() as AddressInfo
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      if (!('closeIdleConnections' in server)) return void (await closed)
      server.closeIdleConnections()
      // Idle is only a connection that has been answered: one that has sent nothing, or half a request, would stay for minutes.
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
      try {
        await closed
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
