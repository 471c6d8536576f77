import net from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly url: string
  /** Cuts the next connection that sends the text, after the server has answered and before the client hears of it. */
  cutAfterNext(text: string): void
  /** How many connections were cut. */
  cuts(): number
}

/** A TCP proxy in front of a database that breaks connections at a chosen statement. */
export async function startCuttingProxy(databaseUrl: string): Promise<CuttingProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<net.Socket>()
  let wanted: string | undefined
  let cut = 0
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    }
    let isDoomed = false
    client.on('data', (chunk) => {
      if (wanted !== undefined && chunk.includes(wanted)) {
        wanted = undefined
        isDoomed = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!isDoomed) {
        client.write(chunk)
        return
      }
      cut++
      client.resetAndDestroy()
      upstream.destroy()
    })
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.port = String((server.address() as net.AddressInfo).port)
  return {
    url: url.href,
    cutAfterNext(text) {
      wanted = text
    },
    cuts: () => cut,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
