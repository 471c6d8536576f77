import { afterAll, expect, test } from 'vitest'
import { openApp } from '../../src/app.ts'
import { createFileDatabase } from '../support/database.ts'
import { json, startFakeServer } from '../support/fake-server.ts'

const database = await createFileDatabase()
const genesys = await startFakeServer((request) =>
  json(request, request.url === '/oauth/token' ? { access_token: 't', expires_in: 3600 } : { ok: true }),
)
afterAll(() => genesys.close())

/** An application as every command opens it: serve, a dry run, doctor, verify and snapshot alike. */
const open = (clientId: string) =>
  openApp(
    {
      GENESYS_CLIENT_ID: clientId,
      GENESYS_CLIENT_SECRET: 'secret',
      GENESYS_API_URL: genesys.url,
      GENESYS_LOGIN_URL: genesys.url,
      GENESYS_REQUESTS_PER_MINUTE: '30',
      DATABASE_URL: database.url,
      LOG_LEVEL: 'silent',
    },
    { genesys: true, database: true },
  )

test('applications of one OAuth client keep to one limit together', async () => {
  await using service = await open('one-client')
  await using dryRun = await open('one-client')
  await using stranger = await open('another-client')
  const stop = new AbortController()
  const read = async (app: typeof service, name: string): Promise<void> => {
    const request = { method: 'GET', path: `/api/v2/${name}`, endpoint: name, priority: 'history' } as const
    await app
      .genesys()
      .request({ ...request, signal: stop.signal })
      .catch(() => {})
  }
  const work = Array.from({ length: 25 }, () => [read(service, 'ours'), read(dryRun, 'ours')]).flat()
  const waiting = (): number => service.requestBudget().waiting + dryRun.requestBudget().waiting
  await expect.poll(waiting, { timeout: 20_000 }).toBe(20)
  const arrived = (path: string): number => genesys.requests.filter(({ url }) => url === `/api/v2/${path}`).length
  await expect.poll(() => arrived('ours'), { timeout: 20_000 }).toBe(30)
  expect(Math.max(service.requestBudget().waitMs, dryRun.requestBudget().waitMs)).toBeGreaterThan(20_000)

  await Promise.all(Array.from({ length: 30 }, () => read(stranger, 'theirs')))
  expect(arrived('theirs')).toBe(30)
  stop.abort()
  await Promise.all(work)
  expect(arrived('ours')).toBe(30)
})
