import { chunks } from '../chunks.ts'
import { objects, isJsonObject, type JsonObject, type JsonValue } from '../model/json.ts'
import { LIVE_CONCURRENCY } from './open-conversations.ts'
import { refusalWithoutList } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { matches } from './details-query.ts'
import { forEachParallel } from './parallel.ts'

/** Users of a queue as of now. */
export interface QueueUsers {
  readonly onQueue: number
  readonly offQueue: number
}

/** The API's limit of predicates in one observation query. */
const QUEUES_PER_REQUEST = 200
const PATH = '/api/v2/analytics/queues/observations/query'

/**
 * How many users are on queue and off queue in each of these queues; queues without an answer are omitted.
 * Needs analytics:queueObservation:view.
 * @throws GenesysError
 */
export async function readQueueUsers(
  client: GenesysClient,
  queueIds: readonly string[],
  options: RequestOptions,
): Promise<ReadonlyMap<string, QueueUsers>> {
  const users = new Map<string, QueueUsers>()
  await forEachParallel(
    chunks(queueIds, QUEUES_PER_REQUEST),
    LIVE_CONCURRENCY,
    options.signal,
    async (chunk, signal) => {
      const { data } = await client.request<JsonValue>({
        method: 'POST',
        path: PATH,
        body: {
          filter: { type: 'or', predicates: chunk.map((id) => matches('queueId', id)) },
          metrics: ['oOnQueueUsers', 'oOffQueueUsers'],
        },
        endpoint: 'queue-observations',
        refuse: (answer) => refusalWithoutList(answer, 'results', 'observations'),
        priority: options.priority,
        signal,
      })
      for (const result of objects(isJsonObject(data) ? data['results'] : null)) {
        const group = result['group'] ?? null
        const queueId = isJsonObject(group) ? group['queueId'] : null
        if (typeof queueId !== 'string') continue
        const entries = objects(result['data'])
        // one entry per status of its users
        users.set(queueId, { onQueue: sum(entries, 'oOnQueueUsers'), offQueue: sum(entries, 'oOffQueueUsers') })
      }
    },
  )
  return users
}

function sum(entries: readonly JsonObject[], metric: string): number {
  return entries
    .filter((entry) => entry['metric'] === metric)
    .map((entry) => {
      const stats = entry['stats'] ?? null
      const count = isJsonObject(stats) ? stats['count'] : null
      return typeof count === 'number' && Number.isInteger(count) ? count : 0
    })
    .reduce((a, b) => a + b, 0)
}
