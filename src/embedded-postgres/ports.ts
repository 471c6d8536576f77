import net from 'node:net'
import { EtlError } from '../errors.ts'

/**
 * The port that is wanted, else the last one if it is free, else any free one of 127.0.0.1.
 * @throws EtlError EMBEDDED_PORT_TAKEN
 */
export async function choosePort(wanted: number | undefined, last: number): Promise<number> {
  if (wanted !== undefined) {
    if (await portIsFree(wanted)) return wanted
    throw new EtlError(`Port ${wanted} on 127.0.0.1 is taken, so the embedded Postgres can't listen there`, {
      code: 'EMBEDDED_PORT_TAKEN',
      kind: 'config',
      hint: 'Stop what listens there, or choose another port.',
    })
  }
  if (last > 0 && (await portIsFree(last))) return last
  return freePort()
}

async function portIsFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  )
}

async function freePort(): Promise<number> {
  return listenOnce(0)
}

function listenOnce(port: number): Promise<number> {
  const server = net.createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const { port: actual } = server.address() as net.AddressInfo
      server.close(() => resolve(actual))
    })
  })
}
