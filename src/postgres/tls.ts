import { connect } from 'node:net'

/** https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
const ANSWER_TIMEOUT_MS = 10_000

/**
 * Asks a Postgres server whether it can encrypt connections, on a connection that is closed again.
 * @throws the error of the connection, with its code; ETIMEDOUT after 10 s
 */
export function offersTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: ANSWER_TIMEOUT_MS }, () => socket.write(SSL_REQUEST))
    socket.once('timeout', () =>
      socket.destroy(Object.assign(new Error('the server did not answer'), { code: 'ETIMEDOUT' })),
    )
    socket.once('error', reject)
    socket.once('data', (answer) => {
      resolve(answer.toString('latin1', 0, 1) === 'S')
      socket.destroy()
    })
    socket.once('close', () =>
      reject(Object.assign(new Error('the server closed the connection'), { code: 'ECONNRESET' })),
    )
  })
}
