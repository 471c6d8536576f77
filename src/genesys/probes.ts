import { describeBody, fieldsOf } from './answer-body.ts'
import type { GenesysClient } from './client.ts'
import { countDetails } from './details-query.ts'
import type { Sending } from './details-query.ts'
import { entityList } from './entity-list.ts'
import type { Entity } from './entity-list.ts'
import { GenesysError } from './errors.ts'
import { readQueueUsers } from './queue-observations.ts'

/** The organization that the token belongs to; needs no permission. Names are absent where the API gives none. */
export async function probeOrganization(client: GenesysClient, sending: Sending): Promise<Entity> {
  const { data } = await client.request<Entity>({
    method: 'GET',
    path: '/api/v2/organizations/me',
    endpoint: 'organization',
    refuse: (answer) =>
      typeof fieldsOf(answer)?.['id'] === 'string' ? null : `not an organization with an id: ${describeBody(answer)}`,
    ...sending,
  })
  return { id: data.id, name: data.name }
}

export interface TokenFacts {
  readonly organization: Entity | null
  /** The OAuth client that the token was issued to. */
  readonly client: Entity | null
  /** When the token ends for idleness, in orgs that have such a timeout. */
  readonly idlesAt: string | null
}

/** What Genesys says about our token; needs no permission. */
export async function probeToken(client: GenesysClient, sending: Sending): Promise<TokenFacts> {
  const { data } = await client.request<{
    organization?: Partial<Entity>
    OAuthClient?: Partial<Entity>
    dateTokenIdles?: string
  } | null>({ method: 'GET', path: '/api/v2/tokens/me', endpoint: 'token', ...sending })
  return {
    organization: entity(data?.organization),
    client: entity(data?.OAuthClient),
    idlesAt: data?.dateTokenIdles ?? null,
  }
}

export interface DivisionVisibility {
  /** The divisions of the organization. */
  readonly all: readonly Entity[]
  /** Those in which we hold the permission; null when Genesys does not tell. */
  readonly visible: readonly Entity[] | null
  /** Where `visible` is from, or why it is unknown. */
  readonly source: 'divisions-permitted' | 'grants' | 'unknown'
}

/**
 * In which divisions we hold a permission, of those there are: a role limited to some hides the conversations of the rest
 * without a word. Asks for the permitted divisions and, where that isn't answered, reads our own grants. Neither endpoint is
 * documented for client credentials, so a refusal means "unknown" rather than an error.
 */
export async function probeDivisions(
  client: GenesysClient,
  permission: string,
  sending: Sending,
): Promise<DivisionVisibility> {
  const all = await entityList(client, '/api/v2/authorization/divisions', 'divisions', sending)
  const permitted = await unlessRefused(permittedDivisions(client, permission, all, sending))
  if (permitted !== null) return { all, visible: permitted, source: 'divisions-permitted' }
  const granted = await unlessRefused(grantedDivisions(client, permission, all, sending))
  if (granted !== null) return { all, visible: granted, source: 'grants' }
  return { all, visible: null, source: 'unknown' }
}

async function permittedDivisions(
  client: GenesysClient,
  permission: string,
  all: readonly Entity[],
  sending: Sending,
): Promise<readonly Entity[]> {
  const path = '/api/v2/authorization/divisionspermitted/paged/me'
  const visible: Entity[] = []
  for (let pageNumber = 1, pageCount = 1; pageNumber <= pageCount; pageNumber++) {
    const { data } = await client.request<{
      entities?: Entity[]
      pageCount?: number
      allDivsPermitted?: boolean
    } | null>({
      method: 'GET',
      path,
      query: { permission, pageSize: 100, pageNumber },
      endpoint: 'divisions-permitted',
      ...sending,
    })
    if (data?.allDivsPermitted === true) return all
    for (const { id, name } of data?.entities ?? []) visible.push({ id, name })
    pageCount = data?.pageCount ?? 1
  }
  return visible
}

interface Grant {
  readonly division?: Entity
  readonly role?: {
    readonly policies?: readonly {
      readonly domain?: string
      readonly entityName?: string
      readonly actions?: readonly string[]
    }[]
  }
}

async function grantedDivisions(
  client: GenesysClient,
  permission: string,
  all: readonly Entity[],
  sending: Sending,
): Promise<readonly Entity[]> {
  const { data } = await client.request<{ grants?: readonly Grant[] } | null>({
    method: 'GET',
    path: '/api/v2/authorization/subjects/me',
    endpoint: 'grants',
    ...sending,
  })
  const divisions = (data?.grants ?? [])
    .filter((grant) => grant.role?.policies?.some((policy) => allows(policy, permission)))
    .flatMap((grant) => (grant.division === undefined ? [] : [grant.division.id]))
  return divisions.includes('*') ? all : all.filter(({ id }) => divisions.includes(id))
}

function allows(
  policy: { domain?: string; entityName?: string; actions?: readonly string[] },
  permission: string,
): boolean {
  const [domain, entityName, action] = permission.split(':')
  const fits = (granted: string | undefined, wanted: string | undefined): boolean =>
    granted === '*' || granted === wanted
  return (
    fits(policy.domain, domain) &&
    fits(policy.entityName, entityName) &&
    (policy.actions ?? []).some((granted) => fits(granted, action))
  )
}

/** Null where the API refuses to answer this of us. */
async function unlessRefused<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) return null
    throw error
  }
}

/**
 * Whether we may read conversations: counts those of the last hour. Throws GenesysError, whose hint names what to grant. Zero is no
 * proof of anything: a role without divisions sees nothing.
 */
export async function probeDetailsQuery(client: GenesysClient, now: Date, sending: Sending): Promise<number> {
  const interval = { start: new Date(now.getTime() - 3_600_000), end: now }
  return await countDetails(client, interval, {}, sending)
}

/** Whether we may list queues. Throws GenesysError, whose hint names what to grant. */
export async function probeQueues(client: GenesysClient, sending: Sending): Promise<void> {
  await client.request<unknown>({
    method: 'GET',
    path: '/api/v2/routing/queues',
    query: { pageSize: 1, pageNumber: 1 },
    endpoint: 'queues',
    ...sending,
  })
}

/** Whether we may observe queues: asks about one that does not exist. Throws GenesysError, whose hint names what to grant. */
export async function probeQueueObservations(client: GenesysClient, sending: Sending): Promise<void> {
  await readQueueUsers(client, ['00000000-0000-4000-8000-000000000000'], sending)
}

/**
 * By how many milliseconds our clock is ahead of the API's (negative: behind), to about a second, which is how exact a Date
 * header is; null when the answer has none.
 */
export async function probeClock(
  client: GenesysClient,
  sending: Sending,
  now: () => number = Date.now,
): Promise<number | null> {
  const { date } = await client.request<unknown>({
    method: 'GET',
    path: '/api/v2/organizations/me',
    endpoint: 'organization',
    ...sending,
  })
  const theirs = Date.parse(date ?? '')
  return Number.isNaN(theirs) ? null : now() - theirs
}

function entity(from: Partial<Entity> | undefined): Entity | null {
  return typeof from?.id === 'string' ? { id: from.id, name: from.name } : null
}
