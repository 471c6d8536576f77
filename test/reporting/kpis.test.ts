import { sql } from 'kysely'
import { afterAll, afterEach, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { parseJson } from '../../src/model/json.ts'
import { conversation, load } from '../loader/conversations.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
afterEach(async () => {
  await sql`delete from reporting.settings`.execute(warehouse.db)
  await sql`insert into reporting.settings default values`.execute(warehouse.db)
})

async function value(expression: string): Promise<unknown> {
  const { rows } = await sql.raw<{ value: unknown }>(`select ${expression} as value`).execute(warehouse.db)
  return rows[0]!.value
}

test('ratio and seconds take any number and are null without a denominator', async () => {
  expect(await value('reporting.ratio(1::bigint, 4::numeric)')).toBe(0.25)
  expect(await value('reporting.ratio(1, 0)')).toBeNull()
  expect(await value('reporting.ratio(null, 1)')).toBeNull()
  expect(await value('reporting.seconds(90000::bigint, 4)')).toBe(22.5)
  expect(await value('reporting.seconds(0, 0)')).toBeNull()
  expect(await value('pg_typeof(reporting.seconds(1::bigint, 1::bigint))')).toBe('double precision')
})

test.each([
  // abandons, short abandons, flow-outs included; 80 of 100 answered in time, 20 abandoned, 5 of them short, 10 flow-outs
  [true, false, false, 80 / (100 + 20 - 5)],
  [true, true, false, 80 / (100 + 20)],
  [true, false, true, 80 / (100 + 20 - 5 + 10)],
  [true, true, true, 80 / (100 + 20 + 10)],
  [false, false, false, 80 / 100],
  [false, true, false, 80 / 100],
  [false, false, true, 80 / (100 + 10)],
  [false, true, true, 80 / (100 + 10)],
])(
  'the service level with the switches %j, %j, %j is %d, in the function and in the views',
  async (abandons, short, flowOuts, expected) => {
    await sql`update reporting.settings set service_level_includes_abandons = ${abandons},
    service_level_includes_short_abandons = ${short}, service_level_includes_flow_outs = ${flowOuts}`.execute(
      warehouse.db,
    )
    expect(await value('reporting.service_level(100, 20, 20, 5, 10)')).toBeCloseTo(expected, 12)
    expect(await value('reporting.service_level(0, 0, 0, 0, 0)')).toBeNull()
    await sql`insert into etl.queue_intervals (interval_start, key, queue_id, offered, answered, over_service_level, abandoned, short_abandoned, flow_outs)
    values ('2026-03-05T10:00Z', md5('q')::uuid, 'q', 140, 100, 20, 20, 5, 10)`.execute(warehouse.db)
    await sql`insert into etl.stale_days values ('UTC', '2026-03-05')`.execute(warehouse.db)
    for (const view of ['queue_daily', "queue_performance('2026-03-05', '2026-03-06')"])
      expect(await value(`(select service_level from reporting.${view})`)).toBeCloseTo(expected, 12)
    await sql`truncate etl.queue_intervals, etl.stale_days`.execute(warehouse.db)
  },
)

// Groups of genuine aggregates: docs of the metrics say how they add up
test('genuine groups give the numbers that Genesys gives', async () => {
  // voice, outbound: tHandle contains dialing and contacting
  expect(21_563 + 29_509 + 57_910 + 1896).toBe(110_878)
  // messages: 7 of 9 in time, ratio 0.777…; one of ten offered was neither answered nor abandoned
  expect(await value('reporting.service_level(9, 2, 0, 0, 0)')).toBeCloseTo(7 / 9, 12)
  expect(await value('reporting.ratio(9, 10)')).toBe(0.9)
  expect(await value('reporting.seconds(573631707 + 2140692 + 20253985, 10)')).toBeCloseTo(596_026.384 / 10, 6)
  // callbacks: none of four in time
  expect(await value('reporting.service_level(4, 4, 0, 0, 0)')).toBe(0)
})

test.each([
  ["time_zone = 'GMT+2'", /is not a time zone/],
  ["time_zone = 'europe/berlin'", /is not a time zone/],
  ["time_zone = ''", /is not a time zone/],
  ['time_zone = null', /is not a time zone/],
  ['first_day_of_week = 0', /check/],
  ['first_day_of_week = 8', /check/],
  ['settle_days = -1', /check/],
])('the settings refuse %s', async (change, message) => {
  await expect(sql.raw(`update reporting.settings set ${change}`).execute(warehouse.db)).rejects.toThrow(message)
})

test('there is one row of settings, with the defaults of Genesys', async () => {
  const { rows } = await sql`select * from reporting.settings`.execute(warehouse.db)
  expect(rows).toEqual([
    {
      id: true,
      time_zone: 'UTC',
      service_level_includes_abandons: true,
      service_level_includes_short_abandons: false,
      service_level_includes_flow_outs: false,
      first_day_of_week: 1,
      settle_days: 4,
    },
  ])
  await expect(sql`insert into reporting.settings default values`.execute(warehouse.db)).rejects.toThrow(/duplicate/)
})

test('functions of the reports may run in parallel plans', async () => {
  const { rows } = await sql`
    select oid::regprocedure::text as name from pg_proc
    where pronamespace in ('reporting'::regnamespace, 'etl'::regnamespace) and prorettype <> 'trigger'::regtype and proparallel <> 's'`.execute(
    warehouse.db,
  )
  expect(rows).toEqual([])
})

/**
 * Two calls of queue q1 on 5 March 2026. The first: offered at 10:00, answered by u1 after 12 s, talk 60 s, hold 20 s, after-call work
 * 10 s; handled at 10:14 (90 s), a transfer at 10:13. The second: offered at 10:05, abandoned after 40 s.
 */
const at = (time: string): string => `2026-03-05T${time}.000Z`
const metric = (name: string, value: number, time: string) => ({ name, value, emitDate: at(time) })
const session = (queueId: string, start: string, metrics: readonly object[]) => ({
  mediaType: 'voice',
  direction: 'inbound',
  segments: [{ segmentStart: at(start), queueId, segmentType: 'interact' }],
  metrics,
})
const smallOrg = [
  conversation('c1', {
    participants: [
      {
        purpose: 'acd',
        sessions: [session('q1', '10:00:00', [metric('nOffered', 1, '10:00:00'), metric('tAcd', 12_000, '10:00:12')])],
      },
      {
        purpose: 'agent',
        userId: 'u1',
        sessions: [
          session('q1', '10:00:05', [
            metric('tAnswered', 12_000, '10:00:12'),
            metric('tTalkComplete', 60_000, '10:13:50'),
            metric('tHeldComplete', 20_000, '10:13:50'),
            metric('tAcw', 10_000, '10:14:00'),
            metric('tHandle', 90_000, '10:14:00'),
            metric('nTransferred', 1, '10:13:00'),
          ]),
        ],
      },
    ],
  } as never),
  conversation('c2', {
    participants: [
      {
        purpose: 'acd',
        sessions: [
          session('q1', '10:05:00', [
            metric('nOffered', 1, '10:05:00'),
            metric('tAbandon', 40_000, '10:05:40'),
            metric('tAcd', 40_000, '10:05:40'),
          ]),
        ],
      },
    ],
  } as never),
]

test('a small organization, worked out by hand', async () => {
  await load(warehouse, smallOrg, 1)
  const queue = {
    offered: 2,
    answered: 1,
    answer_ms: 12_000,
    answer_ms_max: 12_000,
    abandoned: 1,
    abandon_ms_max: 40_000,
    waits: 2,
    wait_ms: 52_000,
    wait_ms_max: 40_000,
    handled: 1,
    handle_ms: 90_000,
    talk_ms: 60_000,
    hold_ms: 20_000,
    acw_ms: 10_000,
    transferred: 1,
    flow_outs: 0,
    answer_rate: 1 / 2,
    abandon_rate: 1 / 2,
    service_level: 1 / 2,
    average_speed_of_answer_seconds: 12,
    average_wait_seconds: 26,
    average_talk_seconds: 60,
    average_hold_seconds: 20,
    average_acw_seconds: 10,
    average_handle_seconds: 90,
    transfer_rate: 1,
  }
  const agent = {
    user_id: 'u1',
    queue_id: 'q1',
    offered: 0,
    answered: 1,
    handled: 1,
    average_handle_seconds: 90,
    transfer_rate: 1,
  }
  for (const recompute of [false, true]) {
    if (recompute) await recomputeDirtyHours(warehouse)
    for (const [view, expected] of [
      ["queue_daily where day = '2026-03-05'", queue],
      ["queue_performance('2026-03-05T10:00Z', '2026-03-05T10:15Z', '15 minutes')", queue],
      ["agent_daily where day = '2026-03-05'", agent],
      ["agent_performance('2026-03-05', '2026-03-06', '1 month')", agent],
    ] as const) {
      const { rows } = await sql.raw(`select * from reporting.${view}`).execute(warehouse.db)
      expect(rows, view).toEqual([expect.objectContaining(expected)])
    }
  }
})

test('no number that Genesys sends makes the reports fail', async () => {
  const largest = parseJson('9223372036854775807')
  const absurd = ['a', 'b', 'c'].map((id) =>
    conversation(id, {
      participants: [
        {
          purpose: 'agent',
          userId: 'u9',
          sessions: [
            {
              mediaType: 'voice',
              segments: [{ segmentStart: '2026-03-07T10:00:00.000Z', queueId: 'q9' }],
              metrics: [{ name: 'tHandle', value: largest, emitDate: '2026-03-07T10:00:00.000Z' }],
            },
          ],
        },
      ],
    }),
  )
  await load(warehouse, absurd, 2)
  for (const recompute of [false, true]) {
    if (recompute) expect(await recomputeDirtyHours(warehouse)).toMatchObject({ complete: true })
    for (const view of ['queue_intervals', 'agent_daily', "queue_performance('2026-03-07', '2026-03-08')"])
      expect(await value(`(select sum(handled)::int from reporting.${view} where queue_id = 'q9')`)).toBe(3)
    expect(await value("(select handle_ms from reporting.queue_daily where queue_id = 'q9')")).toBe(3n * 10n ** 16n)
  }
})
