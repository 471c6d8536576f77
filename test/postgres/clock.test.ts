import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { readDatabaseClock } from '../../src/postgres/clock.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

test("expresses instants of this process in the database's time, with microseconds", async () => {
  const clock = await readDatabaseClock(warehouse.db)
  const before = clock.instantOf(performance.now() - 50)
  const { rows } = await sql<{ now: string }>`
    select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`.execute(warehouse.db)
  const after = clock.instantOf(performance.now() + 50)
  expect(before).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const instants = [before, rows[0]?.now ?? '', after]
  expect(instants.toSorted()).toEqual(instants)
  expect(Math.abs(clock.now().getTime() - Date.parse(clock.instantOf(performance.now())))).toBeLessThan(50)
})

test('a later instant never becomes an earlier one', async () => {
  const clock = await readDatabaseClock(warehouse.db)
  const start = performance.now()
  const instants = Array.from({ length: 2000 }, (_, index) => clock.instantOf(start + index * 0.0137))
  expect(instants.toSorted()).toEqual(instants)
})
