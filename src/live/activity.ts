/** The activity of conversations: optional, so that a snapshot never fails because of it. */
import type { GenesysClient } from '../genesys/client.ts'
import { readConversationActivity, type ConversationActivity } from '../genesys/conversation-activity.ts'
import { GenesysError } from '../genesys/errors.ts'
import type { Logger } from '../log.ts'
import { isStorableId } from './state.ts'

/** A refused request is repeated after this long. */
const REFUSAL_RETRY_MS = 3_600_000

/**
 * Makes the function that reads which conversations are active in queues; null: that could not be read. A refusal is logged
 * once, because what is missing stays the same.
 * @param elapsedMs milliseconds since any instant; never goes back
 */
export function createActivityReader(
  logger: Logger,
  elapsedMs: () => number,
): (genesys: GenesysClient, signal: AbortSignal) => Promise<ConversationActivity | null> {
  let refusedAt = Number.NEGATIVE_INFINITY
  let wasRefused = false

  return async (genesys, signal) => {
    if (elapsedMs() - refusedAt < REFUSAL_RETRY_MS) return null
    try {
      const activity = await readConversationActivity(genesys, { priority: 'live', signal })
      wasRefused = false
      return new Map([...activity].filter(([id]) => isStorableId(id)))
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) {
        refusedAt = elapsedMs()
        if (!wasRefused)
          logger.warn(
            { path: error.path, status: error.status, hint: error.hint },
            'conversation activity can’t be read: open conversations older than a day that no snapshot has seen yet appear up to an hour late',
          )
        wasRefused = true
      } else {
        logger.warn({ err: error }, 'conversation activity could not be read')
      }
      return null
    }
  }
}
