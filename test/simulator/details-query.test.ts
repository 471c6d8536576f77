import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Simulator } from '../../src/simulator/contract.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectClient, interval, type HttpClient } from './http-client.ts'

const now = '2026-03-20T12:00:00Z'
const yesterday = interval('2026-03-19', '2026-03-20')
let org: Simulator
let client: HttpClient
beforeAll(async () => {
  org = await startSimulator({ seed: 1, now, perDay: 70, days: 32, rateLimit: { requestsPerMinute: Infinity } })
  client = await connectClient(org)
})
afterAll(() => org.close())

const ids = (records: readonly Json[]): unknown[] => records.map(({ conversationId }) => conversationId)
const predicates = (...list: Json[]): Json[] => [{ type: 'and', predicates: list }]
const openOnly = predicates({ dimension: 'conversationEnd', operator: 'notExists' })

describe('a valid query', () => {
  test('read page by page gives the truth of the day, byte for byte and in order', async () => {
    const texts: string[] = []
    for (let pageNumber = 1; ; pageNumber++) {
      const { text, json } = await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber } })
      if (!json['conversations']) break
      texts.push(text.slice('{"conversations":['.length, text.lastIndexOf('],"totalHits"')))
    }
    expect(texts.join(',')).toBe(org.truthText('2026-03-19').join(','))
  })

  test('returns 25 records per page by default', async () => {
    const { json } = await client.details({ interval: yesterday })
    expect((json['conversations'] as Json[]).length).toBe(25)
    expect(json['totalHits']).toBe(org.truth('2026-03-19').length)
  })

  test('gives no conversations past the end', async () => {
    const { status, json } = await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber: 50 } })
    expect(status).toBe(200)
    expect(json).toEqual({ totalHits: org.truth('2026-03-19').length })
  })

  test('takes an interval without zone as UTC, and one that ends in the future', async () => {
    const { json } = await client.details({ interval: '2026-03-19T00:00:00/2026-03-20T00:00:00' })
    expect(json['totalHits']).toBe(org.truth('2026-03-19').length)
    const { status } = await client.details({ interval: interval('2026-03-20', '2026-03-22') })
    expect(status).toBe(200)
  })

  test('orders by start descending, by end with the open ones last, and by segments', async () => {
    const day = await client.readAll(yesterday)
    expect(ids(await client.readAll(yesterday, { order: 'desc' }))).toEqual(ids(day).reverse())
    const byEnd = await client.readAll(yesterday, { orderBy: 'conversationEnd' })
    const ends = byEnd.map(({ conversationEnd = '~' }) => conversationEnd as string)
    expect(ends).toEqual(ends.toSorted((a, b) => (a < b ? -1 : 1)))
    for (const orderBy of ['segmentStart', 'segmentEnd'])
      expect((await client.readAll(yesterday, { orderBy })).length).toBe(day.length)
  })

  test.each([0, 1, 99, 100, 101])('pages rightly over %i records', async (perDay) => {
    await using small = await startSimulator({ now, perDay, exactPerDay: true, days: 1, malformedShare: 0 })
    const reader = await connectClient(small)
    const first = await reader.details({ interval: yesterday, paging: { pageSize: 100, pageNumber: 1 } })
    expect(first.json['totalHits']).toBe(perDay)
    expect('conversations' in first.json).toBe(perDay > 0)
    const all = await reader.readAll(yesterday)
    expect(all).toEqual(small.truth('2026-03-19'))
    expect(all.length).toBe(perDay)
  })
})

describe('the interval', () => {
  test.each([
    ['missing', undefined, 'bad.request'],
    ['a duration', 'PT1H', 'invalid.date'],
    ['dates only', '2026-03-19/2026-03-20', 'invalid.date'],
    ['one instant', '2026-03-19T00:00:00Z', 'invalid.date'],
    ['impossible', '2026-13-19T00:00:00Z/2026-14-20T00:00:00Z', 'invalid.date'],
    ['backwards', '2026-03-20T00:00:00Z/2026-03-19T00:00:00Z', 'bad.request'],
    ['empty', '2026-03-20T00:00:00Z/2026-03-20T00:00:00Z', 'bad.request'],
  ])('that is %s is refused', async (_what, text, code) => {
    const { status, json } = await client.details({ interval: text })
    expect([status, json['code']]).toEqual([400, code])
    expect(json).toMatchObject({ status: 400, contextId: expect.any(String), details: [], errors: [] })
  })

  test('may have 7 days without a filter and 31 with one', async () => {
    const over = 'You must specify a search interval as part of your query that does not exceed'
    expect((await client.details({ interval: interval('2026-03-10', '2026-03-17') })).status).toBe(200)
    const week = await client.details({ interval: '2026-03-10T00:00:00.000Z/2026-03-17T00:00:00.001Z' })
    expect([week.status, week.json['message']]).toEqual([400, `${over} 7 days.`])
    const filter = { conversationFilters: openOnly }
    expect((await client.details({ interval: interval('2026-02-10', '2026-03-13'), ...filter })).status).toBe(200)
    const month = await client.details({ interval: '2026-02-10T00:00:00.000Z/2026-03-13T00:00:00.001Z', ...filter })
    expect([month.status, month.json['message']]).toEqual([400, `${over} 31 days.`])
  })

  test('is half-open at both ends: midnight belongs to the day that it begins', async () => {
    await using small = await startSimulator({ now, perDay: 0, days: 3, intervalReading: 'start' })
    for (const at of [
      '2026-03-18T23:59:59.999Z',
      '2026-03-19T00:00:00.000Z',
      '2026-03-19T23:59:59.999Z',
      '2026-03-20T00:00:00.000Z',
    ])
      small.control.changes.add({ conversationId: at, conversationStart: at, conversationEnd: at })
    const reader = await connectClient(small)
    expect(ids(await reader.readAll(yesterday))).toEqual(['2026-03-19T00:00:00.000Z', '2026-03-19T23:59:59.999Z'])
  })

  test.each(['day', 'overlap', 'start'] as const)(
    'read as "%s" selects what that reading says',
    async (intervalReading) => {
      await using small = await startSimulator({ now, perDay: 200, days: 2, malformedShare: 0, intervalReading })
      const reader = await connectClient(small)
      const [from, to] = ['2026-03-19T10:00:00.000Z', '2026-03-19T11:00:00.000Z']
      const found = await reader.readAll(`${from}/${to}`)
      const expected = small.truth('2026-03-19').filter((each) => {
        const { conversationStart: start, conversationEnd: end = '~' } = each as Record<string, string>
        const inside = String(start) >= from && String(start) < to
        if (intervalReading === 'day') return true
        return inside || (intervalReading === 'overlap' && String(start) < from && end > from)
      })
      expect(ids(found)).toEqual(ids(expected))
      expect(found.length).toBeGreaterThan(5)
      expect(await reader.readAll(yesterday)).toEqual(small.truth('2026-03-19'))
    },
  )
})

describe('the body', () => {
  test.each([
    ['dateFrom', { dateFrom: '2026-03-19' }],
    ['metrics', { metrics: ['tHandle'] }],
    ['pageSize at the top', { pageSize: 100 }],
    ['an unknown dimension', { conversationFilters: predicates({ dimension: 'mood', value: 'x' }) }],
    [
      'a segment dimension among conversations',
      { conversationFilters: predicates({ dimension: 'mediaType', value: 'voice' }) },
    ],
    ['an unknown metric', { conversationFilters: predicates({ metric: 'tMood', range: { gte: 1 } }) }],
    [
      'an unknown operator',
      { conversationFilters: predicates({ dimension: 'conversationId', operator: 'like', value: 'x' }) },
    ],
    ['an unknown field of a predicate', { segmentFilters: predicates({ dimension: 'mediaType', values: ['voice'] }) }],
    [
      'an event time of resolutions, which have no dimension',
      { resolutionFilters: predicates({ dimension: 'eventTime', value: yesterday }) },
    ],
    [
      'a dimension of surveys among evaluations',
      { evaluationFilters: predicates({ dimension: 'surveyCompletedDate', value: yesterday }) },
    ],
    [
      'a name as dimension of surveys',
      { surveyFilters: predicates({ dimension: 'surveyFormName', value: 'Satisfaction' }) },
    ],
    ['an unknown order', { order: 'random' }],
    ['an unknown orderBy', { orderBy: 'mediaType' }],
    ['a fraction as page', { paging: { pageSize: 2.5, pageNumber: 1 } }],
  ])('with %s is an invalid value', async (_what, fields) => {
    const { status, json } = await client.details({ interval: yesterday, ...fields })
    expect([status, json['code']]).toEqual([400, 'invalid.value'])
  })

  test.each([
    ['a page size of 101', { paging: { pageSize: 101, pageNumber: 1 } }],
    ['a page size of 0', { paging: { pageSize: 0, pageNumber: 1 } }],
    ['page 0', { paging: { pageSize: 25, pageNumber: 0 } }],
    ['a filter without predicates', { conversationFilters: [{ type: 'and' }] }],
    [
      'a filter without type',
      { conversationFilters: [{ predicates: [{ dimension: 'conversationId', operator: 'exists' }] }] },
    ],
    ['a predicate without value', { conversationFilters: predicates({ dimension: 'conversationId' }) }],
    ['a list as filter', { conversationFilters: 'all' }],
  ])('with %s is a bad request', async (_what, fields) => {
    const { status, json } = await client.details({ interval: yesterday, ...fields })
    expect([status, json['code']]).toEqual([400, 'bad.request'])
  })

  test('can reach 100 000 results and no further', async () => {
    const { status } = await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber: 1_000 } })
    expect(status).toBe(200)
    const beyond = await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber: 1_001 } })
    expect(beyond.status).toBe(400)
    expect(beyond.json['message']).toMatch(
      /^Pagination may not exceed 100000 results\. Tip: When extracting large chunks of data/,
    )
  })

  test('that is no JSON, of another type or too large is refused', async () => {
    const path = '/api/v2/analytics/conversations/details/query'
    expect((await client.send('POST', path, '{"interval":')).status).toBe(400)
    const plain = await client.send('POST', path, '{}', { 'content-type': 'text/plain' })
    expect([plain.status, plain.json['code']]).toEqual([415, 'unsupported.media.type'])
    const large = await client.send('POST', path, { interval: yesterday, x: 'x'.repeat(520_000) })
    expect([large.status, large.json['code']]).toEqual([413, 'request.entity.too.large'])
  })
})

describe('filters', () => {
  const month = interval('2026-02-18', '2026-03-20T13:00:00Z')
  const some = (conversation: Json, test: (session: Json, segment: Json) => boolean): boolean =>
    (conversation['participants'] as Json[]).some((participant) =>
      ((participant?.['sessions'] ?? []) as Json[]).some((session) =>
        ((session['segments'] ?? []) as Json[]).some((segment) => test(session, segment)),
      ),
    )

  test('find what is in progress, wherever it started', async () => {
    const open = await client.readAll(month, { conversationFilters: openOnly })
    expect(open.length).toBeGreaterThan(0)
    expect(open.every((each) => !('conversationEnd' in each))).toBe(true)
    const all = org.truth().filter((each) => !('conversationEnd' in each))
    expect(open.length).toBe(all.filter((each) => String(each['conversationStart']) >= '2026-02-18').length)
  })

  test('split a day into disjoint parts whose union is the day', async () => {
    const by = (dimension: string, value: string): Json => ({
      conversationFilters: predicates({ type: 'dimension', dimension, operator: 'matches', value }),
    })
    const inbound = await client.readAll(yesterday, by('originatingDirection', 'inbound'))
    const outbound = await client.readAll(yesterday, by('originatingDirection', 'outbound'))
    const rest = await client.readAll(yesterday, {
      conversationFilters: predicates({ dimension: 'originatingDirection', operator: 'notExists' }),
    })
    expect(inbound.length).toBeGreaterThan(outbound.length)
    expect(outbound.length).toBeGreaterThan(0)
    expect(inbound.length + outbound.length + rest.length).toBe(org.truth('2026-03-19').length)
  })

  test('by media type, queue, agent, wrap-up code and purpose apply to segments', async () => {
    const clean = await startSimulator({ seed: 1, now, perDay: 150, days: 2, malformedShare: 0 })
    const reader = await connectClient(clean)
    const day = clean.truth('2026-03-19')
    const mail = await reader.readAll(yesterday, {
      segmentFilters: predicates({ dimension: 'mediaType', value: 'email' }),
    })
    expect(ids(mail)).toEqual(ids(day.filter((each) => some(each, (session) => session['mediaType'] === 'email'))))
    const queueId = clean.org.queues[0]?.id
    const wrapped = await reader.readAll(yesterday, {
      segmentFilters: predicates(
        { dimension: 'queueId', value: queueId },
        { dimension: 'segmentType', value: 'wrapup' },
      ),
    })
    expect(ids(wrapped)).toEqual(
      ids(
        day.filter((each) =>
          some(each, (_, segment) => segment['queueId'] === queueId && segment['segmentType'] === 'wrapup'),
        ),
      ),
    )
    expect(wrapped.length).toBeGreaterThan(3)
    const busy = await reader.readAll(yesterday, {
      segmentFilters: predicates({ dimension: 'segmentEnd', operator: 'notExists' }),
    })
    expect(ids(busy)).toEqual(
      ids(day.filter((each) => some(each, (_, segment) => segment['segmentEnd'] === undefined))),
    )
    await clean.close()
  })

  test('by duration and metric take ranges', async () => {
    const long = await client.readAll(yesterday, {
      conversationFilters: predicates({ type: 'metric', metric: 'tConversationDuration', range: { gte: 600_000 } }),
    })
    const duration = (each: Json): number =>
      Date.parse(String(each['conversationEnd'])) - Date.parse(String(each['conversationStart']))
    expect(long.length).toBeGreaterThan(5)
    const short = await client.readAll(yesterday, {
      conversationFilters: predicates({ metric: 'tConversationDuration', range: { lt: 600_000 } }),
    })
    const open = await client.readAll(yesterday, { conversationFilters: openOnly })
    expect(long.length + short.length + open.length).toBe(org.truth('2026-03-19').length)
    expect(long.filter((each) => duration(each) < 600_000)).toEqual([])
    const talked = await client.readAll(yesterday, {
      conversationFilters: predicates({ metric: 'tHandle', range: { gt: 0 } }),
    })
    expect(talked.length).toBeGreaterThan(20)
  })

  test('combine by and, or and clauses', async () => {
    const day = org.truth('2026-03-19')
    const [first, second] = day.filter((each) => typeof each['conversationId'] === 'string')
    const is = (each: Json | undefined): Json => ({ dimension: 'conversationId', value: each?.['conversationId'] })
    const either = await client.readAll(yesterday, {
      conversationFilters: [{ type: 'and', clauses: [{ type: 'or', predicates: [is(first), is(second)] }] }],
    })
    expect(ids(either)).toEqual(ids([first as Json, second as Json]))
    expect(await client.readAll(yesterday, { conversationFilters: predicates(is(first), is(second)) })).toEqual([])
    expect(
      await client.readAll(yesterday, { conversationFilters: [...predicates(is(first)), ...predicates(is(second))] }),
    ).toEqual([])
  })

  test('over evaluations and surveys take times as ranges of instants', async () => {
    const evaluated = await client.readAll(month, {
      evaluationFilters: predicates(
        { dimension: 'eventTime', value: month },
        { dimension: 'evaluationStatus', value: 'Finished' },
      ),
    })
    expect(evaluated.length).toBeGreaterThan(3)
    const surveyed = await client.readAll(month, {
      surveyFilters: predicates({ metric: 'oSurveyTotalScore', range: { gte: 0 } }),
    })
    expect(surveyed.length).toBeGreaterThan(3)
    const resolved = await client.readAll(month, {
      resolutionFilters: predicates({ metric: 'nNextContactAvoided', operator: 'exists' }),
    })
    expect(resolved.length).toBeGreaterThan(3)
  })
})

describe('queries by id', () => {
  test('give several, one, and nothing for ids that do not exist', async () => {
    const day = org
      .truth('2026-03-01')
      .filter((each) => typeof each['conversationId'] === 'string')
      .slice(0, 3)
    const many = await client.send('GET', `/api/v2/analytics/conversations/details?id=${ids(day).join(',')},nobody`)
    expect(many.json['conversations']).toEqual(day)
    const one = await client.send('GET', `/api/v2/analytics/conversations/${String(ids(day)[0])}/details`)
    expect(one.json).toEqual(day[0])
    const none = await client.send('GET', '/api/v2/analytics/conversations/nobody/details')
    expect([none.status, none.json['code']]).toEqual([404, 'not.found'])
    expect((await client.send('GET', '/api/v2/analytics/conversations/details')).status).toBe(400)
  })
})
