/** POST /api/v2/analytics/conversations/activity/query: what goes on in the queues now, of any age. */
import { afterAll, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectClient, interval } from './http-client.ts'

const path = '/api/v2/analytics/conversations/activity/query'
const org = await startSimulator({ seed: 2, now: '2026-03-19T10:30:00Z', perDay: 700, days: 3, malformedShare: 0 })
const list = (value: unknown): Json[] => (value ?? []) as Json[]
/** In the middle of an alert, which lasts seconds only. */
const now = new Date(
  org
    .truth('2026-03-19')
    .flatMap((each) => list(each['participants']).flatMap(({ sessions }) => list(sessions)))
    .flatMap(({ segments }) => list(segments))
    .filter(
      (each) => each['segmentType'] === 'alert' && each['segmentEnd'] !== undefined && each['queueId'] !== undefined,
    )
    .map(({ segmentStart, segmentEnd }) => [Date.parse(String(segmentStart)), Date.parse(String(segmentEnd))] as const)
    .filter(([start, end]) => end - start > 3_000)
    .map(([start, end]) => Math.floor((start + end) / 2))
    .toSorted((a, b) => a - b)
    .at(-1) ?? 0,
).toISOString()
org.control.clock.set(Date.parse(now))
const client = await connectClient(org)
afterAll(() => org.close())

const metrics = ['oWaiting', 'oAlerting', 'oInteracting']
const detailed = { metrics: metrics.map((metric) => ({ metric, details: true })), groupBy: ['queueId'] }
interface Result {
  readonly group: Record<string, string>
  readonly data: { readonly metric: string; readonly count?: number; readonly calculatedMetricValue?: number }[]
  readonly entities?: Json[]
}
async function ask(body: unknown, query = ''): Promise<Result[]> {
  const { status, json } = await client.send('POST', path + query, body)
  expect(status).toBe(200)
  return json['results'] as Result[]
}
const entitiesOf = (results: readonly Result[]): Json[] => results.flatMap(({ entities = [] }) => entities)
const sum = (results: readonly Result[], metric: string): number =>
  results
    .flatMap(({ data }) => data)
    .filter((each) => each.metric === metric)
    .reduce((total, { count = 0 }) => total + count, 0)
const ids = (records: readonly Json[]): Set<unknown> => new Set(records.map(({ conversationId }) => conversationId))

describe('the activity query', () => {
  test('lists the sessions that wait, alert and are handled, in agreement with the details query', async () => {
    const results = await ask(detailed)
    const entities = entitiesOf(results)
    for (const metric of metrics) {
      expect(sum(results, metric)).toBe(entities.filter((each) => each['metric'] === metric).length)
      expect(sum(results, metric)).toBeGreaterThan(0)
    }
    const open = org.truth().filter((each) => each['conversationEnd'] === undefined)
    expect(ids(entities).isSubsetOf(ids(open))).toBe(true)
    for (const { group, entities: own = [] } of results)
      expect(new Set(own.map(({ queueId }) => queueId))).toEqual(new Set([group['queueId']]))
    const records = new Map(open.map((each) => [each['conversationId'], each]))
    for (const entity of entities) {
      expect(entity).toMatchObject({ sessionId: expect.any(String), activityDate: expect.any(String) })
      const text = JSON.stringify(records.get(entity['conversationId']))
      expect(text).toContain(String(entity['sessionId']))
      expect(entity['userId'] === undefined).toBe(entity['metric'] === 'oWaiting')
      if (typeof entity['userId'] === 'string') expect(text).toContain(entity['userId'])
    }
  })

  test('agrees with the observations of the queues', async () => {
    const predicates = org.org.queues.map(({ id }) => ({ dimension: 'queueId', value: id }))
    const { json } = await client.send('POST', '/api/v2/analytics/queues/observations/query', {
      filter: { type: 'or', predicates },
      metrics,
    })
    const observed = (json['results'] as { data: { metric: string; stats: { count: number } }[] }[]).flatMap(
      ({ data }) => data,
    )
    const results = await ask(detailed)
    for (const metric of metrics)
      expect(sum(results, metric)).toBe(
        observed.filter((each) => each.metric === metric).reduce((total, { stats }) => total + stats.count, 0),
      )
  })

  test('includes conversations of any age, such as a thread of 200 days ago that no details query of 31 days returns', async () => {
    const id = org.control.changes.begin('email', Date.parse(now) - 200 * 86_400_000)
    org.control.changes.end(id)
    org.control.changes.reopen(id)
    // Reopened, it is with the customer only; a mail that came in and waits is in a queue.
    const waiting = {
      conversationId: 'very-old',
      conversationStart: '2025-06-01T10:00:00.000Z',
      originatingDirection: 'inbound',
      participants: [
        {
          participantId: 'p',
          purpose: 'acd',
          sessions: [
            {
              sessionId: 's',
              mediaType: 'email',
              segments: [
                { segmentType: 'interact', segmentStart: '2026-03-19T10:00:00.000Z', queueId: org.org.queues[0]?.id },
              ],
            },
          ],
        },
      ],
    }
    org.control.changes.add(waiting)
    const filter = { type: 'and', predicates: [{ dimension: 'conversationId', value: 'very-old' }] }
    const found = entitiesOf(await ask({ ...detailed, filter }))
    expect(found).toMatchObject([
      { conversationId: 'very-old', metric: 'oWaiting', activityDate: '2026-03-19T10:00:00.000Z' },
    ])
    const open = {
      conversationFilters: [{ type: 'and', predicates: [{ dimension: 'conversationEnd', operator: 'notExists' }] }],
    }
    const recent = await client.readAll(interval('2026-02-17T12:00:00Z', '2026-03-19T12:00:00Z'), open)
    expect(ids(recent).has('very-old')).toBe(false)
    const { json } = await client.send('GET', '/api/v2/analytics/conversations/details?id=very-old')
    expect(json['conversations']).toEqual([waiting])
  })

  test('has the longest waits as a time, and no entities unless asked', async () => {
    const results = await ask({
      metrics: [{ metric: 'oLongestWaiting' }, { metric: 'oWaiting' }],
      groupBy: ['mediaType'],
    })
    expect(entitiesOf(results)).toEqual([])
    const mail = results.find(({ group }) => group['mediaType'] === 'email')
    expect(mail?.data.find(({ metric }) => metric === 'oLongestWaiting')?.calculatedMetricValue).toBeGreaterThan(60_000)
    expect(mail?.data.find(({ metric }) => metric === 'oWaiting')?.count).toBeGreaterThan(0)
  })

  test('gives its groups in pages', async () => {
    const all = await ask(detailed)
    expect(all.length).toBeGreaterThan(5)
    const paged = [
      ...(await ask(detailed, '?pageSize=4&pageNumber=1')),
      ...(await ask(detailed, '?pageSize=4&pageNumber=2')),
    ]
    expect(paged).toEqual(all.slice(0, 8))
    expect(await ask(detailed, '?pageSize=4&pageNumber=99')).toEqual([])
  })

  test('leaves out after-call work and conversations outside queues', async () => {
    const listed = ids(entitiesOf(await ask(detailed)))
    const internal = org.control.changes.begin('internalCall', Date.parse(now) - 1_000)
    expect(org.truth().some(({ conversationId }) => conversationId === internal)).toBe(true)
    expect(ids(entitiesOf(await ask(detailed)))).toEqual(listed)
    const wrapUp = { segmentType: 'wrapup', segmentStart: now, queueId: org.org.queues[0]?.id }
    org.control.changes.add({
      conversationId: 'wrapping-up',
      conversationStart: now,
      participants: [
        { purpose: 'agent', userId: 'u', sessions: [{ sessionId: 's', mediaType: 'voice', segments: [wrapUp] }] },
      ],
    })
    expect(ids(entitiesOf(await ask(detailed)))).toEqual(listed)
  })

  test.each([
    ['no metrics', { groupBy: ['queueId'] }],
    ['metrics that are texts', { metrics: ['oWaiting'], groupBy: ['queueId'] }],
    ['a metric of another query', { metrics: [{ metric: 'oOnQueueUsers' }], groupBy: ['queueId'] }],
    ['no groupBy', { metrics: [{ metric: 'oWaiting' }] }],
    ['an empty groupBy', { metrics: [{ metric: 'oWaiting' }], groupBy: [] }],
    ['a dimension that does not exist', { metrics: [{ metric: 'oWaiting' }], groupBy: ['divisionId'] }],
    ['an interval', { ...detailed, interval: interval('2026-03-18', '2026-03-19') }],
    ['paging in the body', { ...detailed, paging: { pageSize: 10, pageNumber: 1 } }],
    ['details of another type', { metrics: [{ metric: 'oWaiting', details: 'yes' }], groupBy: ['queueId'] }],
    ['a filter without type', { ...detailed, filter: { predicates: [{ dimension: 'queueId', value: 'x' }] } }],
    ['an unknown order', { ...detailed, order: 'newest' }],
  ])('with %s is refused', async (_what, body) => {
    expect((await client.send('POST', path, body)).status).toBe(400)
  })

  test.each(['pageSize=0', 'pageNumber=0', 'pageSize=many'])('with %s is refused', async (query) => {
    expect((await client.send('POST', `${path}?${query}`, detailed)).status).toBe(400)
  })

  test('needs the permission for queue observations, and hides other divisions', async () => {
    const stranger = org.control.addClient({ permissions: new Set(['analytics:conversationDetail:view']) })
    const refused = await (await connectClient(org, stranger.id, stranger.secret)).send('POST', path, detailed)
    expect([refused.status, refused.json['message']]).toEqual([
      403,
      expect.stringContaining('analytics:queueObservation:view'),
    ])
    const [, north] = org.org.divisions
    const narrow = org.control.addClient({ divisions: new Set([north?.id ?? '']) })
    const { json } = await (await connectClient(org, narrow.id, narrow.secret)).send('POST', path, detailed)
    const seen = ids(entitiesOf(json['results'] as Result[]))
    expect(seen.size).toBeGreaterThan(0)
    const divisions = new Map(org.truth().map((each) => [each['conversationId'], each['divisionIds'] as string[]]))
    for (const id of seen) expect(divisions.get(id)).toContain(north?.id)
  })
})

test('deep paging is refused with the number of the limit, whatever it is now', async () => {
  const page = (pageNumber: number) =>
    client.details({ interval: interval('2026-03-18', '2026-03-19'), paging: { pageSize: 100, pageNumber } })
  expect((await page(3)).status).toBe(200)
  await client.send('POST', '/_simulator/settings', { paginationLimit: 250 })
  const { status, json } = await page(3)
  expect([status, String(json['message']).slice(0, 38)]).toEqual([400, 'Pagination may not exceed 250 results.'])
  expect((await page(2)).status).toBe(200)
  org.control.set({ paginationLimit: 100_000 })
  expect((await page(3)).status).toBe(200)
})
