/** Makes rows of reference data from the JSON of the API. Pure. */
import { canonical } from '../model/canonical.ts'
import { isAbsent, isJsonObject, put, storableText, type JsonObject, type JsonValue } from '../model/json.ts'
import { referenceEntity, type ReferenceColumn, type ReferenceName } from '../model/reference.ts'
import { fitCell } from '../model/transform.ts'
import { type Value } from '../model/columns.ts'
import { type Entity } from '../genesys/entity-list.ts'

/** A row by column name: the key, the typed columns, and `_extra`. */
export type ReferenceRow = Readonly<Record<string, Value>>

/** What a reference to another entity has besides its id: the other entity's row tells it. */
const PARTS_OF_REFERENCES = new Set(['id', 'name', 'selfUri'])

/**
 * The row of an entity. What no column holds, and what does not fit its column, is in `_extra`, without what the list of entities ignores.
 * @param parentId the value of the first key column where the list belongs to a parent
 */
export function referenceRow(name: ReferenceName, entity: JsonObject, parentId: string | null): ReferenceRow {
  const { columns, key, ignored } = referenceEntity(name)
  const row: Record<string, Value> = parentId === null ? {} : { [key[0]!]: storableText(parentId) }
  const held = new Set<string>(ignored)
  const extra: Record<string, JsonValue> = {}
  for (const [column, definition] of Object.entries(columns)) {
    if (definition.from === null) continue
    const { cell, property, left } = fill(definition, definition.from, entity)
    row[column] = cell
    if (property === null) continue
    held.add(property)
    if (left !== undefined) put(extra, property, left)
  }
  for (const [property, value] of Object.entries(entity)) {
    if (!held.has(property) && !isAbsent(value)) put(extra, property, value)
  }
  row['_extra'] = Object.keys(extra).length === 0 ? null : canonical(extra)
  return row
}

/** The cell of a column, the property whose place it takes, and what of that property it does not hold (undefined: nothing). */
function fill(
  { type }: ReferenceColumn,
  from: readonly (readonly string[])[],
  entity: JsonObject,
): { cell: Value; property: string | null; left: JsonValue | undefined } {
  for (const [property = '', inner] of from) {
    const outer = entity[property]
    const value = inner === undefined ? outer : isJsonObject(outer) ? outer[inner] : undefined
    if (outer === undefined || value === undefined || value === null) continue
    const { cell } = fitCell(type, value)
    if (cell === null) return { cell, property: null, left: undefined }
    if (inner === undefined) return { cell, property, left: undefined }
    if (inner !== 'id') return { cell, property: null, left: undefined }
    const rest = Object.entries(outer as JsonObject).filter(([part]) => !PARTS_OF_REFERENCES.has(part))
    return { cell, property, left: rest.length === 0 ? undefined : Object.fromEntries(rest) }
  }
  return { cell: null, property: null, left: undefined }
}

/** Media types as the settings of a queue name them, where conversations use another name. */
const MEDIA_TYPES: Readonly<Record<string, string>> = { call: 'voice' }

/** The service levels of a queue, one row per media type that has one; null where the answer says nothing about them. */
export function serviceLevelRows(queue: Entity): ReferenceRow[] | null {
  const settings = queue['mediaSettings']
  if (!isJsonObject(settings)) return null
  return Object.entries(settings).flatMap(([media, setting]) => {
    if (!isJsonObject(setting) || !isJsonObject(setting['serviceLevel'])) return []
    const { target, threshold_ms, _extra } = referenceRow(
      'queue_service_levels',
      { serviceLevel: setting['serviceLevel'] },
      null,
    )
    if (target === null && threshold_ms === null) return []
    const media_type = storableText(MEDIA_TYPES[media] ?? media)
    return [
      {
        queue_id: storableText(queue.id),
        media_type,
        target: target ?? null,
        threshold_ms: threshold_ms ?? null,
        _extra: _extra ?? null,
      },
    ]
  })
}
