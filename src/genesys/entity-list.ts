import { describeBody, fieldsOf } from './answer-body.ts'
import type { GenesysClient } from './client.ts'
import type { Sending } from './details-query.ts'
import { badAnswer } from './errors.ts'

/** The size that the API takes for every list we read. */
const pageSize = 100
/** A list longer than this is none that we asked for; it keeps a server that never ends its list from holding us. */
const mostPages = 500

/** A thing with an id and, mostly, a name. */
export interface Entity {
  readonly id: string
  readonly name?: string | undefined
}

/**
 * All entities of a paged list (`entities`, `pageCount`, `total`), each once, in the order they came.
 * @throws GenesysError GENESYS_BAD_ANSWER where a page is none, or is the page before it once more
 */
export async function entityList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  sending: Sending,
): Promise<Entity[]> {
  const byId = new Map<string, Entity>()
  let before: readonly string[] = []
  /** Of how many entities a page is full; the server may give fewer than it was asked for. */
  let fullPage = 0
  for (let pageNumber = 1; pageNumber <= mostPages; pageNumber++) {
    const query = { pageSize, pageNumber }
    const { data } = await client.request<EntityPage>({
      method: 'GET',
      path,
      query,
      endpoint,
      refuse: refusalOfPage,
      ...sending,
    })
    const { entities = [], pageCount, total } = data
    const ids = entities.map(({ id }) => String(id))
    if (ids.length > 0 && ids.join() === before.join())
      throw badAnswer(
        { method: 'GET', path },
        `page ${pageNumber} repeats the ${ids.length} entities of the page before`,
      )
    before = ids
    for (const { id, name } of entities) if (typeof id === 'string') byId.set(id, { id, name })
    fullPage = Math.max(fullPage, entities.length)
    // A short page is the last one only where nothing says otherwise.
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

/** Genesys may leave an empty list out of a page beside its counts. */
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
  sending: Sending,
): Promise<string[]> {
  return (await entityList(client, path, endpoint, sending)).map(({ id }) => id)
}
