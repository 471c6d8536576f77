import { describeBody, fieldsOf } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { badAnswer } from './errors.ts'

/** The page size that the API accepts for every list that we read. */
const PAGE_SIZE = 100
/** Ends the reading of a list that never ends; no organization has 50 000 queues. */
export const MAX_PAGES = 500

/** An object of the organization, such as a queue, with its id and usually a name. */
export interface NamedEntity {
  readonly id: string
  readonly name?: string | undefined
}

/**
 * All entities of a paged list (`entities`, `pageCount`, `total`), each once, in the order they came.
 * @throws GenesysError GENESYS_BAD_ANSWER where an answer is not a page, or repeats the page before it
 */
export async function entityList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  options: RequestOptions,
): Promise<NamedEntity[]> {
  const byId = new Map<string, NamedEntity>()
  let before: readonly string[] = []
  /** The largest page so far: the server may give fewer entities than requested. */
  let fullPage = 0
  for (let pageNumber = 1; pageNumber <= MAX_PAGES; pageNumber++) {
    const { data } = await client.request<EntityPage>({
      method: 'GET',
      path,
      query: { pageSize: PAGE_SIZE, pageNumber },
      endpoint,
      refuse: refusalOfPage,
      ...options,
    })
    const { entities = [], pageCount, total } = data
    const ids = entities.map(({ id }) => String(id))
    if (ids.length > 0 && ids.join() === before.join())
      throw badAnswer(
        { method: 'GET', path },
        `page ${pageNumber} repeats the ${ids.length} entities of the previous page`,
      )
    before = ids
    for (const { id, name } of entities) if (typeof id === 'string') byId.set(id, { id, name })
    fullPage = Math.max(fullPage, entities.length)
    // A short page counts as the last one only where neither pageCount nor total is given.
    const isLast =
      typeof pageCount === 'number'
        ? pageCount <= pageNumber
        : typeof total === 'number'
          ? byId.size >= total
          : entities.length < fullPage
    if (isLast || entities.length === 0) break
  }
  return [...byId.values()]
}

/** Genesys may omit an empty list from a page that has its counts. */
function refusalOfPage(data: unknown): string | null {
  const fields = fieldsOf(data)
  const entities = fields?.['entities']
  const isEmpty = entities === undefined && (fields?.['total'] === 0 || fields?.['pageCount'] === 0)
  return Array.isArray(entities) || isEmpty ? null : `not a page of entities: ${describeBody(data)}`
}

interface EntityPage {
  readonly entities?: readonly { readonly id?: string; readonly name?: string }[]
  readonly pageCount?: number
  readonly total?: number
}

/** The ids of a paged list. */
export async function identifierList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  options: RequestOptions,
): Promise<string[]> {
  return (await entityList(client, path, endpoint, options)).map(({ id }) => id)
}
