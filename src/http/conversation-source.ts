/** Where the page of a conversation gets its data. */
import { type Logger } from '../log.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { readConversation } from '../reporting/conversation-query.ts'
import { type ConversationSource } from './conversation-route.ts'
import { describeError, withDatabaseTimeout } from './database-reads.ts'

/** A page that reports a slow database is worth more than one that waits for it. */
const PAGE_TIMEOUT_MS = 6_000

/** The source of the route. Neither ids nor what is read of a conversation reach the log. */
export function createConversationSource({
  logger,
  warehouse,
  showPersonal,
}: {
  readonly logger: Logger
  readonly warehouse: Warehouse
  readonly showPersonal: boolean
}): ConversationSource {
  const options = { showPersonal, timeoutMs: PAGE_TIMEOUT_MS }
  return {
    async conversation(id) {
      try {
        const reading = readConversation(warehouse, id, options).catch(async (error: unknown) => {
          // a schema that is behind lacks what is read; saying so says what to do
          await requireCurrentSchema(warehouse.db)
          throw toEtlError(error, 'reading a conversation')
        })
        const conversation = await withDatabaseTimeout(PAGE_TIMEOUT_MS, reading)
        return { at: new Date(), conversation, reason: null, showPersonal }
      } catch (error) {
        logger.warn({ err: error }, 'a conversation could not be read')
        return { at: new Date(), conversation: null, reason: describeError(error), showPersonal }
      }
    },
  }
}
