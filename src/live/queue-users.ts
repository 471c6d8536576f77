/** How many users are on queue: optional, so that a snapshot never fails because of it. */
import type { GenesysClient } from '../genesys/client.ts'
import { identifierList } from '../genesys/entity-list.ts'
import { GenesysError } from '../genesys/errors.ts'
import { readQueueUsers, type QueueUsers } from '../genesys/queue-observations.ts'
import type { Logger } from '../log.ts'
import { isStorableId } from './state.ts'

/** The list of queues is read again, and a refused request repeated, after this long. */
const REFRESH_MS = 3_600_000

/** Reads users by queue id; null: they could not be read. */
export type QueueUsersReader = (
  genesys: GenesysClient,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, QueueUsers> | null>

/**
 * Makes the function that reads users by queue id; null: they could not be read, which is logged.
 * @param elapsedMs milliseconds since any instant; never goes back
 */
export function createQueueUsersReader(logger: Logger, elapsedMs: () => number): QueueUsersReader {
  let queues: { readonly ids: readonly string[]; readonly readAt: number } | null = null
  let refusedAt = Number.NEGATIVE_INFINITY

  return async (genesys, signal) => {
    if (elapsedMs() - refusedAt < REFRESH_MS) return null
    const sending = { priority: 'live', signal } as const
    try {
      if (queues === null || elapsedMs() - queues.readAt > REFRESH_MS) {
        const ids = await identifierList(genesys, '/api/v2/routing/queues', 'queues', sending)
        queues = { ids: ids.filter(isStorableId), readAt: elapsedMs() }
      }
      const users = await readQueueUsers(genesys, queues.ids, sending)
      return new Map([...users].filter(([id]) => isStorableId(id)))
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof GenesysError && error.status === 403) {
        refusedAt = elapsedMs()
        logger.info({ path: error.path, hint: error.hint }, 'users of queues are not shown: the permission is missing')
      } else {
        logger.warn({ err: error }, 'users of queues could not be read')
      }
      return null
    }
  }
}
