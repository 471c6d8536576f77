import { once } from 'node:events'
import net from 'node:net'

export interface Gate extends AsyncDisposable {
  /** The target's URL, with the gate's host and port in place of its own. */
  readonly url: string
  /** Cuts every connection, and refuses new ones. */
  shut(): Promise<void>
  /** Lets nothing through any more, without a word: connections stay, and so do new ones. */
  hold(): void
  /** Lets everything through again, what was held back first. */
  open(): Promise<void>
}

/** A TCP proxy in front of a server: the network between it and the service, for a test to break. */
export async function startGate(targetUrl: string): Promise<Gate> {
  const target = new URL(targetUrl)
  const sockets = new Set<net.Socket>()
  let isHeld = false
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
      if (isHeld) from.pause()
    }
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const shut = async (): Promise<void> => {
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
    shut,
    hold() {
      isHeld = true
      for (const socket of sockets) socket.pause()
    },
    async open() {
      isHeld = false
      for (const socket of sockets) socket.resume()
      if (!server.listening) await listen(port)
    },
    [Symbol.asyncDispose]: shut,
  }
}
