import { chunks } from '../chunks.ts'
import { isJsonObject, type JsonValue } from '../model/json.ts'
import { fieldsOf, refusalWithoutList } from './answer-body.ts'
import { LIVE_CONCURRENCY, type ReadRecord } from './open-conversations.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { isTooLarge } from './errors.ts'
import { forEachParallel } from './parallel.ts'

/** The API documents no limit of ids per request; its URLs have one, and 50 ids are 1.9 kB. */
export const IDS_PER_REQUEST = 50

const PATH = '/api/v2/analytics/conversations/details'

/**
 * Conversations by their ids, however long ago they started and whether they have ended or not; ids that the API does not
 * know, or does not show us, are omitted.
 * @param concurrency requests in flight at once; history passes its own
 * @throws GenesysError
 */
export async function readByIds(
  client: GenesysClient,
  ids: readonly string[],
  options: RequestOptions,
  concurrency = LIVE_CONCURRENCY,
): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  await forEachParallel(chunks(ids, IDS_PER_REQUEST), concurrency, options.signal, async (chunk, signal) => {
    records.push(...(await readChunk(client, chunk, { ...options, signal })))
  })
  return records
}

/** One request; two of half the ids where the answer is too large. */
async function readChunk(
  client: GenesysClient,
  ids: readonly string[],
  options: RequestOptions,
): Promise<ReadRecord[]> {
  try {
    const { data, sentAt } = await client.request<{ conversations?: readonly JsonValue[] }>({
      method: 'GET',
      path: PATH,
      query: { id: ids.join(',') },
      endpoint: 'details-by-id',
      refuse: (answer) => refusalOf(answer, ids),
      ...options,
    })
    return (data.conversations ?? []).map((record) => ({ record, sentAt }))
  } catch (error) {
    if (!isTooLarge(error) || ids.length === 1) throw error
    const half = Math.ceil(ids.length / 2)
    const first = await readChunk(client, ids.slice(0, half), options)
    return [...first, ...(await readChunk(client, ids.slice(half), options))]
  }
}

/** Why a body is not the answer for these ids; null when it is one. A list without any of them belongs to another request. */
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
