/** Where the page of a conversation gets its data. */
import { type Logger } from '../log.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { readConversation, type Conversation } from '../reporting/conversation-query.ts'
import { type ConversationSource } from './conversation-route.ts'
import { describeError, shareReadsByKey, withDatabaseTimeout } from './database-reads.ts'

/** A page that reports a slow database is worth more than one that waits for it. */
const PAGE_TIMEOUT_MS = 6_000

/** The source of the route. Neither ids nor what is read of a conversation reach the log. */
export function createConversationSource({
  logger,
  warehouse,
  showPersonal,
  keepMs,
}: {
  readonly logger: Logger
  readonly warehouse: Warehouse
  readonly showPersonal: boolean
  readonly keepMs: number
}): ConversationSource {
  async function explained(id: string): Promise<Conversation | null> {
    try {
      return await readConversation(warehouse, id, { showPersonal, timeoutMs: PAGE_TIMEOUT_MS })
    } catch (error) {
      // a schema that is behind lacks what is read; saying so says what to do
      await requireCurrentSchema(warehouse.db)
      throw toEtlError(error, 'reading a conversation')
    }
  }
  const read = shareReadsByKey((id: string) => id, explained, keepMs)
  return {
    async conversation(id) {
      try {
        const conversation = await withDatabaseTimeout(PAGE_TIMEOUT_MS, read(id))
        return { at: new Date(), conversation, reason: null, showPersonal }
      } catch (error) {
        logger.warn({ err: error }, 'a conversation could not be read')
        return { at: new Date(), conversation: null, reason: describeError(error), showPersonal }
      }
    },
  }
}
