import { isJsonObject, objects } from '../model/json.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { chunks } from '../chunks.ts'
import { LIVE_CONCURRENCY } from './open-conversations.ts'
import { refusalWithoutList } from './answer-body.ts'
import type { GenesysClient } from './client.ts'
import { matches } from './details-query.ts'
import type { Sending } from './details-query.ts'
import { forEachParallel } from './parallel.ts'

/** Users of a queue as of now. */
export interface QueueUsers {
  readonly onQueue: number
  readonly offQueue: number
}

/** The most predicates that the API takes in one observation query. */
const QUEUES_PER_REQUEST = 200
const path = '/api/v2/analytics/queues/observations/query'

/**
 * How many users are on queue and off queue in each of these queues. A queue that the API says nothing about is left out.
 * Needs analytics:queueObservation:view.
 * @throws GenesysError
 */
export async function readQueueUsers(
  client: GenesysClient,
  queueIds: readonly string[],
  sending: Sending,
): Promise<ReadonlyMap<string, QueueUsers>> {
  const users = new Map<string, QueueUsers>()
  await forEachParallel(
    chunks(queueIds, QUEUES_PER_REQUEST),
    LIVE_CONCURRENCY,
    sending.signal,
    async (chunk, signal) => {
      const { data } = await client.request<JsonValue>({
        method: 'POST',
        path,
        body: {
          filter: { type: 'or', predicates: chunk.map((id) => matches('queueId', id)) },
          metrics: ['oOnQueueUsers', 'oOffQueueUsers'],
        },
        endpoint: 'queue-observations',
        refuse: (answer) => refusalWithoutList(answer, 'results', 'observations'),
        priority: sending.priority,
        signal,
      })
      for (const result of objects(isJsonObject(data) ? data['results'] : null)) {
        const group = result['group'] ?? null
        const queueId = isJsonObject(group) ? group['queueId'] : null
        if (typeof queueId !== 'string') continue
        const entries = objects(result['data'])
        // One entry for each status that its users have.
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
