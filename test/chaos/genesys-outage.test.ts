import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { connectTestOrg } from '../support/simulated-org.ts'
import { expectEqual, livePicture, longPatience, startLivingOrg, startService } from './service.ts'

// connections that are refused are retried for half a minute: test/sim/outage.test.ts
test('Genesys answers 503: the service lives, says so, keeps what it has, and catches up by itself', async () => {
  await using org = await startLivingOrg()
  await using it = await connectTestOrg(org)
  await using service = await startService(org, it.databaseUrl)
  await service.wellAgain()
  await expectEqual(it.warehouse, org)
  const picture = await livePicture(it.warehouse)

  // an hour in seconds: what Genesys asks to wait for between attempts is cut short
  org.control.faults.add({ on: 'any', kind: '503', retryAfterSeconds: 0.05 })
  await expect
    .poll(() => service.problems(), longPatience)
    .toMatch(/sync has failed.*Genesys answered 503 after 7 attempts/)
  await expect.poll(async () => (await service.status()).live?.failure?.error, longPatience).toContain('503')
  const failing = await service.status()
  expect(failing.state).toBe('failing')
  expect(failing.schedule.find(({ name }) => name === 'sync')?.failure?.code).toBe('GENESYS_UNAVAILABLE')
  expect((await service.get('/healthz')).status).toBe(200)
  expect((await service.get('/readyz')).status).toBe(200)
  const page = await service.get('/')
  expect(page.status).toBe(200)
  expect(page.text).toContain('Action required')
  expect(page.text).toContain('Genesys answered 503')
  expect(page.text).toContain('See status.mypurecloud.com')
  expect(await service.metric('genesys_etl_failures_in_a_row{job="sync"}')).toBeGreaterThan(0)
  expect(
    await service.metric('genesys_etl_requests_total{endpoint="organization",status_class="5xx"}'),
  ).toBeGreaterThanOrEqual(7)
  expect(service.process.stderr()).toMatch(/"level":"error".*"code":"GENESYS_UNAVAILABLE".*"run failed"/)
  expect(service.process.stderr()).toContain('snapshot failed; the one before stays')

  const conversation = org.control.changes.begin('chat')
  expect((await service.get('/live')).status).toBe(200)
  expect(await livePicture(it.warehouse)).toEqual(picture)

  org.control.faults.clear()
  await service.wellAgain()
  expect(await service.problems()).toBe('')
  await expectEqual(it.warehouse, org)
  expect((await livePicture(it.warehouse)).join()).toContain(conversation)
  const { rows } = await sql<{ status: string }>`
    select distinct status from etl.runs where status not in ('running') order by 1`.execute(it.warehouse.db)
  expect(rows.map(({ status }) => status)).toEqual(['done', 'failed'])
  await service.stop()
})
