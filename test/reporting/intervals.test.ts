import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { measures } from '../../src/intervals/measures.ts'
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { conversation, load } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { agentKeys, expectIntervalsEqualEvents, queueKeys } from './event-sums.ts'

const org = await startOrg({ perDay: 200 })
let loaded: TestOrg
beforeAll(async () => {
  loaded = await connectTestOrg(org)
  await loaded.backfill()
})
afterAll(async () => {
  await loaded[Symbol.asyncDispose]()
  await org.close()
})

async function count(it: Pick<TestOrg, 'warehouse'>, from: string): Promise<number> {
  const { rows } = await sql
    .raw<{ count: number }>(`select count(*)::int as count from ${from}`)
    .execute(it.warehouse.db)
  return rows[0]!.count
}

test('the interval views equal the events, while all hours are dirty, some are, and none is', async () => {
  const { warehouse } = loaded
  const dirty = await count(loaded, '(select distinct hour from etl.dirty_hours) d')
  expect(dirty).toBeGreaterThan(50)
  const rows = await expectIntervalsEqualEvents(warehouse)
  expect(rows).toBeGreaterThan(500)
  const stopping = new AbortController()
  // stops somewhere in the middle
  const half = recomputeDirtyHours(warehouse, { signal: stopping.signal })
  await expect
    .poll(() => count(loaded, '(select distinct hour from etl.dirty_hours) d'), { ...patience, interval: 5 })
    .toBeLessThan(dirty / 2)
  stopping.abort()
  await half.catch(() => {})
  expect(await count(loaded, 'etl.dirty_hours')).toBeGreaterThan(0)
  expect(await expectIntervalsEqualEvents(warehouse)).toBe(rows)
  await recomputeDirtyHours(warehouse)
  expect(await count(loaded, 'etl.dirty_hours')).toBe(0)
  expect(await expectIntervalsEqualEvents(warehouse)).toBe(rows)
  expect(await count(loaded, 'etl.queue_intervals')).toBe(rows)
})

test('recomputing an hour that has not changed writes nothing', async () => {
  const { warehouse } = loaded
  await recomputeDirtyHours(warehouse)
  const versions = async () =>
    (
      await sql`select 'q' as t, interval_start, key, xmin::text from etl.queue_intervals union all select 'a', interval_start, key, xmin::text from etl.agent_intervals
        union all select 'd', day::timestamptz, key, xmin::text from etl.queue_days order by 1, 2, 3`.execute(
        warehouse.db,
      )
    ).rows
  const before = await versions()
  await sql`insert into etl.dirty_hours (hour) select distinct date_trunc('hour', interval_start, 'UTC') from etl.queue_intervals`.execute(
    warehouse.db,
  )
  const { hours, days, complete } = await recomputeDirtyHours(warehouse)
  expect({ hours: hours > 50, days: days >= 3, complete }).toEqual({ hours: true, days: true, complete: true })
  expect(await versions()).toEqual(before)
})

test('the views have the columns of the contract, in order', async () => {
  const { rows } = await sql<{ view: string; columns: string[] }>`
    select table_name as view, array_agg(column_name::text order by ordinal_position) as columns
    from information_schema.columns where table_schema = 'reporting' group by 1`.execute(loaded.warehouse.db)
  const columns = Object.fromEntries(rows.map(({ view, columns }) => [view, columns]))
  const counts = measures.map(({ column }) => column)
  const agentKpis = [
    'average_speed_of_answer_seconds',
    'average_wait_seconds',
    'average_talk_seconds',
    'average_hold_seconds',
    'average_acw_seconds',
    'average_handle_seconds',
    'transfer_rate',
  ]
  const queueKpis = ['answer_rate', 'abandon_rate', 'service_level', ...agentKpis]
  const queue = ['queue_id', 'media_type', 'direction', 'queue_name', 'updated_at', ...counts, ...queueKpis]
  const agent = [
    'queue_id',
    'user_id',
    'media_type',
    'direction',
    'queue_name',
    'user_name',
    'team_name',
    'updated_at',
    ...counts,
    ...agentKpis,
  ]
  expect(columns).toMatchObject({
    queue_intervals: ['interval_start', ...queueKeys, 'queue_name', 'updated_at', ...counts],
    agent_intervals: ['interval_start', ...agentKeys, 'queue_name', 'user_name', 'team_name', 'updated_at', ...counts],
    queue_daily: ['day', ...queue],
    agent_daily: ['day', ...agent],
    queue_performance_rows: ['interval_start', 'interval_end', ...queue],
    agent_performance_rows: ['interval_start', 'interval_end', ...agent],
    weekly_handle_time: ['week_start', 'queue_id', 'queue_name', 'media_type', 'handled', 'average_handle_seconds'],
  })
})

test('each row of a view is the only one of its grain', async () => {
  const { warehouse } = loaded
  const grains: Record<string, string> = {
    'reporting.queue_intervals': `interval_start, ${queueKeys.join(', ')}`,
    'reporting.agent_intervals': `interval_start, ${agentKeys.join(', ')}`,
    'reporting.queue_daily': 'day, queue_id, media_type, direction',
    'reporting.agent_daily': 'day, queue_id, user_id, media_type, direction',
    'reporting.weekly_handle_time': 'week_start, queue_id, media_type',
    "reporting.queue_performance('2025-06-10T03:10Z', '2025-06-12T17:20Z')":
      'interval_start, queue_id, media_type, direction',
    "reporting.agent_performance('2025-06-10T03:10Z', '2025-06-12T17:20Z', '1 day')":
      'interval_start, queue_id, user_id, media_type, direction',
  }
  await sql`insert into etl.dirty_hours (hour) values ('2025-06-11T10:00Z'), ('2025-06-11T10:00Z')`.execute(
    warehouse.db,
  )
  for (const [view, grain] of Object.entries(grains)) {
    expect(await count(loaded, view), view).toBeGreaterThan(10)
    expect(await count(loaded, `(select from ${view} group by ${grain} having count(*) > 1) d`), view).toBe(0)
  }
  expect(await count(loaded, 'reporting.metric_events')).toBe(
    await count(loaded, 'genesys.session_metrics where value is not null'),
  )
  await recomputeDirtyHours(warehouse)
})

test('every view, column and function of the reports has a comment', async () => {
  const { rows } = await sql<{ name: string }>`
    select c.oid::regclass::text || coalesce('.' || a.attname, '') as name
    from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'reporting'::regnamespace and c.relkind = 'v'
      and (obj_description(c.oid) is null or col_description(c.oid, a.attnum) is null)
    union all
    select oid::regprocedure::text from pg_proc
    where pronamespace in ('reporting'::regnamespace, 'etl'::regnamespace) and prorettype <> 'trigger'::regtype and obj_description(oid) is null`.execute(
    loaded.warehouse.db,
  )
  expect(rows).toEqual([])
})

test('a reader never sees half of a load or of a recomputation', async () => {
  await using it = await connectTestOrg(org)
  const done = new AbortController()
  const recomputing = (async () => {
    while (!done.signal.aborted) {
      await recomputeDirtyHours(it.warehouse)
      await sleep(5)
    }
  })()
  let reads = 0
  const reading = (async () => {
    for (; !done.signal.aborted; reads++) await expectIntervalsEqualEvents(it.warehouse)
  })()
  await it.backfill()
  await it.backfill(undefined, { reload: true })
  done.abort()
  await Promise.all([recomputing, reading])
  expect(reads).toBeGreaterThan(3)
  await recomputeDirtyHours(it.warehouse)
  await expectIntervalsEqualEvents(it.warehouse)
})

test('a load that commits while its hour is recomputed leaves the hour dirty', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await load(warehouse, [conversation('a')], 1)
  const blocker = await warehouse.connectAlone('blocker')
  // the recomputation has deleted the marks when it waits here
  await blocker.query('begin; lock table etl.queue_intervals in exclusive mode')
  const recomputing = recomputeDirtyHours(warehouse)
  const waiting = `pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%with fresh as%'`
  await expect.poll(() => count({ warehouse }, waiting), patience).toBe(1)
  await load(warehouse, [conversation('b')], 2)
  await blocker.query('rollback')
  await blocker.end()
  await recomputing
  expect(await count({ warehouse }, 'etl.dirty_hours')).toBeGreaterThan(0)
  await expectIntervalsEqualEvents(warehouse)
})

test('one process at a time recomputes', async () => {
  const { warehouse } = loaded
  await sql`insert into etl.dirty_hours (hour) values ('2025-06-11T10:00Z')`.execute(warehouse.db)
  const other = await warehouse.connectAlone('other')
  await other.query('begin; select pg_advisory_xact_lock(7461005)')
  expect(await recomputeDirtyHours(warehouse)).toEqual({ hours: 0, days: 0, complete: false })
  await other.query('rollback')
  await other.end()
  expect(await recomputeDirtyHours(warehouse)).toMatchObject({ hours: 1, complete: true })
})

test('a recomputation that is killed is continued', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill()
  const dirty = await count(it, '(select distinct hour from etl.dirty_hours) d')
  const child = fork(path.join(import.meta.dirname, 'recompute.ts'), [it.databaseUrl])
  const ended = once(child, 'exit')
  await expect
    .poll(() => count(it, '(select distinct hour from etl.dirty_hours) d'), { ...patience, interval: 2 })
    .toBeLessThan(dirty)
  child.kill('SIGKILL')
  await ended
  expect(await count(it, 'etl.dirty_hours')).toBeGreaterThan(0)
  await expectIntervalsEqualEvents(it.warehouse)
  await recomputeDirtyHours(it.warehouse)
  expect(await count(it, 'etl.dirty_hours')).toBe(0)
  await expectIntervalsEqualEvents(it.warehouse)
})

test('intervals before what is filled, and of media types that are not loaded, are not shown', async () => {
  const { warehouse } = loaded
  await recomputeDirtyHours(warehouse)
  const seen = () =>
    sql<{ first: Date; types: string[]; days: string }>`
    select min(interval_start) as first, array_agg(distinct media_type order by media_type) as types,
      (select min(day)::text || ' ' || sum(offered) from reporting.queue_daily) as days,
      sum(offered) as offered from reporting.queue_intervals`.execute(warehouse.db)
  try {
    await sql`insert into etl.dirty_hours (hour) values ('2025-06-10T10:00Z'), ('2025-06-11T10:00Z')`.execute(
      warehouse.db,
    )
    await sql`update etl.derivation set shown_from = '2025-06-11', media_types = '{voice,chat}'`.execute(warehouse.db)
    const [row] = (await seen()).rows
    expect(row).toMatchObject({ types: ['chat', 'voice'] })
    expect(+row!.first).toBeGreaterThanOrEqual(Date.parse('2025-06-11'))
    const { offered } = row as unknown as { offered: string }
    expect(row!.days).toBe(`2025-06-11 ${offered}`)
    // a local day of which a part is shown
    await sql`update reporting.settings set time_zone = 'Asia/Tokyo'`.execute(warehouse.db)
    expect((await seen()).rows[0]!.days).toBe(`2025-06-11 ${offered}`)
    await recomputeDirtyHours(warehouse)
    expect((await seen()).rows[0]!.days).toBe(`2025-06-11 ${offered}`)
    await sql`update etl.derivation set shown_from = 'infinity'`.execute(warehouse.db)
    expect((await seen()).rows[0]).toMatchObject({ first: null, days: null })
  } finally {
    await sql`update etl.derivation set shown_from = '-infinity', media_types = null`.execute(warehouse.db)
    await sql`update reporting.settings set time_zone = 'UTC'`.execute(warehouse.db)
  }
})
