/** Reads the lists of the organization's objects, however the API divides them into answers. */
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.ts'
import { type Paging } from '../model/reference.ts'
import { describeBody, fieldsOf } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { badAnswer } from './errors.ts'

/** The page size that the API accepts for every list that we read. */
const PAGE_SIZE = 100
/** Ends the reading of a list that never ends. A server that clamps the page size to 25 gives 125 000 entities until then. */
const MAX_PAGES = 5000
/** No id of the API is longer than 36 characters; a longer one than this is no id. */
const MAX_ID_LENGTH = 255

/** An object of the organization, such as a queue, with its id and usually a name. */
export interface NamedEntity {
  readonly id: string
  readonly name?: string | undefined
}

/** A list and how it is read. */
export interface EntityListing {
  readonly path: string
  readonly query?: Readonly<Record<string, string>> | undefined
  readonly paging: Paging
  readonly pageSize: number
  /** Short name for metrics and logs. */
  readonly endpoint: string
  /** Reads a list without counts until a page is empty, for when a short page must not pass for the last one. */
  readonly untilEmpty?: boolean
}

/** An entity as the API sent it, with a usable id. */
export type Entity = JsonObject & { readonly id: string }

/** What reading a whole list has shown. */
export interface ListReading {
  readonly ids: ReadonlySet<string>
  /** How many entities the list says that it has, where it says so; more than `ids` means that some are missing. */
  readonly total: number | null
}

/**
 * Reads a list to its end, page by page, so that memory holds one page and the ids.
 * @param onPage called with each page in turn, its entities each once; the next page is requested when it has resolved
 * @throws GenesysError; GENESYS_BAD_ANSWER where an answer is no page, where a page or a cursor repeats, and where the list does not end
 */
export async function readEntities(
  client: GenesysClient,
  listing: EntityListing,
  options: RequestOptions,
  onPage: (entities: readonly Entity[]) => Promise<void> | void,
): Promise<ListReading> {
  const call = { method: 'GET', path: listing.path } as const
  const ids = new Set<string>()
  const cursors = new Set<string>()
  let after: string | null = null
  /** The largest page so far: the server may give fewer entities than requested. */
  let fullPage = 0
  for (let pageNumber = 1; pageNumber <= MAX_PAGES; pageNumber++) {
    const { data } = await client.request<EntityPage>({
      ...call,
      query: { ...listing.query, ...position(listing, pageNumber, after) },
      endpoint: listing.endpoint,
      refuse: refusalOfPage,
      ...options,
    })
    const entities = [...new Map(usableEntities(data).map((entity) => [entity.id, entity])).values()]
    const isRepeated = entities.length > 0 && entities.every(({ id }) => ids.has(id))
    if (isRepeated) throw badAnswer(call, `page ${pageNumber} repeats the ${entities.length} entities of earlier pages`)
    for (const { id } of entities) ids.add(id)
    await onPage(entities)

    const received = data.entities?.length ?? 0
    fullPage = Math.max(fullPage, received)
    const total = countOf(data.total)
    if (listing.paging === 'cursor') {
      after = nextCursor(data, call)
      if (after === null) return { ids, total }
      if (cursors.has(after)) throw badAnswer(call, `page ${pageNumber} leads back to an earlier page`)
      cursors.add(after)
    } else if (isLastPage(data, { listing, pageNumber, received, fullPage, distinct: ids.size })) {
      return { ids, total }
    }
  }
  throw badAnswer(call, `the list does not end within ${MAX_PAGES} pages`)
}

interface EntityPage {
  readonly entities?: readonly JsonValue[]
  readonly pageCount?: JsonValue
  readonly total?: JsonValue
  readonly pageSize?: JsonValue
  readonly nextUri?: JsonValue
}

function position(
  { paging, pageSize }: EntityListing,
  pageNumber: number,
  after: string | null,
): Record<string, string | number> {
  if (paging === 'whole') return {}
  if (paging === 'cursor') return { pageSize, ...(after !== null && { after }) }
  return { pageSize, pageNumber }
}

function isLastPage(
  page: EntityPage,
  at: {
    readonly listing: EntityListing
    readonly pageNumber: number
    readonly received: number
    readonly fullPage: number
    readonly distinct: number
  },
): boolean {
  const { listing, pageNumber, received, fullPage, distinct } = at
  const pageCount = countOf(page.pageCount)
  const total = countOf(page.total)
  if (listing.paging === 'whole' || received === 0) return true
  if (pageCount !== null) return pageCount <= pageNumber
  if (total !== null) return distinct >= total
  if (listing.untilEmpty === true || hasNext(page)) return false
  // Only where nothing else says so is a short page the last one: shorter than what the server calls a page.
  return received < (countOf(page.pageSize) ?? fullPage)
}

function hasNext({ nextUri }: EntityPage): boolean {
  return typeof nextUri === 'string' && nextUri !== ''
}

/** The `after` of nextUri, which is relative to the API; null: this is the last page. */
function nextCursor(page: EntityPage, call: { readonly method: string; readonly path: string }): string | null {
  if (!hasNext(page)) return null
  const nextUri = page.nextUri as string
  const after = URL.canParse(nextUri, 'https://host')
    ? new URL(nextUri, 'https://host').searchParams.get('after')
    : null
  if (after === null || after === '') throw badAnswer(call, 'a page has a nextUri without a cursor')
  return after
}

function usableEntities({ entities = [] }: EntityPage): Entity[] {
  return entities.filter(
    (entity): entity is Entity =>
      isJsonObject(entity) &&
      typeof entity['id'] === 'string' &&
      entity['id'] !== '' &&
      entity['id'].length <= MAX_ID_LENGTH,
  )
}

function countOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' ? value : null
}

/** Genesys may omit an empty list from a page that has its counts. */
function refusalOfPage(data: unknown): string | null {
  const fields = fieldsOf(data)
  const entities = fields?.['entities']
  const isEmpty = entities === undefined && (fields?.['total'] === 0 || fields?.['pageCount'] === 0)
  return Array.isArray(entities) || isEmpty ? null : `not a page of entities: ${describeBody(data)}`
}

/**
 * All entities of a list that is paged by number, each once, in the order they came, with nothing but their names.
 * @throws GenesysError as readEntities does
 */
export async function entityList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  options: RequestOptions,
): Promise<NamedEntity[]> {
  const byId = new Map<string, NamedEntity>()
  const listing = { path, endpoint, paging: 'pages', pageSize: PAGE_SIZE } as const
  await readEntities(client, listing, options, (entities) => {
    for (const { id, name } of entities as readonly (Entity & { readonly name?: JsonValue })[])
      byId.set(id, { id, name: typeof name === 'string' ? name : undefined })
  })
  return [...byId.values()]
}

/** The ids of such a list. */
export async function identifierList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  options: RequestOptions,
): Promise<string[]> {
  return (await entityList(client, path, endpoint, options)).map(({ id }) => id)
}
