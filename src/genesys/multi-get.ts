import type { JsonValue } from '../core/json.ts'
import { LIVE_CONCURRENCY } from './open-conversations.ts'
import type { ReadRecord } from './open-conversations.ts'
import type { GenesysClient } from './client.ts'
import type { Sending } from './details-query.ts'
import { noListOfConversations } from './errors.ts'
import { forEachParallel } from './parallel.ts'

/** The API documents no limit of ids a request; its URLs have one, and 50 ids are 1.9 kB. */
export const idsARequest = 50

const path = '/api/v2/analytics/conversations/details'

/**
 * Conversations by their ids, however long ago they started and whether they have ended or not; ids that the API does not
 * know, or does not show us, are left out.
 * @throws GenesysError
 */
export async function readByIds(
  client: GenesysClient,
  ids: readonly string[],
  sending: Sending,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  await forEachParallel(chunks(ids), LIVE_CONCURRENCY, sending.signal, async (chunk, signal) => {
    const { data, sentAt, status } = await client.request<{ conversations?: JsonValue } | null>({
      method: 'GET',
      path,
      query: { id: chunk.join(',') },
      endpoint: 'details-by-id',
      priority: sending.priority,
      signal,
    })
    const conversations = data?.conversations ?? []
    if (!Array.isArray(conversations)) throw noListOfConversations(path, status)
    for (const record of conversations as JsonValue[]) records.push({ record, sentAt })
  })
  return records
}

function* chunks(ids: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < ids.length; start += idsARequest) yield ids.slice(start, start + idsARequest)
}
