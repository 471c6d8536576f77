/** The request budget of an OAuth client, kept in the database for all processes that use the client. */
import { createHash } from 'node:crypto'
import { sql, type Kysely } from 'kysely'
import { type Lease, type SharedBudget } from '../genesys/rate-limiter.ts'
import { type Priority } from '../genesys/send-budget.ts'
import { type Logger } from '../log.ts'
import { type Database } from '../postgres/database.ts'
import { grant, NOTHING_LEASED, type SharedState } from './grant.ts'

/** A request waits no longer than this for the database. */
const TIMEOUT_MS = 5000
/** Attempts to write without another process writing in between; each lost one means that the other has its lease. */
const MAX_ATTEMPTS = 20
const BUSY_WAIT_MS = 200

/**
 * What identifies an OAuth client in the database without naming it: the start of a hash.
 * @param client the client's id, or the token of a user
 */
export function budgetKey(apiUrl: string, client: string): string {
  return createHash('sha256').update(`${apiUrl}\n${client}`).digest('hex').slice(0, 32)
}

/**
 * Shares a request limit through etl.request_budget. Each lease takes two statements, and no lock is held between them. Where the
 * database does not answer in time, or has no such table, no lease is given, and the limit of this process alone holds.
 * @param db best with a connection of its own, so that leases do not queue behind loads
 */
export function createSharedBudget(options: {
  readonly db: Kysely<Database>
  readonly key: string
  readonly requestsPerMinute: number
  readonly logger: Logger
}): SharedBudget {
  const { db, key, requestsPerMinute: limit, logger } = options
  let isReachable = true
  return {
    async lease(priority, wanted) {
      try {
        const lease = await withinTimeout(leaseFrom(db, key, { priority, wanted, limit }))
        if (!isReachable) logger.info('the request limit is shared with other processes again')
        isReachable = true
        return lease
      } catch (error) {
        const code = (error as { code?: unknown }).code
        if (isReachable)
          logger.warn(
            { code },
            'the request limit could not be shared with other processes; it holds for this process alone',
          )
        isReachable = false
        return null
      }
    },
  }
}

async function leaseFrom(
  db: Kysely<Database>,
  key: string,
  request: { readonly priority: Priority; readonly wanted: number; readonly limit: number },
): Promise<Lease> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const row = await db
      .selectFrom('etl.request_budget')
      .where('client', '=', key)
      .select(['version', 'state', sql<number>`extract(epoch from clock_timestamp())::float8 * 1000`.as('now')])
      .executeTakeFirst()
    if (row === undefined) {
      const empty = { client: key, version: 0, state: JSON.stringify(NOTHING_LEASED) }
      await db
        .insertInto('etl.request_budget')
        .values(empty)
        .onConflict((conflict) => conflict.doNothing())
        .execute()
      continue
    }
    const { state, granted, waitMs } = grant(stateFrom(row.state), request, row.now)
    const { numUpdatedRows } = await db
      .updateTable('etl.request_budget')
      .set({ version: row.version + 1, state: JSON.stringify(state), leased_at: sql<Date>`now()` })
      .where('client', '=', key)
      .where('version', '=', row.version)
      .executeTakeFirst()
    if (numUpdatedRows === 1n) return { granted, waitMs }
  }
  return { granted: 0, waitMs: BUSY_WAIT_MS }
}

/** A row that another version of this program wrote, or that was edited, counts as empty where it is not understood. */
function stateFrom(value: unknown): SharedState {
  const { slots, liveWaitsUntil } = (value ?? {}) as Partial<SharedState>
  const isSlot = (slot: unknown): boolean => Array.isArray(slot) && slot.length === 3 && slot.every(Number.isFinite)
  if (!Array.isArray(slots) || !slots.every(isSlot) || !Number.isFinite(liveWaitsUntil)) return NOTHING_LEASED
  return { slots, liveWaitsUntil: liveWaitsUntil ?? 0 }
}

async function withinTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })),
      TIMEOUT_MS,
    ).unref()
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
