import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

/** Rows of a day: with a comparison of each row with each other one, adding them up again took minutes. */
const ROWS = 6000

async function recomputeDay(): Promise<number> {
  await sql`insert into etl.stale_days (time_zone, day) values ('UTC', '2026-03-02')`.execute(warehouse.db)
  const started = performance.now()
  await recomputeDirtyHours(warehouse)
  return performance.now() - started
}

test('a day of thousands of rows is added up again within seconds, and rows that no interval has any more are deleted', async () => {
  await sql`
    insert into etl.agent_intervals (interval_start, key, queue_id, user_id, media_type, direction, originating_direction, handled, handle_ms)
    select '2026-03-02T09:00:00Z', md5(n::text)::uuid, 'q' || n % 7, 'u' || n, 'voice', 'inbound', 'inbound', 1, n
    from generate_series(1, ${ROWS}) n`.execute(warehouse.db)
  await recomputeDay()
  await sql`delete from etl.agent_intervals where handle_ms <= 10`.execute(warehouse.db)
  expect(await recomputeDay()).toBeLessThan(20_000)
  const { rows } = await sql<{ rows: number; total: number }>`
    select count(*) as rows, sum(handle_ms)::bigint as total from etl.agent_days`.execute(warehouse.db)
  expect(rows).toEqual([{ rows: ROWS - 10, total: (ROWS * (ROWS + 1)) / 2 - 55 }])
})
