/** The policy for personal data, applied to reference data. Pure. */
import { put } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { hasherOf, type PersonalPolicy } from './personal.ts'
import { referenceEntity, type ReferenceName } from './reference.ts'
import { replaceTexts, type Replacement } from './replace-texts.ts'

/** Properties of reference data under which other entities name employees: owners, createdBy, contactUser, … */
const NAMES_EMPLOYEES = /(?:user|owner|manager|agent|member|person|by)s?$/i
/** Ids are not personal data, and neither are addresses of the API that consist of them. */
const IDENTIFIES = /^(?:\/api\/v2\/|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)/i

/**
 * An entity of reference data as it may be stored: of users everything that no column holds counts as personal, of other lists what is below
 * a property that names employees.
 */
export function applyPolicyToEntity(policy: PersonalPolicy, name: ReferenceName, entity: JsonObject): JsonObject {
  if (policy.employees === 'keep') return entity
  const hasher = hasherOf(policy)
  const hashing: Replacement = {
    text: (text) => (IDENTIFIES.test(text) ? text : hasher.address(text)),
    number: null,
    stays: 'id',
  }
  const columns = Object.values(referenceEntity(name).columns)
  const pathsOf = (personal: boolean) =>
    columns.filter((column) => (column.personal ?? false) === personal).flatMap(({ from }) => from ?? [])
  const personal = new Set(pathsOf(true).map(([property]) => property))
  const plain = new Set(
    pathsOf(false)
      .filter((path) => path.length === 1)
      .map(([property]) => property),
  )
  const result: Record<string, JsonValue> = {}
  for (const [property, value] of Object.entries(entity)) {
    const isPersonal =
      personal.has(property) || (name === 'users' ? !plain.has(property) : NAMES_EMPLOYEES.test(property))
    put(result, property, isPersonal ? replaceTexts(value, hashing) : value)
  }
  return result
}
