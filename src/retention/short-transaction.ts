/** Transactions that need a lock for which others must not queue for long. */
import { sql, type Transaction } from 'kysely'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { classify, retryTransient } from '../postgres/errors.ts'

/** Whoever comes while a transaction waits for a lock waits behind it, so it must not wait long itself. */
const LOCK_TIMEOUT = '1s'
/** With the waits in between, about half a minute. */
const ATTEMPTS = 10

/** Nothing is wrong, but a month cannot be dropped now; a later run does it. */
export class Postponed extends Error {
  override readonly name = 'Postponed'
}

/**
 * Runs `work` in a transaction that gives up a lock soon and tries again.
 * @throws Postponed where a lock could not be had; the signal's reason; a database error
 */
export async function inShortTransaction<Result>(
  warehouse: Warehouse,
  signal: AbortSignal,
  work: (trx: Transaction<Database>) => Promise<Result>,
): Promise<Result> {
  try {
    return await retryTransient(
      () =>
        withTransaction(warehouse, async (trx) => {
          await sql`select set_config('lock_timeout', ${LOCK_TIMEOUT}, true)`.execute(trx)
          return await work(trx)
        }),
      { attempts: ATTEMPTS, signal },
    )
  } catch (error) {
    signal.throwIfAborted()
    if (classify(error) !== 'transient') throw error
    throw new Postponed('others hold locks of its tables for too long, such as a long query or a backup', {
      cause: error,
    })
  }
}
