import { ApiError } from './api-error.ts'
import { requirePermission, type OAuthClient } from './oauth.ts'
import type { Json } from './conversation-plan.ts'
import type { ListName, ReferenceStore } from './reference-store.ts'

/** How the API divides a list: by page number, with or without counts, by cursor, or not at all. */
type Division = 'pages' | 'pages without counts' | 'cursor' | 'whole'

interface Listing {
  readonly list: ListName
  readonly permission?: string
  readonly division?: Division
  readonly maxPageSize: number
  /** A larger page is refused instead of clamped. */
  readonly isStrict?: boolean
  readonly shows?: (entity: Json, query: URLSearchParams) => boolean
}

const LISTINGS: Readonly<Record<string, Listing>> = {
  '/api/v2/authorization/divisions': { list: 'divisions', maxPageSize: 100 },
  '/api/v2/routing/queues': { list: 'queues', permission: 'routing:queue:view', maxPageSize: 500 },
  '/api/v2/users': {
    list: 'users',
    maxPageSize: 500,
    shows: (user, query) => ['any', user['state']].includes(query.get('state') ?? 'active'),
  },
  '/api/v2/routing/wrapupcodes': { list: 'wrapUpCodes', permission: 'routing:wrapupCode:view', maxPageSize: 500 },
  '/api/v2/flows': {
    list: 'flows',
    permission: 'architect:flow:view',
    maxPageSize: 500,
    shows: (flow, query) => flow['deleted'] !== true || query.get('deleted') === 'true',
  },
  '/api/v2/flows/outcomes': { list: 'outcomes', permission: 'architect:flowOutcome:view', maxPageSize: 100 },
  '/api/v2/flows/milestones': { list: 'milestones', permission: 'architect:flowMilestone:view', maxPageSize: 100 },
  '/api/v2/routing/skills': { list: 'skills', permission: 'routing:skill:view', maxPageSize: 500 },
  '/api/v2/routing/languages': { list: 'languages', maxPageSize: 500 },
  '/api/v2/routing/skillgroups': {
    list: 'skillGroups',
    permission: 'routing:skillGroup:view',
    division: 'cursor',
    maxPageSize: 100,
  },
  '/api/v2/teams': { list: 'teams', permission: 'groups:team:view', division: 'cursor', maxPageSize: 100 },
  '/api/v2/groups': { list: 'groups', maxPageSize: 500 },
  '/api/v2/locations': { list: 'locations', maxPageSize: 100 },
  '/api/v2/presence/definitions': {
    list: 'presences',
    permission: 'presence:presenceDefinition:view',
    division: 'whole',
    maxPageSize: 100,
  },
  '/api/v2/quality/forms/evaluations': {
    list: 'evaluationForms',
    permission: 'quality:evaluationForm:view',
    maxPageSize: 100,
  },
  '/api/v2/quality/forms/surveys': { list: 'surveyForms', permission: 'quality:surveyForm:view', maxPageSize: 100 },
  '/api/v2/outbound/campaigns': {
    list: 'campaigns',
    permission: 'outbound:campaign:view',
    maxPageSize: 100,
    isStrict: true,
  },
  '/api/v2/outbound/contactlists': {
    list: 'contactLists',
    permission: 'outbound:contactList:view',
    maxPageSize: 100,
    isStrict: true,
  },
}

interface MemberListing {
  readonly path: RegExp
  readonly list: 'queues' | 'teams'
  readonly permission: string
  readonly division: Division
}

const MEMBERS: readonly MemberListing[] = [
  {
    path: /^\/api\/v2\/routing\/queues\/([^/]+)\/members$/,
    list: 'queues',
    permission: 'routing:queue:view',
    division: 'pages without counts',
  },
  { path: /^\/api\/v2\/teams\/([^/]+)\/members$/, list: 'teams', permission: 'groups:team:view', division: 'cursor' },
]

/**
 * A page of one of the organization's lists; undefined for a path that is none.
 * @param maxPageSize smaller than the API's own: the server then clamps to it
 * @throws ApiError 400, 403, 404
 */
export function listingPage(
  reference: ReferenceStore,
  path: string,
  query: URLSearchParams,
  client: OAuthClient,
  maxPageSize = Infinity,
): Json | undefined {
  const listing = Object.hasOwn(LISTINGS, path) ? LISTINGS[path] : undefined
  if (listing === undefined) return memberPage(reference, path, query, client, maxPageSize)
  if (listing.permission !== undefined) requirePermission(client, listing.permission)
  const { shows = () => true, division = 'pages', isStrict = false } = listing
  const all = reference.list(listing.list).filter((entity) => shows(entity, query))
  const size = { max: listing.maxPageSize, clamp: maxPageSize, isStrict }
  return page(reference, { path, query, all, division, size })
}

function memberPage(
  reference: ReferenceStore,
  path: string,
  query: URLSearchParams,
  client: OAuthClient,
  maxPageSize: number,
): Json | undefined {
  for (const { path: pattern, list, permission, division } of MEMBERS) {
    const id = pattern.exec(path)?.[1]
    if (id === undefined) continue
    requirePermission(client, permission)
    const all = reference.members(list, decodeURIComponent(id))
    if (all === undefined) throw new ApiError(404, 'not.found', 'The requested resource could not be found.')
    return page(reference, { path, query, all, division, size: { max: 100, clamp: maxPageSize, isStrict: true } })
  }
  return undefined
}

interface Request {
  readonly path: string
  readonly query: URLSearchParams
  readonly all: readonly Json[]
  readonly division: Division
  readonly size: { readonly max: number; readonly clamp: number; readonly isStrict: boolean }
}

function page(reference: ReferenceStore, { path, query, all, division, size }: Request): Json {
  const withUri = (entity: Json): Json => ({ ...entity, selfUri: `${path}/${String(entity['id'])}` })
  if (division === 'whole') return { entities: all.map(withUri), total: all.length, selfUri: path }
  const wanted = positiveNumber(query, 'pageSize', 25)
  if (size.isStrict && wanted > size.max) throw new ApiError(400, 'bad.request', `pageSize: Max value is ${size.max}.`)
  const pageSize = Math.min(wanted, size.max, size.clamp)
  const first = reference.repeatedList === path ? 0 : firstOf(query, division, pageSize)
  const entities = all.slice(first, first + pageSize).map(withUri)
  const uri = (parameters: Readonly<Record<string, string>>): string => {
    const all = new URLSearchParams(query)
    for (const [name, value] of Object.entries({ pageSize: String(pageSize), ...parameters })) all.set(name, value)
    return `${path}?${all.toString()}`
  }
  const hasNext = first + pageSize < all.length
  if (division === 'cursor')
    return { entities, selfUri: uri({}), ...(hasNext && { nextUri: uri({ after: cursorOf(first + pageSize) }) }) }

  const pageNumber = positiveNumber(query, 'pageNumber', 1)
  const pageUri = (number: number): string => uri({ pageNumber: String(number) })
  const pageCount = Math.ceil(all.length / pageSize)
  return {
    entities,
    pageSize,
    pageNumber,
    firstUri: pageUri(1),
    selfUri: pageUri(pageNumber),
    ...(hasNext && { nextUri: pageUri(pageNumber + 1) }),
    ...(pageNumber > 1 && { previousUri: pageUri(pageNumber - 1) }),
    ...(division === 'pages' && { total: all.length, pageCount, lastUri: pageUri(Math.max(1, pageCount)) }),
  }
}

function firstOf(query: URLSearchParams, division: Division, pageSize: number): number {
  if (division !== 'cursor') return (positiveNumber(query, 'pageNumber', 1) - 1) * pageSize
  const after = query.get('after')
  if (after === null) return 0
  const first = Number(Buffer.from(after, 'base64url').toString())
  if (!Number.isInteger(first) || first < 1) throw new ApiError(400, 'bad.request', 'after is not a cursor.')
  return first
}

function cursorOf(position: number): string {
  return Buffer.from(String(position)).toString('base64url')
}

function positiveNumber(query: URLSearchParams, name: string, fallback: number): number {
  const value = Number(query.get(name) ?? fallback)
  if (!Number.isInteger(value) || value < 1)
    throw new ApiError(400, 'bad.request', `${name} must be a positive integer.`)
  return value
}
