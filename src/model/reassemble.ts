import { columnIndex, dataColumnsOf, tables } from './columns.ts'
import type { Row, RowSet, TableName, Value } from './columns.ts'
import { isJsonObject, numberFrom, put } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { model } from './model.ts'
import type { Entity } from './model.ts'

/**
 * The inverse of transform: the API's JSON of ONE conversation from its rows, in any order. Equal to the original, except that null
 * and [] are absent and U+0000 and lone surrogates are U+FFFD. Rows whose parent is missing are skipped. To compare with a source
 * that has no participant attributes, pass no rows of participant_attributes.
 * @throws Error where there is no conversations row
 */
export function reassemble(rows: RowSet): JsonObject {
  const [conversation, ...more] = rows.conversations
  if (conversation === undefined || more.length > 0) {
    throw new Error(
      `reassemble takes the rows of one conversation, got ${rows.conversations.length} conversations rows`,
    )
  }
  const byParent = Object.fromEntries(tables.map((table) => [table, groupByParent(plans[table], rows[table])]))
  return objectOf(plans.conversations, conversation, byParent as unknown as RowsByParent)
}

type RowsByParent = Readonly<Record<TableName, ReadonlyMap<Value, readonly Row[]>>>

/** How the rows of a table become objects again. */
interface Plan {
  readonly table: TableName
  readonly entity: Entity
  readonly fields: readonly { readonly api: string; readonly slot: number }[]
  readonly indexSlot: number
  readonly extraSlot: number
  /** The column that names the parent's row; null where there is only one parent. */
  readonly linkSlot: number | null
  /** The column that our children's link names. */
  readonly keySlot: number
  readonly children: readonly Plan[]
}

const plans = buildPlans()

function buildPlans(): Readonly<Record<TableName, Plan>> {
  const built = {} as Record<TableName, Plan & { readonly children: Plan[] }>
  for (const table of tables) {
    const entity: Entity = model[table]
    const link = linkColumn(entity.parent)
    const plan = {
      table,
      entity,
      fields: dataColumnsOf(table).flatMap(({ api }, slot) => (api === null ? [] : [{ api, slot }])),
      indexSlot: columnIndex(table, '_index'),
      extraSlot: columnIndex(table, '_extra'),
      linkSlot: link === null ? null : columnIndex(table, link),
      // A session has at most one flow: the rows of a flow refer to the session.
      keySlot: columnIndex(table, table === 'flows' ? '_session_index' : '_index'),
      children: [],
    }
    built[table] = plan
    if (entity.parent !== null) built[entity.parent as TableName].children.push(plan)
  }
  return built
}

function linkColumn(parent: string | null): string | null {
  if (parent === 'participants') return '_participant_index'
  return parent === 'sessions' || parent === 'flows' ? '_session_index' : null
}

function groupByParent({ indexSlot, linkSlot }: Plan, rows: readonly Row[]): Map<Value, Row[]> {
  const ordered = rows.toSorted((a, b) => (a[indexSlot] as number) - (b[indexSlot] as number))
  return Map.groupBy(ordered, (row) => (linkSlot === null ? 0 : row[linkSlot]!))
}

function objectOf(plan: Plan, row: Row, byParent: RowsByParent): JsonObject {
  const object: Record<string, JsonValue> = {}
  for (const { api, slot } of plan.fields) {
    const value = row[slot]!
    if (value !== null) object[api] = jsonOf(value)
  }
  const extra = row[plan.extraSlot]
  if (isJsonObject(extra)) for (const [api, value] of Object.entries(extra)) put(object, api, value)
  for (const child of plan.children) {
    const rows = byParent[child.table].get(child.linkSlot === null ? 0 : row[plan.keySlot]!)
    if (rows !== undefined)
      addChildren(
        object,
        child,
        rows.map((childRow) => objectOf(child, childRow, byParent)),
      )
  }
  return object
}

function addChildren(object: Record<string, JsonValue>, { entity }: Plan, children: readonly JsonObject[]): void {
  const { property, cardinality } = entity
  if (property === null) Object.assign(object, children[0])
  else if (cardinality === 'one') object[property] = children[0]!
  else object[property] = withMisfits(children, object[property])
}

/** Puts the elements that were not objects back between the others, each at its position. */
function withMisfits(children: readonly JsonObject[], misfits: JsonValue | undefined): readonly JsonValue[] {
  if (!isJsonObject(misfits)) return children
  const elements: JsonValue[] = [...children]
  const positions = Object.entries(misfits).sort(([a], [b]) => Number(a) - Number(b))
  for (const [position, element] of positions) elements.splice(Number(position), 0, element)
  return elements
}

function jsonOf(value: Value): JsonValue {
  if (typeof value === 'bigint') return numberFrom(String(value))
  if (!Array.isArray(value)) return value as JsonValue
  return (value as readonly (JsonValue | bigint)[]).map((element) =>
    typeof element === 'bigint' ? numberFrom(String(element)) : element,
  )
}
