import net from 'node:net'
import { Client } from 'pg'

/**
 * A pooler in transaction mode, as small as one can be: every client is served by one backend, which it holds from a query
 * until the server says that no transaction is open.
 */
export async function startTransactionPooler(databaseUrl: string): Promise<AsyncDisposable & { url: string }> {
  const backend = new Client({ connectionString: databaseUrl })
  backend.on('error', () => {})
  await backend.connect()
  // after the login the bare socket is all that is needed
  const { stream } = (backend as unknown as { connection: { stream: net.Socket } }).connection
  stream.removeAllListeners('data')
  const sockets = new Set<net.Socket>()
  let turn: Promise<void> = Promise.resolve()

  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    let isGreeted = false
    let release: (() => void) | undefined
    socket.on('data', (chunk) => {
      if (!isGreeted) {
        isGreeted = true
        socket.write(Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))]))
        return
      }
      if (chunk[0] === 'X'.charCodeAt(0)) return
      const send = () => stream.write(chunk)
      if (release) {
        send()
        return
      }
      const myTurn = Promise.withResolvers<void>()
      const before = turn
      turn = myTurn.promise
      release = myTurn.resolve
      void before.then(() => {
        stream.removeAllListeners('data')
        stream.on('data', (answer: Buffer) => {
          socket.write(answer)
          if (isIdle(answer)) {
            release?.()
            release = undefined
          }
        })
        send()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.port = String((server.address() as net.AddressInfo).port)
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      stream.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Whether the answer ends with ReadyForQuery outside a transaction. */
function isIdle(answer: Buffer): boolean {
  return answer.subarray(-6).equals(message('Z', Buffer.from('I')))
}
