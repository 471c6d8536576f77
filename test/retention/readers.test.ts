/** A month is dropped while somebody reads its tables for long. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { restoreMonths } from '../../src/loader/dropped-months.ts'
import { createTestDatabase } from '../support/database.ts'
import { june, loadedCalls } from './calls.ts'
import { numbersOf, retain, storedRows } from './support.ts'

test('a long reader postpones the drop, and no other reader waits for long', async () => {
  await using database = await createTestDatabase()
  await using warehouse = await loadedCalls(database.url)
  const before = await numbersOf(warehouse)
  const reader = await warehouse.connectAlone('reader')
  await reader.query('begin isolation level repeatable read; select count(*) from genesys.segments')
  const over = new AbortController()
  let slowest = 0
  const others = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const begun = performance.now()
      await sql`select count(*) from genesys.segments`.execute(warehouse.db)
      slowest = Math.max(slowest, performance.now() - begun)
    }
  }
  const retaining = retain(warehouse).finally(() => over.abort())
  await Promise.all([retaining, others()])
  const log = (await retaining).join()
  expect(log).toContain('could not be dropped now')
  // the timeout of the lock is 1 s; the rest is the load of the machine
  expect(slowest).toBeLessThan(5000)
  expect(await numbersOf(warehouse)).toEqual(before)
  await expect(restoreMonths(warehouse, june)).rejects.toMatchObject({
    code: 'RETENTION_UNFINISHED',
    kind: 'retryable',
  })
  const { rows } = await sql`select status from etl.runs where job = 'retention'`.execute(warehouse.db)
  expect(rows).toEqual([{ status: 'done' }])
  await reader.query('rollback')
  await reader.end()
  expect((await retain(warehouse)).join()).toContain('dropped a month')
  expect(Object.keys(await storedRows(warehouse, june))).toEqual(['etl.interval_cells'])
  expect(await numbersOf(warehouse)).toEqual(before)
})
