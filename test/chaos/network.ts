import { once } from 'node:events'
import net from 'node:net'

export interface Network extends AsyncDisposable {
  /** The target's URL, with the proxy's host and port in place of its own. */
  readonly url: string
  /** Cuts every connection, and refuses new ones. */
  cut(): Promise<void>
  /** Forwards nothing any more: connections stay open, new ones are accepted, and no data arrives. */
  stall(): void
  /** Forwards everything again, what was held back first. */
  restore(): Promise<void>
}

/** Starts a TCP proxy in front of a server: the network between it and the service, which a test can break. */
export async function startNetwork(targetUrl: string): Promise<Network> {
  const target = new URL(targetUrl)
  const sockets = new Set<net.Socket>()
  let isStalled = false
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      from.on('data', (chunk) => to.write(chunk))
      if (isStalled) from.pause()
    }
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const cut = async (): Promise<void> => {
    const closed = server.listening ? once(server, 'close') : null
    server.close()
    for (const socket of sockets) socket.resetAndDestroy()
    await closed
  }
  await listen(0)
  const { port } = server.address() as net.AddressInfo
  const url = new URL(targetUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href.replace(/\/$/, ''),
    cut,
    stall() {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    async restore() {
      isStalled = false
      for (const socket of sockets) socket.resume()
      if (!server.listening) await listen(port)
    },
    [Symbol.asyncDispose]: cut,
  }
}
