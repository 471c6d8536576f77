import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { startEmbeddedPostgres } from '../../src/embedded-postgres/server.ts'
import { emptyFolder } from '../support/cli.ts'
import { connectTestOrg } from '../support/simulated-org.ts'
import { startGate } from './gate.ts'
import { expectEqual, longPatience, startLivingOrg, startService, type Service } from './service.ts'

/** Requires that it lives, knows that it can't work, and says why wherever somebody may look. */
async function expectNotReady(service: Service, reason: RegExp): Promise<void> {
  await expect.poll(async () => (await service.get('/readyz')).status, longPatience).toBe(503)
  // who looks within two seconds sees what was read before
  await expect.poll(async () => (await service.get('/status.json')).status, longPatience).toBe(503)
  const [ready, health, status, page, live, up] = await Promise.all([
    service.get('/readyz'),
    service.get('/healthz'),
    service.status(),
    service.get('/'),
    service.get('/live'),
    service.metric('genesys_etl_database_up'),
  ])
  expect(ready).toMatchObject({ status: 503, text: expect.stringMatching(reason) })
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
  await service.wellAgain()
  expect(await service.metric('genesys_etl_database_up')).toBe(1)
}

test('Postgres is restarted under the service: it says so while that lasts, and goes on', async () => {
  const place = { dataDir: emptyFolder(), persistent: false }
  const server = await startEmbeddedPostgres(place)
  try {
    await using org = await startLivingOrg()
    await using service = await startService(org, server.url)
    await service.wellAgain()

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

test('the network to Postgres is cut, then swallows everything: no difference for who looks, and it goes on', async () => {
  await using org = await startLivingOrg()
  await using it = await connectTestOrg(org)
  await using gate = await startGate(it.databaseUrl)
  await using service = await startService(org, gate.url)
  await service.wellAgain()

  await gate.shut()
  await expectNotReady(service, /ECONNREFUSED/)
  await gate.open()
  await expectReady(service)

  gate.hold()
  await expectNotReady(service, /has not answered within|timeout ex/)
  await gate.open()
  await expectReady(service)
  await expectEqual(it.warehouse, org)
  await service.stop()
})
