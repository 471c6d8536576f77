import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import { connectClient, type HttpAnswer } from './http-client.ts'

type Json = Record<string, unknown>
const path = '/api/v2/analytics/conversations/details/jobs'
const org = await startSimulator({
  seed: 5,
  now: '2026-03-20T12:00:00Z',
  days: 6,
  perDay: 60,
  exactPerDay: true,
  malformedShare: 0,
  reopenedShare: 0.6,
  rateLimit: { requestsPerMinute: Number.POSITIVE_INFINITY },
})
afterAll(() => org.close())
const client = await connectClient(org)
beforeEach(() => org.control.set({ jobQueuedMs: 0, jobPendingMs: 0, dataLagMs: 6 * 3_600_000, jobsAtOnce: 10 }))

const interval = '2026-03-18T00:00:00.000Z/2026-03-19T00:00:00.000Z'
const submit = (body: Json): Promise<HttpAnswer> => client.send('POST', path, body)

async function read(id: string, pageSize = 1000): Promise<Json[]> {
  const records: Json[] = []
  let cursor: unknown
  do {
    const text = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor as string)}`
    const { json, status } = await client.send('GET', `${path}/${id}/results?pageSize=${pageSize}${text}`)
    expect(status).toBe(200)
    records.push(...((json['conversations'] ?? []) as Json[]))
    cursor = json['cursor']
  } while (cursor !== undefined)
  return records
}

async function run(body: Json, pageSize?: number): Promise<Json[]> {
  const { status, json } = await submit(body)
  expect(status).toBe(202)
  return await read(String(json['jobId']), pageSize)
}

const withoutAttributes = (record: Json): Json => ({
  ...record,
  participants: (record['participants'] as Json[]).map(({ attributes: _attributes, ...rest }) => rest),
})
const idsOf = (records: readonly Json[]): unknown[] => records.map(({ conversationId }) => conversationId).sort()

test('goes from QUEUED over PENDING to FULFILLED, and has results only then', async () => {
  org.control.set({ jobQueuedMs: 60, jobPendingMs: 60 })
  const { json } = await submit({ interval })
  const id = String(json['jobId'])
  const states: unknown[] = []
  while (states.at(-1) !== 'FULFILLED') {
    const state = (await client.send('GET', `${path}/${id}`)).json['state']
    if (states.length === 0) expect((await client.send('GET', `${path}/${id}/results`)).status).toBe(400)
    if (states.at(-1) !== state) states.push(state)
    await sleep(5)
  }
  expect(states).toEqual(['QUEUED', 'PENDING', 'FULFILLED'])
  expect((await client.send('GET', `${path}/${id}`)).json).toMatchObject({
    submissionDate: '2026-03-20T12:00:00.000Z',
    expirationDate: '2026-03-21T12:00:00.000Z',
  })
})

test('delivers what lived in the interval; with startOfDayIntervalMatching what started on its days', async () => {
  org.control.set({ dataLagMs: 0 })
  const active = await run({ interval })
  const started = await run({ interval, startOfDayIntervalMatching: true })
  const [from, to] = interval.split('/').map(Date.parse) as [number, number]
  const expected = org.truth().filter(({ conversationStart, conversationEnd }) => {
    const end = conversationEnd === undefined ? Infinity : Date.parse(String(conversationEnd))
    return Date.parse(String(conversationStart)) < to && end >= from
  })
  expect(idsOf(active)).toEqual(idsOf(expected))
  expect(idsOf(started)).toEqual(idsOf(org.truth('2026-03-18')))
  expect(active.length).toBeGreaterThan(started.length)
  expect(started.map(withoutAttributes)).toEqual(org.truth('2026-03-18'))
})

test('pages by a cursor that means nothing, in pages that may be smaller than asked for', async () => {
  const whole = await run({ interval })
  expect(await run({ interval }, 7)).toEqual(whole)
  org.control.set({ jobPageSize: 20 })
  const { json } = await submit({ interval })
  const first = await client.send('GET', `${path}/${String(json['jobId'])}/results?pageSize=1000`)
  expect(first.json['conversations']).toHaveLength(20)
  expect(first.json['dataAvailabilityDate']).toBe('2026-03-20T06:00:00.000Z')
  expect(await read(String(json['jobId']))).toEqual(whole)
  expect((await client.send('GET', `${path}/${String(json['jobId'])}/results?cursor=20`)).status).toBe(400)
  org.control.set({ jobPageSize: 10_000 })
})

test('attributes come by jobs only, cut at 1 024 characters', async () => {
  org.control.set({ dataLagMs: 0 })
  const records = await run({ interval, startOfDayIntervalMatching: true })
  const attributes = records.flatMap((record) =>
    (record['participants'] as Json[]).flatMap(({ attributes: each }) =>
      each ? [each as Record<string, string>] : [],
    ),
  )
  expect(attributes.length).toBeGreaterThan(10)
  expect(attributes.length).toBeLessThan(records.length)
  const lengths = attributes
    .flatMap(Object.entries)
    .flat()
    .map(({ length }) => length)
  expect(Math.max(...lengths)).toBe(1024)
  expect(org.truthText().join('')).not.toContain('"attributes"')
  const id = org.control.changes.begin('inboundCall', Date.parse('2026-03-18T10:00:00Z'))
  org.control.changes.setAttributes(id, { vip: 'yes' })
  const own = (await run({ interval })).find(({ conversationId }) => conversationId === id)
  expect((own?.['participants'] as Json[])[0]?.['attributes']).toEqual({ vip: 'yes' })
  expect(Object.values(org.attributesOf(id))).toEqual([{ vip: 'yes' }])
  org.control.changes.remove(id)
})

test('the data lake lags: what is later is not there, and what goes on is as it was then', async () => {
  const today = '2026-03-20T00:00:00.000Z/2026-03-21T00:00:00.000Z'
  expect((await client.send('GET', `${path}/availability`)).json).toEqual({
    dataAvailabilityDate: '2026-03-20T06:00:00.000Z',
  })
  const id = org.control.changes.begin('inboundCall', Date.parse('2026-03-20T05:59:30Z'))
  const late = org.control.changes.begin('inboundCall', Date.parse('2026-03-20T06:00:30Z'))
  const find = async (wanted: string): Promise<Json | undefined> =>
    (await run({ interval: today })).find(({ conversationId }) => conversationId === wanted)
  expect(await find(late)).toBeUndefined()
  expect(await find(id)).not.toHaveProperty('conversationEnd')
  expect(org.truth().find(({ conversationId }) => conversationId === id)).toHaveProperty('conversationEnd')
  org.control.set({ dataLagMs: 0 })
  expect(await find(id)).toHaveProperty('conversationEnd')
  expect(await find(late)).toBeDefined()
})

test.each([
  ['paging', { interval, paging: { pageSize: 100, pageNumber: 1 } }],
  ['aggregations', { interval, aggregations: [] }],
  ['a field that there is not', { interval, groupBy: ['queueId'] }],
  ['no interval', {}],
  ['a limit of nothing', { interval, limit: 0 }],
  ['a switch that is no boolean', { interval, startOfDayIntervalMatching: 'yes' }],
  ['an unknown dimension', { interval, conversationFilters: [{ type: 'and', predicates: [{ dimension: 'colour' }] }] }],
])('refuses %s', async (_what, body) => {
  expect((await submit(body)).status).toBe(400)
})

test('takes filters and a limit as the details query does', async () => {
  const filter = {
    conversationFilters: [
      { type: 'and', predicates: [{ type: 'dimension', dimension: 'originatingDirection', value: 'outbound' }] },
    ],
  }
  const outbound = await run({ interval, ...filter, startOfDayIntervalMatching: true })
  expect(idsOf(outbound)).toEqual(
    idsOf(org.truth('2026-03-18').filter(({ originatingDirection }) => originatingDirection === 'outbound')),
  )
  expect(await run({ interval, limit: 3 })).toHaveLength(3)
})

test('fails, is cancelled or expires as planned; expired results are gone', async () => {
  org.control.jobs.plan({ ends: 'FAILED' }, { ends: 'CANCELLED' }, { ends: 'EXPIRED' }, { expiresAfterPages: 1 })
  const ids: string[] = []
  for (let job = 0; job < 4; job++) ids.push(String((await submit({ interval })).json['jobId']))
  const state = async (id: string): Promise<Json> => (await client.send('GET', `${path}/${id}`)).json
  expect(await state(ids[0]!)).toMatchObject({ state: 'FAILED', errorMessage: expect.any(String) })
  expect(await state(ids[1]!)).toMatchObject({ state: 'CANCELLED' })
  expect(await state(ids[2]!)).toMatchObject({ state: 'EXPIRED' })
  expect((await client.send('GET', `${path}/${ids[2]}/results`)).status).toBe(404)
  const { json } = await client.send('GET', `${path}/${ids[3]}/results?pageSize=5`)
  const rest = await client.send(
    'GET',
    `${path}/${ids[3]}/results?pageSize=5&cursor=${encodeURIComponent(String(json['cursor']))}`,
  )
  expect(rest.status).toBe(404)
  // a day later all results have expired
  const old = String((await submit({ interval })).json['jobId'])
  org.control.clock.advance(25 * 3_600_000)
  expect(await state(old)).toMatchObject({ state: 'EXPIRED' })
  org.control.clock.advance(-25 * 3_600_000)
})

test('a deleted job is gone, and nobody sees the job of another client', async () => {
  const id = String((await submit({ interval })).json['jobId'])
  const other = org.control.addClient()
  const stranger = await connectClient(org, other.id, other.secret)
  expect((await stranger.send('GET', `${path}/${id}`)).status).toBe(404)
  expect((await client.send('DELETE', `${path}/${id}`)).status).toBe(204)
  expect((await client.send('DELETE', `${path}/${id}`)).status).toBe(404)
  expect((await client.send('GET', `${path}/${id}/results`)).status).toBe(404)
  expect(org.control.jobs.list().find((job) => job.id === id)).toMatchObject({ isDeleted: true })
})

test.each([429, 400] as const)('refuses more jobs at once than the organization may have, with %i', async (status) => {
  org.control.set({ jobsAtOnce: 2, jobLimitStatus: status, jobPendingMs: 60_000 })
  const ids: unknown[] = []
  for (let job = 0; job < 2; job++) ids.push((await submit({ interval })).json['jobId'])
  expect((await submit({ interval })).status).toBe(status)
  const limits = await client.send('GET', '/api/v2/organizations/limits/namespaces/analytics')
  expect(limits.json['entities']).toMatchObject([{ key: 'details.jobs.concurrent.access.max', value: 2 }])
  for (const id of ids) await client.send('DELETE', `${path}/${String(id)}`)
  expect((await submit({ interval })).status).toBe(202)
  org.control.set({ jobPendingMs: 0 })
})

test('needs a permission, and the availability needs that for all conversations', async () => {
  const agents = org.control.addClient({ permissions: new Set(['analytics:agentConversationDetail:view']) })
  const limited = await connectClient(org, agents.id, agents.secret)
  expect((await limited.send('POST', path, { interval })).status).toBe(202)
  expect((await limited.send('GET', `${path}/availability`)).status).toBe(403)
  const nobody = org.control.addClient({ permissions: new Set() })
  const refused = await connectClient(org, nobody.id, nobody.secret)
  expect((await refused.send('POST', path, { interval })).status).toBe(403)
  const divisions = org.control.addClient({ divisions: new Set([org.org.divisions[1]!.id]) })
  const ofDivision = await connectClient(org, divisions.id, divisions.secret)
  const { json } = await ofDivision.send('POST', path, { interval })
  const { json: results } = await ofDivision.send('GET', `${path}/${String(json['jobId'])}/results`)
  const seen = results['conversations'] as Json[]
  expect(seen.length).toBeGreaterThan(0)
  expect(seen.every(({ divisionIds }) => (divisionIds as string[]).includes(org.org.divisions[1]!.id))).toBe(true)
})
