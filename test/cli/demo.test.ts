import { createServer, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { runCli } from '../support/cli.ts'

interface Printed {
  readonly rows: Record<string, number>
  readonly kpis: {
    readonly queues: readonly {
      readonly name: string
      readonly figures: { readonly service_level: number; readonly abandon_rate: number }
    }[]
  }
}

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
  const kpis = stdout.slice(stdout.lastIndexOf('Calls by queue, from'))
  expect(kpis).toMatch(/^queue +offered +answered +abandoned +service level +ASA \(s\) +AHT \(s\)$/m)
  expect(kpis).toMatch(/^Technical Support +\d+/m)
  expect(kpis.trimEnd()).toMatch(/^all +[\d,]+.*$/m)
  expect([database.connections(), genesys.connections(), proxy.connections()]).toEqual([0, 0, 0])

  const other = await json
  expect(other.code).toBe(0)
  const { rows, kpis: shown } = JSON.parse(other.stdout) as Printed
  expect(rows['conversations']).toBeGreaterThan(1000)
  const figuresOf = (name: string) => shown.queues.find((queue) => queue.name === name)!.figures
  const [troubled, billing] = [figuresOf('Technical Support'), figuresOf('Billing')]
  expect(troubled.service_level).toBeLessThan(billing.service_level - 0.3)
  expect(troubled.abandon_rate).toBeGreaterThan(2 * billing.abandon_rate)
})
