/** Checks of what the credentials allow, for `doctor` and for the guard against another organization. */
import { type ReferenceListing } from '../model/reference.ts'
import { describeBody, fieldsOf } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { queryAggregates } from './conversation-aggregates.ts'
import { deleteDetailsJob, readJobAvailability, submitDetailsJob } from './details-jobs.ts'
import { countDetails } from './details-query.ts'
import { entityList, type NamedEntity } from './entity-list.ts'
import { GenesysError } from './errors.ts'
import { readQueueUsers } from './queue-observations.ts'

/** More than an organization has divisions, 100 a page; ends the reading of a page count without end. */
const MAX_PAGES = 500

/**
 * The organization that the token belongs to; needs no permission.
 * @throws GenesysError
 */
export async function probeOrganization(client: GenesysClient, options: RequestOptions): Promise<NamedEntity> {
  const { data } = await client.request<NamedEntity>({
    method: 'GET',
    path: '/api/v2/organizations/me',
    endpoint: 'organization',
    refuse: (answer) =>
      typeof fieldsOf(answer)?.['id'] === 'string' ? null : `not an organization with an id: ${describeBody(answer)}`,
    ...options,
  })
  return { id: data.id, name: data.name }
}

export interface DivisionVisibility {
  /** The divisions of the organization. */
  readonly all: readonly NamedEntity[]
  /** Those in which we hold the permission; null when Genesys does not say. */
  readonly visible: readonly NamedEntity[] | null
  /** Where `visible` comes from. */
  readonly source: 'divisions-permitted' | 'grants' | 'unknown'
}

/**
 * In which of the organization's divisions we hold a permission: a role limited to some of them silently hides the
 * conversations of the others. Reads the permitted divisions or, where that is refused, our own grants. Neither endpoint is
 * documented for client credentials, so a refusal means "unknown" rather than an error.
 * @throws GenesysError
 */
export async function probeDivisions(
  client: GenesysClient,
  permission: string,
  options: RequestOptions,
): Promise<DivisionVisibility> {
  const all = await entityList(client, '/api/v2/authorization/divisions', 'divisions', options)
  const permitted = await unlessRefused(permittedDivisions(client, permission, all, options))
  if (permitted !== null) return { all, visible: permitted, source: 'divisions-permitted' }
  const granted = await unlessRefused(grantedDivisions(client, permission, all, options))
  if (granted !== null) return { all, visible: granted, source: 'grants' }
  return { all, visible: null, source: 'unknown' }
}

async function permittedDivisions(
  client: GenesysClient,
  permission: string,
  all: readonly NamedEntity[],
  options: RequestOptions,
): Promise<readonly NamedEntity[]> {
  const path = '/api/v2/authorization/divisionspermitted/paged/me'
  const visible: NamedEntity[] = []
  for (let pageNumber = 1, pageCount = 1; pageNumber <= Math.min(pageCount, MAX_PAGES); pageNumber++) {
    const { data } = await client.request<{
      entities?: NamedEntity[]
      pageCount?: number
      allDivsPermitted?: boolean
    } | null>({
      method: 'GET',
      path,
      query: { permission, pageSize: 100, pageNumber },
      endpoint: 'divisions-permitted',
      ...options,
    })
    if (data?.allDivsPermitted === true) return all
    for (const { id, name } of data?.entities ?? []) visible.push({ id, name })
    pageCount = data?.pageCount ?? 1
  }
  return visible
}

interface Grant {
  readonly division?: NamedEntity
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
  all: readonly NamedEntity[],
  options: RequestOptions,
): Promise<readonly NamedEntity[]> {
  const { data } = await client.request<{ grants?: readonly Grant[] } | null>({
    method: 'GET',
    path: '/api/v2/authorization/subjects/me',
    endpoint: 'grants',
    ...options,
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

/** The answer; null where the API refuses it to us. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) return null
    throw error
  }
}

/**
 * Whether we may read conversations: counts those that the API selects for the last hour. Zero proves nothing: a role without
 * divisions sees no conversations.
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeDetailsQuery(client: GenesysClient, now: Date, options: RequestOptions): Promise<number> {
  const interval = { start: new Date(now.getTime() - 3_600_000), end: now }
  return await countDetails(client, interval, {}, options)
}

/**
 * Whether we may read a list of reference data: asks for one entity of it.
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeReferenceList(
  client: GenesysClient,
  { path, paging, query }: ReferenceListing,
  options: RequestOptions,
): Promise<void> {
  await client.request<unknown>({
    method: 'GET',
    path,
    query: { ...query, ...(paging !== 'whole' && { pageSize: 1 }), ...(paging === 'pages' && { pageNumber: 1 }) },
    endpoint: 'probe',
    ...options,
  })
}

/**
 * Whether we may observe queues: asks about one that does not exist.
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeQueueObservations(client: GenesysClient, options: RequestOptions): Promise<void> {
  await readQueueUsers(client, ['00000000-0000-4000-8000-000000000000'], options)
}

/**
 * Whether we may read aggregates: asks for one count of the last hour.
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeAggregates(client: GenesysClient, options: RequestOptions): Promise<void> {
  const end = new Date()
  const interval = { start: new Date(end.getTime() - 3_600_000), end }
  await queryAggregates(client, { interval, groupBy: [], metrics: ['nOffered'] }, options)
}

/**
 * Whether we may use details jobs: submits one for a minute, and deletes it.
 * @returns up to when the data of jobs are complete, by the clock of Genesys
 * @throws GenesysError, whose hint names the permission to grant
 */
export async function probeDetailsJobs(client: GenesysClient, options: RequestOptions): Promise<Date> {
  const availableUntil = await readJobAvailability(client, options)
  const interval = { start: new Date(availableUntil.getTime() - 60_000), end: availableUntil }
  const { jobId } = await submitDetailsJob(client, { interval, filter: {}, selects: 'started' }, options)
  await deleteDetailsJob(client, jobId, options)
  return availableUntil
}

/**
 * By how many milliseconds our clock is ahead of the API's (negative: behind), to about a second, the precision of a Date
 * header; null when the answer has none.
 * @throws GenesysError
 */
export async function probeClock(
  client: GenesysClient,
  options: RequestOptions,
  now: () => number = Date.now,
): Promise<number | null> {
  const { date } = await client.request<unknown>({
    method: 'GET',
    path: '/api/v2/organizations/me',
    endpoint: 'organization',
    ...options,
  })
  const theirs = Date.parse(date ?? '')
  return Number.isNaN(theirs) ? null : now() - theirs
}
