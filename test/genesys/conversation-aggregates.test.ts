import { describe, expect, test } from 'vitest'
import { queryAggregates, type AggregatesQuery } from '../../src/genesys/conversation-aggregates.ts'
import { json, type ReceivedRequest } from '../support/fake-server.ts'
import { fakeGenesys, never } from './support.ts'

const sending = { priority: 'history', signal: never } as const
const day: AggregatesQuery = {
  interval: { start: new Date('2026-11-20T00:00Z'), end: new Date('2026-11-21T00:00Z') },
  granularity: 'PT30M',
  groupBy: ['queueId', 'mediaType'],
  metrics: ['nOffered', 'tAnswered', 'oServiceLevel'],
}
const HALF_HOUR_MS = 30 * 60_000

interface Body {
  readonly interval: string
  readonly granularity?: string
  readonly metrics: readonly string[]
}

function bodyOf(request: ReceivedRequest): Body {
  return JSON.parse(request.body) as Body
}

function boundsOf({ interval }: Body): [number, number] {
  const [start = '', end = ''] = interval.split('/')
  return [Date.parse(start), Date.parse(end)]
}

function granulesOf(body: Body): number {
  const [start, end] = boundsOf(body)
  return (end - start) / HALF_HOUR_MS
}

/** Three offered in each half hour of what was asked, and the figures of the other metrics. */
function answerTo(body: Body): object {
  const [start] = boundsOf(body)
  const stats: Record<string, object> = {
    nOffered: { count: 3 },
    tAnswered: { count: 2, sum: 8000, min: 1000, max: 7000 },
    oServiceLevel: { ratio: 0.5, numerator: 1, denominator: 2, target: 0.8 },
  }
  const data = Array.from({ length: granulesOf(body) }, (_, index) => ({
    interval: [0, 1].map((step) => new Date(start + (index + step) * HALF_HOUR_MS).toISOString()).join('/'),
    metrics: body.metrics.map((metric) => ({ metric, stats: stats[metric] })),
  }))
  return { results: [{ group: { queueId: 'q1', mediaType: 'voice' }, data }] }
}

function refuse(request: ReceivedRequest, status: number): void {
  json(request, { message: 'The query would return too many results', code: 'bad.request', status }, status)
}

describe('the aggregates query', () => {
  test('asks for what it is given, and reads the figures', async () => {
    await using genesys = await fakeGenesys((request) => json(request, answerTo(bodyOf(request))))
    const values = await queryAggregates(genesys.client, day, sending)
    expect(genesys.api().map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /api/v2/analytics/conversations/aggregates/query',
    ])
    expect(bodyOf(genesys.api()[0]!)).toEqual({
      interval: '2026-11-20T00:00:00.000Z/2026-11-21T00:00:00.000Z',
      granularity: 'PT30M',
      groupBy: ['queueId', 'mediaType'],
      metrics: ['nOffered', 'tAnswered', 'oServiceLevel'],
    })
    expect(values).toHaveLength(48 * 3)
    const none = { count: null, sum: null, min: null, max: null, numerator: null, denominator: null }
    const interval = { start: new Date('2026-11-20T00:00Z'), end: new Date('2026-11-20T00:30Z') }
    const group = { queueId: 'q1', mediaType: 'voice' }
    expect(values.slice(0, 3)).toEqual([
      { group, interval, metric: 'nOffered', stats: { ...none, count: 3n } },
      { group, interval, metric: 'tAnswered', stats: { ...none, count: 2n, sum: 8000n, min: 1000n, max: 7000n } },
      { group, interval, metric: 'oServiceLevel', stats: { ...none, numerator: 1n, denominator: 2n } },
    ])
  })

  test('keeps whole numbers to the last digit, however they are written, and a group without a queue', async () => {
    const text = JSON.stringify({
      results: [
        {
          group: { mediaType: 'voice' },
          data: [
            {
              interval: '2026-11-20T01:00:00.000+01:00/2026-11-20T01:30:00.000+01:00',
              metrics: [{ metric: 'tAnswered', stats: { count: 1, sum: 0 } }],
            },
          ],
        },
      ],
    }).replace('"sum":0', '"sum":9007199254740993,"max":318215.0')
    await using genesys = await fakeGenesys(({ response }) => {
      response.writeHead(200, { 'Content-Type': 'application/json' })
      response.end(text)
    })
    const [value] = await queryAggregates(genesys.client, day, sending)
    expect(value).toMatchObject({
      group: { queueId: null, mediaType: 'voice' },
      interval: { start: new Date('2026-11-20T00:00Z') },
      stats: { count: 1n, sum: 9_007_199_254_740_993n, max: 318_215n },
    })
  })
})

describe('a query that is too large', () => {
  test.each([400, 413])('(%i) is asked in halves of its time', async (status) => {
    await using genesys = await fakeGenesys((request) => {
      const body = bodyOf(request)
      if (granulesOf(body) > 6) refuse(request, status)
      else json(request, answerTo(body))
    })
    const values = await queryAggregates(genesys.client, day, sending)
    const starts = values.filter(({ metric }) => metric === 'nOffered').map(({ interval }) => +interval.start)
    expect(starts).toEqual(Array.from({ length: 48 }, (_, index) => +day.interval.start + index * HALF_HOUR_MS))
    // 1 + 2 + 4 refused, 8 answered
    expect(genesys.api()).toHaveLength(15)
  })

  test('is asked by fewer metrics where one interval is too large still', async () => {
    await using genesys = await fakeGenesys((request) => {
      const body = bodyOf(request)
      if (granulesOf(body) * body.metrics.length > 1) refuse(request, 400)
      else json(request, answerTo(body))
    })
    const hour = { start: day.interval.start, end: new Date('2026-11-20T01:00Z') }
    const values = await queryAggregates(genesys.client, { ...day, interval: hour }, sending)
    expect(values.map(({ metric, interval }) => `${metric} ${interval.start.getUTCMinutes()}`)).toEqual([
      ...day.metrics.map((metric) => `${metric} 0`),
      ...day.metrics.map((metric) => `${metric} 30`),
    ])
  })

  test('without a granularity is asked by fewer metrics only', async () => {
    await using genesys = await fakeGenesys((request) => {
      const body = bodyOf(request)
      if (body.metrics.length > 2) return refuse(request, 413)
      json(request, {
        results: [
          {
            group: {},
            data: [
              { interval: body.interval, metrics: body.metrics.map((metric) => ({ metric, stats: { count: 1 } })) },
            ],
          },
        ],
      })
    })
    const values = await queryAggregates(genesys.client, { ...day, granularity: undefined }, sending)
    expect(values.map(({ metric, interval }) => [metric, interval])).toEqual(
      day.metrics.map((metric) => [metric, day.interval]),
    )
  })

  test('ends with the refusal after a few requests where no smaller one helps', async () => {
    await using genesys = await fakeGenesys((request) => refuse(request, 400))
    await expect(queryAggregates(genesys.client, day, sending)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('too many results'),
    })
    expect(genesys.api().length).toBeLessThan(12)
  })
})

test('a missing permission is named', async () => {
  await using genesys = await fakeGenesys((request) =>
    json(request, { message: 'Missing permissions', code: 'missing.permissions', status: 403 }, 403),
  )
  await expect(queryAggregates(genesys.client, day, sending)).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    hint: expect.stringContaining('analytics:conversationAggregate:view'),
  })
  expect(genesys.api()).toHaveLength(1)
})
