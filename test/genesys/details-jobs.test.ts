import { describe, expect, test } from 'vitest'
import {
  deleteDetailsJob,
  isJobLimit,
  isJobRefusal,
  readJobAvailability,
  readJobLimit,
  readJobResults,
  readJobStatus,
  submitDetailsJob,
} from '../../src/genesys/details-jobs.ts'
import { createRateLimiter } from '../../src/genesys/rate-limiter.ts'
import { json, type ReceivedRequest } from '../support/fake-server.ts'
import { fakeGenesys, never, type FakeGenesys } from './support.ts'

const options = { priority: 'history', signal: never } as const
const day = { start: new Date('2026-11-20T00:00:00Z'), end: new Date('2026-11-21T00:00:00Z') }
const query = { interval: day, filter: {}, selects: 'started' } as const

/** A server that gives these answers in turn, the last one for ever. */
function answering(...answers: readonly (readonly [body: unknown, status?: number])[]): Promise<FakeGenesys> {
  return fakeGenesys((request: ReceivedRequest, all) => {
    const [body, status = 200] = answers[Math.min(all.length, answers.length) - 1]!
    json(request, body, status)
  })
}

test('submits a query without paging, and says whether the day of the start counts', async () => {
  await using genesys = await answering([{ jobId: 'j1' }, 202])
  const { jobId, sentAt } = await submitDetailsJob(genesys.client, query, options)
  expect(jobId).toBe('j1')
  expect(sentAt).toBeLessThanOrEqual(performance.now())
  await submitDetailsJob(genesys.client, { ...query, filter: { direction: 'inbound' }, selects: 'active' }, options)
  const [first, second] = genesys.api().map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  expect(first).toEqual({
    interval: '2026-11-20T00:00:00.000Z/2026-11-21T00:00:00.000Z',
    order: 'asc',
    orderBy: 'conversationStart',
    startOfDayIntervalMatching: true,
  })
  expect(second).toMatchObject({ startOfDayIntervalMatching: false, conversationFilters: [{ type: 'and' }] })
})

describe.each([
  ['a submission', (it: FakeGenesys) => submitDetailsJob(it.client, query, options), { jobId: 'j1' }],
  [
    'the availability',
    (it: FakeGenesys) => readJobAvailability(it.client, options),
    { dataAvailabilityDate: '2026-11-20T06:00:00.000Z' },
  ],
  ['a state', (it: FakeGenesys) => readJobStatus(it.client, 'j1', options), { state: 'PENDING' }],
  [
    'results',
    (it: FakeGenesys) => readJobResults(it.client, 'j1', { cursor: null, size: 10 }, options),
    { conversations: [], dataAvailabilityDate: '2026-11-20T06:00:00.000Z' },
  ],
] as const)('%s', (_name, ask, answer) => {
  test.each([
    ['an error document', { message: 'no', code: 'x', status: 503 }],
    ['an empty object', {}],
    ['a list', []],
    [
      'an answer with an unknown state',
      { state: 'SLEEPING', dataAvailabilityDate: 'soon', jobId: 7, conversations: 3 },
    ],
  ])('is not believed to be %s: the request is repeated', async (_kind, wrong) => {
    await using genesys = await answering([wrong], [answer])
    await ask(genesys)
    expect(genesys.api()).toHaveLength(2)
  })
})

test('reads results by cursor, which is not sent for the first page', async () => {
  await using genesys = await answering(
    [{ conversations: [{ conversationId: 'a' }], cursor: 'next/page=', dataAvailabilityDate: '2026-11-22T00:00:00Z' }],
    [{ conversations: [{ conversationId: 'b' }], dataAvailabilityDate: '2026-11-22T00:00:00Z' }],
  )
  const first = await readJobResults(genesys.client, 'j1', { cursor: null, size: 1000 }, options)
  expect(first).toEqual({
    conversations: [{ conversationId: 'a' }],
    cursor: 'next/page=',
    availableUntil: new Date('2026-11-22T00:00:00Z'),
  })
  const last = await readJobResults(genesys.client, 'j1', { cursor: first.cursor, size: 1000 }, options)
  expect(last.cursor).toBeNull()
  const queries = genesys.api().map(({ url }) => new URL(url, 'http://x').searchParams)
  expect(queries.map((each) => each.get('cursor'))).toEqual([null, 'next/page='])
  expect(queries.map((each) => each.get('pageSize'))).toEqual(['1000', '1000'])
})

test('a page that is too large to be read is asked for in smaller ones at the same place', async () => {
  const large = { text: 'x'.repeat(40 * 1024 ** 2) }
  await using genesys = await fakeGenesys((request) => {
    const size = Number(new URL(request.url, 'http://x').searchParams.get('pageSize'))
    json(request, { conversations: Array.from({ length: Math.min(2, size) }, () => large), cursor: `after ${size}` })
  })
  const page = await readJobResults(genesys.client, 'j1', { cursor: 'here', size: 4 }, options)
  expect(page).toMatchObject({ cursor: 'after 1' })
  expect(page.conversations).toHaveLength(1)
  expect(genesys.api().map(({ url }) => new URL(url, 'http://x').searchParams.get('cursor'))).toEqual([
    'here',
    'here',
    'here',
  ])
})

test('deletes a job; one that is not there counts as deleted, and other refusals do not', async () => {
  await using genesys = await fakeGenesys((request, all) => {
    const status = [204, 404, 403][all.length - 1]!
    if (status === 204) request.response.writeHead(204).end()
    else json(request, { message: 'no', code: 'x', status }, status)
  })
  await deleteDetailsJob(genesys.client, 'j 1', options)
  await deleteDetailsJob(genesys.client, 'j 1', options)
  await expect(deleteDetailsJob(genesys.client, 'j 1', options)).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    hint: expect.stringContaining('analytics:conversationDetail:view'),
  })
  expect(genesys.api().map(({ method, url }) => `${method} ${url}`)[0]).toBe(
    'DELETE /api/v2/analytics/conversations/details/jobs/j%201',
  )
})

test.each([
  [429, 'Rate limit exceeded the maximum. Retry the request in [1] seconds', true],
  [400, 'The maximum number of concurrent jobs [10] was exceeded (details.jobs.concurrent.access.max).', true],
  [400, 'The interval cannot be read', false],
  [403, 'You are missing a permission', false],
])('a refusal with %i, "%s", is about the number of jobs: %s', async (status, message, expected) => {
  let pauses = 0
  const limiter = { ...createRateLimiter({ requestsPerMinute: Number.POSITIVE_INFINITY }), pause: () => void pauses++ }
  await using genesys = await fakeGenesys((request) => json(request, { message, code: 'x', status }, status), {
    limiter,
  })
  const error: unknown = await submitDetailsJob(genesys.client, query, options).catch((reason: unknown) => reason)
  expect(isJobLimit(error)).toBe(expected)
  expect(isJobRefusal(error)).toBe(status === 403)
  // other requests, those of live among them, are not concerned
  expect(pauses).toBe(0)
})

test('knows how many jobs the organization may have, where it is told', async () => {
  const key = 'details.jobs.concurrent.access.max'
  await using genesys = await answering(
    [
      {
        entities: [
          { key: 'other', value: 3 },
          { key, value: 7 },
        ],
      },
    ],
    [{ entities: [] }],
    [{ entities: [{ key, value: 'many' }] }],
    [{ message: 'no', code: 'x', status: 403 }, 403],
  )
  const limits: (number | null)[] = []
  for (let time = 0; time < 4; time++) limits.push(await readJobLimit(genesys.client, options))
  expect(limits).toEqual([7, null, null, null])
})
