import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startNetwork } from '../chaos/network.ts'
import { longPatience, startActiveOrg, startService } from '../chaos/service.ts'
import { connectTestOrg } from '../support/simulated-org.ts'

test('SIGTERM ends the service within its deadline while the database does not answer', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using network = await startNetwork(it.databaseUrl)
  await using service = await startService(org, network.url)
  await service.waitUntilHealthy()
  network.stall()
  await expect.poll(async () => (await service.get('/readyz')).status, longPatience).toBe(503)
  const sentAt = performance.now()
  service.process.kill('SIGTERM')
  const { code, signal, stderr } = await service.process.result
  // 0 where everything gave up by itself, 143 at the deadline; never a SIGKILL of the platform
  expect({ code: code === 0 || code === 143, signal }).toEqual({ code: true, signal: null })
  if (code === 143) expect(stderr).toContain('SIGTERM: not finished after 45 s')
  expect(performance.now() - sentAt).toBeLessThan(58_000)
})

test('SIGTERM ends the service within its deadline while a lock on its tables stands', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using service = await startService(org, it.databaseUrl)
  await service.waitUntilHealthy()
  const client = await it.warehouse.pool.connect()
  try {
    await client.query('begin; lock table genesys.live_conversations, etl.windows, etl.runs in access exclusive mode')
    await sleep(3_000)
    const sentAt = performance.now()
    service.process.kill('SIGTERM')
    const { code, signal } = await service.process.result
    expect({ code: code === 0 || code === 143, signal }).toEqual({ code: true, signal: null })
    expect(performance.now() - sentAt).toBeLessThan(58_000)
  } finally {
    await client.query('rollback')
    client.release()
  }
})
