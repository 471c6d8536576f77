import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { startEmbeddedPostgres } from '../../src/embedded-postgres/server.ts'
import { emptyFolder } from '../support/cli.ts'
import { connectTestOrg } from '../support/simulated-org.ts'
import { startNetwork } from './network.ts'
import { expectEqual, longPatience, startActiveOrg, startService, type Service } from './service.ts'

/** Requires that the process is alive, not ready, and gives the reason in every answer but that of /readyz, which anyone may read. */
async function expectNotReady(service: Service, reason: RegExp): Promise<void> {
  await expect.poll(async () => (await service.get('/readyz')).status, longPatience).toBe(503)
  // the status is cached for two seconds
  await expect.poll(async () => (await service.get('/status.json')).status, longPatience).toBe(503)
  const [ready, health, status, page, live, up] = await Promise.all([
    service.get('/readyz'),
    service.get('/healthz'),
    service.status(),
    service.get('/'),
    service.get('/live'),
    service.metric('genesys_etl_database_up'),
  ])
  expect(ready).toMatchObject({
    status: 503,
    text: expect.stringMatching(/^not ready: the database /i),
  })
  expect(health.status).toBe(200)
  expect(status).toMatchObject({ state: 'failing', reason: expect.stringMatching(reason) })
  expect(page.status).toBe(503)
  expect(page.text).toContain('The database does not answer')
  expect(page.text).toMatch(reason)
  expect(live.status).toBe(503)
  expect(up).toBe(0)
}

async function expectReady(service: Service): Promise<void> {
  await expect.poll(async () => (await service.get('/readyz')).status, longPatience).toBe(200)
  await service.waitUntilHealthy()
  expect(await service.metric('genesys_etl_database_up')).toBe(1)
}

test('a restart of Postgres is reported while it lasts, and the service recovers', async () => {
  const place = { dataDir: emptyFolder(), persistent: false }
  const server = await startEmbeddedPostgres(place)
  try {
    await using org = await startActiveOrg()
    await using service = await startService(org, server.url)
    await service.waitUntilHealthy()

    await server.stop()
    await expectNotReady(service, /ECONNREFUSED/)
    org.control.changes.begin('chat')
    const again = await startEmbeddedPostgres({ ...place, port: server.port })
    try {
      expect(again.url).toBe(server.url)
      await expectReady(service)
      await using warehouse = connect(server.url)
      await expectEqual(warehouse, org)
      await service.stop()
    } finally {
      await again.stop()
    }
  } finally {
    await server.stop()
  }
})

test('a connection to Postgres that is cut, and one that stalls, are reported alike, and the service recovers', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using network = await startNetwork(it.databaseUrl)
  await using service = await startService(org, network.url)
  await service.waitUntilHealthy()

  await network.cut()
  await expectNotReady(service, /ECONNREFUSED/)
  await network.restore()
  await expectReady(service)

  network.stall()
  await expectNotReady(service, /has not answered within|timeout ex/)
  await network.restore()
  await expectReady(service)
  await expectEqual(it.warehouse, org)
  await service.stop()
})
