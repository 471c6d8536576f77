import { queryActivity } from './activity.ts'
import { queryAggregates } from './aggregates.ts'
import { ApiError } from './api-error.ts'
import type { Changes } from './changes.ts'
import type { ControlSettings } from './control-settings.ts'
import type { DetailsJobs } from './details-jobs.ts'
import { readDetailsQuery } from './details-query.ts'
import { requirePermission, type OAuthClient } from './oauth.ts'
import { observeQueues } from './observations.ts'
import type { Org } from './org.ts'
import { listingPage } from './reference-data.ts'
import type { ReferenceStore } from './reference-store.ts'
import type { Selector } from './selection.ts'
import type { ConversationStore, Stored } from './store.ts'
import { GDPR_REQUESTS, type GdprRequests } from './gdpr-requests.ts'
import type { Json } from './conversation-plan.ts'
import { userConversations } from './user-conversations.ts'

/** A request to the API with its body read and its sender known. */
export interface ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly contentType: string | undefined
  readonly body: string
  readonly client: OAuthClient
  /** Set when the token belongs to a person. */
  readonly userId: string | undefined
  /** Fields for the request log. */
  readonly note: Record<string, unknown>
}

export interface ApiContext {
  readonly org: Org
  readonly store: ConversationStore
  readonly reference: ReferenceStore
  readonly selector: Selector
  readonly changes: Changes
  readonly jobs: DetailsJobs
  readonly gdprRequests: GdprRequests
  readonly settings: Readonly<ControlSettings>
  readonly requestsPerMinute: number
}

/** An answer whose status is not 200. */
export class OtherStatus {
  readonly status: number
  readonly body: Json | undefined

  constructor(status: number, body?: Json) {
    this.status = status
    this.body = body
  }
}

const DETAIL_PERMISSIONS = ['analytics:conversationDetail:view', 'analytics:agentConversationDetail:view']
/** The most conversations that one request can name by id. */
const MAX_IDS = 100

function readJson(request: ApiRequest): unknown {
  if (!request.contentType?.startsWith('application/json'))
    throw new ApiError(415, 'unsupported.media.type', 'HTTP 415 Unsupported Media Type')
  try {
    return JSON.parse(request.body)
  } catch {
    throw new ApiError(400, 'bad.request', 'The request could not be understood by the server due to malformed syntax.')
  }
}

function visibleTo(client: OAuthClient): ReadonlySet<string> | undefined {
  return client.divisions === '*' ? undefined : client.divisions
}

function queryDetails(request: ApiRequest, context: ApiContext): Buffer {
  requirePermission(request.client, ...DETAIL_PERMISSIONS)
  const body = readJson(request)
  const query = readDetailsQuery(body, context.settings.paginationLimit)
  const { interval } = body as { interval: string }
  const selection = context.selector.select(query, visibleTo(request.client))
  const page = context.selector.page(query, selection)
  Object.assign(request.note, {
    interval,
    pageNumber: query.pageNumber,
    pageSize: query.pageSize,
    totalHits: selection.totalHits,
  })
  context.changes.afterDetails(interval, query, selection.hits)
  return page
}

function byIds(request: ApiRequest, context: ApiContext, ids: readonly string[]): Buffer[] {
  requirePermission(request.client, ...DETAIL_PERMISSIONS)
  const visible = visibleTo(request.client)
  const found = ids.map((id) => context.store.find(id)).filter((stored): stored is Stored => stored !== undefined)
  return found.flatMap((stored) => {
    const shown = context.store.show(stored)
    return shown && (!visible || shown.divisionIds.some((id) => visible.has(id))) ? shown.bytes : []
  })
}

function multiGet(request: ApiRequest, context: ApiContext): Buffer {
  const ids = [...new Set((request.query.get('id') ?? '').split(',').filter((id) => id !== ''))]
  if (ids.length === 0) throw new ApiError(400, 'bad.request', 'The id parameter is required.')
  if (ids.length > MAX_IDS)
    throw new ApiError(400, 'bad.request', `No more than ${MAX_IDS} ids may be given, and ${ids.length} are.`)
  const records = byIds(request, context, ids)
  return Buffer.concat([
    Buffer.from('{"conversations":['),
    ...records.flatMap((bytes, index) => (index > 0 ? [Buffer.from(','), bytes] : [bytes])),
    Buffer.from(']}'),
  ])
}

function notFound(what: string): ApiError {
  return new ApiError(404, 'not.found', `${what} could not be found.`)
}

const limits = (context: ApiContext): Readonly<Record<string, Readonly<Record<string, number>>>> => ({
  'platform.api': {
    'client.credentials.token.rate.per.minute': context.requestsPerMinute,
    'token.rate.per.minute': context.requestsPerMinute,
    'org.app.user.rate.per.minute': 3_000,
    'request.bytes.max': 512_000,
  },
  analytics: { 'details.jobs.concurrent.access.max': context.settings.jobsAtOnce },
})

/**
 * Answers a request of the API: a JSON value, or bytes that are JSON already.
 * @throws ApiError for whatever is not 200
 */
export function answer(request: ApiRequest, context: ApiContext): Json | Buffer | OtherStatus {
  const { method, path } = request
  if (path === JOBS || path.startsWith(`${JOBS}/`)) return answerAboutJobs(request, context)
  const query = method === 'POST' && Object.hasOwn(QUERIES, path) ? QUERIES[path] : undefined
  if (query) return query(request, context)
  if (method !== 'GET' && method !== 'HEAD')
    throw path.startsWith('/api/v2/')
      ? new ApiError(405, 'method.not.allowed', 'HTTP 405 Method Not Allowed')
      : notFound('The requested resource')
  const resource = Object.hasOwn(RESOURCES, path) ? RESOURCES[path] : undefined
  if (resource) return resource(request, context)
  const found =
    conversationById(request, context) ??
    limitsOfNamespace(path, context) ??
    listingPage(context.reference, path, request.query, request.client, context.settings.maxPageSize)
  if (!found) throw notFound('The requested resource')
  if (request.query.has('pageNumber')) request.note['pageNumber'] = Number(request.query.get('pageNumber'))
  return found
}

const JOBS = '/api/v2/analytics/conversations/details/jobs'

/** Answers what concerns details jobs. */
function answerAboutJobs(request: ApiRequest, { jobs }: ApiContext): Json | Buffer | OtherStatus {
  const { method, path, query, client, note } = request
  const [id, part, ...more] = path.slice(JOBS.length + 1).split('/')
  if (method === 'GET' && id === 'availability' && part === undefined) {
    requirePermission(client, 'analytics:conversationDetail:view')
    return { dataAvailabilityDate: new Date(jobs.availableUntil()).toISOString() }
  }
  requirePermission(client, ...DETAIL_PERMISSIONS)
  if (!id && method === 'POST') {
    const submitted = jobs.submit(readJson(request), client)
    Object.assign(note, submitted)
    return new OtherStatus(202, { jobId: submitted.jobId })
  }
  if (id) note['jobId'] = id
  if (!id || more.length > 0 || (part !== undefined && part !== 'results')) throw notFound('The requested resource')
  if (method === 'GET') return part === 'results' ? jobs.results(id, query, client) : jobs.status(id, client)
  if (method !== 'DELETE' || part !== undefined)
    throw new ApiError(405, 'method.not.allowed', 'HTTP 405 Method Not Allowed')
  jobs.delete(id, client)
  return new OtherStatus(204)
}

type Endpoint = (request: ApiRequest, context: ApiContext) => Json | Buffer

/** Endpoints of POST. */
const QUERIES: Readonly<Record<string, Endpoint>> = {
  '/api/v2/analytics/conversations/details/query': queryDetails,
  '/api/v2/analytics/queues/observations/query': (request, { store, org }) => {
    requirePermission(request.client, 'analytics:queueObservation:view')
    return observeQueues(store, org, readJson(request))
  },
  '/api/v2/analytics/conversations/activity/query': (request, { store }) => {
    requirePermission(request.client, 'analytics:queueObservation:view')
    return queryActivity(store, readJson(request), request.query, visibleTo(request.client))
  },
  '/api/v2/analytics/conversations/aggregates/query': (request, { store, settings }) => {
    requirePermission(request.client, 'analytics:conversationAggregate:view')
    return queryAggregates(store, readJson(request), settings, visibleTo(request.client))
  },
}

/** Endpoints of GET, except for lists and for paths with an id in them. */
const RESOURCES: Readonly<Record<string, Endpoint>> = {
  [GDPR_REQUESTS]: ({ query, client }, { gdprRequests }) => gdprRequests.page(query, client),
  '/api/v2/analytics/conversations/details': multiGet,
  '/api/v2/conversations': ({ userId }, { store }) => {
    if (userId === undefined)
      throw new ApiError(
        400,
        'bad.request',
        'This request requires a user context. Client credentials cannot be used for requests to this resource.',
      )
    return userConversations(
      store.open().map((stored) => store.wellFormed(stored)),
      userId,
    )
  },
  '/api/v2/organizations/me': (_request, { org }) => ({
    id: org.id,
    name: org.name,
    defaultLanguage: 'en-us',
    defaultCountryCode: 'US',
    state: 'active',
    version: 7,
  }),
  '/api/v2/tokens/me': ({ client }, { org }) => ({
    organization: { id: org.id, name: org.name },
    homeOrganization: { id: org.id, name: org.name },
    authorizedScope: [],
    OAuthClient: { id: client.id, name: client.name, organization: { id: org.id, name: org.name } },
  }),
  '/api/v2/authorization/subjects/me': ({ client }, { org }) => subject(client, org),
}

function conversationById(request: ApiRequest, context: ApiContext): Buffer | undefined {
  const id = /^\/api\/v2\/analytics\/conversations\/([^/]+)\/details$/.exec(request.path)?.[1]
  if (id === undefined) return undefined
  const [bytes] = byIds(request, context, [decodeURIComponent(id)])
  if (!bytes) throw notFound('The conversation')
  return bytes
}

function limitsOfNamespace(path: string, context: ApiContext): Json | undefined {
  const namespace = /^\/api\/v2\/organizations\/limits\/namespaces\/([^/]+)(\/defaults)?$/.exec(path)?.[1]
  if (namespace === undefined) return undefined
  const known = limits(context)
  const keys = Object.hasOwn(known, namespace) ? (known[namespace] ?? {}) : {}
  return { entities: Object.entries(keys).map(([key, value]) => ({ key, namespace, value })) }
}

/** The grants of an OAuth client: one role, in each division that it covers. */
function subject(client: OAuthClient, org: Org): Json {
  const byDomain = new Map<string, Json[]>()
  for (const permission of client.permissions) {
    const [domain = '', entityName = '', action = ''] = permission.split(':')
    const policies = byDomain.get(domain) ?? []
    policies.push({ actions: [action], condition: '', entityName })
    byDomain.set(domain, policies)
  }
  const policies = [...byDomain].map(([domain, list]) => ({
    domain,
    policies: list,
  }))
  const divisions: Json[] =
    client.divisions === '*'
      ? [{ id: '*', name: '*', homeDivision: false }]
      : org.divisions
          .filter(({ id }) => client.divisions !== '*' && client.divisions.has(id))
          .map(({ id, name }, index) => ({ id, name, homeDivision: index === 0 }))
  return {
    id: client.id,
    name: client.name,
    grants: divisions.map((division) => ({
      subjectId: client.id,
      division,
      role: {
        id: `${client.id}-role`,
        name: 'Warehouse reader',
        policies: policies.flatMap(({ domain, policies: list }) =>
          list.map((policy) => ({ domain, entityName: policy['entityName'], actions: policy['actions'] })),
        ),
        default: false,
      },
      grantMadeAt: '2025-11-03T09:12:44.000Z',
    })),
    version: 1,
  }
}
