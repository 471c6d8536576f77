import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { dryRunHistory } from '../../src/history/sync.ts'
import { addDays } from '../../src/model/interval.ts'
import { startTestOrg, threeDays } from '../support/simulated-org.ts'

const signal = new AbortController().signal

test('a backfill ends with the statistics of the months that it filled', async () => {
  await using it = await startTestOrg({ perDay: 20 })
  await it.backfill()
  const { rows } = await sql<{ tables: number }>`
    select count(distinct tablename) as tables from pg_stats
    where schemaname = 'genesys' and tablename in ('conversations_2025_06', 'sessions_2025_06')`.execute(
    it.warehouse.db,
  )
  expect(rows).toEqual([{ tables: 2 }])
})

test('a nightly sync deletes rejected records whose retention is over', async () => {
  await using it = await startTestOrg({ perDay: 5, malformedShare: 0 })
  await sql`insert into etl.rejected_records (stream, reason, raw, raw_hash, last_rejected_at)
    values ('conversations', 'old', '{}', 'old', now() - interval '1 year')`.execute(it.warehouse.db)
  const reasons = async () =>
    (await sql<{ reason: string }>`select reason from etl.rejected_records`.execute(it.warehouse.db)).rows.length
  await it.backfill()
  expect(await reasons()).toBe(1)
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  expect(await reasons()).toBe(0)
})

test('the upkeep that fails does not fail the run', async () => {
  await using it = await startTestOrg({ perDay: 5 })
  await sql`drop table etl.rejected_records`.execute(it.warehouse.db)
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  expect(it.log.find((line) => line.includes('the upkeep after the run failed'))).toBeDefined()
})

test('a dry run of many unknown days counts a week per request, and its sum is right', async () => {
  await using it = await startTestOrg({ perDay: 20, malformedShare: 0 })
  await using given = it.dependencies()
  const range = { start: addDays(threeDays.end, -70), end: threeDays.end }
  const plan = await dryRunHistory(given, { job: 'backfill', range, reload: false }, signal)
  expect(plan.windows).toHaveLength(70)
  const counts = it.org.requests.filter(({ endpoint, pageSize }) => endpoint === 'details' && pageSize === 1)
  expect(counts).toHaveLength(10)
  const hits = plan.windows.reduce((sum, window) => sum + window.hits, 0)
  await it.backfill(range)
  const { rows } = await sql<{ count: number }>`select count(*) from genesys.conversations`.execute(it.warehouse.db)
  expect(Math.abs(hits - (rows[0]?.count ?? 0))).toBeLessThanOrEqual(5)
  // a day without conversations was never said to have any: its hits were a share of the week's
  expect(it.log.filter((line) => line.includes('now has none'))).toEqual([])
})
