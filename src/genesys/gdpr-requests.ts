/** Requests about a person's data that were made to Genesys: exports, changes and deletions. */
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { readEntities, type EntityListing } from './entity-list.ts'

/** The permission that reading them needs. */
export const GDPR_PERMISSION = 'gdpr:request:view'

const LISTING: EntityListing = {
  path: '/api/v2/gdpr/requests',
  paging: 'pages',
  pageSize: 100,
  endpoint: 'gdpr-requests',
}

/** Whom a request concerns, as far as conversations name the person. */
interface GdprSubject {
  readonly externalContactId: string | null
  /** Telephone numbers, e-mail addresses and handles. */
  readonly addresses: readonly string[]
  /** Set for an employee. */
  readonly userId: string | null
}

export interface GdprRequest {
  readonly id: string
  /** GDPR_DELETE, GDPR_EXPORT, GDPR_UPDATE. */
  readonly type: string
  /** COMPLETED, ERROR, or one of the states before. */
  readonly status: string
  readonly subject: GdprSubject
}

/**
 * All requests of the organization, as the API lists them.
 * @throws GenesysError
 */
export async function readGdprRequests(client: GenesysClient, options: RequestOptions): Promise<GdprRequest[]> {
  const requests: GdprRequest[] = []
  await readEntities(client, LISTING, options, (entities) => {
    for (const entity of entities)
      requests.push({
        id: entity.id,
        type: textOf(entity['requestType']) ?? '',
        status: textOf(entity['status']) ?? '',
        subject: subjectOf(entity['subject']),
      })
  })
  return requests
}

/**
 * Whether we may read them: asks for one.
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeGdprRequests(client: GenesysClient, options: RequestOptions): Promise<void> {
  const { path, endpoint } = LISTING
  await client.request<unknown>({ method: 'GET', path, query: { pageSize: 1, pageNumber: 1 }, endpoint, ...options })
}

/** The fields of GDPRSubject (Platform API, SDK 262); name, dialerContactId, journeyCustomer and externalId are in no conversation. */
function subjectOf(value: JsonValue | undefined): GdprSubject {
  const subject: JsonObject = isJsonObject(value) ? value : {}
  const { socialHandle } = subject
  const handle = isJsonObject(socialHandle) ? textOf(socialHandle['value']) : null
  const lists = [subject['phoneNumbers'], subject['emailAddresses'], subject['addresses']]
  const addresses = lists.flatMap((list) => (Array.isArray(list) ? (list as readonly JsonValue[]) : [])).map(textOf)
  return {
    externalContactId: textOf(subject['externalContactId']),
    userId: textOf(subject['userId']),
    addresses: [...addresses, handle].filter((address) => address !== null),
  }
}

function textOf(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null
}
