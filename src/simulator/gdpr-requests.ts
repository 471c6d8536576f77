/** The organization's requests about a person's data, as `GET /api/v2/gdpr/requests` lists them. */
import { ApiError } from './api-error.ts'
import type { Json } from './conversation-plan.ts'
import { requirePermission, type OAuthClient } from './oauth.ts'

export const GDPR_REQUESTS = '/api/v2/gdpr/requests'

const TYPES = ['GDPR_EXPORT', 'GDPR_UPDATE', 'GDPR_DELETE'] as const
const STATUSES = ['INITIATED', 'SEARCHING', 'UPDATING', 'DELETING', 'COMPLETED', 'ERROR', 'FINALIZING'] as const
/** The fields of a subject that the API documents. */
const SUBJECT_FIELDS: readonly string[] = [
  'name',
  'userId',
  'externalContactId',
  'dialerContactId',
  'journeyCustomer',
  'socialHandle',
  'externalId',
  'addresses',
  'phoneNumbers',
  'emailAddresses',
]
const MAX_PAGE_SIZE = 100

/** A request, apart from what the organization adds to it. */
export interface GdprRequest {
  readonly id: string
  readonly requestType: (typeof TYPES)[number]
  readonly status: (typeof STATUSES)[number]
  readonly subject: Json
  /** ISO text. */
  readonly createdDate: string
}

export class GdprRequests {
  readonly #requests = new Map<string, GdprRequest>()

  /**
   * Adds a request, or replaces the one with its id, for example when its status has changed.
   * @throws RangeError where the API has no such type, status or field of a subject
   */
  put(request: GdprRequest): void {
    const unknown = Object.keys(request.subject).filter((field) => !SUBJECT_FIELDS.includes(field))
    if (unknown.length > 0) throw new RangeError(`a subject has no field ${unknown.join(', ')}`)
    if (!TYPES.includes(request.requestType)) throw new RangeError(`${request.requestType} is no type of request`)
    if (!STATUSES.includes(request.status)) throw new RangeError(`${request.status} is no status of a request`)
    this.#requests.set(request.id, request)
  }

  /**
   * A page of the list, newest first.
   * @throws ApiError 400, 403
   */
  page(query: URLSearchParams, client: OAuthClient): Json {
    requirePermission(client, 'gdpr:request:view')
    const unknown = [...query.keys()].filter((name) => !['pageSize', 'pageNumber'].includes(name))
    if (unknown.length > 0) throw new ApiError(400, 'bad.request', `Unknown query parameter ${unknown[0]}.`)
    const pageSize = positiveNumber(query, 'pageSize', 25)
    if (pageSize > MAX_PAGE_SIZE) throw new ApiError(400, 'bad.request', `pageSize: Max value is ${MAX_PAGE_SIZE}.`)
    const pageNumber = positiveNumber(query, 'pageNumber', 1)
    const all = [...this.#requests.values()].sort((a, b) => (a.createdDate < b.createdDate ? 1 : -1))
    const pageCount = Math.ceil(all.length / pageSize)
    return {
      entities: all.slice((pageNumber - 1) * pageSize, pageNumber * pageSize).map((request) => ({
        ...request,
        createdBy: { id: 'b1f5c1a0-0000-4000-8000-000000000000' },
        selfUri: `${GDPR_REQUESTS}/${request.id}`,
      })),
      pageSize,
      pageNumber,
      total: all.length,
      pageCount,
      selfUri: `${GDPR_REQUESTS}?pageSize=${pageSize}&pageNumber=${pageNumber}`,
    }
  }
}

function positiveNumber(query: URLSearchParams, name: string, fallback: number): number {
  const value = Number(query.get(name) ?? fallback)
  if (!Number.isInteger(value) || value < 1)
    throw new ApiError(400, 'bad.request', `${name} must be a positive integer.`)
  return value
}
