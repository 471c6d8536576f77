import { createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { runCli } from '../support/cli.ts'

/** Starts a server that nothing may connect to. */
async function startTrap(): Promise<{ port: number; connections: () => number }> {
  let connections = 0
  const server: Server = createServer((socket) => {
    connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

test('demo --once loads, prints the figures as text or JSON, ends with 0, and uses nothing that the environment names', async () => {
  const [database, genesys, proxy] = [await startTrap(), await startTrap(), await startTrap()]
  const api = `http://127.0.0.1:${genesys.port}`
  // both at once: each spends half of its time waiting
  const json = runCli(['demo', '--once', '--json'])
  const { code, stdout, stderr } = await runCli(['demo', '--once'], {
    env: {
      DATABASE_URL: `postgres://me:secret@127.0.0.1:${database.port}/mine`,
      PGHOST: '127.0.0.1',
      PGPORT: String(database.port),
      GENESYS_API_URL: api,
      GENESYS_LOGIN_URL: api,
      GENESYS_CLIENT_ID: 'mine',
      GENESYS_CLIENT_SECRET: 'mine',
      HISTORY_CRON: 'nonsense that must not matter',
      HTTP_PROXY: `http://127.0.0.1:${proxy.port}`,
      http_proxy: `http://127.0.0.1:${proxy.port}`,
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      ALL_PROXY: `http://127.0.0.1:${proxy.port}`,
    },
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/genesys\.conversations +[\d,]{5}/)
  expect(stdout).toContain('average handle time')
  expect([database.connections(), genesys.connections(), proxy.connections()]).toEqual([0, 0, 0])

  const other = await json
  expect(other.code).toBe(0)
  const { rows } = JSON.parse(other.stdout) as { rows: Record<string, number> }
  expect(rows['conversations']).toBeGreaterThan(1000)
})
