/** How many users are on queue: an extra of the snapshot, which it never fails for. */
import type { GenesysClient } from '../genesys/client.ts'
import { identifierList } from '../genesys/entity-list.ts'
import { GenesysError } from '../genesys/errors.ts'
import { readQueueUsers, type QueueUsers } from '../genesys/queue-observations.ts'
import type { Logger } from '../log.ts'

/** The list of queues is read again this often, and a refusal tried again. */
const AGAIN_MS = 3_600_000

/** Users by queue; null where they can't be read, with a word about it in the log. */
export function createQueueUsers(
  logger: Logger,
): (genesys: GenesysClient, signal: AbortSignal) => Promise<ReadonlyMap<string, QueueUsers> | null> {
  let queues: { readonly ids: readonly string[]; readonly readAt: number } | null = null
  let refusedAt = Number.NEGATIVE_INFINITY

  return async (genesys, signal) => {
    if (performance.now() - refusedAt < AGAIN_MS) return null
    const sending = { priority: 'live', signal } as const
    try {
      if (queues === null || performance.now() - queues.readAt > AGAIN_MS) {
        const ids = await identifierList(genesys, '/api/v2/routing/queues', 'queues', sending)
        queues = { ids, readAt: performance.now() }
      }
      return await readQueueUsers(genesys, queues.ids, sending)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof GenesysError && error.status === 403) {
        refusedAt = performance.now()
        logger.info({ path: error.path, hint: error.hint }, 'users of queues are not shown: the permission is missing')
      } else {
        logger.warn({ err: error }, 'users of queues could not be read')
      }
      return null
    }
  }
}
