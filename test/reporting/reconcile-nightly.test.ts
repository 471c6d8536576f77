import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { createMetrics } from '../../src/metrics.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { dueDays, reconcileDueDays } from '../../src/reporting/reconcile-nightly.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { startTestOrg, type TestOrg } from '../support/simulated-org.ts'

stayClearOfMidnight()

const dayOf = (instant: Date): string => instant.toISOString().slice(0, 10)

describe('the days that are due', () => {
  const now = new Date('2026-11-20T04:45Z')

  test('are the one that has settled and those of the two weeks before it, oldest first', () => {
    const days = dueDays(now, 4, new Set()).map(({ start }) => dayOf(start))
    expect(days).toHaveLength(15)
    expect([days[0], days.at(-1)]).toEqual(['2026-11-02', '2026-11-16'])
  })

  test('are not those that equal Genesys already', () => {
    const equal = new Set(dueDays(now, 4, new Set()).map(({ start }) => dayOf(start)))
    equal.delete('2026-11-10')
    expect(dueDays(now, 4, equal)).toEqual([
      { start: new Date('2026-11-10T00:00Z'), end: new Date('2026-11-11T00:00Z') },
    ])
  })

  test('are over, whatever the settings say', () => {
    expect(dueDays(now, 0, new Set()).at(-1)?.end).toEqual(new Date('2026-11-20T00:00Z'))
  })
})

async function nightly(it: TestOrg): Promise<void> {
  await using dependencies = it.dependencies()
  await reconcileDueDays(dependencies, new AbortController().signal)
}

async function reconciledDays(it: TestOrg): Promise<{ day: string; differences: number }[]> {
  const { rows } = await sql<{ day: string; differences: number }>`
    select day::text, differences from etl.reconciled_days order by day`.execute(it.warehouse.db)
  return rows
}

const history = { filter: {}, lookbackDays: 7, start: null }

test('compares what has settled and what earlier nights missed, once, and again what differed', async () => {
  const now = new Date()
  await using it = await startTestOrg({ now, days: 7, perDay: 30, malformedShare: 0 })
  const day = (age: number): Date => addDays(startOfDay(now), -age)
  await it.backfill({ start: day(6), end: day(1) })
  const changed = it.org.control.changes.begin('inboundCall', +day(5) + 36_000_000)
  await nightly(it)
  const [oldest, differing, settled] = await reconciledDays(it)
  expect([oldest, settled]).toEqual([
    { day: dayOf(day(6)), differences: 0 },
    { day: dayOf(day(4)), differences: 0 },
  ])
  expect(differing?.differences).toBeGreaterThan(0)

  const status = await readStatus(it.warehouse, history)
  expect(status.reconciliation).toMatchObject({ days: 3, newestDay: day(4), missingPermission: null })
  expect(status.reconciliation.differingDays).toEqual([{ day: day(5), differences: differing?.differences }])
  expect(status.state).toBe('failing')
  expect(status.problems[0]).toMatchObject({
    severity: 'trouble',
    title: `Numbers differ from Genesys' own: ${dayOf(day(5))}`,
    hint: expect.stringContaining('When numbers differ'),
  })
  const metrics = createMetrics()
  metrics.setStatus(status)
  expect(await metrics.text()).toContain(
    `genesys_etl_reconciliation_differences{cause="unexpected"} ${differing?.differences}`,
  )
  const { rows } = await sql<{ named: boolean }>`
    select bool_and(${changed} = any(conversations)) as named from etl.reconciliations
    where class = 'missing'`.execute(it.warehouse.db)
  expect(rows).toEqual([{ named: true }])

  await it.backfill({ start: day(5), end: day(4) }, { reload: true })
  const asked = it.org.requests.length
  await nightly(it)
  expect((await reconciledDays(it)).map(({ differences }) => differences)).toEqual([0, 0, 0])
  const aggregates = it.org.requests.slice(asked).filter(({ path }) => path.includes('/aggregates/'))
  expect(aggregates).toHaveLength(1)
  const repaired = await readStatus(it.warehouse, history)
  expect(repaired.reconciliation).toMatchObject({ differences: 0, differingDays: [] })
  expect(repaired.problems.filter(({ severity }) => severity === 'trouble')).toEqual([])

  // nothing is due any more: no request, no run
  const runs = await sql<{ count: number }>`select count(*) from etl.runs where job = 'reconcile'`.execute(
    it.warehouse.db,
  )
  await nightly(it)
  expect(runs.rows).toEqual([{ count: 2 }])
  expect(it.org.requests.slice(asked).filter(({ path }) => path.includes('/aggregates/'))).toHaveLength(1)
})

test('without the permission warns once, and nothing has failed', async () => {
  const now = new Date()
  await using it = await startTestOrg({ now, days: 7, perDay: 5, malformedShare: 0 })
  await it.backfill({ start: addDays(startOfDay(now), -6), end: addDays(startOfDay(now), -3) })
  it.org.control.clients.get(it.org.clientId)!.permissions.delete('analytics:conversationAggregate:view')
  await nightly(it)
  const warnings = it.log.filter((line) => line.includes('numbers are not compared with Genesys'))
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('analytics:conversationAggregate:view')
  const status = await readStatus(it.warehouse, history)
  expect(status.problems.filter(({ severity }) => severity === 'trouble')).toEqual([])
  expect(status.reconciliation.missingPermission).toBe('analytics:conversationAggregate:view')
})

test('does nothing where nothing is loaded', async () => {
  await using it = await startTestOrg({ perDay: 1 })
  await nightly(it)
  const { rows } = await sql`select from etl.runs`.execute(it.warehouse.db)
  expect(rows).toEqual([])
  expect(it.org.requests).toEqual([])
})

test('forgets findings after a quarter, but not that a day was compared', async () => {
  const now = new Date()
  await using it = await startTestOrg({ now, days: 7, perDay: 5, malformedShare: 0 })
  await it.backfill({ start: addDays(startOfDay(now), -5), end: addDays(startOfDay(now), -3) })
  it.org.control.changes.begin('inboundCall', +addDays(startOfDay(now), -5) + 36_000_000)
  await nightly(it)
  await sql`update etl.reconciliations set created_at = now() - interval '93 days'`.execute(it.warehouse.db)
  await nightly(it)
  const { rows } = await sql<{ old: number; all: number }>`
    select count(*) filter (where created_at < now() - interval '92 days')::integer as old, count(*)::integer as all
    from etl.reconciliations`.execute(it.warehouse.db)
  expect(rows[0]?.old).toBe(0)
  expect(rows[0]?.all).toBeGreaterThan(0)
  expect(await reconciledDays(it)).toHaveLength(2)
})
