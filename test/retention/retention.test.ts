import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { findMisplacedRows } from '../../src/loader/integrity.ts'
import { runHistory } from '../../src/history/sync.ts'
import { verifyRange } from '../../src/history/verify.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { selectDueMonths } from '../../src/retention/due-months.ts'
import { connectTestOrg, type TestOrg } from '../support/simulated-org.ts'
import {
  connectKeeping,
  droppedDays,
  floor,
  keptDays,
  loadWeek,
  numbersOf,
  retain,
  startWeek,
  storedRows,
  week,
} from './support.ts'

const org = await startWeek()
afterAll(() => org.close())
const never = new AbortController().signal

type Request = Parameters<typeof runHistory>[1]

async function run(it: TestOrg, warehouse: Warehouse, request: Request) {
  await using dependencies = it.dependencies()
  return await runHistory({ ...dependencies, warehouse }, request, 'manual', never)
}

test('a month goes, its numbers stay, and nothing of it is loaded again', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  const before = await numbersOf(kept)
  expect(before['queueIntervals']!.length * before['agentDaily']!.length).toBeGreaterThan(0)
  const { ['genesys.conversations']: conversations } = await storedRows(kept, droppedDays)
  const crossing = await sql`
    select from etl.interval_cells where conversation_start < ${floor} and interval_start >= ${floor}`.execute(kept.db)
  expect(crossing.rows.length).toBeGreaterThan(0)

  const DAY_MS = 86_400_000
  expect((await retain(kept, 2 * DAY_MS)).join()).toContain(
    'no month is dropped while the clock of the database is ahead',
  )
  expect(await numbersOf(kept)).toEqual(before)
  expect(await storedRows(kept, droppedDays)).toHaveProperty(['genesys.conversations'], conversations)
  const log = await retain(kept, DAY_MS / 2)
  expect(log.join()).toContain('dropped a month that is not kept any more')
  expect(await numbersOf(kept)).toEqual(before)
  expect(Object.keys(await storedRows(kept, droppedDays))).toEqual(['etl.interval_cells'])
  const { rows: cells } = await sql`
    select from etl.interval_cells where conversation_start < ${floor}`.execute(kept.db)
  expect(cells).toHaveLength(crossing.rows.length)
  const { rows: agents } = await sql`
    select from reporting.agent_intervals where interval_start < ${floor}`.execute(kept.db)
  expect(agents).toEqual([])
  const { rows } = await sql`
    select month::text, conversations, finished_at is not null as finished, restored_at from etl.dropped_months`.execute(
    kept.db,
  )
  expect(rows).toEqual([{ month: '2025-06-01', conversations, finished: true, restored_at: null }])
  expect(await selectDueMonths(kept.db, floor)).toEqual([])
  expect(await retain(kept)).toEqual([])

  const { rows: days } = await sql<{ whole: boolean }>`
    select complete_from = '2025-06-27'::date + 40 and complete_until = '2025-07-03' as whole
    from reporting.freshness order by day`.execute(kept.db)
  expect(days).toEqual(Array.from({ length: 7 }, () => ({ whole: true })))
  const { rows: gone } = await sql`
    select month::text, conversations, brought_back_at from reporting.dropped_months`.execute(kept.db)
  expect(gone).toEqual([{ month: '2025-06-01', conversations, brought_back_at: null }])
  // as if all days had been read only once, long ago: they are due again, but for those that were dropped
  await sql`update etl.windows set read_at = "end", recorded_at = "end"`.execute(kept.db)
  const asked = org.requests.length
  const synced = await run(it, kept, { job: 'sync' })
  expect(synced.windows).toMatchObject({ planned: 6, done: 6 })
  const read = org.requests.slice(asked).flatMap(({ interval }) => interval ?? [])
  expect(read.filter((interval) => interval < '2025-07')).toEqual([])
  const backfilled = await run(it, kept, { job: 'backfill', range: week, reload: false })
  expect(backfilled).toMatchObject({ dropped: [droppedDays], windows: { planned: 0 }, unsettled: [] })
  const { history, retention } = await readStatus(kept, { filter: {}, lookbackDays: 3, start: week.start })
  expect(history).toMatchObject({ firstDay: floor, coveredUntil: week.end, emptyMonths: [], unsettled: [] })
  expect(history.owed.filter(({ start }) => start < floor)).toEqual([])
  expect(history.due.filter(({ start }) => start < floor)).toEqual([])
  expect(retention).toMatchObject({ dropped: 1, restored: 0, floor })

  await using dependencies = it.dependencies()
  const verified = await verifyRange({ ...dependencies, warehouse: kept }, week, never)
  expect(verified).toMatchObject({ mismatches: [], dropped: [droppedDays], windows: 3 })
  expect(verified.misplaced).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
  // the sync has also loaded the last day of the organization
  const ofJune = (numbers: Record<string, string[]>) =>
    Object.values(numbers)
      .flat()
      .filter((row) => row.includes('"2025-06-'))
  expect(ofJune(await numbersOf(kept)).length).toBeGreaterThan(0)
  expect(ofJune(await numbersOf(kept))).toEqual(ofJune(before))
})

test('a reload of what is kept, and of threads that cross the floor, leaves the numbers exact', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  const before = await numbersOf(kept, { withTimes: false })
  await retain(kept)
  // as if every conversation had changed
  await sql`update etl.conversations set content_hash = '', fetched_at = '2025-01-01'`.execute(kept.db)
  const { counts } = await run(it, kept, { job: 'backfill', range: keptDays, reload: true })
  expect(counts.expired).toBe(0)
  expect(counts.changed).toBeGreaterThan(0)
  await recomputeDirtyHours(kept)
  expect(await numbersOf(kept, { withTimes: false })).toEqual(before)
})

test('a month comes back on purpose, stays for a month, and its numbers stay as they were', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  const before = await numbersOf(kept, { withTimes: false })
  const stored = await storedRows(kept, droppedDays)
  await retain(kept)
  const { counts } = await run(it, kept, { job: 'backfill', range: droppedDays, reload: true })
  expect(counts).toMatchObject({ inserted: stored['genesys.conversations'], expired: 0 })
  await recomputeDirtyHours(kept)
  expect(await numbersOf(kept, { withTimes: false })).toEqual(before)
  // of what is derived, the cells of hours of the month are there again, and the agents' rows are not
  expect(await storedRows(kept, droppedDays)).toEqual(stored)
  await it.expectEqual(week)
  expect(await findMisplacedRows(kept.db, week)).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
  await using dependencies = it.dependencies()
  const verified = await verifyRange({ ...dependencies, warehouse: kept }, week, never)
  expect(verified).toMatchObject({ mismatches: [], dropped: [], windows: 7 })

  expect(await retain(kept)).toEqual([])
  await sql`update etl.dropped_months set kept_until = now() - interval '1 second'`.execute(kept.db)
  expect((await retain(kept)).join()).toContain('dropped a month')
  expect(Object.keys(await storedRows(kept, droppedDays))).toEqual(['etl.interval_cells'])
  expect(await numbersOf(kept, { withTimes: false })).toEqual(before)
})

test('a month before the floor that was never loaded gets its numbers when it is brought in', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill(keptDays)
  await using kept = await connectKeeping(it)
  expect(await retain(kept)).toEqual([])
  expect(await run(it, kept, { job: 'backfill', range: droppedDays, reload: false })).toMatchObject({
    windows: { planned: 0 },
    dropped: [droppedDays],
  })
  await run(it, kept, { job: 'backfill', range: droppedDays, reload: true })
  await recomputeDirtyHours(kept)
  await using other = await connectTestOrg(org)
  await loadWeek(other)
  expect(await numbersOf(kept, { withTimes: false })).toEqual(await numbersOf(other.warehouse, { withTimes: false }))
  expect(await retain(kept)).toEqual([])
})

test('what was dropped stays so when everything is kept again', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  await retain(kept)
  const { counts } = await it.backfill(week, { reload: false })
  expect(counts.inserted).toBe(0)
  expect(Object.keys(await storedRows(kept, droppedDays))).toEqual(['etl.interval_cells'])
})

test('days of another time zone: the numbers of queues are right, those of agents wait for their zone', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  const inZone = async (zone: string) => {
    await sql`update reporting.settings set time_zone = ${zone}`.execute(kept.db)
    await recomputeDirtyHours(kept)
    return await numbersOf(kept, { withTimes: false })
  }
  const losAngeles = await inZone('America/Los_Angeles')
  const utc = await inZone('UTC')
  const berlin = await inZone('Europe/Berlin')
  await retain(kept)
  // the day that reaches into the next month is computed from both
  await sql`insert into etl.dirty_hours (hour) select generate_series('2025-06-26', '2025-07-05', interval '1 hour')`.execute(
    kept.db,
  )
  expect((await sql`select from etl.dirty_hours where hour < ${floor}`.execute(kept.db)).rows).toEqual([])
  expect(await numbersOf(kept, { withTimes: false })).toEqual(berlin)
  await recomputeDirtyHours(kept)
  expect(await numbersOf(kept, { withTimes: false })).toEqual(berlin)
  const after = await inZone('America/Los_Angeles')
  for (const name of ['queueIntervals', 'queueDaily', 'queuePerformance', 'queueHours'] as const)
    expect(after[name], name).toEqual(losAngeles[name])
  const days = after['agentDaily']!.map((row) => (JSON.parse(row) as { day: string }).day)
  expect(days.filter((day) => day < '2025-07-01')).toEqual([])
  expect(await inZone('Europe/Berlin')).toEqual(berlin)
  expect((await inZone('UTC'))['queueDaily']).toEqual(utc['queueDaily'])
})

test('a sync whose windows have failed is followed by the retention, a backfill is not', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  await using dependencies = it.dependencies()
  const given = { ...dependencies, warehouse: kept, afterSync: async () => void (await retain(kept)) }
  await runHistory(given, { job: 'backfill', range: keptDays, reload: true }, 'manual', never)
  expect(await selectDueMonths(kept.db, floor)).toHaveLength(1)
  org.control.faults.add({ on: 'details', kind: '403' })
  try {
    await expect(runHistory(given, { job: 'sync' }, 'manual', never)).rejects.toMatchObject({
      code: 'GENESYS_FORBIDDEN',
    })
  } finally {
    org.control.faults.clear()
  }
  expect(await selectDueMonths(kept.db, floor)).toEqual([])
})

test('nothing is dropped while its conversations are not derived', async () => {
  await using it = await connectTestOrg(org)
  await loadWeek(it)
  await using kept = await connectKeeping(it)
  await sql`update etl.conversations set derived_hash = 'older' where conversation_id in (
    select conversation_id from etl.conversations where conversation_start < ${floor} limit 1)`.execute(kept.db)
  expect((await retain(kept)).join()).toContain('not derived yet')
  expect(Object.keys(await storedRows(kept, droppedDays)).length).toBeGreaterThan(5)
  const { rows } = await sql`select status, counts from etl.runs where job = 'retention'`.execute(kept.db)
  expect(rows).toEqual([{ status: 'done', counts: { months: 0, conversations: 0, postponed: 1 } }])
})
