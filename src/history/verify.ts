/**
 * Proves that the tables hold what Genesys has: reads a range again and compares it with the tables, conversation by
 * conversation and field by field, through the inverse of the transform.
 */
import type { Kysely } from 'kysely'
import { ConfigError } from '../errors.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import { isFiltered, DETAILS_PAGE_SIZE } from '../genesys/details-query.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { findMisplacedRows, forgetContent, selectConversationIds, type MisplacedRows } from '../loader/integrity.ts'
import { readRetention } from '../loader/dropped-months.ts'
import { refuseForeignOrganization } from '../loader/organization.ts'
import { readBack } from '../loader/read-back.ts'
import { selectErased } from '../loader/tombstones.ts'
import { differences, type Difference } from '../model/canonical.ts'
import type { Row, RowSet } from '../model/columns.ts'
import { formatWindow, intersect, splitByDay, subtract, type Interval } from '../model/interval.ts'
import { textOfDeep, type JsonObject, type JsonValue } from '../model/json.ts'
import { applyPolicy } from '../model/personal.ts'
import { policyOfRecord, type PolicyInForce } from '../model/personal-retention.ts'
import { expiredTimes } from '../model/retention.ts'
import { reassemble } from '../model/reassemble.ts'
import { canonicalTime } from '../model/timestamps.ts'
import { conversationKey, withoutAttributes } from '../model/transform.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { requirePolicy } from '../postgres/personal-policy.ts'
import { windowKey, type HistoryDependencies } from './context.ts'
import { selectWindows } from './ledger.ts'
import { SETTLE_MS } from './plan.ts'
import { readWindowWithProgress } from './read-window.ts'

/** A conversation whose stored form is not Genesys' form. */
export interface Mismatch {
  readonly conversationId: string
  readonly window: Interval
  readonly kind: 'missing here' | 'missing at Genesys' | 'differs'
  /** Where it differs; values are personal data and stay out of logs. */
  readonly differences: readonly Difference[]
}

export interface Verification {
  readonly windows: number
  readonly requests: number
  readonly compared: number
  /** Records without a usable key; they can't be in the tables and are kept in etl.rejected_records. */
  readonly unkeyable: number
  readonly mismatches: readonly Mismatch[]
  /** Conversations that Genesys has, and that were erased here on request. */
  readonly erased: number
  /** Duplicates, orphans and the like: rows that no correct load leaves behind. */
  readonly misplaced: MisplacedRows
  /** What of the range was left out, since it is not kept any more. */
  readonly dropped: readonly Interval[]
  /** Windows that may not have been read completely: what was not read was not compared. */
  readonly unstable: number
  /** Which they are, and why. */
  readonly incomplete: readonly IncompleteWindow[]
}

interface IncompleteWindow {
  readonly window: Interval
  readonly reason: string
}

/**
 * Compares a range, at most up to what has settled. It fixes nothing, but lets the next load of what differs (that of
 * `backfill --reload`) write it again even where Genesys' answer has not changed since.
 * @throws EtlError FOREIGN_ORGANIZATION, PII_POLICY_CHANGED; ConfigError when nothing of the range has settled
 */
export async function verifyRange(
  dependencies: HistoryDependencies,
  range: Interval,
  signal: AbortSignal,
): Promise<Verification> {
  const { warehouse, history } = dependencies
  const genesys = limitInFlight(dependencies.genesys, history.concurrency)
  const settled = await settledPart(range, warehouse)
  const expired = expiredTimes(await readRetention(warehouse))
  const kept = subtract(settled, expired)
  const days = kept.flatMap(splitByDay)
  await refuseForeignOrganization(genesys, warehouse, signal)
  const inForce = await requirePolicy(warehouse.db, warehouse.personalPolicy)
  const comparison = new Comparison(warehouse, inForce)
  const { stored, requests, incomplete } = await compareDays({ ...dependencies, genesys }, days, comparison, signal)
  const unseen = [...stored].filter(([id]) => !comparison.seen.has(id))
  await compareById({ ...dependencies, genesys }, new Map(unseen), comparison, signal)
  const { mismatches, seen, unkeyable } = comparison
  for (const [conversationId, window] of unseen) {
    if (!seen.has(conversationId))
      mismatches.set(conversationId, { conversationId, window, kind: 'missing at Genesys', differences: [] })
  }
  const erased = await selectErased(warehouse.db, [...mismatches.keys()])
  for (const id of erased) mismatches.delete(id)
  await forgetContent(warehouse.db, [...mismatches.keys()])
  return {
    windows: days.length,
    requests: requests + Math.ceil(unseen.length / IDS_PER_REQUEST),
    compared: seen.size,
    unkeyable: unkeyable.size,
    mismatches: [...mismatches.values()],
    erased: erased.size,
    misplaced: await findMisplaced(warehouse.db, subtract(range, expired)),
    dropped: intersect(settled, expired),
    unstable: incomplete.length,
    incomplete,
  }
}

async function findMisplaced(db: Kysely<Database>, ranges: readonly Interval[]): Promise<MisplacedRows> {
  const found = { duplicates: [] as string[], inconsistent: [] as string[], orphans: {} as Record<string, number> }
  for (const range of ranges) {
    const { duplicates, inconsistent, orphans } = await findMisplacedRows(db, range)
    found.duplicates.push(...duplicates)
    found.inconsistent.push(...inconsistent)
    for (const [table, rows] of Object.entries(orphans)) found.orphans[table] = (found.orphans[table] ?? 0) + rows
  }
  return found
}

/** Reads the days and compares them; returns the ids that the tables have of them, each with its day. */
async function compareDays(
  dependencies: HistoryDependencies,
  days: readonly Interval[],
  comparison: Comparison,
  signal: AbortSignal,
): Promise<{ stored: Map<string, Interval>; requests: number; incomplete: IncompleteWindow[] }> {
  const { genesys, warehouse, history, progress } = dependencies
  const stored = new Map<string, Interval>()
  const incomplete: IncompleteWindow[] = []
  let requests = 0
  progress.plan('verify', await expectedRequests(days, dependencies))
  try {
    for (const window of days) {
      const outcome = await readWindowWithProgress(genesys, progress, {
        window,
        filter: history.filter,
        priority: 'history',
        signal,
        onPage: (page) => comparison.compare(page.conversations, window, 'inside'),
      })
      requests += outcome.requests
      if (outcome.instability) incomplete.push({ window, reason: outcome.instability.reason })
      // a filtered history may have rows from an earlier, wider one
      if (isFiltered(history.filter)) continue
      for (const { conversationId } of await selectConversationIds(warehouse.db, window))
        stored.set(conversationId, window)
    }
  } finally {
    progress.finish()
  }
  return { stored, requests, incomplete }
}

/** A conversation that no day's answer had may have moved to a day outside the range, so it is requested by its id. */
async function compareById(
  { genesys, history }: HistoryDependencies,
  unseen: ReadonlyMap<string, Interval>,
  comparison: Comparison,
  signal: AbortSignal,
): Promise<void> {
  const found = await readByIds(genesys, [...unseen.keys()], { priority: 'history', signal }, history.concurrency)
  for (const { record } of found) {
    const key = conversationKey(record)
    const window = 'rejected' in key ? undefined : unseen.get(key.conversationId)
    if (window) await comparison.compare([record], window, 'anywhere')
  }
}

/** Compares records of Genesys with the tables and keeps what it found. */
class Comparison {
  readonly mismatches = new Map<string, Mismatch>()
  /** Ids of all that were compared. */
  readonly seen = new Set<string>()
  readonly unkeyable = new Set<string>()
  readonly #warehouse: Warehouse
  readonly #inForce: PolicyInForce

  constructor(warehouse: Warehouse, inForce: PolicyInForce) {
    this.#warehouse = warehouse
    this.#inForce = inForce
  }

  /** @param which only those that start inside the window, since an answer may have others too; or all */
  async compare(records: readonly JsonValue[], window: Interval, which: 'inside' | 'anywhere'): Promise<void> {
    const conversations = new Map<string, { raw: JsonObject; start: string }>()
    for (const raw of records) {
      const key = conversationKey(raw)
      if ('rejected' in key) this.unkeyable.add(textOfDeep(raw))
      else if (which === 'anywhere' || isInside(key.conversationStart, window))
        conversations.set(key.conversationId, { raw: raw as JsonObject, start: key.conversationStart })
    }
    const stored = await this.#readStored([...conversations.keys()], window)
    for (const [conversationId, { raw, start }] of conversations) {
      this.seen.add(conversationId)
      const rows = rowsOfOne(stored.get(conversationId), start)
      const found = rows ? differences(withoutAttributes(this.#asStored(raw)), withoutAttributes(reassemble(rows))) : []
      const place = { conversationId, window }
      // A later read of the same conversation counts: it may have changed while we read.
      if (!rows) this.mismatches.set(conversationId, { ...place, kind: 'missing here', differences: [] })
      else if (found.length > 0) this.mismatches.set(conversationId, { ...place, kind: 'differs', differences: found })
      else this.mismatches.delete(conversationId)
    }
  }

  /** What the policy for personal data and its retention change on the way into the tables is no difference. */
  #asStored(raw: JsonObject): JsonObject {
    return applyPolicy(policyOfRecord(this.#inForce, raw), raw) as JsonObject
  }

  /** The rows of conversations: those within the window; other months are searched only for conversations that are not there. */
  async #readStored(ids: readonly string[], window: Interval): Promise<Map<string, RowSet>> {
    const { db } = this.#warehouse
    const stored = await readBack(db, ids, window)
    const elsewhere = ids.filter((id) => (stored.get(id)?.conversations.length ?? 0) === 0)
    for (const [id, rows] of await readBack(db, elsewhere)) stored.set(id, rows)
    return stored
  }
}

/** The requests to expect: what the ledger knows of the windows, one for those that it does not know. */
async function expectedRequests(
  days: readonly Interval[],
  { warehouse, history }: HistoryDependencies,
): Promise<number> {
  const [first, last] = [days[0], days.at(-1)]
  if (!first || !last) return 0
  const ledger = await selectWindows(warehouse.db, windowKey(history), { start: first.start, end: last.end })
  const hits = new Map(ledger.map((window) => [+window.start, window.hits ?? 0]))
  return days.reduce((sum, { start }) => sum + Math.max(1, Math.ceil((hits.get(+start) ?? 0) / DETAILS_PAGE_SIZE)), 0)
}

/** The part of a range that is old enough to be loaded at all. */
async function settledPart(range: Interval, warehouse: Warehouse): Promise<Interval> {
  const clock = await readDatabaseClock(warehouse.db)
  const settled = new Date(+clock.now() - SETTLE_MS)
  if (range.start >= settled) {
    throw new ConfigError(
      `Nothing of ${formatWindow(range)} is old enough to be compared`,
      `Genesys settles a conversation within minutes: compare what started before ${settled.toISOString().slice(0, 16)}Z.`,
    )
  }
  return { start: range.start, end: range.end < settled ? range.end : settled }
}

/**
 * The rows of a conversation under one start, that of Genesys if it is there: a duplicate's rows would hide them. Undefined
 * where there is no row of the conversation itself; children without it are found as orphans.
 */
function rowsOfOne(rows: RowSet | undefined, conversationStart: string): RowSet | undefined {
  const starts = rows?.conversations.map(startOfRow) ?? []
  if (!rows || starts.length === 0) return undefined
  const theirs = canonicalTime(conversationStart)
  const start = starts.find((each) => each === theirs) ?? starts[0]
  const entries = Object.entries(rows).map(([table, all]) => [table, all.filter((row) => startOfRow(row) === start)])
  return Object.fromEntries(entries) as RowSet
}

function startOfRow(row: Row): unknown {
  return row[1]
}

function isInside(start: string, window: Interval): boolean {
  const instant = new Date(start)
  return instant >= window.start && instant < window.end
}
