import { ApiError } from './api-error.ts'
import { requirePermission, type OAuthClient } from './oauth.ts'
import type { Org } from './org.ts'
import type { Json } from './conversation-plan.ts'

interface Listing {
  readonly permission?: string
  readonly maxPageSize: number
  readonly entities: (org: Org, query: URLSearchParams) => Json[]
}

function division(org: Org, id: string | undefined): Json {
  const found = org.divisions.find((each) => each.id === id) ?? org.divisions[0]
  return { id: found?.id, name: found?.name, selfUri: `/api/v2/authorization/divisions/${found?.id}` }
}

const LISTINGS: Readonly<Record<string, Listing>> = {
  '/api/v2/authorization/divisions': {
    maxPageSize: 100,
    entities: (org) =>
      org.divisions.map(({ id, name }, index) => ({
        id,
        name,
        description: `${name} division`,
        homeDivision: index === 0,
      })),
  },
  '/api/v2/routing/queues': {
    permission: 'routing:queue:view',
    maxPageSize: 500,
    entities: (org) =>
      [...org.queues]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((queue) => ({
          id: queue.id,
          name: queue.name,
          division: division(org, queue.divisionId),
          dateModified: '2025-11-03T09:12:44.000Z',
          memberCount: queue.users.length,
          mediaSettings: {
            call: { serviceLevel: { percentage: 0.8, durationMs: queue.serviceLevelMs.voice } },
            callback: { serviceLevel: { percentage: 0.8, durationMs: queue.serviceLevelMs.callback } },
            chat: { serviceLevel: { percentage: 0.8, durationMs: queue.serviceLevelMs.chat } },
            email: { serviceLevel: { percentage: 0.8, durationMs: queue.serviceLevelMs.email } },
            message: { serviceLevel: { percentage: 0.8, durationMs: queue.serviceLevelMs.message } },
          },
        })),
  },
  '/api/v2/users': {
    maxPageSize: 500,
    entities: (org, query) => {
      const state = query.get('state') ?? 'active'
      return org.users
        .filter((user) => state === 'any' || user.state === state)
        .map((user) => ({
          id: user.id,
          name: user.name,
          division: division(org, user.divisionId),
          department: 'Service',
          email: user.email,
          state: user.state,
          title: 'Agent',
          username: user.email,
          version: 3,
        }))
    },
  },
  '/api/v2/routing/wrapupcodes': {
    permission: 'routing:wrapupCode:view',
    maxPageSize: 500,
    entities: (org) =>
      org.wrapUpCodes.map(({ id, name }) => ({
        id,
        name,
        division: { id: '*' },
        dateModified: '2025-11-03T09:12:44.000Z',
      })),
  },
  '/api/v2/flows': {
    permission: 'architect:flow:view',
    maxPageSize: 500,
    entities: (org) =>
      org.flows.map((flow) => ({
        id: flow.id,
        name: flow.name,
        division: division(org, flow.divisionId),
        type: flow.type,
        active: true,
        system: false,
        deleted: false,
        publishedVersion: { id: flow.version },
      })),
  },
  '/api/v2/routing/skills': {
    permission: 'routing:skill:view',
    maxPageSize: 500,
    entities: (org) => org.skills.map(({ id, name }) => ({ id, name, state: 'active', version: '1' })),
  },
  '/api/v2/routing/languages': {
    maxPageSize: 500,
    entities: (org) => org.languages.map(({ id, name }) => ({ id, name, state: 'active', version: '1' })),
  },
}

function pageNumberOf(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const value = Number(query.get(name) ?? fallback)
  if (!Number.isInteger(value) || value < 1)
    throw new ApiError(400, 'bad.request', `${name} must be a positive integer.`)
  return Math.min(value, max)
}

/**
 * A page of one of the organization's lists; undefined for a path that is none.
 * @throws ApiError 400, 403
 */
export function listingPage(org: Org, path: string, query: URLSearchParams, client: OAuthClient): Json | undefined {
  const listing = Object.hasOwn(LISTINGS, path) ? LISTINGS[path] : undefined
  if (!listing) return undefined
  if (listing.permission !== undefined) requirePermission(client, listing.permission)
  const pageSize = pageNumberOf(query, 'pageSize', 25, listing.maxPageSize)
  const pageNumber = pageNumberOf(query, 'pageNumber', 1, Infinity)
  const all = listing.entities(org, query)
  const pageCount = Math.ceil(all.length / pageSize)
  const uri = (page: number): string => {
    const parameters = new URLSearchParams(query)
    parameters.set('pageSize', String(pageSize))
    parameters.set('pageNumber', String(page))
    return `${path}?${parameters.toString()}`
  }
  return {
    entities: all
      .slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
      .map((entity) => ({ ...entity, selfUri: `${path}/${String(entity['id'])}` })),
    pageSize,
    pageNumber,
    total: all.length,
    firstUri: uri(1),
    lastUri: uri(Math.max(1, pageCount)),
    selfUri: uri(pageNumber),
    ...(pageNumber < pageCount && { nextUri: uri(pageNumber + 1) }),
    ...(pageNumber > 1 && { previousUri: uri(pageNumber - 1) }),
    pageCount,
  }
}
