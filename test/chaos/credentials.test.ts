import { expect, test } from 'vitest'
import { connectTestOrg } from '../support/simulated-org.ts'
import { expectEqual, longPatience, startLivingOrg, startService } from './service.ts'

const permission = 'analytics:conversationDetail:view'

test('a revoked token, a secret that is wrong for a while and a missing permission: told, and over when mended', async () => {
  await using org = await startLivingOrg()
  await using it = await connectTestOrg(org)
  await using service = await startService(org, it.databaseUrl)
  await service.wellAgain()
  const client = org.control.clients.get(org.clientId)!

  // a token ends: nothing to see but a login
  const logins = () => org.requests.filter(({ endpoint }) => endpoint === 'token').length
  const before = logins()
  org.control.revokeTokens()
  await service.wellAgain()
  expect(logins()).toBe(before + 1)
  expect(service.process.stderr()).not.toContain('run failed')

  // somebody has made a new secret
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
  await service.wellAgain()
  await expectEqual(it.warehouse, org)

  // somebody has taken the permission away
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
  await service.wellAgain()
  await expectEqual(it.warehouse, org)

  await service.stop()
  expect(service.process.stderr()).not.toContain(org.clientSecret)
})
