import { columnIndex, dataColumnsOf, tables } from './columns.ts'
import type { Row, RowSet, TableName, Value } from './columns.ts'
import { decimalOf, isAbsent, isJsonObject, isRawNumber, put, storableText } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { model } from './model.ts'
import type { Entity, FieldType, PositionColumn } from './model.ts'
import { canonicalTime } from './timestamps.ts'

/** What identifies a conversation, as its columns hold it. */
export interface ConversationKey {
  readonly conversationId: string
  /** In canonical spelling, UTC. */
  readonly conversationStart: string
}

/** Far above any id of the API (36), far below the limit of a Postgres index (2704 bytes). */
export const MAX_ID_LENGTH = 255

/** The key of a record, or why it has none. The reason contains none of the record's content. */
export function conversationKey(raw: unknown): ConversationKey | { readonly rejected: string } {
  if (!isJsonObject(raw)) return { rejected: 'not an object' }
  const { conversationId, conversationStart } = raw
  if (typeof conversationId !== 'string' || conversationId === '') return { rejected: 'no conversationId' }
  if (conversationId.length > MAX_ID_LENGTH)
    return { rejected: `conversationId longer than ${MAX_ID_LENGTH} characters` }
  const start = typeof conversationStart === 'string' ? canonicalTime(conversationStart) : null
  if (start === null) return { rejected: 'no valid conversationStart' }
  return { conversationId: storableText(conversationId), conversationStart: start }
}

/** The id that a record names, whether it can be stored or not; null: it names none. */
export function conversationIdOf(raw: unknown): string | null {
  const id = isJsonObject(raw) ? raw['conversationId'] : null
  return typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH ? storableText(id) : null
}

/**
 * Appends the rows of one conversation to a RowSet, parents before children, in document order. Nothing is lost: what no
 * column holds goes into the row's `_extra` under its API name; null and [] count as absent.
 * @throws Error only where conversationKey rejects the record
 */
export function appendRows(rows: RowSet, raw: JsonObject): void {
  const key = conversationKey(raw)
  if ('rejected' in key) throw new Error(`a conversation without a key can't be stored: ${key.rejected}`)
  appendRow(shapes.conversations, raw, { rows, key, firstRow: tables.map((table) => rows[table].length) }, {})
}

interface Conversation {
  readonly rows: RowSet
  readonly key: ConversationKey
  /** By table in model order: how many rows of earlier conversations come before ours. */
  readonly firstRow: readonly number[]
}

/** Values of the position columns that a row inherits from its parents. */
type Place = { readonly [Name in PositionColumn]?: Value }

/** Where an API field goes: a cell of its own row, rows of another table, or one row of another table for the field alone. */
type Target =
  | { readonly kind: 'column'; readonly slot: number; readonly type: FieldType; readonly fit: Fit }
  | { readonly kind: 'one' | 'many' | 'apart'; readonly shape: Shape }

/** The value as a column type stores it; undefined where it does not fit. */
type Fit = (value: JsonValue) => Value | undefined

/** An entity of the model, indexed by API name. */
interface Shape {
  readonly table: TableName
  readonly tableIndex: number
  readonly template: Row
  readonly indexSlot: number
  readonly inherited: readonly { readonly name: PositionColumn; readonly slot: number }[]
  readonly extraSlot: number
  readonly targets: ReadonlyMap<string, Target>
}

const fits: Readonly<Record<FieldType, Fit>> = {
  text,
  timestamptz: (value) => (typeof value === 'string' ? (canonicalTime(value) ?? undefined) : undefined),
  bigint: int64,
  'double precision': double,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  'text[]': (value) => arrayOf(value, text),
  'bigint[]': (value) => arrayOf(value, int64),
  jsonb: (value) => value,
}

const shapes = buildShapes()

function buildShapes(): Readonly<Record<TableName, Shape>> {
  const built = {} as Record<TableName, Shape & { readonly targets: Map<string, Target> }>
  tables.forEach((table, tableIndex) => {
    const columns = dataColumnsOf(table)
    const entity: Entity = model[table]
    const targets = new Map<string, Target>()
    columns.forEach((column, slot) => {
      const type = column.type as FieldType
      if (column.api !== null) targets.set(column.api, { kind: 'column', slot, type, fit: fits[type] })
    })
    const shape = {
      table,
      tableIndex,
      template: columns.map(() => null),
      indexSlot: columnIndex(table, '_index'),
      inherited: entity.position
        .filter((name) => name !== '_index')
        .map((name) => ({ name, slot: columnIndex(table, name) })),
      extraSlot: columnIndex(table, '_extra'),
      targets,
    }
    built[table] = shape
    if (entity.parent === null) return
    const parent = built[entity.parent as TableName]
    if (entity.property !== null) parent.targets.set(entity.property, { kind: entity.cardinality, shape })
    else for (const api of Object.keys(entity.fields)) parent.targets.set(api, { kind: 'apart', shape })
  })
  return built
}

function appendRow(shape: Shape, source: JsonObject, conversation: Conversation, inherited: Place): void {
  const siblings = conversation.rows[shape.table]
  const index = siblings.length - conversation.firstRow[shape.tableIndex]!
  const row = shape.template.slice()
  row[0] = conversation.key.conversationId
  row[1] = conversation.key.conversationStart
  row[shape.indexSlot] = index
  for (const { name, slot } of shape.inherited) row[slot] = inherited[name] ?? null
  siblings.push(row)
  const place = placeOfChildren(shape.table, source, index, inherited)

  let extra: Record<string, JsonValue> | null = null
  for (const api of Object.keys(source)) {
    const value = source[api]!
    if (isAbsent(value)) continue
    const target = shape.targets.get(api)
    const left =
      target === undefined
        ? value
        : target.kind === 'column'
          ? fillCell(row, target, value)
          : appendChildren(target.kind, target.shape, api, value, conversation, place)
    if (left !== undefined) put((extra ??= {}), api, left)
  }
  row[shape.extraSlot] = extra
}

function placeOfChildren(table: TableName, source: JsonObject, index: number, inherited: Place): Place {
  if (table === 'participants') return { _participant_index: index, participant_id: idOf(source['participantId']) }
  if (table === 'sessions') return { ...inherited, _session_index: index, session_id: idOf(source['sessionId']) }
  return inherited
}

function idOf(value: JsonValue | undefined): Value {
  return typeof value === 'string' ? storableText(value) : null
}

/** Makes rows of a child property. Returns what has to stay in the parent's `_extra`; undefined: nothing. */
function appendChildren(
  kind: 'one' | 'many' | 'apart',
  shape: Shape,
  api: string,
  value: JsonValue,
  conversation: Conversation,
  place: Place,
): JsonValue | undefined {
  if (kind === 'apart') {
    const only: Record<string, JsonValue> = {}
    put(only, api, value)
    appendRow(shape, only, conversation, place)
    return undefined
  }
  if (kind === 'one') {
    if (!isJsonObject(value)) return value
    appendRow(shape, value, conversation, place)
    return undefined
  }
  if (!Array.isArray(value)) return value
  const elements = value as readonly JsonValue[]
  const children = elements.filter(isJsonObject)
  if (children.length === 0) return value
  for (const child of children) appendRow(shape, child, conversation, place)
  if (children.length === elements.length) return undefined
  const misfits = [...elements.entries()].filter(([, element]) => !isJsonObject(element))
  return Object.fromEntries(misfits)
}

/** Puts a value into its cell. Returns what has to stay in `_extra`, undefined when the cell holds it exactly. */
function fillCell(
  row: Value[],
  { slot, type, fit }: Target & { kind: 'column' },
  value: JsonValue,
): JsonValue | undefined {
  const cell = fit(value)
  if (cell === undefined) return value
  row[slot] = cell
  return isExact(type, cell, value) ? undefined : value
}

/**
 * Where a field's value goes, as in appendRows: the cell of its column (null where it does not fit) and what has to stay in `_extra`
 * (undefined: nothing).
 */
export function fitCell(
  type: FieldType,
  value: JsonValue,
): { readonly cell: Value; readonly left: JsonValue | undefined } {
  const row: Value[] = [null]
  const left = fillCell(row, { kind: 'column', slot: 0, type, fit: fits[type] }, value)
  return { cell: row[0]!, left }
}

/**
 * Whether the cell gives the exact value back. The instant, the nearest double and the elements that fit are what a query needs; the
 * exact value then stays in `_extra`.
 */
function isExact(type: FieldType, cell: Value, value: JsonValue): boolean {
  if (type === 'timestamptz') return cell === value
  if (type === 'double precision') return typeof value === 'number'
  if (type !== 'text[]' && type !== 'bigint[]') return true
  const elements = value as readonly JsonValue[]
  return (cell as readonly Value[]).every((element, i) => element !== null || elements[i] === null)
}

function text(value: JsonValue): string | undefined {
  return typeof value === 'string' ? storableText(value) : undefined
}

/** The elements at their positions; null is an element, and replaces what does not fit. Undefined where nothing fits. */
function arrayOf<Element extends string | number | bigint>(
  value: JsonValue,
  fit: (element: JsonValue) => Element | undefined,
): readonly (Element | null)[] | undefined {
  if (!Array.isArray(value)) return undefined
  const elements = value as readonly JsonValue[]
  const cells = elements.map((element) => fit(element) ?? null)
  return cells.some((cell, i) => cell !== null || elements[i] === null) ? cells : undefined
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function int64(value: JsonValue): number | bigint | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value + 0
  if (typeof value !== 'number' && !isRawNumber(value)) return undefined
  // A number stands for the decimal that it prints as, also beyond 2^53.
  const decimal = decimalOf(typeof value === 'number' ? String(value) : value.rawJSON)
  if (decimal === null || decimal.exponent < 0 || decimal.digits.length + decimal.exponent > 19) return undefined
  const magnitude = BigInt(decimal.digits + '0'.repeat(decimal.exponent))
  const integer = decimal.negative ? -magnitude : magnitude
  return integer >= INT64_MIN && integer <= INT64_MAX ? integer : undefined
}

function double(value: JsonValue): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : undefined
  if (!isRawNumber(value)) return undefined
  const nearest = Number(value.rawJSON)
  return Number.isFinite(nearest) && nearest !== 0 ? nearest : undefined
}

/** A conversation as a source delivers it that has no participant attributes, such as the details query. */
export function withoutAttributes(conversation: JsonObject): JsonObject {
  const { participants } = conversation
  if (!Array.isArray(participants)) return conversation
  const stripped = participants.map((participant: JsonValue) => {
    if (!isJsonObject(participant)) return participant
    const { attributes: _attributes, ...rest } = participant
    return rest
  })
  return { ...conversation, participants: stripped }
}
