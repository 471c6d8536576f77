/**
 * Erasing thousands of conversations while the service takes snapshots and loads, and the same days are read again: no deadlock, and the
 * numbers are those of a database that has never had them. `ERASED=10000` for a large one.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { emptyFolder, environmentOf, runCli, startCli } from '../support/cli.ts'
import { expectDerived } from '../support/derived.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { expectReportsWithout } from '../support/same-reports.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { findTraces } from '../support/traces.ts'

stayClearOfMidnight()

const ERASED = Number(process.env['ERASED'] ?? 1500)
/** Of those, conversations that are open. */
const OPEN = 6

async function countOf({ db }: Warehouse, query: string): Promise<number> {
  const { rows } = await sql.raw<{ count: number }>(`select count(*)::integer as count ${query}`).execute(db)
  return rows[0]!.count
}

async function deadlocks({ pool }: Warehouse): Promise<number> {
  const { rows } = await pool.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return rows[0]!.deadlocks
}

/** The tables that name any erased conversation in their column for it. */
async function tablesWithErased({ db }: Warehouse): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'conversation_id'
    where c.relkind in ('r', 'p') and not c.relispartition order by 1`.execute(db)
  const found: string[] = []
  for (const { name } of rows) {
    const { rows: named } = await sql`
      select from ${sql.raw(name)} where conversation_id in (select conversation_id from etl.tombstones) limit 1`.execute(
      db,
    )
    if (named.length > 0) found.push(name)
  }
  return found
}

/** Reads the days again and again, by query and by jobs in turn, until the signal; returns how often. */
async function reread(
  it: TestOrg,
  range: { readonly start: Date; readonly end: Date },
  signal: AbortSignal,
): Promise<number> {
  const jobs = { attributes: 'true', timing: { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 } } as const
  let times = 0
  for (; !signal.aborted; times++)
    await it.run(
      { job: 'backfill', range, reload: true, source: times % 2 === 0 ? 'query' : 'jobs' },
      { settings: { jobs }, timeoutMs: 60_000 },
    )
  return times
}

test('the service and re-reads go on while thousands are erased', { timeout: 1_800_000 }, async () => {
  const now = new Date()
  const today = startOfDay(now)
  const range = { start: addDays(today, -3), end: today }
  await using org = await startOrg({ now, days: 3, perDay: Math.ceil(ERASED / 2), malformedShare: 0, dataLagMs: 0 })
  await using it = await connectTestOrg(org)
  await it.backfill(range, { timeoutMs: 60_000 })
  const env = environmentOf(org, it.databaseUrl)
  const { clock, changes } = org.control
  const open = Array.from({ length: 2 * OPEN }, (_, index) =>
    changes.begin('inboundCall', clock.now() - index * 10_000),
  )
  const service = startCli(['serve'], {
    env: { ...env, HTTP_PORT: '0', HISTORY_LOOKBACK_DAYS: '3', LIVE_CRON: '* * * * * *', INTRADAY_CRON: '* * * * * *' },
  }) // prettier-ignore
  const snapshots = (): Promise<number> => countOf(it.warehouse, 'from genesys.live_snapshots where complete')
  await expect.poll(snapshots, { ...patience, timeout: 600_000 }).toBeGreaterThan(1)

  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.conversations where conversation_start < ${today}`.execute(it.warehouse.db)
  const stored = rows.map(({ id }) => id).sort((a, b) => hashFraction(a) - hashFraction(b))
  const erased = [...stored.slice(0, ERASED - OPEN), ...open.slice(0, OPEN)]
  expect(erased).toHaveLength(ERASED)
  const file = path.join(emptyFolder(), 'ids.txt')
  writeFileSync(file, erased.join('\n'))

  const before = await deadlocks(it.warehouse)
  const snapshotsBefore = await snapshots()
  const over = new AbortController()
  const rereading = reread(it, range, over.signal)
  const living = (async () => {
    for (; !over.signal.aborted; await sleep(500)) {
      changes.begin('inboundCall', clock.now())
      clock.set(clock.now() + 5000)
    }
  })()
  await sleep(1000)
  const begun = performance.now()
  const erasing = await runCli(['erase', '--conversation-file', file, '--json'], { env })
  const seconds = (performance.now() - begun) / 1000
  over.abort()
  const [rereads] = await Promise.all([rereading, living])
  expect(erasing.code, erasing.stderr).toBe(0)
  expect(JSON.parse(erasing.stdout)).toMatchObject({ conversations: ERASED })
  const taken = (await snapshots()) - snapshotsBefore
  expect(taken).toBeGreaterThan(0)
  expect(await countOf(it.warehouse, `from etl.runs where status = 'failed'`)).toBe(0)

  const afterwards = await it.backfill(range, { reload: true, timeoutMs: 60_000 })
  expect(afterwards.counts).toMatchObject({ erased: ERASED - OPEN, inserted: 0 })
  service.kill('SIGTERM')
  expect((await service.result).code).toBe(0)
  // the server counts deadlocks when a connection is idle or ends
  await sleep(1500)
  expect(await deadlocks(it.warehouse)).toBe(before)
  const traces = await findTraces(it.warehouse, [...erased.slice(0, 10), ...open.slice(0, OPEN)])
  expect(Object.keys(traces)).toEqual(['etl.deletions', 'etl.tombstones'])
  expect(await tablesWithErased(it.warehouse)).toEqual(['etl.deletions', 'etl.tombstones'])
  expect(await countOf(it.warehouse, 'from etl.tombstones where pending')).toBe(0)
  await expectDerived(it.warehouse)
  await expectReportsWithout(it.warehouse, org, { range, gone: erased })
  process.stderr.write(
    `erased ${ERASED} of ${stored.length} conversations in ${seconds.toFixed(1)} s, while ${rereads} re-reads of the days and ${taken} snapshots went on\n`,
  )
})
