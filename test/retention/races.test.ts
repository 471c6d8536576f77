/** Loads, readers and erasures while a month is dropped. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { restoreMonths } from '../../src/loader/dropped-months.ts'
import { load } from '../loader/conversations.ts'
import { erasePerson } from '../privacy/support.ts'
import { call } from '../support/calls.ts'
import { createTestDatabase } from '../support/database.ts'
import { patience } from '../support/patience.ts'
import { calls, june, loadedCalls, thread } from './calls.ts'
import { floor, monthsSince, numbersOf, retain, storedRows } from './support.ts'

const everything = { start: new Date('2012-01-01T00:00:00Z'), end: new Date('2026-01-01T00:00:00Z') }

async function waiting({ pool }: Warehouse): Promise<number> {
  const { rowCount } = await pool.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

test('a thread that began in a dropped month is expired, whatever has become of it', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  await retain(warehouse)
  const before = await numbersOf(warehouse)
  const counts = await load(
    warehouse,
    [thread('thread-0', 90_000), call('july-0', { start: '2025-07-01T10:00:00.000Z' })],
    5,
  )
  expect(counts).toMatchObject({ received: 2, expired: 1, unchanged: 1, inserted: 0, changed: 0 })
  expect(await load(warehouse, [call('old', { start: '2019-01-01T10:00:00.000Z' })], 5)).toMatchObject({ expired: 1 })
  expect(await numbersOf(warehouse)).toEqual(before)
  expect(Object.keys(await storedRows(warehouse, { ...everything, end: floor }))).toEqual(['etl.interval_cells'])
})

test('a load that is under way when a month is dropped leaves nothing of it, and its numbers count', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  await using older = connect(database.url)
  const blocker = await warehouse.connectAlone('blocker')
  await blocker.query(
    'begin; lock table etl.deletions in access exclusive mode; lock table etl.dirty_hours in share mode',
  )
  // this process does not have the setting, and has begun before the month is marked
  const loading = load(older, [call('late', { start: '2025-06-20T10:00:00.000Z' })], 5)
  await expect.poll(() => waiting(warehouse), patience).toBe(1)
  const retaining = retain(warehouse)
  await expect.poll(() => waiting(warehouse), patience).toBe(2)
  await blocker.query('rollback')
  await blocker.end()
  expect(await loading).toMatchObject({ inserted: 1 })
  expect((await retaining).join()).toContain('dropped a month')
  expect(Object.keys(await storedRows(warehouse, june))).toEqual(['etl.interval_cells'])
  const { rows } = await sql<{ offered: number }>`
    select sum(offered)::integer as offered from reporting.queue_daily where day = '2025-06-20'`.execute(warehouse.db)
  // those that were there, and the late one
  const there = calls.filter((raw) => (raw['conversationStart'] as string).startsWith('2025-06-20')).length
  expect(rows).toEqual([{ offered: there + 1 }])
})

test('a load that has asked before a month was dropped, and stores while it goes, stores nothing of it', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  await using older = connect(database.url)
  const blocker = await warehouse.connectAlone('blocker')
  // the load waits at the beginning of its transaction, the drop at its first partition
  await blocker.query('begin; lock table etl.meta in access exclusive mode')
  const reader = await warehouse.connectAlone('reader')
  await reader.query('begin; select from etl.conversation_facts limit 1')
  const loading = load(older, [call('late', { start: '2025-06-20T10:00:00.000Z' })], 5)
  await expect.poll(() => waiting(warehouse), patience).toBe(1)
  const retaining = retain(warehouse)
  const deciding = async () => (await storedRows(warehouse, june))['etl.conversations'] ?? 0
  await expect.poll(deciding, patience).toBe(0)
  await blocker.query('rollback')
  await blocker.end()
  expect(await loading).toMatchObject({ inserted: 0, expired: 1 })
  await reader.query('rollback')
  await reader.end()
  expect((await retaining).join()).toContain('dropped a month')
  expect(Object.keys(await storedRows(warehouse, june))).toEqual(['etl.interval_cells'])
})

test('loads of both months go on while one is dropped: no deadlock, the numbers are exact', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  const over = new AbortController()
  let second = 2
  const loader = async (): Promise<void> => {
    while (!over.signal.aborted) await load(warehouse, calls.toReversed(), second++)
  }
  const retaining = retain(warehouse).finally(() => over.abort())
  await Promise.all([retaining, loader(), loader()])
  expect((await retaining).join()).toContain('dropped a month')
  expect(Object.keys(await storedRows(warehouse, june))).toEqual(['etl.interval_cells'])
  await recomputeDirtyHours(warehouse)
  await using other = await createTestDatabase()
  await using truth = await loadedCalls(other.url)
  const { agentIntervalsKept: agents, ...numbers } = await numbersOf(warehouse, { withTimes: false })
  expect({ ...numbers, agentIntervalsKept: agents }).toEqual(await numbersOf(truth, { withTimes: false }))
})

test('erasing a conversation of a dropped month takes the cells that are left, and lowers no number of the month', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  await retain(warehouse)
  const before = await numbersOf(warehouse, { withTimes: false })
  await erasePerson(warehouse, { conversationIds: ['thread-0', 'june-0'] })
  await recomputeDirtyHours(warehouse)
  const { rows } = await sql`select from etl.interval_cells where conversation_id = 'thread-0'`.execute(warehouse.db)
  expect(rows).toEqual([])
  const after = await numbersOf(warehouse, { withTimes: false })
  const ofJune = ({ queueIntervals = [] }: Record<string, string[]>) =>
    queueIntervals.filter((row) => row.includes('"interval_start": "2025-06'))
  expect(ofJune(before).length).toBeGreaterThan(0)
  expect(ofJune(after)).toEqual(ofJune(before))
  expect(after['queueIntervals']).not.toEqual(before['queueIntervals'])
  expect((await sql`select from etl.tombstones`.execute(warehouse.db)).rows).toHaveLength(2)
  await restoreMonths(warehouse, june)
  expect(await load(warehouse, [thread('thread-0'), thread('thread-1')], 9)).toMatchObject({ erased: 1, inserted: 1 })
})

test('months follow each other: cells go with the last month that needs them', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  const before = await numbersOf(warehouse)
  await retain(warehouse)
  const months = await monthsSince(warehouse, new Date('2025-08-01T00:00:00Z'))
  await using later = connect(database.url, { retentionMonths: months })
  await retain(later)
  expect(await storedRows(later, everything)).toEqual({})
  const { agentIntervalsKept: agents, ...numbers } = await numbersOf(later)
  expect(agents).toEqual([])
  expect({ ...numbers, agentIntervalsKept: before['agentIntervalsKept'] }).toEqual(before)
  const { rows } = await sql`select from etl.agent_intervals`.execute(later.db)
  expect(rows).toEqual([])
})
