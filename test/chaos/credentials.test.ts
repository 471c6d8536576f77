import { expect, test } from 'vitest'
import { connectTestOrg } from '../support/simulated-org.ts'
import { expectEqual, longPatience, startActiveOrg, startService } from './service.ts'

const permission = 'analytics:conversationDetail:view'

test('a revoked token, a wrong secret and a missing permission are reported, and recovery follows once they are fixed', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using service = await startService(org, it.databaseUrl)
  await service.waitUntilHealthy()
  const client = org.control.clients.get(org.clientId)!

  // a revoked token costs one login
  const logins = () => org.requests.filter(({ endpoint }) => endpoint === 'token').length
  const before = logins()
  org.control.revokeTokens()
  await service.waitUntilHealthy()
  expect(logins()).toBe(before + 1)
  expect(service.process.stderr()).not.toContain('run failed')

  // the client has a new secret
  client.secret = 'another'
  org.control.revokeTokens()
  await expect
    .poll(() => service.problems(), longPatience)
    .toMatch(/sync has failed.*GENESYS_CLIENT_SECRET does not belong/)
  expect(await service.status()).toMatchObject({ state: 'failing' })
  expect((await service.get('/')).text).toContain('GENESYS_CLIENT_SECRET does not belong')
  const failures = () => service.metric('genesys_etl_failures_in_a_row{job="sync"}')
  await expect.poll(failures, longPatience).toBeGreaterThan(0)
  expect((await service.get('/readyz')).status).toBe(200)
  await expect.poll(async () => (await service.status()).live?.failure?.error, longPatience).toContain('authentication')
  org.control.changes.begin('chat')
  client.secret = org.clientSecret
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)

  // the client loses the permission
  client.permissions.delete(permission)
  await expect
    .poll(() => service.problems(), longPatience)
    .toMatch(new RegExp(`sync has failed.*Grant ${permission} to a role`))
  await expect.poll(async () => (await service.status()).live?.failure?.error, longPatience).toContain(permission)
  expect(await service.status()).toMatchObject({ state: 'failing' })
  const page = await service.get('/')
  expect(page.status).toBe(200)
  expect(page.text).toContain(permission)
  expect(
    await service.metric('genesys_etl_requests_total{endpoint="details-query",status_class="4xx"}'),
  ).toBeGreaterThan(0)
  expect((await service.get('/healthz')).status).toBe(200)
  expect(service.process.stderr()).toContain(`Grant ${permission} to a role`)
  org.control.changes.begin('message')
  client.permissions.add(permission)
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)

  await service.stop()
  expect(service.process.stderr()).not.toContain(org.clientSecret)
})
