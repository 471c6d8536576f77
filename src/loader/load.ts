import { setTimeout as sleep } from 'node:timers/promises'
import type { Transaction } from 'kysely'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { applyPolicy, type PersonalPolicy } from '../model/personal.ts'
import { conversationIdOf, conversationKey } from '../model/transform.ts'
import { withTransaction, type Warehouse } from '../postgres/connect.ts'
import { databaseClockOf } from '../postgres/clock.ts'
import { holdPolicy } from '../postgres/personal-policy.ts'
import type { Database } from '../postgres/database.ts'
import { classify, retryTransient, toEtlError } from '../postgres/errors.ts'
import { floorOf, holdMonths, selectExpired } from './dropped-months.ts'
import { EARLIEST_START, ensureMonths, forgetMonths, monthOf } from './partitions.ts'
import { addLoadCounts, emptyLoadCounts, type LoadCounts } from './load-counts.ts'
import { referencedIds, type ReferencedIds } from './referenced-ids.ts'
import { decide, sortOut, type Decision, type Entry } from './decide.ts'
import { hashesOf, withinRetention } from './entry.ts'
import { insertRejected, resolveRejected, type RejectedRecord } from './rejected.ts'
import { replaceAttributes } from './attributes.ts'
import { insertMoved } from './deletions.ts'
import { markDerived } from './derived.ts'
import { countReopened, endOf } from './reopened.ts'
import { replaceConversations } from './replace.ts'
import { selectErased } from './tombstones.ts'
import { updateUnsettled, type StoredState } from './unsettled.ts'

/** A conversation as the API sent it. */
export interface FetchedConversation {
  readonly conversation: unknown
  /** The instant as of which the source vouches for it, by the clock of the database (ISO text): see readDatabaseClock. */
  readonly fetchedAt: string
  /** The row of etl.rejected_records that it comes from; absent: it comes from the API. */
  readonly rejectedId?: number
}

export interface LoadOptions {
  /** Which interface delivered the records; kept in `_source`. */
  readonly source: string
  readonly runId: number | null
  /** Whether the source delivers participant attributes, so that their absence means that there are none. */
  readonly deliversAttributes: boolean
  /** Under which name rejected records are kept. Default: conversations. */
  readonly stream?: string
  readonly signal?: AbortSignal
  readonly onLoaded?: OnLoaded | undefined
}

/** Called with the counts of a batch, for metrics, and with the ids that its conversations name, none if nothing has changed. */
export type OnLoaded = (counts: LoadCounts, ids: ReferencedIds) => void

const MS_PER_DAY = 86_400_000

/**
 * Loads conversations: new and changed ones are written whole, and so are those whose rows are gone; unchanged ones are only
 * confirmed, older ones than what is stored are ignored, those that can't be stored are kept in etl.rejected_records, and those that were erased on
 * request, or started in a month that is not kept any more, are left out. Any number of loaders may work at once, on the same conversations too. Transient errors are retried.
 * @throws EtlError retryable when the database stays unreachable, fatal when it refuses permanently
 */
export async function loadBatch(
  warehouse: Warehouse,
  records: readonly FetchedConversation[],
  options: LoadOptions,
): Promise<LoadCounts> {
  try {
    const clock = await databaseClockOf(warehouse)
    const { entries, rejected } = prepare(records, { ...options, policy: warehouse.personalPolicy }, clock.now())
    await keepRejected(warehouse, rejected, options)
    const repeated = records.length - entries.length - rejected.length
    const prepared = {
      ...emptyLoadCounts(),
      received: repeated + rejected.length,
      stale: repeated,
      rejected: rejected.length,
    }
    const counts = addLoadCounts(prepared, await loadEntries(warehouse, entries, options))
    const isChanged = counts.inserted + counts.changed > 0
    options.onLoaded?.(counts, referencedIds(isChanged ? entries.map(({ raw }) => raw) : []))
    return counts
  } catch (error) {
    throw toEtlError(error, 'loading conversations')
  }
}

/** Applies the policy for personal data; keys, hashes, sorts and deduplicates a batch: one entry per conversation, the newest. */
function prepare(
  records: readonly FetchedConversation[],
  options: LoadOptions & { readonly policy: PersonalPolicy },
  now: Date,
): { entries: Entry[]; rejected: RejectedRecord[] } {
  const newest = new Map<string, Omit<Entry, 'contentHash' | 'attributesHash'>>()
  const rejected: RejectedRecord[] = []
  for (const { conversation: fetched, fetchedAt, rejectedId } of records) {
    const conversation = applyPolicy(options.policy, fetched as JsonValue)
    const key = conversationKey(conversation)
    const reason = 'rejected' in key ? key.rejected : implausibleStart(key.conversationStart, now)
    if ('rejected' in key || reason !== undefined) {
      const conversationId = 'rejected' in key ? conversationIdOf(conversation) : key.conversationId
      const original = conversationId === null ? fetched : undefined
      rejected.push({ raw: conversation, original, reason: reason ?? '', conversationId, fetchedAt, rejectedId })
      continue
    }
    const known = newest.get(key.conversationId)
    if (known === undefined || Date.parse(known.fetchedAt) <= Date.parse(fetchedAt)) {
      newest.set(key.conversationId, { ...key, fetchedAt, rejectedId, raw: conversation as JsonObject })
    }
  }
  const { policy, deliversAttributes } = options
  const entries = [...newest.values()].map((entry) => ({
    ...entry,
    ...hashesOf(entry.raw, policy, deliversAttributes),
  }))
  // every loader locks in this order, so that none waits for another in a circle
  entries.sort((a, b) => (a.conversationId < b.conversationId ? -1 : 1))
  return { entries, rejected }
}

function implausibleStart(start: string, now: Date): string | undefined {
  const instant = Date.parse(start)
  if (instant < EARLIEST_START.getTime()) return 'conversationStart before 2012'
  if (instant > now.getTime() + MS_PER_DAY) return 'conversationStart more than a day ahead'
  return undefined
}

/** Loads entries in one transaction; where a value makes it fail, in two halves, down to the record that causes it. */
async function loadEntries(warehouse: Warehouse, entries: readonly Entry[], options: LoadOptions): Promise<LoadCounts> {
  if (entries.length === 0) return emptyLoadCounts()
  try {
    return await loadWithRetry(warehouse, entries, options)
  } catch (error) {
    if (classify(error) !== 'data' && !isRefusedByConstraint(error)) throw error
    const [first] = entries
    if (entries.length === 1 && first) {
      await keepRejected(warehouse, [{ ...first, reason: reasonOf(error) }], options)
      return { ...emptyLoadCounts(), received: 1, rejected: 1 }
    }
    const middle = Math.ceil(entries.length / 2)
    const left = await loadEntries(warehouse, entries.slice(0, middle), options)
    return addLoadCounts(left, await loadEntries(warehouse, entries.slice(middle), options))
  }
}

async function loadWithRetry(
  warehouse: Warehouse,
  entries: readonly Entry[],
  options: LoadOptions,
): Promise<LoadCounts> {
  let recovered = false
  let sweep = false
  // the result of the last attempt, whose connection broke, perhaps while it was committing
  let doubtful: { transactionId: string; counts: LoadCounts } | undefined
  return retryTransient(
    async () => {
      if (doubtful && (await hasCommitted(warehouse, doubtful.transactionId))) return doubtful.counts
      doubtful = undefined
      for (;;) {
        const floor = await floorOf(warehouse)
        const { wanted, left } = await leaveOut(warehouse, entries, floor)
        if (wanted.length === 0) return left
        await ensureMonths(
          warehouse,
          wanted.map(({ conversationStart }) => monthOf(conversationStart)),
        )
        try {
          return await withTransaction(warehouse, async (trx, client) => {
            const result = await loadOnce(trx, client, wanted, {
              ...options,
              sweep,
              floor,
              policy: warehouse.personalPolicy,
            })
            doubtful = { ...result, counts: addLoadCounts(result.counts, left) }
            return doubtful.counts
          })
        } catch (error) {
          if (error instanceof LeftOutMeanwhile) continue
          if (recovered || !isRecoverable(error)) throw error
          recovered = true
          doubtful = undefined
          // 23514: a known partition was dropped. 23505: there are rows that etl.conversations does not have.
          forgetMonths(warehouse)
          sweep = (error as { code?: string }).code === '23505'
        }
      }
    },
    { signal: options.signal },
  )
}

/** What is not to be stored: it was erased on request, or started in a month that is not kept any more. */
async function leaveOut(
  { db }: Warehouse,
  entries: readonly Entry[],
  floor: Date | null,
): Promise<{ wanted: Entry[]; left: LoadCounts }> {
  const erased = await selectErased(db, idsOf(entries))
  const others = entries.filter(({ conversationId }) => !erased.has(conversationId))
  const expired = await selectExpired(db, others, floor)
  const wanted = others.filter(({ conversationId }) => !expired.has(conversationId))
  const received = entries.length - wanted.length
  return { wanted, left: { ...emptyLoadCounts(), received, erased: erased.size, expired: expired.size } }
}

/** An erasure, or the drop of a month, has begun since; the transaction is rolled back and tried again without what is concerned. */
class LeftOutMeanwhile extends Error {}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ conversationId }) => conversationId)
}

async function loadOnce(
  trx: Transaction<Database>,
  client: Parameters<typeof replaceConversations>[1],
  prepared: readonly Entry[],
  options: LoadOptions & { sweep: boolean; floor: Date | null; policy: PersonalPolicy },
): Promise<{ transactionId: string; counts: LoadCounts }> {
  const inForce = await holdPolicy(trx, options.policy)
  const entries = prepared.map((entry) => withinRetention(entry, inForce, options.deliversAttributes))
  await holdMonths(trx)
  if ((await selectExpired(trx, entries, options.floor)).size > 0) throw new LeftOutMeanwhile()
  const decisions = new Map((await decide(trx, entries)).map((row) => [row.conversation_id, row]))
  // now that the deciding rows are locked: an erasure that begins later waits for them
  if ((await selectErased(trx, idsOf(entries))).size > 0) throw new LeftOutMeanwhile()
  const { changed, withSameContent, stale, inserted } = await sortOut(trx, entries, decisions, options)
  const unchanged = decisions.size - changed.length
  const attributes = await replaceAttributes(trx, client, stale.filter(hasAttributes), inForce)
  const counts = {
    ...emptyLoadCounts(),
    received: entries.length,
    inserted,
    unchanged,
    stale: stale.length - attributes.conversations,
    changed: attributes.conversations,
  }
  const transactionId = [...decisions.values()][0]?.transaction_id ?? attributes.transactionId ?? ''
  const states = statesOf(entries, decisions)
  if (changed.length === 0) {
    await updateUnsettled(trx, states)
    return { transactionId, counts: { ...counts, rows: { ...counts.rows, participant_attributes: attributes.rows } } }
  }
  const reopened = await countReopened(trx, changed)
  const rows = await replaceConversations(trx, client, changed, { ...options, inForce })
  await insertMoved(trx, changed)
  await markDerived(trx, withSameContent)
  await resolveRejected(trx, states)
  await updateUnsettled(trx, states)
  rows.participant_attributes += attributes.rows
  const outcome = { changed: changed.length - inserted + attributes.conversations, reopened, rows }
  return { transactionId, counts: { ...counts, ...outcome } }
}

/** Whether the source delivers attributes, so that an answer whose content is too old may still have newer ones. */
function hasAttributes(entry: Entry): entry is Entry & { readonly attributesHash: string } {
  return entry.attributesHash !== null
}

/** What is stored now of those entries that were not refused. */
function statesOf(entries: readonly Entry[], decisions: ReadonlyMap<string, Decision>): StoredState[] {
  return entries.flatMap(({ conversationId, conversationStart, raw }) => {
    const decision = decisions.get(conversationId)
    const state = { conversationId, conversationStart, conversationEnd: endOf(raw) }
    return decision ? [{ ...state, fetchedAt: decision.fetched_at }] : []
  })
}

/** Whether a transaction whose COMMIT got no answer took effect; waits while it is still in progress. */
async function hasCommitted(warehouse: Warehouse, transactionId: string): Promise<boolean> {
  if (transactionId === '') return false
  for (let check = 0; check < 100; check++) {
    const { rows } = await warehouse.pool
      .query<{ status: string | null }>('select pg_xact_status($1::xid8) as status', [transactionId])
      // 22023: unknown there, so the server behind the address is another one
      .catch((error: unknown) => ((error as { code?: string }).code === '22023' ? { rows: [] } : Promise.reject(error)))
    if (rows[0]?.status !== 'in progress') return rows[0]?.status === 'committed'
    await sleep(50)
  }
  return false
}

function isRecoverable(error: unknown): boolean {
  return ['23505', '23514'].includes((error as { code?: string }).code ?? '')
}

/** A foreign key, check or exclusion constraint, which only the customer can have made: our own constraints are keys. */
function isRefusedByConstraint(error: unknown): boolean {
  const { code = '', constraint } = error as { code?: string; constraint?: string }
  return constraint !== undefined && ['23503', '23514', '23P01'].includes(code)
}

/** Of the error's text only what holds no value: the SQLSTATE, the constraint and its table, and where COPY stood. */
function reasonOf(error: unknown): string {
  const { code = '', where = '', constraint, schema, table } = error as Partial<Record<string, string>>
  if (isRefusedByConstraint(error)) {
    // a foreign key is checked when the rows that are replaced are deleted, unless it is deferred
    const advice = code === '23503' ? '; make it deferrable initially deferred' : ''
    return `refused by Postgres (${code}) for the constraint ${constraint} of ${schema}.${table}${advice}`
  }
  const place = /COPY (\w+), line \d+(?:, column (\w+))?/.exec(where)
  return `refused by Postgres (${code})${place ? ` in ${place.slice(1).filter(Boolean).join('.')}` : ''}`
}

async function keepRejected(
  warehouse: Warehouse,
  records: readonly RejectedRecord[],
  { runId, stream = 'conversations', signal }: LoadOptions,
): Promise<void> {
  if (records.length === 0) return
  await retryTransient(() => insertRejected(warehouse, records, { stream, runId }), { signal })
}
