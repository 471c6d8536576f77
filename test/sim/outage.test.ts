/**
 * A Genesys that cannot be reached at all. Such requests are retried with the real backoff for half a minute, too long for
 * `npm test`, which has the same test with answers of 503 that ask for a shorter wait.
 */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { environmentOf, runCli } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { connectTestOrg, startOrg } from '../support/simulated-org.ts'
import { startNetwork } from '../chaos/network.ts'
import { expectEqual, liveRows, longPatience, startActiveOrg, startService } from '../chaos/service.ts'

test('while Genesys refuses connections the service reports it and keeps its data; afterwards it catches up', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  await using network = await startNetwork(org.url)
  await using service = await startService({ ...org, url: network.url }, it.databaseUrl)
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)
  const rowsBefore = await liveRows(it.warehouse)

  // a request is retried for half a minute before it fails
  await network.cut()
  const conversation = org.control.changes.begin('chat')
  await expect.poll(() => service.problems(), longPatience).toMatch(/sync has failed.*no connection \(ECONNREFUSED\)/)
  expect((await service.get('/readyz')).status).toBe(200)
  expect((await service.get('/live')).status).toBe(200)
  expect(await liveRows(it.warehouse)).toEqual(rowsBefore)

  await network.restore()
  await service.waitUntilHealthy()
  expect(await service.problems()).toBe('')
  await expectEqual(it.warehouse, org)
  expect((await liveRows(it.warehouse)).join()).toContain(conversation)
  const { rows } = await sql<{ status: string }>`
    select distinct status from etl.runs where status not in ('running') order by 1`.execute(it.warehouse.db)
  expect(rows.map(({ status }) => status)).toEqual(['done', 'failed'])
  await service.stop()
})

test('an API that refuses connections: exit code 75', async () => {
  await using org = await startOrg({ perDay: 1 })
  await using database = await createTestDatabase()
  const env = { ...environmentOf(org, database.url), GENESYS_API_URL: 'http://127.0.0.1:9' }
  const { code, stderr } = await runCli(['backfill', '--from', '2025-06-10', '--to', '2025-06-13'], { env })
  expect(code).toBe(75)
  expect(stderr).toContain('no connection')
})
