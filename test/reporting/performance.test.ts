import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { conversation, load } from '../loader/conversations.ts'
import { createFileDatabase } from '../support/database.ts'
import { localDates, localPeriods, weekStart } from './local-periods.ts'

const HOUR_MS = 3_600_000
/** Both changes of the clocks of each zone in 2025, and days without one. */
const CHANGES = {
  'America/New_York': ['2025-03-09', '2025-11-02'],
  'Europe/Berlin': ['2025-03-30', '2025-10-26'],
  'Australia/Lord_Howe': ['2025-04-06', '2025-10-05'],
  'Pacific/Chatham': ['2025-04-06', '2025-09-28'],
  // its clocks go back to a second midnight, and forward at midnight
  'America/Havana': ['2025-03-09', '2025-11-02'],
} as const
const ZONES = ['UTC', 'Asia/Kolkata', 'Asia/Kathmandu', ...Object.keys(CHANGES)]
const GRANULARITIES = ['15 minutes', '30 minutes', '1 hour', '1 day', '1 week', '1 month']

interface Event {
  readonly at: number
  readonly queue: string
  readonly user: string
  readonly mediaType: string
  readonly handleMs: number
}

/** One handled conversation per quarter hour or so, around every change. */
const events: Event[] = [...new Set(Object.values(CHANGES).flat())].flatMap((day) =>
  Array.from({ length: 120 }, (_, i) => {
    const random = (what: string) => hashFraction(`${day}/${i}/${what}`)
    return {
      at: Date.parse(day) - 36 * HOUR_MS + Math.floor(random('at') * 96 * HOUR_MS),
      queue: `q${Math.floor(random('queue') * 2)}`,
      user: `u${Math.floor(random('user') * 3)}`,
      mediaType: random('media') < 0.8 ? 'voice' : 'chat',
      handleMs: Math.floor(random('ms') * 600_000),
    }
  }),
)

const database = await createFileDatabase()
const warehouse = connect(database.url)
beforeAll(async () => {
  const raw = events.map(({ at, queue, user, mediaType, handleMs }, i) => {
    const emitDate = new Date(at).toISOString()
    return conversation(`c${i}`, {
      conversationStart: new Date(at - HOUR_MS).toISOString(),
      participants: [
        {
          purpose: 'agent',
          userId: user,
          sessions: [
            {
              mediaType,
              direction: 'inbound',
              segments: [{ segmentStart: new Date(at - HOUR_MS).toISOString(), queueId: queue }],
              metrics: [
                { name: 'tHandle', value: handleMs, emitDate },
                { name: 'nTransferred', value: 1, emitDate },
              ],
            },
          ],
        },
      ],
    })
  })
  await load(warehouse, raw, 1)
  await recomputeDirtyHours(warehouse)
}, 120_000)
afterAll(() => warehouse.close())

async function useSettings(zone: string, firstDayOfWeek = 1): Promise<void> {
  await sql`update reporting.settings set time_zone = ${zone}, first_day_of_week = ${firstDayOfWeek}`.execute(
    warehouse.db,
  )
}

/** Sums by a name of their group. */
type Sums = Record<string, { handled: number; handle_ms: number; handle_ms_max: number }>

function add(sums: Sums, name: string, { handleMs }: Event): void {
  const { handled, handle_ms, handle_ms_max } = sums[name] ?? { handled: 0, handle_ms: 0, handle_ms_max: 0 }
  sums[name] = {
    handled: handled + 1,
    handle_ms: handle_ms + handleMs,
    handle_ms_max: Math.max(handle_ms_max, handleMs),
  }
}

function expectedPerformance(
  zone: string,
  from: number,
  to: number,
  granularity: string,
  firstDayOfWeek: number,
): Sums {
  const periodAt = localPeriods(zone, granularity, firstDayOfWeek)
  const sums: Sums = {}
  for (const event of events) {
    const interval = Math.floor(event.at / 900_000) * 900_000
    if (interval < from || interval >= to) continue
    const { start, end } = periodAt(interval)
    const bounds = [Math.max(start, from), Math.min(end, to)].map((t) => new Date(t).toISOString()).join('/')
    add(sums, `${bounds} ${event.queue} ${event.mediaType}`, event)
  }
  return sums
}

async function performance(view: 'queue' | 'agent', from: number, to: number, granularity: string): Promise<Sums> {
  const { rows } = await sql<Record<string, string> & Sums[string]>`
    select to_json(interval_start at time zone 'UTC')#>>'{}' || '/' || (to_json(interval_end at time zone 'UTC')#>>'{}') as bounds,
      queue_id || ' ' || media_type as keys, sum(handled)::int as handled, sum(handle_ms)::int as handle_ms,
      max(handle_ms_max)::int as handle_ms_max
    from ${sql.raw(`reporting.${view}_performance`)}(${new Date(from).toISOString()}::timestamptz, ${new Date(to).toISOString()}::timestamptz, ${granularity})
    group by 1, 2`.execute(warehouse.db)
  const iso = (text: string) =>
    text
      .split('/')
      .map((part) => new Date(`${part}Z`).toISOString())
      .join('/')
  return Object.fromEntries(
    rows.map(({ bounds, keys, handled, handle_ms, handle_ms_max }) => [
      `${iso(bounds!)} ${keys}`,
      { handled, handle_ms, handle_ms_max },
    ]),
  )
}

async function expectEverythingEqual(zone: string, firstDayOfWeek: number): Promise<void> {
  const year: [number, number] = [Date.parse('2025-01-01'), Date.parse('2026-01-01')]
  // in the middle of days, and of intervals
  const ranges = [
    year,
    [Date.parse('2025-03-30T00:07:00Z'), Date.parse('2025-10-26T02:40:00Z')],
    [Date.parse('2025-04-05T14:30:00Z'), Date.parse('2025-04-05T15:15:00Z')],
    [Date.parse('2025-11-02T03:00:00Z'), Date.parse('2025-11-02T12:10:00Z')],
  ] as const
  for (const granularity of GRANULARITIES) {
    for (const [from, to] of ranges) {
      const expected = expectedPerformance(zone, from, to, granularity, firstDayOfWeek)
      expect(await performance('queue', from, to, granularity)).toEqual(expected)
      if (granularity === '30 minutes' || granularity === '1 week')
        expect(await performance('agent', from, to, granularity)).toEqual(expected)
    }
  }
  await expectDailyEqual(zone, firstDayOfWeek)
}

async function expectDailyEqual(zone: string, firstDayOfWeek: number): Promise<void> {
  const dateOf = localDates(zone)
  const byDay: Sums = {}
  const byWeek: Sums = {}
  for (const event of events) {
    const date = dateOf(event.at)
    add(byDay, `${date} ${event.queue} ${event.user} ${event.mediaType}`, event)
    add(byWeek, `${weekStart(date, firstDayOfWeek)} ${event.queue} ${event.mediaType}`, event)
  }
  const daily = await sql<{ name: string } & Sums[string]>`
    select concat_ws(' ', day, queue_id, user_id, media_type) as name, handled, handle_ms, handle_ms_max
    from reporting.agent_daily`.execute(warehouse.db)
  expect(Object.fromEntries(daily.rows.map(({ name, ...sums }) => [name, sums]))).toEqual(byDay)
  const queues = await sql<{ days: number; handled: number }>`
    select count(distinct day)::int as days, sum(handled)::int as handled from reporting.queue_daily`.execute(
    warehouse.db,
  )
  expect(queues.rows).toEqual([
    { days: new Set(Object.keys(byDay).map((name) => name.slice(0, 10))).size, handled: events.length },
  ])
  const weekly = await sql<{ name: string; handled: number; seconds: number }>`
    select concat_ws(' ', week_start, queue_id, media_type) as name, handled, average_handle_seconds as seconds
    from reporting.weekly_handle_time`.execute(warehouse.db)
  expect(Object.fromEntries(weekly.rows.map(({ name, ...row }) => [name, row]))).toEqual(
    Object.fromEntries(
      Object.entries(byWeek).map(([name, { handled, handle_ms }]) => [
        name,
        { handled, seconds: handle_ms / handled / 1000 },
      ]),
    ),
  )
}

/** Every period between two instants, cut at both, by brute force. */
function expectedSeries(zone: string, from: number, to: number, granularity: string, firstDayOfWeek: number): string[] {
  const periodAt = localPeriods(zone, granularity, firstDayOfWeek)
  const bounds: string[] = []
  for (let at = from; at < to;) {
    const { start, end } = periodAt(Math.floor(at / 900_000) * 900_000)
    bounds.push(`${new Date(Math.max(start, from)).toISOString()}/${new Date(Math.min(end, to)).toISOString()}`)
    at = end
  }
  return bounds
}

async function series(from: number, to: number, granularity: string): Promise<string[]> {
  const { rows } = await sql<{ start: Date; end: Date }>`
    select interval_start as start, interval_end as "end"
    from reporting.interval_series(${new Date(from).toISOString()}::timestamptz, ${new Date(to).toISOString()}::timestamptz, ${granularity})`.execute(
    warehouse.db,
  )
  return rows.map(({ start, end }) => `${start.toISOString()}/${end.toISOString()}`)
}

describe.each(ZONES)('in %s', (zone) => {
  test.each([1, 7])('a series has every period, in order, with weeks from day %d', async (firstDayOfWeek) => {
    await useSettings(zone, firstDayOfWeek)
    const ranges = [
      [Date.parse('2025-03-08T04:50:00Z'), Date.parse('2025-04-07T00:07:11Z')],
      [Date.parse('2025-09-27T15:00:00Z'), Date.parse('2025-11-03T12:10:00Z')],
    ] as const
    for (const granularity of GRANULARITIES) {
      for (const [from, to] of ranges) {
        const expected = expectedSeries(zone, from, to, granularity, firstDayOfWeek)
        expect(await series(from, to, granularity)).toEqual(expected)
        const known = new Set(expected)
        const performed = await performance('queue', from, to, granularity)
        const bounds = Object.keys(performed).map((name) => name.split(' ')[0]!)
        expect(bounds.filter((each) => !known.has(each))).toEqual([])
      }
    }
  })

  test('days and performance are right at once after the zone was set, and after the days were recomputed', async () => {
    await useSettings(zone)
    await expectEverythingEqual(zone, 1)
    await recomputeDirtyHours(warehouse)
    const { rows } = await sql<{ zones: string[] }>`
      select array_agg(distinct time_zone) as zones from etl.agent_days`.execute(warehouse.db)
    expect(rows).toEqual([{ zones: [zone] }])
    await useSettings(zone, 7)
    await expectEverythingEqual(zone, 7)
  }, 120_000)
})

test('days that an hour has changed are right before and after they are recomputed', async () => {
  const zone = 'Asia/Kolkata'
  await useSettings(zone)
  await recomputeDirtyHours(warehouse)
  await sql`insert into etl.dirty_hours (hour) values ('2025-03-29T18:00Z'), ('2025-11-02T04:00Z')`.execute(
    warehouse.db,
  )
  await sql`update etl.queue_intervals set handled = 1000 where date_trunc('hour', interval_start, 'UTC') in ('2025-03-29T18:00Z', '2025-11-02T04:00Z')`.execute(
    warehouse.db,
  )
  await expectDailyEqual(zone, 1)
  await recomputeDirtyHours(warehouse)
  await expectDailyEqual(zone, 1)
})

test('a day has as many half hours as it has, and steps neither overlap nor cross a midnight', async () => {
  await sql`
    insert into etl.queue_intervals (interval_start, key, offered)
    select t, md5('made up')::uuid, 1 from generate_series('2025-03-01'::timestamptz, '2025-11-10', interval '15 minutes') t`.execute(
    warehouse.db,
  )
  const halfHours = async (zone: string, day: string, step = '30 minutes') => {
    await useSettings(zone)
    const { rows } = await sql<{ steps: number; seconds: number; offered: number }>`
      select count(*)::int as steps, extract(epoch from sum(interval_end - interval_start))::int as seconds, sum(offered)::int as offered
      from reporting.queue_performance(${day}::timestamp at time zone ${zone}, (${day}::date + 1)::timestamp at time zone ${zone}, ${step})
      where queue_id is null`.execute(warehouse.db)
    const { steps, seconds, offered } = rows[0]!
    // without gaps and overlaps, every quarter hour in one step
    expect(seconds).toBe(offered * 900)
    return steps
  }
  expect(await halfHours('America/New_York', '2025-03-09')).toBe(46)
  expect(await halfHours('America/New_York', '2025-03-10')).toBe(48)
  expect(await halfHours('America/New_York', '2025-11-02')).toBe(50)
  expect(await halfHours('Australia/Lord_Howe', '2025-10-05')).toBe(47)
  expect(await halfHours('Australia/Lord_Howe', '2025-04-06')).toBe(49)
  // 23½ and 24½ hours
  expect(await halfHours('Australia/Lord_Howe', '2025-10-05', '1 hour')).toBe(24)
  expect(await halfHours('Australia/Lord_Howe', '2025-04-06', '1 hour')).toBe(25)
  await sql`delete from etl.queue_intervals where key = md5('made up')::uuid`.execute(warehouse.db)
})

test.each(['2 hours', '', '30 MINUTES', '1 year', null])(
  'refuses the granularity %j and names the six',
  async (granularity) => {
    for (const name of ['queue_performance', 'agent_performance', 'interval_series'])
      await expect(
        sql`select * from ${sql.raw(`reporting.${name}`)}('2025-01-01', '2025-01-02', ${granularity}::text)`.execute(
          warehouse.db,
        ),
      ).rejects.toThrow(/15 minutes, 30 minutes, 1 hour, 1 day, 1 week and 1 month/)
  },
)

test('an empty range, and one far from everything stored, have no rows', async () => {
  const ranges = [
    ['2025-03-30', '2025-03-30'],
    ['2025-03-31', '2025-03-30'],
    ['0001-01-01', '1900-01-01'],
    ['2100-01-01', '9999-01-01'],
  ]
  for (const [from, to] of ranges) {
    for (const granularity of ['1 hour', '1 day', '1 month']) {
      const { rows } = await sql`
        select from reporting.queue_performance(${from}::timestamptz, ${to}::timestamptz, ${granularity})`.execute(
        warehouse.db,
      )
      expect(rows).toEqual([])
    }
  }
  expect(await series(Date.parse('2025-03-30'), Date.parse('2025-03-30'), '1 hour')).toEqual([])
  expect(await series(Date.parse('2025-03-31'), Date.parse('2025-03-30'), '1 day')).toEqual([])
  await expect(
    sql`select * from reporting.interval_series('-infinity', '2025-03-30', '1 day')`.execute(warehouse.db),
  ).rejects.toThrow(/two finite times/)
  await useSettings('UTC')
  const { rows } = await sql<{ handled: number }>`
    select sum(handled)::int as handled from reporting.queue_performance('-infinity', 'infinity', '1 day')`.execute(
    warehouse.db,
  )
  expect(rows).toEqual([{ handled: events.length }])
})
