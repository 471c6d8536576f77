import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { emptyFolder } from '../support/cli.ts'
import { connectTestOrg, type TestOrg } from '../support/simulated-org.ts'
import { expectEqual, longPatience, startActiveOrg, startService } from './service.ts'

const HOUR = 3_600_000

test('the system clock jumps forward and back: no tick is lost, and no window is lost or duplicated', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  const offsetFile = path.join(emptyFolder(), 'offset')
  const setClock = (offset: number): void => writeFileSync(offsetFile, String(offset))
  setClock(0)
  const nightly = new Date(Date.now() + HOUR)
  await using service = await startService(org, it.databaseUrl, {
    NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'jumping-clock.ts')}`,
    CLOCK_OFFSET_FILE: offsetFile,
    HISTORY_CRON: `${nightly.getUTCMinutes()} ${nightly.getUTCHours()} * * *`,
  })
  const jump = (offset: number): void => {
    setClock(offset)
    service.process.kill('SIGUSR2')
  }
  const others = { except: ['sync'] }
  await service.waitUntilHealthy(others)
  await expect.poll(() => syncs(it), { ...longPatience, message: 'the first run ends' }).toBe(1)

  jump(2 * HOUR)
  await expect.poll(() => syncs(it), { ...longPatience, message: 'the skipped tick runs' }).toBe(2)
  await service.waitUntilHealthy(others)
  // the clock is looked at every five seconds
  await expect.poll(() => service.process.stderr(), longPatience).toMatch(/"jumpedMs":7[12]\d{5},/)

  jump(-2 * HOUR)
  org.control.changes.begin('chat')
  await service.waitUntilHealthy(others)
  expect(await syncs(it)).toBe(2)
  expect((await service.status()).schedule.every(({ failure }) => failure === null)).toBe(true)

  // the ledger uses the database's clock, so the jumps do not affect it
  const days = (await it.windows()).map(({ start, status }) => `${start.toISOString().slice(0, 10)} ${status}`)
  expect(days).toHaveLength(3)
  expect(days.map((text) => text.slice(11))).toEqual(['done', 'done', 'provisional'])
  await expectEqual(it.warehouse, org)
  await service.stop()
})

test('a clock of Genesys that is wrong by an hour changes nothing', async () => {
  await using org = await startActiveOrg()
  await using it = await connectTestOrg(org)
  org.control.set({ dateSkewMs: HOUR })
  org.control.faults.add({ on: 'details', kind: '429', every: 5, retryAfterSeconds: 0.2 })
  await using service = await startService(org, it.databaseUrl)
  await service.waitUntilHealthy()
  org.control.set({ dateSkewMs: -HOUR })
  org.control.changes.begin('chat')
  await service.waitUntilHealthy()
  await expectEqual(it.warehouse, org)
  await service.stop()
})

/** How many runs of sync have succeeded. */
async function syncs(it: TestOrg): Promise<number> {
  const { rows } = await sql<{ runs: number }>`
    select count(*) as runs from etl.runs where job = 'sync' and status = 'done'`.execute(it.warehouse.db)
  return rows[0]?.runs ?? 0
}
