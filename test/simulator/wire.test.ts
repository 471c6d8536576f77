import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAULT_KINDS } from '../../src/simulator/faults.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Simulator } from '../../src/simulator/contract.ts'
import { connectClient, interval, login, type HttpClient } from './http-client.ts'

const now = '2026-03-20T12:00:00Z'
const yesterday = interval('2026-03-19', '2026-03-20')
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
let org: Simulator
let client: HttpClient
beforeAll(async () => {
  org = await startSimulator({ seed: 2, now, perDay: 120, days: 2 })
  client = await connectClient(org)
})
afterAll(() => org.close())

describe('the login', () => {
  test('gives a bearer token and its lifetime', async () => {
    const { status, json } = await login(org)
    expect(status).toBe(200)
    expect(json).toEqual({ access_token: expect.any(String), token_type: 'bearer', expires_in: 86_400 })
  })

  test('refuses in the shape of OAuth, not of the API', async () => {
    const unknown = await login(org, 'nobody')
    expect([unknown.status, unknown.json]).toEqual([
      400,
      { error: 'invalid_client', description: 'client not found', error_description: 'client not found' },
    ])
    const wrong = await login(org, org.clientId, 'wrong')
    expect([wrong.status, wrong.json]).toEqual([
      400,
      { error: 'invalid_client', description: 'authentication failed', error_description: 'authentication failed' },
    ])
    expect((await login(org, undefined, undefined, 'grant_type=password')).json['error']).toBe('unsupported_grant_type')
    expect((await login(org, undefined, undefined, '')).json['error']).toBe('invalid_request')
  })

  test('stops working when the client is deactivated, and so do its tokens', async () => {
    const oauth = org.control.addClient()
    const reader = await connectClient(org, oauth.id, oauth.secret)
    expect((await reader.send('GET', '/api/v2/organizations/me')).status).toBe(200)
    oauth.state = 'inactive'
    expect((await reader.send('GET', '/api/v2/organizations/me')).status).toBe(401)
    expect((await login(org, oauth.id, oauth.secret)).json['error']).toBe('invalid_client')
  })

  test('gives tokens that expire and can be revoked', async () => {
    const oauth = org.control.addClient({ tokenSeconds: 0.05 })
    const reader = await connectClient(org, oauth.id, oauth.secret)
    await delay(60)
    expect((await reader.send('GET', '/api/v2/tokens/me')).json['code']).toBe('credentials.expired')
    const other = await connectClient(org)
    org.control.revokeTokens()
    expect((await other.send('GET', '/api/v2/tokens/me')).json['code']).toBe('bad.credentials')
    const none = await other.send('GET', '/api/v2/tokens/me', undefined, { authorization: '' })
    expect([none.status, none.json['code']]).toEqual([401, 'authentication.required'])
    client = await connectClient(org)
  })
})

describe('an answer', () => {
  test('carries correlation id, date and the rate limit', async () => {
    const { headers } = await client.details({ interval: yesterday })
    expect(headers.get('inin-correlation-id')).toMatch(uuid)
    expect(Math.abs(Date.parse(String(headers.get('date'))) - Date.now())).toBeLessThan(5_000)
    expect(headers.get('inin-ratelimit-allowed')).toBe('300')
    expect(Number(headers.get('inin-ratelimit-count'))).toBeGreaterThan(0)
    expect(Number(headers.get('inin-ratelimit-reset'))).toBeLessThanOrEqual(60)
    expect(headers.get('content-encoding')).toBe('gzip')
    const plain = await client.details({ interval: yesterday }, { 'accept-encoding': 'identity' })
    expect(plain.headers.get('content-encoding')).toBe(null)
  })

  test('that is an error has the correlation id in its body', async () => {
    const { headers, json, status } = await client.send('GET', '/api/v2/nothing')
    expect([status, json['code']]).toEqual([404, 'not.found'])
    expect(json['contextId']).toBe(headers.get('inin-correlation-id'))
    expect((await client.send('DELETE', '/api/v2/users')).status).toBe(405)
  })

  test('may have another date than this machine', async () => {
    org.control.set({ dateSkewMs: 3_600_000 })
    const { headers } = await client.send('GET', '/api/v2/organizations/me')
    expect(Date.parse(String(headers.get('date'))) - Date.now()).toBeGreaterThan(3_500_000)
    org.control.set({ dateSkewMs: 0 })
  })
})

describe('permissions', () => {
  test('that are missing are named in a 403', async () => {
    const oauth = org.control.addClient()
    oauth.permissions.delete('analytics:conversationDetail:view')
    const reader = await connectClient(org, oauth.id, oauth.secret)
    const { status, json } = await reader.details({ interval: yesterday })
    expect([status, json['code']]).toEqual([403, 'missing.any.permissions'])
    expect(json['message']).toContain('analytics:conversationDetail:view')
    oauth.permissions.add('analytics:agentConversationDetail:view')
    expect((await reader.details({ interval: yesterday })).status).toBe(200)
    oauth.permissions.delete('routing:queue:view')
    expect((await reader.send('GET', '/api/v2/routing/queues')).status).toBe(403)
    expect((await reader.send('GET', '/api/v2/users')).status).toBe(200)
  })

  test('limited to divisions hide the rest without a word', async () => {
    const division = String(org.org.divisions[3]?.id)
    const oauth = org.control.addClient({ divisions: new Set([division]) })
    const reader = await connectClient(org, oauth.id, oauth.secret)
    const found = await reader.readAll(yesterday)
    const { json } = await reader.details({ interval: yesterday })
    expect(json['totalHits']).toBe(found.length)
    expect(found.length).toBeGreaterThan(0)
    expect(found.length).toBeLessThan(org.truth('2026-03-19').length)
    const subject = await reader.send('GET', '/api/v2/authorization/subjects/me')
    expect(JSON.stringify(subject.json)).toContain(division)
    const all = await reader.send('GET', '/api/v2/authorization/divisions')
    expect((all.json['entities'] as unknown[]).length).toBe(org.org.divisions.length)
  })

  test('of client credentials have no user', async () => {
    const { status, json } = await client.send('GET', '/api/v2/conversations')
    expect(status).toBe(400)
    expect(json['message']).toBe(
      'This request requires a user context. Client credentials cannot be used for requests to this resource.',
    )
  })

  test('of a person show the conversations of that person', async () => {
    await using busy = await startSimulator({
      seed: 2,
      now: '2026-03-19T10:30:00Z',
      perDay: 700,
      days: 0,
      malformedShare: 0,
    })
    const reader = await connectClient(busy)
    const open = busy.truth().filter((each) => !('conversationEnd' in each)) as {
      participants: { userId?: string }[]
    }[]
    const userId = String(open.flatMap(({ participants }) => participants).find((each) => each.userId)?.userId)
    const { json } = await reader.send('GET', '/api/v2/conversations', undefined, {
      authorization: `Bearer ${busy.control.userToken(userId)}`,
    })
    const mine = open.filter(({ participants }) => participants.some((each) => each.userId === userId))
    expect((json['entities'] as unknown[]).length).toBe(mine.length)
  })
})

describe('the rate limit', () => {
  test('refuses what is too much with the normalised answer, per client', async () => {
    await using strict = await startSimulator({ now, perDay: 0, rateLimit: { requestsPerMinute: 3, windowMs: 4_000 } })
    const reader = await connectClient(strict)
    const other = strict.control.addClient()
    const neighbour = await connectClient(strict, other.id, other.secret)
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push((await reader.send('GET', '/api/v2/organizations/me')).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    const refused = await reader.send('GET', '/api/v2/organizations/me')
    // what is left of the window, in whole seconds
    const wait = refused.headers.get('retry-after')
    expect(wait).toMatch(/^[1-4]$/)
    expect(refused.headers.get('inin-ratelimit-count')).toBe('6')
    expect(refused.json).toEqual({
      message: `Rate limit exceeded the maximum. Retry the request in [${wait}] seconds`,
      code: 'too.many.requests.retry.after',
      status: 429,
      contextId: refused.headers.get('inin-correlation-id'),
      details: [],
      errors: [],
    })
    expect(strict.violations()).toBe(3)
    expect((await neighbour.send('GET', '/api/v2/organizations/me')).status).toBe(200)
    await expect
      .poll(async () => (await reader.send('GET', '/api/v2/organizations/me')).status, {
        timeout: 20_000,
        interval: 500,
      })
      .toBe(200)
  })

  test('can be silent', async () => {
    await using silent = await startSimulator({ now, perDay: 0, rateLimit: { headers: false } })
    const { headers } = await (await connectClient(silent)).send('GET', '/api/v2/organizations/me')
    expect([...headers.keys()].filter((name) => name.startsWith('inin-ratelimit'))).toEqual([])
  })
})

describe('lists', () => {
  test('come in pages with links', async () => {
    const first = await client.send('GET', '/api/v2/users?state=any&pageSize=40')
    expect(first.json).toMatchObject({ pageSize: 40, pageNumber: 1, total: 60, pageCount: 2 })
    const second = await client.send('GET', String(first.json['nextUri']))
    expect((second.json['entities'] as unknown[]).length).toBe(20)
    expect('nextUri' in second.json).toBe(false)
    const active = await client.send('GET', '/api/v2/users')
    expect(Number(active.json['total'])).toBeLessThan(60)
    for (const path of ['routing/queues', 'routing/wrapupcodes', 'flows', 'authorization/divisions', 'routing/skills'])
      expect((await client.send('GET', `/api/v2/${path}`)).json['total'], path).toBeGreaterThan(2)
  })

  test('of limits name the rate', async () => {
    const { json } = await client.send('GET', '/api/v2/organizations/limits/namespaces/platform.api')
    expect(json['entities']).toContainEqual({
      key: 'client.credentials.token.rate.per.minute',
      namespace: 'platform.api',
      value: 300,
    })
  })
})

describe('queue observations', () => {
  test('count what is open', async () => {
    await using busy = await startSimulator({
      seed: 2,
      now: '2026-03-19T10:30:00Z',
      perDay: 700,
      days: 0,
      malformedShare: 0,
    })
    const reader = await connectClient(busy)
    const body = {
      filter: { type: 'or', predicates: busy.org.queues.map(({ id }) => ({ dimension: 'queueId', value: id })) },
      metrics: ['oWaiting', 'oInteracting', 'oAlerting', 'oOnQueueUsers'],
    }
    const path = '/api/v2/analytics/queues/observations/query'
    const { status, json } = await reader.send('POST', path, body)
    expect(status).toBe(200)
    type Result = { group: { mediaType?: string }; data: { metric: string; stats: { count: number } }[] }
    const results = json['results'] as Result[]
    const sum = (metric: string): number =>
      results
        .flatMap(({ data }) => data)
        .filter((each) => each.metric === metric)
        .reduce((total, each) => total + each.stats.count, 0)
    expect(sum('oWaiting')).toBeGreaterThan(0)
    expect(sum('oInteracting')).toBeGreaterThan(5)
    expect(sum('oOnQueueUsers')).toBeGreaterThan(10)
    expect((await reader.send('POST', path, { metrics: ['oWaiting'], filter: { type: 'and' } })).status).toBe(400)
    const many = Array.from({ length: 201 }, () => body.filter.predicates[0])
    expect((await reader.send('POST', path, { ...body, filter: { type: 'or', predicates: many } })).status).toBe(400)
  })
})

describe('faults', () => {
  const page = { interval: yesterday, paging: { pageSize: 100, pageNumber: 1 } }
  const once = async (kind: (typeof FAULT_KINDS)[number]) => {
    org.control.faults.add({ on: 'details', kind, times: 1 })
    const answer = await client.details(page).finally(() => org.control.faults.clear())
    return answer
  }

  test.each([
    ['429', 429, '1', 'too.many.requests.retry.after'],
    ['429-no-header', 429, null, 'too.many.requests'],
    ['429-long', 429, '3600', 'too.many.requests.retry.after'],
    ['503', 503, null, 'service.unavailable'],
    ['504', 504, null, 'request.timeout'],
  ] as const)('%s', async (kind, status, retryAfter, code) => {
    const answer = await once(kind)
    expect([answer.status, answer.headers.get('retry-after'), answer.json['code']]).toEqual([status, retryAfter, code])
  })

  test('429 with a date', async () => {
    const { headers } = await once('429-date')
    const wait = Date.parse(String(headers.get('retry-after'))) - Date.now()
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThan(3_000)
  })

  test.each([
    ['500-html', 500],
    ['502-html', 502],
    ['html-200', 200],
  ] as const)('%s', async (kind, status) => {
    const answer = await once(kind)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'text/html'])
    expect(answer.text).toContain('<html>')
  })

  test('an empty and a truncated body', async () => {
    expect((await once('empty-200')).text).toBe('')
    const cut = await once('truncated')
    expect(cut.status).toBe(200)
    expect(() => JSON.parse(cut.text) as unknown).toThrow()
    expect(cut.text.startsWith('{"conversations":[{')).toBe(true)
  })

  test('connections reset before the answer and in the middle of it', async () => {
    await expect(once('reset-before')).rejects.toThrow('fetch failed')
    await expect(once('reset-in-body')).rejects.toThrow('terminated')
  })

  test('a request that is never answered', async () => {
    org.control.faults.add({ on: 'details', kind: 'hang', times: 1 })
    const request = fetch(`${org.url}/api/v2/analytics/conversations/details/query`, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(page),
      signal: AbortSignal.timeout(300),
    })
    await expect(request).rejects.toThrow('aborted due to timeout')
    org.control.faults.clear()
  })

  test('a token that dies in mid-range', async () => {
    expect((await once('401')).status).toBe(401)
    expect((await client.details(page)).status).toBe(401)
    client = await connectClient(org)
    expect((await client.details(page)).status).toBe(200)
  })

  test('by number, by step, by endpoint and by probability', async () => {
    const statuses = async (count: number): Promise<number[]> => {
      const list: number[] = []
      for (let i = 0; i < count; i++)
        list.push((await client.details({ ...page, paging: { pageSize: 1, pageNumber: i + 1 } })).status)
      return list
    }
    org.control.faults.add({ on: 'details', kind: '503', nth: 2 })
    expect(await statuses(4)).toEqual([200, 503, 200, 200])
    org.control.faults.clear()
    org.control.faults.add({ on: 'any', kind: '503', every: 3, times: 1 })
    expect(await statuses(7)).toEqual([200, 200, 503, 200, 200, 200, 200])
    org.control.faults.clear()
    org.control.faults.add({ on: 'token', kind: '503' })
    expect((await login(org)).status).toBe(503)
    expect(await statuses(1)).toEqual([200])
    org.control.faults.clear()
    org.control.faults.add({ on: '/api/v2/users', kind: '503' })
    expect((await client.send('GET', '/api/v2/users?pageSize=3')).status).toBe(503)
    org.control.faults.clear()
  })

  test('by probability do not depend on the order of requests', async () => {
    const fates = async (pages: number[]): Promise<Map<number, number>> => {
      await using other = await startSimulator({
        seed: 2,
        now,
        perDay: 120,
        days: 1,
        faults: [{ on: 'details', kind: '503', probability: 0.4 }],
      })
      const reader = await connectClient(other)
      const fate = new Map<number, number>()
      for (const pageNumber of pages)
        fate.set(
          pageNumber,
          (await reader.details({ interval: yesterday, paging: { pageSize: 2, pageNumber } })).status,
        )
      return fate
    }
    const numbers = Array.from({ length: 20 }, (_, index) => index + 1)
    const forwards = await fates(numbers)
    const backwards = await fates([...numbers].reverse())
    expect(new Map([...backwards].reverse())).toEqual(forwards)
    expect(new Set(forwards.values())).toEqual(new Set([200, 503]))
  })
})
