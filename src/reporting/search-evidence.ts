/**
 * Looks for the conversations that explain differences: reads those that count in the cells again from Genesys, and what Genesys has
 * and the tables lack. Bounded, so that a day on which everything differs costs no more than a few hundred requests.
 */
import { sql, type Kysely } from 'kysely'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { readByIds } from '../genesys/details-by-id.ts'
import {
  DETAILS_PAGE_SIZE,
  matches,
  notExists,
  queryDetailsPage,
  type DetailsFilter,
} from '../genesys/details-query.ts'
import { cellsOf } from '../intervals/cells.ts'
import { selectErased } from '../loader/tombstones.ts'
import { emptyRowSet } from '../model/columns.ts'
import { addDays, startOfDay, type Interval } from '../model/interval.ts'
import { type JsonObject, type JsonValue } from '../model/json.ts'
import { appendRows, conversationKey } from '../model/transform.ts'
import type { Database } from '../postgres/database.ts'
import { unexplainedRest, type Cause, type Evidence } from './classify.ts'
import {
  cellName,
  COMPARED_INTERVAL_MS,
  comparedFigures,
  subtractCells,
  type Cells,
  type Difference,
} from './compare-cells.ts'
import { readStoredCells, sumDerived, type Scope } from './read-cells.ts'
import { addServiceLevel, type ServiceLevelSettings } from './service-level.ts'

/** Cells whose conversations are read again. */
const MAX_CELLS = 300
/** Conversations that are read again by id, of all cells together. */
const MAX_CANDIDATES = 2_000
/** Pages that are read to find what the tables lack. */
const MAX_PAGES = 100
/** Beyond this many queues one query for all is cheaper than one for each. */
const MAX_QUEUES = 5
/** Threads of e-mail and messaging go on for weeks: those of this many days before the first loaded day are looked at. */
const DAYS_BEFORE_FIRST = 57

export interface SearchContext {
  readonly db: Kysely<Database>
  readonly genesys: GenesysClient
  readonly options: RequestOptions
  /** The filter of the history. */
  readonly filter: DetailsFilter
  readonly concurrency: number
  readonly scope: Scope
  /** The beginning of what is loaded without a gap up to the scope. */
  readonly firstDay: Date
  /** Ids of the divisions that the client sees; null: all, or not known. */
  readonly visibleDivisions: ReadonlySet<string> | null
  /** Those under which oServiceLevel is compared. */
  readonly settings: ServiceLevelSettings
}

export interface Findings {
  readonly evidence: readonly Evidence[]
  /** Conversations with a metric in a cell that differs, by cellName; those with the metric that differs first. */
  readonly inCell: ReadonlyMap<string, readonly string[]>
  /** Conversations from before the first loaded day were too many to be read. */
  readonly isBeforeFirstDayUnread: boolean
}

/** Searches for what explains differences, from the cheapest to the most expensive, until nothing is left to be explained. */
export async function searchEvidence(context: SearchContext, differences: readonly Difference[]): Promise<Findings> {
  const inCell = await selectCandidates(context.db, differences)
  const candidates = [...new Set([...inCell.values()].flat())].slice(0, MAX_CANDIDATES)
  const examined = new Set(candidates)
  const evidence = await examineCandidates(context, candidates)
  const pages = { left: MAX_PAGES }
  let isBeforeFirstDayUnread = false
  if (lacking(differences, evidence).length > 0) {
    const { records, isComplete } = await readBeforeFirstDay(context, lacking(differences, evidence), pages)
    isBeforeFirstDayUnread = !isComplete
    evidence.push(...(await examineRecords(context, records, examined)))
  }
  if (lacking(differences, evidence).length > 0) {
    const records = await readDaysOf(context, lacking(differences, evidence), pages)
    evidence.push(...(await examineRecords(context, records, examined)))
  }
  return { evidence, inCell, isBeforeFirstDayUnread }
}

/** Differences in which Genesys has more than the tables and the evidence. */
function lacking(differences: readonly Difference[], evidence: readonly Evidence[]): Difference[] {
  return unexplainedRest(differences, evidence).filter(({ ours, theirs }) => theirs > ours)
}

/** The conversations with a metric in each cell that differs, by cellName. */
async function selectCandidates(
  db: Kysely<Database>,
  differences: readonly Difference[],
): Promise<Map<string, string[]>> {
  const cells = [...Map.groupBy(differences, ({ key }) => cellName(key))].slice(0, MAX_CELLS)
  const perCell = Math.max(200, Math.floor(MAX_CANDIDATES / Math.max(1, cells.length)))
  const keys = cells.map(([, [first]]) => first!.key)
  const columns = cells.map(([, its]) => its.map(columnOf).find((column) => column !== undefined) ?? 'offered')
  const { rows } = await sql<{ position: number; ids: string[] }>`
    select cell.position::integer as position, found.ids
    from unnest(
      ${keys.map(({ intervalStart }) => intervalStart)}::timestamptz[], ${keys.map(({ queueId }) => queueId)}::text[],
      ${keys.map(({ mediaType }) => mediaType)}::text[], ${keys.map(({ userId }) => userId)}::text[], ${columns}::text[])
      with ordinality as cell (start, queue_id, media_type, user_id, metric, position)
    cross join lateral (
      select array_agg(conversation_id order by has_metric desc, conversation_id collate "C") as ids
      from (
        select c.conversation_id, bool_or(to_jsonb(c) ->> cell.metric is not null) as has_metric
        from etl.interval_cells c
        where c.interval_start >= cell.start and c.interval_start < cell.start + interval '30 minutes'
          and c.queue_id is not distinct from cell.queue_id and c.media_type is not distinct from cell.media_type
          and (cell.user_id is null or c.user_id = cell.user_id)
        group by c.conversation_id order by has_metric desc, c.conversation_id collate "C" limit ${perCell}) as counted) as found
    where found.ids is not null`.execute(db)
  return new Map(rows.map(({ position, ids }) => [cells[position - 1]![0], ids]))
}

/** Any column of the metric: oServiceLevel has none. */
function columnOf({ metric, statistic }: Difference): string | undefined {
  return comparedFigures.find((figure) => figure.metric === metric && figure.statistic === statistic)?.column
}

/** Reads candidates again by id: what has changed, and what Genesys does not show any more. */
async function examineCandidates(context: SearchContext, ids: readonly string[]): Promise<Evidence[]> {
  const { db, genesys, options, concurrency, scope } = context
  const stored = await readStoredCells(db, ids, scope)
  const found = await readByIds(genesys, ids, options, concurrency)
  const records = keyedRecords(found.map(({ record }) => record))
  const gone = ids.filter((id) => !records.has(id))
  const hidden = await selectHidden(context, gone)
  const evidence = [...records].flatMap(([id, record]) =>
    evidenceOf(context, id, 'changed', cellsOfRecord(record, scope), stored.get(id) ?? new Map()),
  )
  for (const id of gone)
    evidence.push(
      ...evidenceOf(context, id, hidden.has(id) ? 'division' : 'erased', new Map(), stored.get(id) ?? new Map()),
    )
  return evidence
}

/** Those of these conversations that are in none of the divisions that the client sees. */
async function selectHidden(
  { db, visibleDivisions }: SearchContext,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (visibleDivisions === null || ids.length === 0) return new Set()
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations
    where conversation_id = any(${ids}::text[])
      and not coalesce(division_ids, '{}') && ${[...visibleDivisions]}::text[]`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Compares further records with what is stored of them. */
async function examineRecords(
  context: SearchContext,
  found: readonly JsonValue[],
  examined: Set<string>,
): Promise<Evidence[]> {
  const { db, scope, firstDay } = context
  const records = [...keyedRecords(found)].filter(([id]) => !examined.has(id))
  const ids = records.map(([id]) => id)
  ids.forEach((id) => examined.add(id))
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.conversations where conversation_id = any(${ids}::text[])`.execute(db)
  const loaded = new Set(rows.map(({ id }) => id))
  const erased = await selectErased(db, ids)
  const counted = await selectStillCounted(db, ids)
  const stored = await readStoredCells(db, ids, scope)
  return records.flatMap(([id, record]) => {
    const { conversationStart } = conversationKey(record) as { conversationStart: string }
    const absent: Cause = new Date(conversationStart) < firstDay ? 'before_first_day' : 'missing'
    const cause = erased.has(id) ? 'erased' : loaded.has(id) ? 'changed' : absent
    const theirs = cellsOfRecord(record, scope)
    const lacking = counted.has(id) ? new Map([...theirs].filter(([, { key }]) => key.userId !== null)) : theirs
    return evidenceOf(context, id, cause, lacking, stored.get(id) ?? new Map())
  })
}

/** Those of these conversations that were erased, and still count by queue, since their statistics were kept. */
async function selectStillCounted(db: Kysely<Database>, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    select t.conversation_id as id from etl.tombstones t join etl.erasures e on e.id = t.erasure_id
    where t.conversation_id = any(${ids}::text[]) and e.keep_statistics`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** By id; records that cannot be stored are left out. */
function keyedRecords(records: readonly JsonValue[]): Map<string, JsonObject> {
  return new Map(
    records.flatMap((record): [string, JsonObject][] => {
      const key = conversationKey(record)
      return 'rejected' in key ? [] : [[key.conversationId, record as JsonObject]]
    }),
  )
}

function cellsOfRecord(record: JsonObject, scope: Scope): Cells {
  const rows = emptyRowSet()
  appendRows(rows, record)
  return sumDerived(cellsOf(rows), scope)
}

/** Evidence, or none where both count the same. */
function evidenceOf(
  { settings }: SearchContext,
  conversationId: string,
  cause: Cause,
  theirs: Cells,
  ours: Cells,
): Evidence[] {
  const more = subtractCells(theirs, ours)
  addServiceLevel(more, settings)
  return more.size === 0 ? [] : [{ conversationId, cause, more }]
}

/**
 * Conversations that began before the first loaded day and may have gone on until the first of the differences: the longer ago, the
 * longer they must have lasted, which leaves few. Those that have not ended have no duration, and are asked for apart.
 */
async function readBeforeFirstDay(
  context: SearchContext,
  differences: readonly Difference[],
  pages: PagesLeft,
): Promise<{ records: JsonValue[]; isComplete: boolean }> {
  const { firstDay, filter } = context
  const earliest = Math.min(...differences.map(({ key }) => +key.intervalStart))
  const records: JsonValue[] = []
  let isComplete = true
  if (earliest >= +addDays(firstDay, DAYS_BEFORE_FIRST)) return { records, isComplete }
  for (const [from, to] of [
    [1, 0],
    [29, 1],
    [DAYS_BEFORE_FIRST, 29],
  ] as const) {
    const window = { start: addDays(firstDay, -from), end: addDays(firstDay, -to) }
    const lasted = Math.floor((earliest - +window.end) / 1000)
    const minDurationSeconds = Math.max(filter.minDurationSeconds ?? 0, lasted)
    const isOpen = { ...filter, minDurationSeconds: undefined, conversation: [notExists('conversationEnd')] }
    for (const each of [{ ...filter, minDurationSeconds }, isOpen]) {
      const read = await readPages(context, window, each, pages)
      records.push(...read.records)
      isComplete &&= read.isComplete
    }
  }
  return { records, isComplete }
}

/** The conversations that began on the days of the differences, or on the day before, in the queues and media types concerned. */
async function readDaysOf(
  context: SearchContext,
  differences: readonly Difference[],
  pages: PagesLeft,
): Promise<JsonValue[]> {
  const { filter, firstDay } = context
  const starts = differences.map(({ key }) => +key.intervalStart)
  const dayBefore = addDays(startOfDay(new Date(Math.min(...starts))), -1)
  const window = {
    start: dayBefore < firstDay ? firstDay : dayBefore,
    end: new Date(Math.max(...starts) + COMPARED_INTERVAL_MS),
  }
  const queues = [...new Set(differences.map(({ key }) => key.queueId))]
  const isNarrow = queues.length <= MAX_QUEUES && !queues.includes(null)
  const filters = isNarrow
    ? queues.map((queueId): DetailsFilter => ({ ...filter, segments: [[matches('queueId', queueId ?? '')]] }))
    : [filter]
  const records: JsonValue[] = []
  for (const each of filters) records.push(...(await readPages(context, window, each, pages)).records)
  return records
}

interface PagesLeft {
  left: number
}

/** The records of a query, as far as there are pages left for it. */
async function readPages(
  { genesys, options }: SearchContext,
  interval: Interval,
  filter: DetailsFilter,
  pages: PagesLeft,
): Promise<{ records: JsonValue[]; isComplete: boolean }> {
  const records: JsonValue[] = []
  for (let pageNumber = 1; pages.left > 0; pageNumber++) {
    pages.left -= 1
    const page = await queryDetailsPage(genesys, interval, filter, pageNumber, options)
    records.push(...page.conversations)
    const isLast = page.conversations.length < DETAILS_PAGE_SIZE && records.length >= page.totalHits
    if (isLast || page.conversations.length === 0) return { records, isComplete: true }
  }
  return { records, isComplete: false }
}
