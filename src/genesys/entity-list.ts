import type { GenesysClient } from './client.ts'
import type { Sending } from './details-query.ts'

/** The size that the API takes for every list we read. */
const pageSize = 100
/** A list longer than this is none that we asked for; it keeps a server that never ends its list from holding us. */
const mostPages = 500

/** A thing with an id and, mostly, a name. */
export interface Entity {
  readonly id: string
  readonly name?: string | undefined
}

/** All entities of a paged list (`entities`, `pageCount`), each once, in the order they came. */
export async function entityList(
  client: GenesysClient,
  path: string,
  endpoint: string,
  sending: Sending,
): Promise<Entity[]> {
  const byId = new Map<string, Entity>()
  for (let pageNumber = 1; pageNumber <= mostPages; pageNumber++) {
    const query = { pageSize, pageNumber }
    const { data } = await client.request<EntityPage | null>({ method: 'GET', path, query, endpoint, ...sending })
    const entities = Array.isArray(data?.entities) ? data.entities : []
    for (const { id, name } of entities) if (typeof id === 'string') byId.set(id, { id, name })
    // The server may clamp the page size, so a short page says nothing where it tells the number of pages.
    const last = typeof data?.pageCount === 'number' ? data.pageCount <= pageNumber : entities.length < pageSize
    if (last || entities.length === 0) break
  }
  return [...byId.values()]
}

interface EntityPage {
  readonly entities?: readonly { readonly id?: string; readonly name?: string }[]
  readonly pageCount?: number
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
