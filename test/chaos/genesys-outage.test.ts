import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { connectTestOrg } from '../support/simulated-org.ts'
import { expectEqual, liveRows, longPatience, startActiveOrg, startService } from './service.ts'

// refused connections are retried for half a minute, so they are in test/sim/outage.test.ts
test('while Genesys answers 503 the service reports it and keeps its data; afterwards it catches up', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using service = await startService(org, it.databaseUrl)
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)
  const rowsBefore = await liveRows(it.warehouse)

  // an hour in seconds: Genesys asks for short waits between the attempts
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
  expect(service.process.stderr()).toContain('snapshot failed; the previous one stays')

  const conversation = org.control.changes.begin('chat')
  expect((await service.get('/live')).status).toBe(200)
  expect(await liveRows(it.warehouse)).toEqual(rowsBefore)

  org.control.faults.clear()
  await service.waitUntilHealthy()
  expect(await service.problems()).toBe('')
  await expectEqual(it.warehouse, org)
  expect((await liveRows(it.warehouse)).join()).toContain(conversation)
  const { rows } = await sql<{ status: string }>`
    select distinct status from etl.runs where status not in ('running') order by 1`.execute(it.warehouse.db)
  expect(rows.map(({ status }) => status)).toEqual(['done', 'failed'])
  await service.stop()
})
