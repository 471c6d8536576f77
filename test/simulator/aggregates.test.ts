/** POST /api/v2/analytics/conversations/aggregates/query: metrics of conversations by when they were emitted. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectClient, interval } from './http-client.ts'

const path = '/api/v2/analytics/conversations/aggregates/query'
const day = interval('2026-03-19T00:00:00Z', '2026-03-20T00:00:00Z')
const org = await startSimulator({
  seed: 4,
  now: '2026-04-02T12:00:00Z',
  perDay: 150,
  exactPerDay: true,
  days: 18,
  malformedShare: 0,
})
const client = await connectClient(org)
afterAll(() => org.close())
beforeEach(() => {
  org.control.clock.set(Date.parse('2026-04-02T12:00:00Z'))
  org.control.set({
    aggregateIntervalDays: 366,
    aggregateCellLimit: 100_000,
    serviceLevelIncludesAbandons: true,
    serviceLevelIncludesShortAbandons: false,
    serviceLevelIncludesFlowOuts: false,
  })
})

interface Stats {
  readonly count?: number
  readonly sum?: number
  readonly min?: number
  readonly max?: number
  readonly ratio?: number
  readonly numerator?: number
  readonly denominator?: number
  readonly target?: number
}
interface Result {
  readonly group: Record<string, string>
  readonly data: {
    readonly interval: string
    readonly metrics: { readonly metric: string; readonly stats: Stats }[]
    readonly views?: { readonly name: string; readonly stats: Stats }[]
  }[]
}
async function ask(body: Json): Promise<Result[]> {
  const { status, json } = await client.send('POST', path, { interval: day, ...body })
  expect(json).toHaveProperty('results')
  expect(status).toBe(200)
  return json['results'] as Result[]
}
const list = (value: unknown): Json[] => (value ?? []) as Json[]
const byQueue = (queueId: string): Json => ({
  type: 'and',
  predicates: [{ dimension: 'queueId', value: queueId }],
})
const metric = (name: string, emitDate: string, value: unknown = 1): Json => ({ name, emitDate, value })
const segment = (segmentStart: unknown, queueId?: string): Json => ({
  segmentType: 'interact',
  segmentStart,
  ...(queueId !== undefined && { queueId }),
})

let count = 0
/** Adds a conversation of one participant with these sessions, on 19 March. */
function add(sessions: Json[], fields: { readonly participant?: Json; readonly conversation?: Json } = {}): string {
  const conversationId = `added-${++count}`
  org.control.changes.add({
    conversationId,
    conversationStart: '2026-03-19T10:00:00.000Z',
    conversationEnd: '2026-03-19T11:00:00.000Z',
    originatingDirection: 'inbound',
    divisionIds: [],
    ...fields.conversation,
    participants: [
      {
        participantId: 'p',
        purpose: 'agent',
        ...fields.participant,
        sessions: sessions.map((session, index) => ({
          sessionId: `${conversationId}-${index}`,
          mediaType: 'voice',
          direction: 'inbound',
          ...session,
        })),
      },
    ],
  })
  return conversationId
}

describe('the aggregates query', () => {
  test('has every metric of the day once: counts with count, times with count, sum, smallest and largest', async () => {
    const expected = new Map<string, number[]>()
    for (const conversation of org.truth())
      for (const participant of list(conversation['participants']))
        for (const session of list(participant['sessions']))
          for (const { name, value, emitDate } of list(session['metrics']))
            if (String(emitDate).startsWith('2026-03-19'))
              expected.set(String(name), [...(expected.get(String(name)) ?? []), Number(value)])
    const known = [...expected.keys()].filter((name) => !/^(nFlow|tFlow$|tFlowExit|tFlowDis|tFlowOutcome)/.test(name))
    expect(known.length).toBeGreaterThan(25)
    const results = await ask({ metrics: known })
    expect(results).toMatchObject([{ group: {}, data: [{ interval: day }] }])
    const metrics = results[0]?.data[0]?.metrics ?? []
    expect(metrics.map(({ metric: name }) => name)).toEqual(known.toSorted())
    for (const { metric: name, stats } of metrics) {
      const values = expected.get(name) ?? []
      const sum = values.reduce((total, value) => total + value, 0)
      if (name.startsWith('n')) expect(stats).toEqual({ count: sum })
      else expect(stats).toEqual({ count: values.length, sum, min: Math.min(...values), max: Math.max(...values) })
    }
  })

  test('splits into groups and intervals that add up, and leaves out keys and intervals without data', async () => {
    const metrics = ['nOffered', 'nConnected', 'tHandle', 'tAcd', 'tWait']
    const [whole] = await ask({ metrics })
    const groups = await ask({ metrics, groupBy: ['queueId', 'mediaType'], granularity: 'PT30M' })
    const totals = new Map<string, number>()
    for (const { data } of groups)
      for (const { metrics: own } of data)
        for (const { metric: name, stats } of own) totals.set(name, (totals.get(name) ?? 0) + (stats.count ?? 0))
    expect(totals.size).toBe(metrics.length)
    for (const { metric: name, stats } of whole?.data[0]?.metrics ?? []) expect(totals.get(name)).toBe(stats.count)
    expect(totals.get('tWait')).toBe(totals.get('tAcd'))
    expect(groups.some(({ group }) => group['queueId'] === undefined)).toBe(true)
    expect(groups.every(({ data }) => data.length > 0 && data.length < 48)).toBe(true)
  })

  test('counts a metric at its time, whenever its conversation started, as soon as it has been emitted', async () => {
    add(
      [
        {
          metrics: [metric('tHandle', '2026-03-19T15:00:00.000Z', 5)],
          segments: [segment('2026-02-01T10:00:00Z', 'old')],
        },
      ],
      { conversation: { conversationStart: '2026-02-01T10:00:00.000Z' } },
    )
    expect(await ask({ metrics: ['tHandle'], filter: byQueue('old') })).toHaveLength(1)
    const from = '2026-04-02T11:00:00Z'
    const today = interval('2026-04-02T00:00:00Z', '2026-04-03T00:00:00Z')
    const offered = async (): Promise<number> => {
      const [all] = await ask({ metrics: ['nOffered'], interval: today })
      return all?.data[0]?.metrics[0]?.stats.count ?? 0
    }
    const now = await offered()
    org.control.clock.set(Date.parse(from))
    const before = await offered()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(now)
  })

  test.each([
    [
      'the segment that had begun last',
      [
        ['09:00', 'a'],
        ['10:00', 'b'],
        ['11:00', 'c'],
      ],
      'b',
    ],
    [
      'the first one where none had begun',
      [
        ['12:00', 'a'],
        ['11:00', 'b'],
        ['11:00', 'c'],
      ],
      'b',
    ],
    [
      'the later one of two that began together',
      [
        ['10:00', 'a'],
        ['10:00', 'b'],
      ],
      'b',
    ],
    [
      'one that begins at the very instant',
      [
        ['10:00', 'a'],
        ['10:30', 'b'],
      ],
      'b',
    ],
    [
      'a segment without a readable start only where no other had begun',
      [
        ['soon', 'a'],
        ['10:00', 'b'],
      ],
      'b',
    ],
    [
      'a segment without a readable start before one that begins later',
      [
        ['soon', 'a'],
        ['11:00', 'b'],
      ],
      'a',
    ],
    [
      'a queue although the segment itself has none',
      [
        ['10:00', 'a'],
        ['10:15', undefined],
      ],
      'a',
    ],
  ] as const)('takes as queue that of %s', async (_what, starts, expected) => {
    const prefix = `case-${count}-`
    const segments = starts.map(([time, queueId]) =>
      segment(/^\d/.test(time) ? `2026-03-19T${time}:00.000Z` : time, queueId && prefix + queueId),
    )
    const id = add([{ segments, metrics: [metric('tAcw', '2026-03-19T10:30:00.000Z', 9)] }])
    const filter = { type: 'and', predicates: [{ dimension: 'conversationId', value: id }] }
    const results = await ask({ metrics: ['tAcw'], groupBy: ['queueId'], filter })
    expect(results.map(({ group }) => group)).toEqual([{ queueId: prefix + expected }])
  })

  test('never takes the queue of another session, nor that of the conversation', async () => {
    const participant = { userId: 'agent-of-two-queues', teamId: 'team' }
    const handled = (queueId: string | undefined, mediaType: string): Json => ({
      mediaType,
      segments: [segment('2026-03-19T10:00:00.000Z', queueId)],
      metrics: [metric('tHandle', '2026-03-19T10:30:00.000Z', 60_000)],
    })
    const id = add([handled('left', 'message'), handled('right', 'voice'), handled(undefined, 'voice')], {
      participant,
    })
    const filter = { type: 'and', predicates: [{ dimension: 'conversationId', value: id }] }
    const groupBy = ['userId', 'queueId', 'mediaType']
    const results = await ask({ metrics: ['tHandle'], groupBy, filter })
    const userId = 'agent-of-two-queues'
    expect(results.map(({ group }) => group)).toEqual(
      expect.arrayContaining([
        { userId, queueId: 'left', mediaType: 'message' },
        { userId, queueId: 'right', mediaType: 'voice' },
        { userId, mediaType: 'voice' },
      ]),
    )
    expect(results).toHaveLength(3)
  })

  test('ignores values that are no whole numbers, and keeps every digit of those that are', async () => {
    const emitted = '2026-03-19T10:30:00.000Z'
    const metrics = [1, 2.5, '3', null, true, { a: 1 }].map((value) => metric('tAcw', emitted, value))
    metrics.push(metric('tAcw', '2026-02-30T10:00:00.000Z', 100), metric('tAcw', 'soon', 100))
    add([{ segments: [segment('2026-03-19T10:00:00.000Z', 'odd')], metrics }])
    expect(await ask({ metrics: ['tAcw'], filter: byQueue('odd') })).toMatchObject([
      { data: [{ metrics: [{ metric: 'tAcw', stats: { count: 1, sum: 1, min: 1, max: 1 } }] }] },
    ])
    const id = org.control.changes.begin('inboundCall', Date.parse('2026-03-19T10:00:00Z'), 'unsafe-integers')
    const filter = { type: 'and', predicates: [{ dimension: 'conversationId', value: id }] }
    const names = ['tConnected', 'nConnected', 'tHandle', 'tAnswered', 'tIvr', 'tAcd', 'nOffered', 'tTalk']
    const { text } = await client.send('POST', path, { interval: day, metrics: names, filter })
    expect(text).toContain('9007199254740993')
  })

  test('grouped by user has no metrics of the queue, and no service level', async () => {
    const metrics = ['nOffered', 'tAcd', 'tHandle', 'oServiceLevel']
    const all = await ask({ metrics, groupBy: ['queueId', 'userId'] })
    const names = new Set(all.flatMap(({ data }) => data.flatMap((each) => each.metrics.map((own) => own.metric))))
    expect(names).toEqual(new Set(['tHandle']))
    expect(all.every(({ group }) => group['userId'] !== undefined)).toBe(true)
  })

  test('knows local days, also those of 23 and 25 hours, and steps of absolute time', async () => {
    const march = interval('2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z')
    const metrics = ['nConnected']
    const [spring] = await ask({ interval: march, metrics, granularity: 'P1D', timeZone: 'Europe/Berlin' })
    expect(spring?.data.map((each) => each.interval)).toEqual([
      '2026-03-29T00:00:00.000+01:00/2026-03-30T00:00:00.000+02:00',
    ])
    const week = interval('2026-03-25T23:00:00Z', '2026-04-01T22:00:00Z')
    const [days] = await ask({ interval: week, metrics, granularity: 'P1D', timeZone: 'Europe/Berlin' })
    const bounds = (days?.data ?? []).map((each) => each.interval.split('/').map((text) => Date.parse(text)))
    expect(bounds.map(([start = 0, end = 0]) => (end - start) / 3_600_000)).toEqual([24, 24, 24, 23, 24, 24, 24])
    const [hours] = await ask({ interval: march, metrics, granularity: 'PT30M', timeZone: 'Europe/Berlin' })
    for (const { interval: text } of hours?.data ?? []) {
      const [start = 0, end = 0] = text.split('/').map((each) => Date.parse(each))
      expect(end - start).toBe(1_800_000)
    }
  })

  test('has views of the values in a range', async () => {
    const views = [{ target: 'tAcd', name: 'within 20 s', function: 'rangeBound', range: { lt: 20_000 } }]
    const [all] = await ask({ metrics: ['tAcd'], views })
    const [within] = all?.data[0]?.views ?? []
    expect(within?.name).toBe('within 20 s')
    expect(within?.stats.max).toBeLessThan(20_000)
    expect(within?.stats.count).toBeLessThan(all?.data[0]?.metrics[0]?.stats.count ?? 0)
  })

  test('counts a conversation in each of its divisions, or in all at once where that is asked for', async () => {
    const divisions = org.org.divisions.map(({ id }) => id)
    const [whole] = await ask({ metrics: ['nConnected'] })
    const total = whole?.data[0]?.metrics[0]?.stats.count ?? 0
    const sum = (results: readonly Result[]): number =>
      results.reduce((all, { data }) => all + (data[0]?.metrics[0]?.stats.count ?? 0), 0)
    const each = await ask({ metrics: ['nConnected'], groupBy: ['divisionId'] })
    expect(each.every(({ group }) => divisions.includes(group['divisionId'] ?? ''))).toBe(true)
    expect(sum(each)).toBeGreaterThan(total)
    const flat = await ask({ metrics: ['nConnected'], groupBy: ['divisionId'], flattenMultivaluedDimensions: true })
    expect(flat.some(({ group }) => group['divisionId']?.includes(','))).toBe(true)
    expect(sum(flat)).toBe(total)
    const visible = new Set(divisions.slice(3))
    const limited = org.control.addClient({ divisions: visible })
    const { json } = await (
      await connectClient(org, limited.id, limited.secret)
    ).send('POST', path, { interval: day, metrics: ['nConnected'] })
    const inDivision = each.filter(({ group }) => visible.has(group['divisionId'] ?? ''))
    expect(sum(json['results'] as Result[])).toBe(sum(inDivision))
  })
})

describe('the service level', () => {
  const emitted = '2026-03-19T10:30:00.000Z'
  const times = (name: string, number: number): Json[] =>
    Array.from({ length: number }, () => metric(name, emitted, 5_000))

  test('of a genuine answer is 7 of 9', async () => {
    const metrics = [...times('tAnswered', 9), metric('nOverSla', emitted, 1), metric('nOverSla', emitted, 1)]
    metrics.push(...times('tAcd', 10), ...times('nOffered', 10))
    add([{ mediaType: 'message', segments: [segment(emitted, 'genuine')], metrics }])
    const [result] = await ask({
      metrics: ['oServiceLevel'],
      groupBy: ['queueId', 'mediaType'],
      filter: byQueue('genuine'),
    })
    expect(result?.data[0]?.metrics).toEqual([
      { metric: 'oServiceLevel', stats: { ratio: 7 / 9, numerator: 7, denominator: 9, target: 0.8 } },
    ])
  })

  test.each([
    [true, false, false, 14],
    [true, true, false, 17],
    [true, true, true, 18],
    [true, false, true, 15],
    [false, false, false, 10],
    [false, true, false, 10],
    [false, true, true, 11],
  ])(
    'with abandons %s, short abandons %s, flow-outs %s has its denominator',
    async (
      serviceLevelIncludesAbandons,
      serviceLevelIncludesShortAbandons,
      serviceLevelIncludesFlowOuts,
      denominator,
    ) => {
      const queueId = `switches-${count}`
      const metrics = [
        ...times('tAnswered', 10),
        ...times('tAbandon', 7),
        ...times('tShortAbandon', 3),
        ...times('tFlowOut', 1),
      ]
      add([{ segments: [segment(emitted, queueId)], metrics: [...metrics, metric('nOverSla', emitted)] }])
      org.control.set({
        serviceLevelIncludesAbandons,
        serviceLevelIncludesShortAbandons,
        serviceLevelIncludesFlowOuts,
      })
      const [result] = await ask({ metrics: ['oServiceLevel'], filter: byQueue(queueId) })
      expect(result?.data[0]?.metrics[0]?.stats).toEqual({ ratio: 9 / denominator, numerator: 9, denominator })
    },
  )

  test('is absent where nothing counts', async () => {
    add([{ segments: [segment(emitted, 'short')], metrics: [...times('tAbandon', 1), ...times('tShortAbandon', 1)] }])
    expect(await ask({ metrics: ['oServiceLevel'], filter: byQueue('short') })).toEqual([])
  })
})

describe('an aggregates query', () => {
  const valid = { interval: day, metrics: ['tHandle'] }
  test.each([
    ['no interval', { metrics: ['tHandle'] }],
    ['a duration as interval', { ...valid, interval: 'P1D' }],
    ['an interval that ends before it starts', { ...valid, interval: interval('2026-03-20', '2026-03-19') }],
    ['no metrics', { interval: day }],
    ['an empty list of metrics', { ...valid, metrics: [] }],
    ['a metric of details only', { ...valid, metrics: ['tFlow'] }],
    ['a metric of another query', { ...valid, metrics: ['oWaiting'] }],
    ['an unknown dimension', { ...valid, groupBy: ['queueName'] }],
    ['a dimension of segments only', { ...valid, groupBy: ['segmentType'] }],
    ['an unknown field', { ...valid, paging: { pageSize: 10, pageNumber: 1 } }],
    ['a granularity that is no period', { ...valid, granularity: '30m' }],
    ['a granularity of nothing', { ...valid, granularity: 'PT0S' }],
    ['an unknown time zone', { ...valid, timeZone: 'Europe/Atlantis' }],
    ['a filter without type', { ...valid, filter: { predicates: [{ dimension: 'queueId', value: 'x' }] } }],
    ['an empty filter', { ...valid, filter: { type: 'and' } }],
    [
      'a filter on a metric',
      { ...valid, filter: { type: 'and', predicates: [{ metric: 'tHandle', range: { gt: 1 } }] } },
    ],
    ['a view without range', { ...valid, views: [{ target: 'tHandle', name: 'x', function: 'rangeBound' }] }],
    ['an unknown alternateTimeDimension', { ...valid, alternateTimeDimension: 'conversationStart' }],
    ['an ordered type', { ...valid, queryType: 'topN' }],
    ['a limit without order', { ...valid, limit: 3 }],
    ['text for flattenMultivaluedDimensions', { ...valid, flattenMultivaluedDimensions: 'yes' }],
  ])('with %s is refused', async (_what, body) => {
    const { status, json } = await client.send('POST', path, body)
    expect([status, json['status']]).toEqual([400, 400])
  })

  test('takes every field that the API knows', async () => {
    const { status } = await client.send('POST', path, {
      ...valid,
      granularity: 'P1DT12H',
      timeZone: 'Etc/UTC',
      groupBy: [],
      flattenMultivaluedDimensions: true,
      alternateTimeDimension: 'eventTime',
      queryType: 'groupBy',
      filter: {
        type: 'or',
        clauses: [{ type: 'and', predicates: [{ type: 'dimension', dimension: 'queueId', operator: 'exists' }] }],
        predicates: [{ dimension: 'mediaType', operator: 'matches', value: 'voice' }],
      },
    })
    expect(status).toBe(200)
  })

  test('needs its own permission', async () => {
    const stranger = org.control.addClient({ permissions: new Set(['analytics:conversationDetail:view']) })
    const { status, json } = await (await connectClient(org, stranger.id, stranger.secret)).send('POST', path, valid)
    expect([status, json['message']]).toEqual([
      403,
      'Unable to perform the requested action. You are missing the following permission(s): [analytics:conversationAggregate:view]',
    ])
  })

  test('is refused where its interval is too long, or its answer would have too many values', async () => {
    org.control.set({ aggregateIntervalDays: 1 })
    expect((await client.send('POST', path, valid)).status).toBe(200)
    const longer = { ...valid, interval: interval('2026-03-19T00:00:00Z', '2026-03-20T00:30:00Z') }
    expect((await client.send('POST', path, longer)).status).toBe(400)
    org.control.set({ aggregateCellLimit: 20 })
    const many = { ...valid, groupBy: ['queueId'], granularity: 'PT2H' }
    expect((await client.send('POST', path, many)).status).toBe(413)
    expect((await client.send('POST', path, { ...valid, granularity: 'PT0.001S' })).status).toBe(413)
    expect((await client.send('POST', path, { ...valid, granularity: 'PT6H' })).status).toBe(200)
  })
})
