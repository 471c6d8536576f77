import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { fillTrend } from '../../src/commands/demo-trend.ts'
import { selectWallboard } from '../../src/live/wallboard.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
import { connect } from '../../src/postgres/connect.ts'
import { writeSnapshot } from '../support/busy-center.ts'
import { createTestDatabase } from '../support/database.ts'

test('the trend follows conversations through waiting, interacting and hold, and is marked as computed', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const { db } = warehouse
  const end = new Date(Math.floor(Date.now() / 60_000) * 60_000)
  const ago = (minutes: number): Date => new Date(+end - minutes * 60_000)
  await ensurePartitions(warehouse, { start: ago(60), end })
  // One conversation: waits from 50 to 40 minutes ago, talks until 20, is on hold until 10, then ends.
  const segment = (segmentType: string, from: number, until: number) => ({
    segmentType,
    queueId: 'q1',
    segmentStart: ago(from).toISOString(),
    segmentEnd: ago(until).toISOString(),
  })
  const party = (purpose: string, segments: object[]) => ({ purpose, sessions: [{ mediaType: 'voice', segments }] })
  const conversation = {
    conversationId: 'c-1',
    conversationStart: ago(50).toISOString(),
    conversationEnd: ago(10).toISOString(),
    participants: [
      party('acd', [segment('interact', 50, 40)]),
      party('agent', [segment('interact', 40, 20), segment('hold', 20, 10)]),
    ],
  }
  const options = { source: 'query', runId: null, deliversAttributes: false }
  await loadBatch(warehouse, [{ conversation, fetchedAt: end.toISOString() }], options)
  await writeSnapshot(warehouse, end, [])

  await fillTrend(warehouse, end)

  const { trend } = await selectWallboard(db)
  const points = trend.map(({ at, waiting, interacting }) => [Math.round((+end - +at) / 60_000), waiting, interacting])
  const during = (from: number, until: number) => points.filter(([age = 0]) => age <= from && age > until)
  expect(points.length).toBeGreaterThanOrEqual(239)
  expect(during(240, 50).every(([, waiting, interacting]) => waiting === 0 && interacting === 0)).toBe(true)
  expect(during(50, 40).map((point) => point.slice(1))).toEqual(Array.from({ length: 10 }, () => [1, 0]))
  expect(during(40, 10).map((point) => point.slice(1))).toEqual(Array.from({ length: 30 }, () => [0, 1]))
  const { rows } = await sql<{ source: string; newest: boolean }>`
    select source, max(snapshot_at) = ${end} as newest from genesys.live_snapshots group by source order by source`.execute(
    db,
  )
  expect(rows).toEqual([
    { source: 'analytics', newest: true },
    { source: 'history', newest: false },
  ])
})
