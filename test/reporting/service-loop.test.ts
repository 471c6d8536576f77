import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import { connect } from '../../src/postgres/connect.ts'
import { startRollups, type RollupBacklog } from '../../src/reporting/rollups.ts'
import { conversation, load } from '../loader/conversations.ts'
import { createFileDatabase } from '../support/database.ts'
import { patience } from '../support/patience.ts'

const database = await createFileDatabase()

function start(warehouse: ReturnType<typeof connect>) {
  const log: string[] = []
  const backlogs: (RollupBacklog | null)[] = []
  const stopping = new AbortController()
  const logger = createLogger('debug', { write: (line: string) => log.push(line) } as unknown as NodeJS.WritableStream)
  const rollups = startRollups({
    warehouse,
    logger,
    signal: stopping.signal,
    onBacklog: (backlog) => backlogs.push(backlog),
  })
  return { log, backlogs, stopping, rollups }
}

test('the service adds up at once what is dirty, says what is left, and stops with its signal', async () => {
  await using warehouse = connect(database.url)
  await load(warehouse, [conversation('a')], 1)
  // marked by a process whose clock is the database's
  await sql`update etl.dirty_hours set dirtied_at = now() - interval '1 hour'`.execute(warehouse.db)
  const { backlogs, stopping, rollups } = start(warehouse)
  await expect.poll(() => backlogs, patience).toEqual([{ dirtyHours: 0, oldestSeconds: 0 }])
  stopping.abort()
  await rollups.stop()
})

test('what is left while another process is at it is measured, by hour and age', async () => {
  await using warehouse = connect(database.url)
  await sql`insert into etl.dirty_hours (hour, dirtied_at) values ('2026-03-05T10:00Z', now() - interval '1 hour'), ('2026-03-05T10:00Z', now()),
    ('2026-03-05T11:00Z', now())`.execute(warehouse.db)
  const other = await warehouse.connectAlone('other')
  await other.query('begin; select pg_advisory_xact_lock(7461005)')
  const { backlogs, stopping, rollups } = start(warehouse)
  await expect.poll(() => backlogs.length, patience).toBe(1)
  expect(backlogs[0]!.dirtyHours).toBe(2)
  expect(backlogs[0]!.oldestSeconds).toBeGreaterThanOrEqual(3600)
  stopping.abort()
  await rollups.stop()
  await other.end()
  const metrics = createMetrics()
  metrics.setRollups(backlogs[0]!)
  expect(await metrics.text()).toMatch(/genesys_etl_reporting_dirty_hours 2\n/)
  metrics.setRollups(null)
  expect(await metrics.text()).not.toMatch(/genesys_etl_reporting_dirty_hours \d/)
})

test('a failure is logged, and the backlog is unknown', async () => {
  await using warehouse = connect(database.url)
  await sql`alter table etl.dirty_hours rename to dirty_hours_away`.execute(warehouse.db)
  const { log, backlogs, stopping, rollups } = start(warehouse)
  await expect.poll(() => backlogs, patience).toEqual([null])
  expect(log.join('')).toContain('adding up the intervals failed')
  stopping.abort()
  await rollups.stop()
})
