/**
 * Proves that the tables hold what Genesys has: reads a range again and compares it with the tables, conversation by
 * conversation and field by field, through the inverse of the transform.
 */
import { differences, type Difference } from '../model/canonical.ts'
import type { Row, RowSet } from '../model/columns.ts'
import { textOfDeep, type JsonObject, type JsonValue } from '../model/json.ts'
import { SETTLE_MS } from './plan.ts'
import { reassemble } from '../model/reassemble.ts'
import { canonicalTime } from '../model/timestamps.ts'
import { conversationKey } from '../model/transform.ts'
import { formatWindow, splitByDay, type Interval } from '../model/interval.ts'
import { ConfigError } from '../errors.ts'
import { isFiltered, DETAILS_PAGE_SIZE } from '../genesys/details-query.ts'
import { IDS_PER_REQUEST, readByIds } from '../genesys/details-by-id.ts'
import { readWindow } from './read-window.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { findMisplacedRows, forgetContent, selectConversationIds, type MisplacedRows } from '../loader/integrity.ts'
import { selectWindows } from './ledger.ts'
import { readBack } from '../loader/read-back.ts'
import { windowKey, type HistoryDependencies } from './context.ts'
import { refuseForeignOrganization } from '../loader/organization-guard.ts'

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
  /** Twins, orphans and the like: rows that no correct load leaves behind. */
  readonly misplaced: MisplacedRows
  /** Windows of which it is not known that all of them was read: what was not read was not compared. */
  readonly unstable: number
  /** Which they are, and why. */
  readonly incomplete: readonly { readonly window: Interval; readonly reason: string }[]
}

/**
 * Compares a range, at most up to what has settled. It mends nothing, but lets the next load of what differs (that of
 * `backfill --reload`) write it again even where Genesys' answer has not changed since.
 * @throws EtlError FOREIGN_ORGANIZATION; ConfigError when nothing of the range has settled
 */
export async function verifyRange(
  dependencies: HistoryDependencies,
  range: Interval,
  signal: AbortSignal,
): Promise<Verification> {
  const { genesys, warehouse, history, progress } = dependencies
  const days = splitByDay(await settledPart(range, warehouse))
  await refuseForeignOrganization(genesys, warehouse, signal)
  const comparison = createComparison(warehouse)
  /** What we hold, each with the day under which. */
  const held = new Map<string, Interval>()
  let requests = 0
  const incomplete: { window: Interval; reason: string }[] = []
  progress.plan('verify', await requestsFor(days, dependencies))
  try {
    for (const window of days) {
      let requestsDone = 0
      const outcome = await readWindow(genesys, {
        window,
        filter: history.filter,
        concurrency: history.concurrency,
        priority: 'history',
        signal,
        onProgress: (read) => {
          progress.advance(read.requestsDone - requestsDone)
          requestsDone = read.requestsDone
        },
        onPage: (page) => comparison.compare(page.conversations, window, 'inside'),
      })
      requests += outcome.requests
      if (outcome.instability) incomplete.push({ window, reason: outcome.instability.reason })
      if (!isFiltered(history.filter)) {
        for (const { conversationId } of await selectConversationIds(warehouse.db, window)) {
          held.set(conversationId, window)
        }
      }
    }
  } finally {
    progress.finish()
  }
  // What no day's answer had may have moved to a day outside the range, so it is asked for by its id.
  const unseen = [...held].filter(([id]) => !comparison.seen.has(id))
  const unseenIds = unseen.map(([id]) => id)
  const found = await readByIds(genesys, unseenIds, { priority: 'history', signal }, history.concurrency)
  for (const { record } of found) {
    const key = conversationKey(record)
    const window = 'rejected' in key ? undefined : held.get(key.conversationId)
    if (window) await comparison.compare([record], window, 'anywhere')
  }
  const { mismatches, seen } = comparison
  for (const [conversationId, window] of unseen) {
    if (!seen.has(conversationId))
      mismatches.set(conversationId, { conversationId, window, kind: 'missing at Genesys', differences: [] })
  }
  await forgetContent(warehouse.db, [...mismatches.keys()])
  return {
    windows: days.length,
    requests: requests + Math.ceil(unseenIds.length / IDS_PER_REQUEST),
    compared: seen.size,
    unkeyable: comparison.unkeyable.size,
    mismatches: [...mismatches.values()],
    misplaced: await findMisplacedRows(warehouse.db, range),
    unstable: incomplete.length,
    incomplete,
  }
}

/** Compares records of Genesys with the tables and keeps what it found. */
function createComparison(warehouse: Warehouse) {
  const mismatches = new Map<string, Mismatch>()
  const seen = new Set<string>()
  const unkeyable = new Set<string>()
  return {
    mismatches,
    /** Ids of all that were compared. */
    seen,
    unkeyable,
    /** `which`: only those that start inside the window, for an answer may have others too, or all. */
    async compare(records: readonly JsonValue[], window: Interval, which: 'inside' | 'anywhere'): Promise<void> {
      const conversations = new Map<string, { raw: JsonObject; start: string }>()
      for (const raw of records) {
        const key = conversationKey(raw)
        if ('rejected' in key) unkeyable.add(textOfDeep(raw))
        else if (which === 'anywhere' || isInside(key.conversationStart, window))
          conversations.set(key.conversationId, { raw: raw as JsonObject, start: key.conversationStart })
      }
      const stored = await readBack(warehouse.db, [...conversations.keys()])
      for (const [conversationId, { raw, start }] of conversations) {
        seen.add(conversationId)
        const rows = rowsOfOne(stored.get(conversationId), start)
        const found = rows ? differences(withoutAttributes(raw), withoutAttributes(reassemble(rows))) : []
        const place = { conversationId, window }
        // A later read of the same conversation counts: it may have changed while we read.
        if (!rows) mismatches.set(conversationId, { ...place, kind: 'missing here', differences: [] })
        else if (found.length > 0) mismatches.set(conversationId, { ...place, kind: 'differs', differences: found })
        else mismatches.delete(conversationId)
      }
    },
  }
}

/** The requests to expect: what the ledger knows of the windows, one for those that it does not know. */
async function requestsFor(days: readonly Interval[], { warehouse, history }: HistoryDependencies): Promise<number> {
  const ledger = await selectWindows(warehouse.db, windowKey(history))
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
 * The rows of a conversation under one start, that of Genesys if it is there: a twin's rows would hide them. Undefined where
 * there is no row of the conversation itself; children without it are found as orphans.
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

/** The details query delivers no attributes; those in the tables come from another source and are not compared. */
function withoutAttributes(conversation: JsonObject): JsonObject {
  const { participants } = conversation
  if (!Array.isArray(participants)) return conversation
  const stripped = participants.map((participant: JsonValue) => {
    if (typeof participant !== 'object' || participant === null || Array.isArray(participant)) return participant
    const { attributes: _attributes, ...rest } = participant as Record<string, JsonValue>
    return rest
  })
  return { ...conversation, participants: stripped }
}
