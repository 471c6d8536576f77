import { chunks } from '../chunks.ts'
import { isJsonObject } from '../model/json.ts'
import type { JsonValue } from '../model/json.ts'
import { fieldsOf, refusalWithoutList } from './answer-body.ts'
import { LIVE_CONCURRENCY } from './open-conversations.ts'
import type { ReadRecord } from './open-conversations.ts'
import type { GenesysClient } from './client.ts'
import type { Sending } from './details-query.ts'
import { forEachParallel } from './parallel.ts'

/** The API documents no limit of ids a request; its URLs have one, and 50 ids are 1.9 kB. */
export const IDS_PER_REQUEST = 50

const path = '/api/v2/analytics/conversations/details'

/**
 * Conversations by their ids, however long ago they started and whether they have ended or not; ids that the API does not
 * know, or does not show us, are left out.
 * @param concurrency requests in flight at once; history passes its own
 * @throws GenesysError
 */
export async function readByIds(
  client: GenesysClient,
  ids: readonly string[],
  sending: Sending,
  concurrency = LIVE_CONCURRENCY,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  await forEachParallel(chunks(ids, IDS_PER_REQUEST), concurrency, sending.signal, async (chunk, signal) => {
    const { data, sentAt } = await client.request<{ conversations?: readonly JsonValue[] }>({
      method: 'GET',
      path,
      query: { id: chunk.join(',') },
      endpoint: 'details-by-id',
      refuse: (answer) => refusalOf(answer, chunk),
      priority: sending.priority,
      signal,
    })
    for (const record of data.conversations ?? []) records.push({ record, sentAt })
  })
  return records
}

/** Why a body does not answer a question about these ids; a list of others than those is the answer to another question. */
function refusalOf(data: unknown, ids: readonly string[]): string | null {
  const refusal = refusalWithoutList(data, 'conversations', 'conversations')
  if (refusal !== null) return refusal
  const records = (fieldsOf(data)?.['conversations'] ?? []) as readonly JsonValue[]
  const given = records.flatMap((record) => {
    const id = isJsonObject(record) ? record['conversationId'] : null
    return typeof id === 'string' ? [id.toLowerCase()] : []
  })
  const asked = new Set(ids.map((id) => id.toLowerCase()))
  return given.length > 0 && !given.some((id) => asked.has(id))
    ? `not a list of the conversations asked for: none of the ${given.length} in it is one of the ${ids.length}`
    : null
}
