import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Simulator } from '../../src/simulator/contract.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { interval } from './http-client.ts'

/** The parts of the official SDK that are used here; it is CommonJS and its own types clash with a strict compiler. */
interface Sdk {
  ApiClient: {
    instance: {
      setGateway(gateway: { host: string; protocol: string; port: number }): void
      loginClientCredentialsGrant(id: string, secret: string): Promise<{ accessToken: string }>
    }
  }
  AnalyticsApi: new () => {
    postAnalyticsConversationsDetailsQuery(body: Json): Promise<Json>
    getAnalyticsConversationsDetails(options: { id: string[] }): Promise<Json>
    getAnalyticsConversationDetails(id: string): Promise<Json>
    postAnalyticsQueuesObservationsQuery(body: Json): Promise<Json>
    postAnalyticsConversationsActivityQuery(body: Json, options: Json): Promise<Json>
  }
  OrganizationApi: new () => { getOrganizationsMe(): Promise<Json> }
  RoutingApi: new () => {
    getRoutingQueues(options: { pageSize: number }): Promise<Json>
    getRoutingWrapupcodes(options: { pageSize: number }): Promise<Json>
  }
  UsersApi: new () => { getUsers(options: { state: string; pageSize: number }): Promise<Json> }
  ArchitectApi: new () => { getFlows(options: { pageSize: number }): Promise<Json> }
  AuthorizationApi: new () => {
    getAuthorizationDivisions(): Promise<Json>
    getAuthorizationSubjectsMe(): Promise<Json>
  }
  TokensApi: new () => { getTokensMe(options: Json): Promise<Json> }
}

const require = createRequire(import.meta.url)
const sdk = require('purecloud-platform-client-v2') as Sdk
const yesterday = interval('2026-03-19', '2026-03-20')
let org: Simulator
beforeAll(async () => {
  org = await startSimulator({ seed: 9, now: '2026-03-20T12:00:00Z', perDay: 300, days: 2, malformedShare: 0 })
  sdk.ApiClient.instance.setGateway({ host: '127.0.0.1', protocol: 'http', port: org.port })
})
afterAll(() => org.close())

/** The fields of the SDK's models, read from its declarations: name → field → type. */
function readModels(): Map<string, Map<string, string>> {
  const text = readFileSync(require.resolve('purecloud-platform-client-v2/index.d.ts'), 'utf8')
  const models = new Map<string, Map<string, string>>()
  for (const [, name = '', body = ''] of text.matchAll(/export interface (\w+)\s*\{([^]*?)\n\t\}/g))
    models.set(
      name,
      new Map([...body.matchAll(/"(\w+)"\??: ([^;]+);/g)].map(([, field = '', type = '']) => [field, type])),
    )
  return models
}
const models = readModels()

/** Everything in a value that its model does not have, or has with another type. */
function strangers(value: unknown, type: string, path = ''): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1]
  if (list !== undefined)
    return Array.isArray(value) ? value.flatMap((item) => strangers(item, list, `${path}[]`)) : [`${path} is no list`]
  const name = type.replace(/^Models\./, '')
  const fields = models.get(name)
  if (!fields) {
    if (['string', 'number', 'boolean'].includes(type)) return typeof value === type ? [] : [`${path} is no ${type}`]
    return []
  }
  if (typeof value !== 'object' || value === null) return [`${path} is no ${name}`]
  return Object.entries(value).flatMap(([key, item]) => {
    const fieldType = fields.get(key)
    return fieldType === undefined ? [`${path}.${key} is not in ${name}`] : strangers(item, fieldType, `${path}.${key}`)
  })
}

describe('the official SDK', () => {
  test('logs in', async () => {
    const { accessToken } = await sdk.ApiClient.instance.loginClientCredentialsGrant(org.clientId, org.clientSecret)
    expect(accessToken.length).toBeGreaterThan(20)
  })

  test('is refused with a wrong secret', async () => {
    await expect(sdk.ApiClient.instance.loginClientCredentialsGrant(org.clientId, 'wrong')).rejects.toMatchObject({
      status: 400,
    })
    await sdk.ApiClient.instance.loginClientCredentialsGrant(org.clientId, org.clientSecret)
  })

  test('reads a day, and knows every field of it', async () => {
    const api = new sdk.AnalyticsApi()
    const all: Json[] = []
    for (let pageNumber = 1; ; pageNumber++) {
      const answer = await api.postAnalyticsConversationsDetailsQuery({
        interval: yesterday,
        order: 'asc',
        orderBy: 'conversationStart',
        paging: { pageSize: 100, pageNumber },
      })
      expect(strangers(answer, 'AnalyticsConversationQueryResponse')).toEqual([])
      if (!answer['conversations']) break
      all.push(...(answer['conversations'] as Json[]))
    }
    expect(all).toEqual(org.truth('2026-03-19'))
    expect(all.length).toBeGreaterThan(200)
  })

  test('gets conversations by id', async () => {
    const api = new sdk.AnalyticsApi()
    const some = org.truth('2026-03-18').slice(5, 9)
    const id = some.map((each) => String(each['conversationId']))
    const answer = await api.getAnalyticsConversationsDetails({ id })
    expect(strangers(answer, 'AnalyticsConversationWithoutAttributesMultiGetResponse')).toEqual([])
    expect(answer['conversations']).toEqual(some)
    expect(await api.getAnalyticsConversationDetails(String(id[0]))).toEqual(some[0])
  })

  test('sees errors as the API gives them', async () => {
    const api = new sdk.AnalyticsApi()
    const refused = api.postAnalyticsConversationsDetailsQuery({ interval: interval('2026-01-01', '2026-03-01') })
    await expect(refused).rejects.toMatchObject({
      status: 400,
      code: 'bad.request',
      message: expect.stringContaining('does not exceed 7 days') as string,
      contextId: expect.any(String) as string,
    })
  })

  test('reads the organization and its lists, and knows every field of them', async () => {
    const routing = new sdk.RoutingApi()
    const authorization = new sdk.AuthorizationApi()
    const answers: [string, Json][] = [
      ['Organization', await new sdk.OrganizationApi().getOrganizationsMe()],
      ['QueueEntityListing', await routing.getRoutingQueues({ pageSize: 100 })],
      ['WrapupCodeEntityListing', await routing.getRoutingWrapupcodes({ pageSize: 100 })],
      ['UserEntityListing', await new sdk.UsersApi().getUsers({ state: 'any', pageSize: 100 })],
      ['FlowEntityListing', await new sdk.ArchitectApi().getFlows({ pageSize: 100 })],
      ['AuthzDivisionEntityListing', await authorization.getAuthorizationDivisions()],
      ['AuthzSubject', await authorization.getAuthorizationSubjectsMe()],
      ['TokenInfo', await new sdk.TokensApi().getTokensMe({})],
    ]
    for (const [name, answer] of answers) {
      expect(models.has(name), name).toBe(true)
      expect(strangers(answer, name), name).toEqual([])
    }
    const queues = new Map(answers).get('QueueEntityListing')?.['entities'] as Json[]
    expect(new Set(queues.map(({ id }) => id))).toEqual(new Set(org.org.queues.map(({ id }) => id)))
  })

  test('observes queues', async () => {
    const answer = await new sdk.AnalyticsApi().postAnalyticsQueuesObservationsQuery({
      filter: { type: 'or', predicates: org.org.queues.map(({ id }) => ({ dimension: 'queueId', value: id })) },
      metrics: ['oWaiting', 'oInteracting', 'oOnQueueUsers', 'oUserPresences'],
    })
    expect(strangers(answer, 'QueueObservationQueryResponse')).toEqual([])
    expect((answer['results'] as Json[]).length).toBe(org.org.queues.length * 6)
  })

  test('queries the activity, and knows every field of it', async () => {
    const answer = await new sdk.AnalyticsApi().postAnalyticsConversationsActivityQuery(
      {
        metrics: ['oWaiting', 'oInteracting', 'oAlerting', 'oLongestWaiting', 'oLongestInteracting'].map((metric) => ({
          metric,
          details: true,
        })),
        groupBy: ['queueId', 'mediaType'],
      },
      { pageSize: 200, pageNumber: 1 },
    )
    expect(strangers(answer, 'ConversationActivityResponse')).toEqual([])
    expect((answer['results'] as Json[]).length).toBeGreaterThan(0)
  })
})

test('the check of fields finds a stranger', () => {
  expect(
    strangers({ conversations: [{ conversationId: 5, mood: 'x' }] }, 'AnalyticsConversationQueryResponse'),
  ).toEqual([
    '.conversations[].conversationId is no string',
    '.conversations[].mood is not in AnalyticsConversationWithoutAttributes',
  ])
})
