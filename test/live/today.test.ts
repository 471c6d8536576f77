/** The figures of the local day that the live job keeps for the wallboard. */
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { createGenesysClient } from '../../src/genesys/client.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { createTodayRefresher } from '../../src/live/today.ts'
import { figuresOf, type DayFigures } from '../../src/live/today-figures.ts'
import { selectLocalDay, selectToday } from '../../src/live/today-store.ts'
import { selectWallboard } from '../../src/live/wallboard.ts'
import { createLogger } from '../../src/log.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { conversation, load } from '../loader/conversations.ts'
import { json } from '../support/fake-server.ts'
import { startLiveOrg, type LiveOrg } from '../support/live-org.ts'

const never = new AbortController().signal
const minute = 60_000
const list = (value: unknown): Json[] => (value ?? []) as Json[]

/** A time zone in which it is between noon and one o'clock at an instant, so that no test depends on the hour. */
function noonZone(at: Date): string {
  const ahead = 12 - at.getUTCHours()
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
}
async function setTimeZone(warehouse: Warehouse, timeZone: string): Promise<void> {
  await sql`update reporting.settings set time_zone = ${timeZone}`.execute(warehouse.db)
}
const asked = (org: LiveOrg): number => org.requests.filter((what) => what === 'aggregates').length

/** Answers the aggregates query, or refuses it. */
function answerAggregates(org: LiveOrg, results: readonly unknown[] | number): void {
  org.interfere = (request, what) => {
    if (what !== 'aggregates') return false
    const body = typeof results === 'number' ? { status: results, code: 'x', message: 'no' } : { results }
    return (json(request, body, typeof results === 'number' ? results : 200), true)
  }
}
const group = (queueId: string | undefined, offered: number): unknown => ({
  group: queueId === undefined ? {} : { queueId },
  data: [
    {
      interval: '',
      metrics: [
        { metric: 'nOffered', stats: { count: offered } },
        { metric: 'oServiceLevel', stats: { ratio: 0.5, numerator: 1, denominator: 2, target: 0.8 } },
        { metric: 'tAbandon', stats: { count: 1, sum: 9_000, min: 9_000, max: 9_000 } },
        { metric: 'tAnswered', stats: { count: 2, sum: 30_000, min: 10_000, max: 20_000 } },
      ],
    },
  ],
})

/** The same with the interval that is asked for. */
function answerGroups(org: LiveOrg, ...groups: readonly unknown[]): void {
  org.interfere = (request, what) => {
    if (what !== 'aggregates') return false
    const { interval } = JSON.parse(request.body) as { interval: string }
    const results = JSON.parse(
      JSON.stringify(groups).replaceAll('"interval":""', `"interval":"${interval}"`),
    ) as unknown
    return (json(request, { results }), true)
  }
}

const figures = (queueId: string | null, offered: number, times = 1): DayFigures => ({
  queueId,
  offered,
  answered: 2 * times,
  answerMs: 30_000 * times,
  abandoned: times,
  answeredInTime: times,
  serviceLevelContacts: 2 * times,
})

describe('the figures of the day', () => {
  test('are those of Genesys from the local midnight on, as the organization counts them', async () => {
    const now = new Date()
    await using org = await startLiveOrg()
    await using simulator = await startSimulator({
      seed: 8,
      now,
      days: 1,
      perDay: 0,
      rateLimit: { requestsPerMinute: Number.POSITIVE_INFINITY },
    })
    for (let index = 0; index < 240; index++)
      simulator.control.changes.begin('inboundCall', +now - (240 - index) * 4 * minute)
    simulator.control.set({ serviceLevelIncludesFlowOuts: true })
    await setTimeZone(org.warehouse, noonZone(now))
    const genesys = createGenesysClient({
      apiUrl: simulator.url,
      loginUrl: simulator.url,
      credentials: { clientId: simulator.clientId, clientSecret: simulator.clientSecret },
      limiter: createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY }),
      logger: createLogger('silent'),
      proxyEnv: {},
    })
    const refresh = createTodayRefresher({
      warehouse: org.warehouse,
      logger: createLogger('silent'),
      elapsedMs: () => performance.now(),
    })
    await refresh(genesys, now, never)
    genesys.close()

    const { start, timeZone, day } = await selectLocalDay(org.warehouse.db, now)
    expect(+now - +start).toBeGreaterThanOrEqual(12 * 60 * minute)
    const metrics = simulator
      .truth()
      .flatMap(({ participants }) => list(participants))
      .flatMap(({ sessions }) => list(sessions))
      .flatMap((session) => list(session['metrics']))
      .filter(({ emitDate }) => Date.parse(String(emitDate)) >= +start)
    const values = (name: string): number[] =>
      metrics.filter((metric) => metric['name'] === name).map(({ value }) => Number(value))
    const answered = values('tAnswered').length
    const today = await selectToday(org.warehouse.db, now)
    expect(today).toMatchObject({ day, timeZone, source: 'genesys', readAt: now })
    expect(today?.total).toEqual({
      queueId: null,
      offered: values('nOffered').length,
      answered,
      answerMs: values('tAnswered').reduce((sum, value) => sum + value, 0),
      abandoned: values('tAbandon').length,
      answeredInTime: answered - values('nOverSla').length,
      serviceLevelContacts:
        answered + values('tAbandon').length - values('tShortAbandon').length + values('tFlowOut').length,
    })
    expect(answered).toBeGreaterThan(50)
    expect(values('tAbandon').length).toBeGreaterThan(0)
    expect(today?.queues.length).toBeGreaterThan(3)
    expect(today?.queues.reduce((sum, { offered }) => sum + offered, 0)).toBe(today?.total.offered)
  })

  test('are read every five minutes, by one request, and shown on the wallboard with their time', async () => {
    await using org = await startLiveOrg()
    await setTimeZone(org.warehouse, noonZone(new Date()))
    answerGroups(org, group('q1', 5), group('q2', 9), group(undefined, 1))
    const job = org.job()
    expect(await job.tick(never)).toMatchObject({ throttled: false })
    const { today } = await selectWallboard(org.warehouse.db)
    expect(today).toMatchObject({ source: 'genesys', total: figures(null, 15, 3) })
    expect(today?.queues).toEqual([figures('q2', 9), figures('q1', 5)])
    expect(+new Date() - +(today?.readAt ?? 0)).toBeLessThan(minute)
    for (let tick = 0; tick < 4; tick++) {
      org.aheadMs += minute
      await job.tick(never)
    }
    expect(asked(org)).toBe(1)
    // Another process, or this one after a restart, does not ask again either.
    await org.job().tick(never)
    expect(asked(org)).toBe(1)
    await sql`update genesys.live_today set read_at = read_at - interval '5 minutes'`.execute(org.warehouse.db)
    org.aheadMs += minute
    answerGroups(org, group('q1', 6))
    await job.tick(never)
    expect(asked(org)).toBe(2)
    expect((await selectWallboard(org.warehouse.db)).today?.queues).toEqual([figures('q1', 6)])
  })

  test('of another day are read again at once, and not shown', async () => {
    await using org = await startLiveOrg()
    const now = new Date()
    await setTimeZone(org.warehouse, noonZone(now))
    answerGroups(org, group('q1', 5))
    await org.job().tick(never)
    expect(await selectToday(org.warehouse.db, new Date(+now + 24 * 60 * minute))).toBeNull()
    await sql`update genesys.live_today set day = day - 1`.execute(org.warehouse.db)
    expect((await selectWallboard(org.warehouse.db)).today).toBeNull()
    await org.job().tick(never)
    expect((await selectWallboard(org.warehouse.db)).today?.total).toEqual(figures(null, 5))
    // A change of the time zone makes another day, too.
    await setTimeZone(org.warehouse, 'Pacific/Kiritimati')
    await org.job().tick(never)
    expect(asked(org)).toBe(3)
    expect((await selectWallboard(org.warehouse.db)).today?.timeZone).toBe('Pacific/Kiritimati')
  })

  test('come from the loaded conversations where the permission is missing, and Genesys is asked again after an hour', async () => {
    await using org = await startLiveOrg()
    const now = new Date()
    await setTimeZone(org.warehouse, noonZone(now))
    await sql`update reporting.settings set service_level_includes_flow_outs = true`.execute(org.warehouse.db)
    const { start } = await selectLocalDay(org.warehouse.db, now)
    const emitted = (name: string, ms: number, value: number): Json => ({
      name,
      value,
      emitDate: new Date(+start + ms).toISOString(),
    })
    const acd = (queueId: string, metrics: Json[]): Json => ({
      purpose: 'acd',
      sessions: [{ sessionId: queueId, mediaType: 'voice', segments: [{ segmentType: 'interact', queueId }], metrics }],
    })
    const participants = [
      acd('q1', [
        emitted('nOffered', 0, 1),
        emitted('nOffered', minute, 1),
        emitted('nOffered', -1, 1),
        emitted('tAnswered', minute, 30_000),
        emitted('nOverSla', minute, 1),
        emitted('tAbandon', minute, 4_000),
        emitted('tAbandon', minute, 20_000),
        emitted('tShortAbandon', minute, 4_000),
        emitted('tFlowOut', minute, 4_000),
      ]),
      acd('q2', [emitted('nOffered', 24 * 60 * minute - 1, 1), emitted('nOffered', 24 * 60 * minute, 1)]),
    ]
    await load(org.warehouse, [conversation('a', { conversationStart: start.toISOString(), participants } as never)], 1)
    answerAggregates(org, 403)
    const job = org.job()
    expect(await job.tick(never)).not.toBeNull()
    const { today } = await selectWallboard(org.warehouse.db)
    const q1 = {
      queueId: 'q1',
      offered: 2,
      answered: 1,
      answerMs: 30_000,
      abandoned: 2,
      answeredInTime: 0,
      serviceLevelContacts: 3,
    }
    const q2 = {
      queueId: 'q2',
      offered: 1,
      answered: 0,
      answerMs: 0,
      abandoned: 0,
      answeredInTime: 0,
      serviceLevelContacts: 0,
    }
    expect(today).toMatchObject({ source: 'warehouse', total: { ...q1, queueId: null, offered: 3 }, queues: [q1, q2] })
    const missing = org.log.filter((line) => line.includes('come from the loaded conversations'))
    expect(missing.map((line) => JSON.parse(line) as Json)).toMatchObject([
      { level: 'info', hint: expect.stringContaining('analytics:conversationAggregate:view') },
    ])
    const again = async (ahead: number): Promise<void> => {
      org.aheadMs += ahead
      await sql`update genesys.live_today set read_at = read_at - interval '5 minutes'`.execute(org.warehouse.db)
      await job.tick(never)
    }
    await again(5 * minute)
    expect(asked(org)).toBe(1)
    expect((await selectWallboard(org.warehouse.db)).today?.total.offered).toBe(3)
    answerGroups(org, group('q1', 5))
    await again(56 * minute)
    expect(asked(org)).toBe(2)
    expect((await selectWallboard(org.warehouse.db)).today).toMatchObject({ source: 'genesys', total: { offered: 5 } })
  })

  test('that cannot be read harm no snapshot, and those read before stay', async () => {
    await using org = await startLiveOrg()
    await setTimeZone(org.warehouse, noonZone(new Date()))
    answerGroups(org, group('q1', 5))
    const job = org.job()
    await job.tick(never)
    await sql`update genesys.live_today set read_at = read_at - interval '20 minutes'`.execute(org.warehouse.db)
    const before = (await selectWallboard(org.warehouse.db)).today
    for (const [index, failure] of [500, 400, 404, [{ group: { queueId: 7 } }]].entries()) {
      answerAggregates(org, failure)
      org.aheadMs += 6 * minute
      org.begin(`c-${index}`)
      expect(await job.tick(never)).not.toBeNull()
    }
    expect(Object.keys(await org.table())).toHaveLength(4)
    expect((await selectWallboard(org.warehouse.db)).today).toEqual(before)
    expect(org.log.filter((line) => line.includes('figures of today could not be read'))).toHaveLength(4)
    const { rows } = await sql`select 1 from genesys.live_snapshots where not complete`.execute(org.warehouse.db)
    expect(rows).toEqual([])
  })

  test('are not read for the conversations of one user', async () => {
    await using org = await startLiveOrg()
    await org
      .job({ source: 'conversations' })
      .tick(never)
      .catch(() => {})
    expect(asked(org)).toBe(0)
  })

  test('of ids that Postgres cannot hold are in the total only', async () => {
    await using org = await startLiveOrg()
    await setTimeZone(org.warehouse, noonZone(new Date()))
    answerGroups(org, group('q1', 5), group('nul\u0000', 1), group('x'.repeat(5_000), 1))
    await org.job().tick(never)
    const { today } = await selectWallboard(org.warehouse.db)
    expect(today).toMatchObject({ total: { offered: 7 }, queues: [{ queueId: 'q1', offered: 5 }] })
  })

  test('of no contact are zeros', () => {
    expect(figuresOf([])).toEqual([
      { queueId: null, offered: 0, answered: 0, answerMs: 0, abandoned: 0, answeredInTime: 0, serviceLevelContacts: 0 },
    ])
  })
})
