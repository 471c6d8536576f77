import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { patience } from '../support/patience.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { startTestOrg, threeDays } from '../support/simulated-org.ts'

stayClearOfMidnight()

test('a sync and a backfill of the same days at once both succeed, without deadlocks', async () => {
  const now = new Date()
  await using it = await startTestOrg({ now })
  const today = startOfDay(now)
  const range = { start: addDays(today, -3), end: today }
  const before = await deadlocks()
  const summaries = await Promise.all([it.run({ job: 'sync' }), it.backfill(range), it.run({ job: 'intraday' })])
  expect(summaries.map(({ windows }) => windows.failed)).toEqual([0, 0, 0])
  expect(await it.doneDays()).toHaveLength(3)
  await it.expectEqual({ start: range.start, end: addDays(today, 1) })
  expect(await deadlocks()).toBe(before)

  async function deadlocks(): Promise<number> {
    const { rows } = await sql<{ deadlocks: number }>`
      select deadlocks from pg_stat_database where datname = current_database()`.execute(it.warehouse.db)
    return rows[0]?.deadlocks ?? 0
  }
})

test('the same job does not run twice at once: the second fails as already running', async () => {
  await using it = await startTestOrg({ latencyMs: 30 })
  const first = it.backfill()
  await expect.poll(() => it.org.requests.length, patience).toBeGreaterThan(2)
  await expect(it.backfill()).rejects.toMatchObject({ code: 'JOB_ALREADY_RUNNING', kind: 'retryable' })
  expect((await first).windows.done).toBe(3)
  await it.expectEqual()
})

test('loads of changing data by two loaders end with the newest of each conversation', async () => {
  const now = new Date()
  await using it = await startTestOrg({ now, latencyMs: 10 })
  const today = startOfDay(now)
  const range = { start: addDays(today, -3), end: today }
  const { changes } = it.org.control
  const ids = it.org
    .truth()
    .filter(({ conversationEnd }) => typeof conversationEnd === 'string')
    .flatMap(({ conversationId: id }) => (typeof id === 'string' ? [id] : []))
  let changed = 0
  for (let round = 0; round < 4; round++) {
    const loading = Promise.all([it.run({ job: 'sync' }), it.backfill(range, { reload: true })])
    const progress = { isDone: false }
    void loading.finally(() => (progress.isDone = true)).catch(() => {})
    for (let step = 0; step < 12 && !progress.isDone; step++) {
      const before = it.org.requests.length
      const id = ids[((round * 12 + step) * 5) % ids.length]!
      changes.addEvaluation(id)
      changed++
      await expect.poll(() => progress.isDone || it.org.requests.length > before, patience).toBe(true)
    }
    await loading
  }
  expect(changed).toBeGreaterThan(12)
  await Promise.all([it.run({ job: 'sync' }), it.backfill(range, { reload: true })])
  await it.expectEqual(range)
})

test('late wrap-ups, reopened e-mails and corrected starts arrive with the next read, without duplicates', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const { changes } = it.org.control
  const usable = it.org
    .truth()
    .filter(
      ({ conversationId: id, conversationStart: start }) =>
        typeof id === 'string' && !Number.isNaN(Date.parse(String(start))),
    )
  const mails = usable.filter((each) => JSON.stringify(each).includes('"mediaType":"email"') && each['conversationEnd'])
  for (const { conversationId: id } of mails.slice(0, 3)) changes.reopen(String(id))
  for (const { conversationId: id } of usable.slice(20, 24)) changes.addEvaluation(String(id))
  const malformed = new Set(it.org.malformed().map(({ id }) => id))
  const wellFormed = usable.map(({ conversationId: id }) => String(id)).filter((id) => !malformed.has(id))
  // to the day before, to the day after, and into another month's partitions
  const [a = '', b = '', c = ''] = wellFormed.slice(150)
  changes.correctStart(a, '2025-06-10T23:59:59.999Z')
  changes.correctStart(b, '2025-06-12T00:00:00.000Z')
  changes.correctStart(c, '2025-05-31T23:59:59.999Z')
  const range = { start: new Date('2025-05-31'), end: threeDays.end }
  const { counts } = await it.backfill(range, { reload: true })
  expect(counts.changed).toBeGreaterThanOrEqual(10)
  await it.expectEqual(range)
  // unchanged conversations cost no write
  expect((await it.backfill(range, { reload: true })).counts).toMatchObject({ changed: 0, inserted: 0 })
})
