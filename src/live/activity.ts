/** The activity of conversations: an extra of the snapshot, which it never fails for. */
import { readConversationActivity, type ConversationActivity } from '../genesys/conversation-activity.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { GenesysError } from '../genesys/errors.ts'
import type { Logger } from '../log.ts'

/** A refusal is tried again after this long. */
const AGAIN_MS = 3_600_000

/**
 * Reads which conversations are active in queues. Null where that can't be read, which the log says: a refusal once, since what
 * is missing is the same all the time.
 * @param elapsedMs milliseconds since any instant
 */
export function createActivityReader(
  logger: Logger,
  elapsedMs: () => number,
): (genesys: GenesysClient, signal: AbortSignal) => Promise<ConversationActivity | null> {
  let refusedAt = Number.NEGATIVE_INFINITY
  let wasRefused = false

  return async (genesys, signal) => {
    if (elapsedMs() - refusedAt < AGAIN_MS) return null
    try {
      const activity = await readConversationActivity(genesys, { priority: 'live', signal })
      wasRefused = false
      return activity
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
