/** Compares the tables with the simulated organization, conversation by conversation and row by row. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { readBack } from '../../src/loader/read-back.ts'
import { selectWrongCells } from './derived.ts'

export interface Range {
  readonly start: Date
  readonly end: Date
}

/** The result of a comparison; every list is empty when the tables equal the truth. */
export interface Comparison {
  /** In the truth, not in the tables. */
  readonly missing: readonly string[]
  /** In the tables, not in the truth. */
  readonly surplus: readonly string[]
  /** Stored under more than one start, or with a start that is not the truth's. */
  readonly misplaced: readonly string[]
  /** Ids and the paths at which they differ. */
  readonly different: readonly string[]
  /** Tables whose number of rows is not that of the objects in the truth. */
  readonly rowCounts: readonly string[]
  /** Tables with rows whose conversation does not exist. */
  readonly orphans: readonly string[]
  /** Ids on which etl.conversations and genesys.conversations do not agree. */
  readonly undecided: readonly string[]
  /** Records of the truth without a usable id or start that etl.rejected_records lacks, or the other way round. */
  readonly rejected: readonly string[]
  /** Ids whose interval cells do not follow from their rows. */
  readonly cells: readonly string[]
}

const equal: Comparison = {
  missing: [],
  surplus: [],
  misplaced: [],
  different: [],
  rowCounts: [],
  orphans: [],
  undecided: [],
  rejected: [],
  cells: [],
}

const anId = /^[0-9a-f-]{36}$/

/**
 * Requires that the tables hold exactly what the organization has of conversations that started in the range.
 * @param options.gone ids that the organization had for a while; they may be in the tables or not
 */
export async function expectTablesEqualTruth(
  warehouse: Warehouse,
  org: Pick<Simulator, 'truthText'>,
  range: Range,
  options: { readonly gone?: readonly string[] } = {},
): Promise<void> {
  const truth = org.truthText().map(parseTruth)
  expect(truth.length, 'the organization has conversations').toBeGreaterThan(0)
  expect(await compareWithTruth(warehouse, truth, range, options)).toEqual(equal)
}

/**
 * Compares the tables with records of the organization.
 * @param options `hasAttributes`: the records are as jobs deliver them; otherwise stored attributes, which a query has not, are ignored
 */
export async function compareWithTruth(
  warehouse: Warehouse,
  truth: readonly JsonObject[],
  range: Range,
  { gone = [], hasAttributes = false }: { readonly gone?: readonly string[]; readonly hasAttributes?: boolean } = {},
): Promise<Comparison> {
  const tolerated = new Set(gone)
  const expected = new Map<string, JsonObject>()
  const unkeyable: JsonObject[] = []
  for (const conversation of truth) {
    const { conversationId: id } = conversation
    const start = startOf(conversation)
    if (typeof id !== 'string' || start === null) unkeyable.push(conversation)
    else if (start >= +range.start && start < +range.end && !tolerated.has(id)) expected.set(id, conversation)
  }

  const { rows: stored } = await sql<{ id: string; start: Date }>`
    select conversation_id as id, conversation_start as start from genesys.conversations
    where conversation_start >= ${range.start} and conversation_start < ${range.end}`.execute(warehouse.db)
  const ids = new Set(stored.map(({ id }) => id).filter((id) => !tolerated.has(id)))
  const { rows: everywhere } = await sql<{ id: string; starts: number }>`
    select conversation_id as id, count(*) as starts from genesys.conversations group by 1 having count(*) > 1`.execute(
    warehouse.db,
  )

  const read = await readBack(warehouse.db, [...expected.keys()])
  const different: string[] = []
  for (const [id, conversation] of expected) {
    const rows = read.get(id)
    if (!rows) continue
    const stored = reassemble(hasAttributes ? rows : { ...rows, participant_attributes: [] })
    // differences() is thorough and slow, and this comparison does not lean on it for what is equal
    if (isSame(conversation, stored)) continue
    const found = differences(conversation, stored)
    if (found.length > 0) different.push(`${id}: ${found.map(({ path }) => path).join(', ')}`)
  }
  return {
    missing: [...expected.keys()].filter((id) => !ids.has(id)),
    surplus: [...ids].filter((id) => !expected.has(id)),
    misplaced: everywhere.map(({ id }) => id),
    different,
    rowCounts: await wrongRowCounts(warehouse, [...expected.values()], range, gone),
    orphans: await orphans(warehouse),
    undecided: await undecided(warehouse),
    rejected: await wronglyRejected(warehouse, unkeyable, range),
    cells: await selectWrongCells(warehouse),
  }
}

const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => JsonValue }

/** A conversation's JSON; numbers that a double can't hold keep their text. */
export function parseTruth(text: string): JsonObject {
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => JsonObject
  if (!/[:[,]-?(?:[\d.]{16}|[\d.]+[eE])/.test(text)) return JSON.parse(text) as JsonObject
  return parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined) return value
    const isExact = /^-?\d+$/.test(source) ? Number.isSafeInteger(value) : isNear(value, source)
    return isExact ? value : rawJSON(source)
  })
}

/** Whether a double stands for a decimal: neither infinite nor rounded to zero. */
function isNear(value: number, source: string): boolean {
  return Number.isFinite(value) && (value !== 0 || !/[1-9]/.test(source.replace(/[eE].*$/, '')))
}

/** Whether two values are the same apart from the order of keys and members that are null or []. */
function isSame(a: JsonValue, b: JsonValue): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((element: JsonValue, index) => isSame(element, b[index] as JsonValue))
  if (isObject(a) && isObject(b)) {
    const keys = presentKeys(a)
    return (
      presentKeys(b).length === keys.length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key]!, b[key]!))
    )
  }
  if (typeof a === 'object' && typeof b === 'object') return JSON.stringify(a) === JSON.stringify(b)
  return a === b
}

function presentKeys(object: JsonObject): string[] {
  return Object.keys(object).filter((key) => {
    const member = object[key]
    return member !== null && !(Array.isArray(member) && member.length === 0)
  })
}

/** When a conversation started, in epoch milliseconds; null where it has no usable start. Independent of src/model on purpose. */
function startOf({ conversationStart }: JsonObject): number | null {
  if (typeof conversationStart !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(conversationStart)) return null
  const instant = Date.parse(conversationStart)
  return Number.isNaN(instant) ? null : instant
}

function isObject(value: unknown): value is JsonObject {
  const isRaw = (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRaw
}

/** The objects under a property, whatever else is there. */
function objectsAt(parents: readonly JsonObject[], property: string): JsonObject[] {
  return parents.flatMap((parent) => {
    const value: JsonValue | undefined = Object.hasOwn(parent, property) ? parent[property] : undefined
    return Array.isArray(value) ? value.filter(isObject) : []
  })
}

/** How many rows each table must have for these conversations: counted from their JSON, without the transform. */
export function expectedRowCounts(conversations: readonly JsonObject[]): Record<string, number> {
  const participants = objectsAt(conversations, 'participants')
  const sessions = objectsAt(participants, 'sessions')
  const flows = sessions.map((session) => session['flow']).filter(isObject)
  return {
    conversations: conversations.length,
    participants: participants.length,
    sessions: sessions.length,
    segments: objectsAt(sessions, 'segments').length,
    session_metrics: objectsAt(sessions, 'metrics').length,
    media_endpoint_stats: objectsAt(sessions, 'mediaEndpointStats').length,
    flows: flows.length,
    flow_outcomes: objectsAt(flows, 'outcomes').length,
    evaluations: objectsAt(conversations, 'evaluations').length,
    surveys: objectsAt(conversations, 'surveys').length,
    resolutions: objectsAt(conversations, 'resolutions').length,
    participant_attributes: 0,
  }
}

async function wrongRowCounts(
  warehouse: Warehouse,
  conversations: readonly JsonObject[],
  range: Range,
  gone: readonly string[],
): Promise<string[]> {
  const wrong: string[] = []
  for (const [table, count] of Object.entries(expectedRowCounts(conversations))) {
    if (table === 'participant_attributes') continue
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from ${sql.table(`genesys.${table}`)}
      where conversation_start >= ${range.start} and conversation_start < ${range.end}
        and not conversation_id = any(${gone}::text[])`.execute(warehouse.db)
    if (rows[0]?.count !== count) wrong.push(`${table}: ${rows[0]?.count} instead of ${count}`)
  }
  return wrong
}

async function orphans(warehouse: Warehouse): Promise<string[]> {
  const found: string[] = []
  for (const table of Object.keys(expectedRowCounts([]))) {
    const { rows } = await sql<{ count: number }>`
      select count(*) as count from ${sql.table(`genesys.${table}`)} x where not exists (
        select from genesys.conversations c
        where c.conversation_id = x.conversation_id and c.conversation_start = x.conversation_start)`.execute(
      warehouse.db,
    )
    if (rows[0]?.count !== 0) found.push(`${table}: ${rows[0]?.count}`)
  }
  return found
}

async function undecided(warehouse: Warehouse): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    (select conversation_id as id, conversation_start from genesys.conversations
     except select conversation_id, conversation_start from etl.conversations)
    union all
    (select conversation_id, conversation_start from etl.conversations
     except select conversation_id, conversation_start from genesys.conversations)`.execute(warehouse.db)
  return rows.map(({ id }) => id)
}

/** Records without a usable start are expected when their first segment began in the range. */
async function wronglyRejected(
  warehouse: Warehouse,
  unkeyable: readonly JsonObject[],
  range: Range,
): Promise<string[]> {
  const { rows } = await sql<{
    raw: JsonObject
  }>`select raw from etl.rejected_records where resolved_at is null`.execute(warehouse.db)
  const label = (record: JsonObject): string => {
    const id = record['conversationId']
    if (typeof id === 'string' && anId.test(id)) return id
    return `start ${JSON.stringify(record['conversationStart'])}`
  }
  const kept = new Set(rows.map(({ raw }) => label(raw)))
  const wanted = new Set(
    unkeyable
      .filter((record) => {
        const first = startOf(record) ?? firstSegmentStart(record)
        return first !== null && first >= +range.start && first < +range.end
      })
      .map(label),
  )
  return [
    ...[...wanted].filter((each) => !kept.has(each)).map((each) => `not kept: ${each}`),
    ...[...kept].filter((each) => !wanted.has(each)).map((each) => `needlessly kept: ${each}`),
  ]
}

function firstSegmentStart(record: JsonObject): number | null {
  const sessions = objectsAt(objectsAt([record], 'participants'), 'sessions')
  const starts = objectsAt(sessions, 'segments').map(({ segmentStart }) =>
    typeof segmentStart === 'string' ? Date.parse(segmentStart) : Number.NaN,
  )
  return starts.length > 0 ? Math.min(...starts) : null
}

/** Copies a conversation's row to another start, which no correct load leaves behind; `shift` is an interval of Postgres. */
export async function insertDuplicate(warehouse: Warehouse, id: string, shift: string): Promise<void> {
  const { rows } = await sql<{ columns: string }>`
    select string_agg(quote_ident(attname), ', ') as columns from pg_attribute
    where attrelid = 'genesys.conversations'::regclass and attnum > 0 and not attisdropped
      and attname <> 'conversation_start'`.execute(warehouse.db)
  const columns = sql.raw(rows[0]?.columns ?? '')
  await sql`insert into genesys.conversations (conversation_start, ${columns})
    select conversation_start + ${shift}::interval, ${columns} from genesys.conversations
    where conversation_id = ${id}`.execute(warehouse.db)
}
