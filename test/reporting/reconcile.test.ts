import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { addDays, splitByDay, startOfDay, type Interval } from '../../src/model/interval.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { isExpected, type ClassifiedDifference } from '../../src/reporting/classify.ts'
import { reconcileDays, type Reconciliation } from '../../src/reporting/reconcile.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { startTestOrg, threeDays, type RunOverrides, type TestOrg } from '../support/simulated-org.ts'

const never = new AbortController().signal
const day: Interval = { start: new Date('2025-06-11T00:00Z'), end: new Date('2025-06-12T00:00Z') }

/** Compares three days, as the command does. */
async function reconcile(
  it: TestOrg,
  options: RunOverrides & { readonly byUser?: boolean; readonly range?: Interval } = {},
): Promise<Reconciliation> {
  const { byUser = false, range = threeDays, ...overrides } = options
  await using dependencies = it.dependencies(overrides)
  return await reconcileDays(dependencies, { days: splitByDay(range), byUser }, 'manual', never)
}

function faultsOf({ differences }: Reconciliation): ClassifiedDifference[] {
  return differences.filter((difference) => !isExpected(difference.class))
}

/** The ids that are named with differences. */
function named(differences: readonly ClassifiedDifference[], cause: string): string[] {
  const ids = differences.flatMap(({ conversations }) =>
    conversations.filter((each) => each.cause === cause).map(({ conversationId }) => conversationId),
  )
  return [...new Set(ids)].sort()
}

/** Conversations with handle time on the day, as the tables have them, by id. */
async function handled(it: TestOrg, condition = sql`true`): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select distinct c.conversation_id as id from etl.interval_cells c
    join genesys.conversations g using (conversation_id, conversation_start)
    where c.handled > 0 and c.interval_start >= ${day.start} and c.interval_start < ${day.end}
      and c.conversation_start >= ${day.start} and ${condition}
    order by 1`.execute(it.warehouse.db)
  return rows.map(({ id }) => id)
}

/** Adds a second to the handle times of a conversation at Genesys; nothing is loaded. */
function changeAtGenesys(it: TestOrg, id: string): void {
  const record = structuredClone(
    it.org.truth().find((each) => (each as { conversationId?: unknown }).conversationId === id),
  ) as { participants: { sessions?: { metrics?: { name: string; value: number }[] }[] }[] }
  const metrics = record.participants.flatMap(({ sessions = [] }) => sessions.flatMap((each) => each.metrics ?? []))
  for (const metric of metrics) if (metric.name === 'tHandle') metric.value += 1000
  it.org.control.changes.replace(id, record)
}

interface StoredDay {
  day: string
  differences: number
  expected: number
}

async function storedDays(it: TestOrg): Promise<StoredDay[]> {
  const { rows } = await sql<StoredDay>`
    select day::text, differences, expected from etl.reconciled_days order by day`.execute(it.warehouse.db)
  return rows
}

describe('an organization whose records are loaded', () => {
  test('has no difference, by queue, media type and user, whatever is wrong with its records', async () => {
    await using it = await startTestOrg()
    await it.backfill()
    const found = await reconcile(it, { byUser: true })
    expect(found).toMatchObject({ skipped: [], differences: [], classes: {} })
    expect(found.days.map(({ cells }) => cells > 100)).toEqual([true, true, true])
    expect(found.serviceLevel).toMatchObject({ differing: [], contradicted: 0 })
    const { rows } =
      await sql`select day::text, differences from reporting.freshness where reconciled_at is not null order by day`.execute(
        it.warehouse.db,
      )
    expect(rows).toEqual(['2025-06-10', '2025-06-11', '2025-06-12'].map((date) => ({ day: date, differences: 0 })))
    expect(await storedDays(it)).toEqual(
      ['2025-06-10', '2025-06-11', '2025-06-12'].map((date) => ({ day: date, differences: 0, expected: 0 })),
    )
  })

  test('has none either when the aggregates come in parts', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    it.org.control.set({ aggregateCellLimit: 150 })
    const before = it.org.requests.length
    expect(await reconcile(it, { range: day })).toMatchObject({ skipped: [], differences: [] })
    const asked = it.org.requests.slice(before).filter(({ path }) => path.includes('/aggregates/'))
    expect(asked.length).toBeGreaterThan(3)
    expect(asked.some(({ status }) => status === 413)).toBe(true)
  })

  test('compares parts of days, which say nothing about the day', async () => {
    await using it = await startTestOrg()
    await it.backfill()
    const morning = { start: day.start, end: new Date('2025-06-11T09:30Z') }
    expect(await reconcile(it, { range: morning })).toMatchObject({ days: [{ day: morning }], differences: [] })
    expect(await storedDays(it)).toEqual([])
  })
})

describe('a difference', () => {
  test('of a conversation that has changed at Genesys is found, and names it', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    const [id = ''] = await handled(it)
    changeAtGenesys(it, id)
    const found = await reconcile(it, { byUser: true })
    const faults = faultsOf(found)
    expect(new Set(faults.map(({ metric, statistic, class: why }) => `${metric}.${statistic} ${why}`))).toEqual(
      new Set(['tHandle.sum changed']),
    )
    expect(faults.every(({ ours, theirs }) => theirs > ours)).toBe(true)
    expect(faults.some(({ key }) => key.userId !== null)).toBe(true)
    expect(named(faults, 'changed')).toEqual([id])
    for (const { conversations } of faults) expect(conversations[0]).toEqual({ conversationId: id, cause: 'changed' })
    const { rows } = await sql<{ class: string; metric: string; first: string }>`
      select distinct class, metric, conversations[1] as first from etl.reconciliations`.execute(it.warehouse.db)
    expect(rows).toEqual([{ class: 'changed', metric: 'tHandle', first: id }])
    expect((await storedDays(it)).map(({ differences }) => differences > 0)).toEqual([false, true, false])

    // once loaded, the numbers are equal again
    await it.backfill(day, { reload: true })
    expect(await reconcile(it)).toMatchObject({ differences: [] })
    expect((await storedDays(it)).map(({ differences }) => differences)).toEqual([0, 0, 0])
  })

  test('of a metric that was altered in the tables is found, and names its conversation', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    const [id = ''] = await handled(it)
    await sql`
      update etl.interval_cells set handle_ms = handle_ms - 1
      where conversation_id = ${id} and handle_ms > 0 and interval_start >= ${day.start} and interval_start < ${day.end}`.execute(
      it.warehouse.db,
    )
    const faults = faultsOf(await reconcile(it))
    expect(faults.length).toBeGreaterThan(0)
    expect(new Set(faults.map(({ metric, class: why }) => `${metric} ${why}`))).toEqual(new Set(['tHandle changed']))
    expect(named(faults, 'changed')).toEqual([id])
  })

  test('of a conversation that is not in the tables names it', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    const id = it.org.control.changes.begin('inboundCall', Date.parse('2025-06-11T09:00:00.000Z'))
    const found = await reconcile(it)
    const faults = faultsOf(found)
    expect(faults.length).toBeGreaterThan(0)
    expect(new Set(faults.map(({ class: why }) => why))).toEqual(new Set(['missing']))
    expect(named(faults, 'missing')).toEqual([id])
    expect(found.classes).toEqual({ missing: faults.length })
  })

  test('of the rollups alone is unexplained, and names those with a metric in the cell', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    await recomputeDirtyHours(it.warehouse)
    const { rows } = await sql<{ start: Date; queue: string | null; media: string | null }>`
      update etl.queue_intervals set acw_ms = acw_ms + 5 where (interval_start, key) = (
        select interval_start, key from etl.queue_intervals
        where acw_ms > 0 and interval_start >= ${day.start} and interval_start < ${day.end} order by 1, 2 limit 1)
      returning interval_start as start, queue_id as queue, media_type as media`.execute(it.warehouse.db)
    const faults = faultsOf(await reconcile(it))
    expect(faults).toMatchObject([{ metric: 'tAcw', statistic: 'sum', class: 'unexplained' }])
    const [{ conversations, key }] = faults as [ClassifiedDifference]
    expect(key).toMatchObject({ queueId: rows[0]!.queue, mediaType: rows[0]!.media })
    expect(conversations.length).toBeGreaterThan(0)
    expect(new Set(conversations.map(({ cause }) => cause))).toEqual(new Set(['in_cell']))
  })
})

describe('an expected difference is no fault:', () => {
  test('conversations that began before the first loaded day', async () => {
    await using it = await startTestOrg({ malformedShare: 0, days: 8 })
    await it.backfill(threeDays)
    const id = it.org.control.changes.begin('inboundCall', Date.parse('2025-06-09T23:58:30.000Z'))
    const found = await reconcile(it)
    expect(faultsOf(found)).toEqual([])
    expect(found.classes.before_first_day).toBeGreaterThan(0)
    expect(named(found.differences, 'before_first_day')).toContain(id)
    // what is missing from a loaded day stays a fault
    const missing = it.org.control.changes.begin('inboundCall', Date.parse('2025-06-10T00:05:00.000Z'))
    expect(named(faultsOf(await reconcile(it)), 'missing')).toEqual([missing])
  })

  test('conversations that Genesys does not have any more', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    const [id = ''] = await handled(it)
    it.org.control.changes.remove(id)
    const found = await reconcile(it)
    expect(faultsOf(found)).toEqual([])
    expect(Object.keys(found.classes)).toEqual(['erased'])
    expect(named(found.differences, 'erased')).toEqual([id])
  })

  test('conversations of divisions that the client does not see any more, but not what has changed in those that it sees', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    const client = it.org.control.clients.get(it.org.clientId)!
    const [, visible] = it.org.org.divisions
    client.divisions = new Set([visible!.id])
    const found = await reconcile(it)
    expect(faultsOf(found)).toEqual([])
    expect(Object.keys(found.classes)).toEqual(['division'])
    const [id = ''] = await handled(it, sql`${visible!.id} = any(g.division_ids)`)
    changeAtGenesys(it, id)
    expect(named(faultsOf(await reconcile(it)), 'changed')).toEqual([id])
  })

  test('what the filters of the history leave out', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    const settings = { filter: { minDurationSeconds: 240 } }
    await it.backfill(threeDays, { settings })
    const found = await reconcile(it, { settings })
    expect(faultsOf(found)).toEqual([])
    expect(found.classes.filter).toBeGreaterThan(0)
  })

  test.each([
    { mediaTypes: ['email', 'voice'] },
    { direction: 'inbound' as const },
    { mediaTypes: ['voice'], direction: 'outbound' as const },
  ])('media types and directions that are filtered make none at all: %o', async (filter) => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await sql`update etl.derivation set media_types = ${filter.mediaTypes ?? null}::text[]`.execute(it.warehouse.db)
    await it.backfill(threeDays, { settings: { filter } })
    const found = await reconcile(it, { settings: { filter } })
    expect(found).toMatchObject({ skipped: [], differences: [] })
    expect(found.days.every(({ cells }) => cells > 0)).toBe(true)
  })
})

describe('the service level', () => {
  test('of other switches names the columns that differ, is compared under them, and is no fault', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    it.org.control.set({ serviceLevelIncludesShortAbandons: true, serviceLevelIncludesFlowOuts: true })
    const { differences, serviceLevel } = await reconcile(it)
    expect(differences).toEqual([])
    expect(serviceLevel).toMatchObject({
      switches: {
        service_level_includes_abandons: true,
        service_level_includes_short_abandons: true,
        service_level_includes_flow_outs: true,
      },
      differing: ['service_level_includes_short_abandons', 'service_level_includes_flow_outs'],
      contradicted: 0,
    })
    await sql`update reporting.settings set service_level_includes_short_abandons = true, service_level_includes_flow_outs = true`.execute(
      it.warehouse.db,
    )
    expect((await reconcile(it)).serviceLevel.differing).toEqual([])
  })

  test('without abandons leaves open what nothing tells', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    it.org.control.set({ serviceLevelIncludesAbandons: false })
    const { differences, serviceLevel } = await reconcile(it)
    expect(differences).toEqual([])
    expect(serviceLevel).toMatchObject({
      switches: { service_level_includes_abandons: false, service_level_includes_short_abandons: null },
      differing: ['service_level_includes_abandons'],
    })
  })
})

describe('a day', () => {
  test('that is not loaded, not over or not derived is left out, and named', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill({ start: threeDays.start, end: day.start })
    await it.backfill({ start: day.end, end: threeDays.end })
    const found = await reconcile(it)
    expect(found.days).toHaveLength(2)
    expect(found.skipped).toEqual([{ day, reason: 'it is not loaded completely' }])

    await sql`update etl.derivation set shown_from = ${day.end}`.execute(it.warehouse.db)
    const [first, ...others] = (await reconcile(it)).skipped
    expect(first?.reason).toBe('its reporting rows are not filled yet')
    expect(others).toHaveLength(1)

    await sql`update etl.derivation set shown_from = '-infinity'`.execute(it.warehouse.db)
    await sql`
      update etl.conversations set derived_hash = null where conversation_id = (
        select conversation_id from etl.conversations where conversation_start >= ${day.end} limit 1)`.execute(
      it.warehouse.db,
    )
    expect((await reconcile(it)).skipped.map(({ reason }) => reason)).toEqual([
      'it is not loaded completely',
      'the reporting rows of 1 of its conversations are being brought up to date',
    ])
    const tomorrow = { start: addDays(startOfDay(new Date()), 1), end: addDays(startOfDay(new Date()), 2) }
    expect((await reconcile(it, { range: tomorrow })).skipped).toEqual([
      { day: tomorrow, reason: 'it is not over yet' },
    ])
  })
})

describe('without the permission', () => {
  test('the comparison says so, and the run is no failure', async () => {
    await using it = await startTestOrg({ malformedShare: 0 })
    await it.backfill()
    it.org.control.clients.get(it.org.clientId)!.permissions.delete('analytics:conversationAggregate:view')
    await expect(reconcile(it)).rejects.toMatchObject({
      code: 'GENESYS_FORBIDDEN',
      kind: 'fatal',
      hint: expect.stringContaining('analytics:conversationAggregate:view'),
    })
    const status = await readStatus(it.warehouse, { filter: {}, lookbackDays: 3, start: null })
    expect(status.jobs.find(({ job }) => job === 'reconcile')).toMatchObject({ failuresInARow: 0 })
    expect(status.reconciliation.missingPermission).toBe('analytics:conversationAggregate:view')
    expect(status.problems).toContainEqual(
      expect.objectContaining({ severity: 'notice', title: 'Numbers are not compared with Genesys' }),
    )
    it.org.control.clients.get(it.org.clientId)!.permissions.add('analytics:conversationAggregate:view')
    await reconcile(it)
    const after = await readStatus(it.warehouse, { filter: {}, lookbackDays: 3, start: null })
    expect(after.reconciliation).toMatchObject({ missingPermission: null, days: 3, differences: 0 })
  })
})
