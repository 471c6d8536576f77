/** Describes the parsed bodies of answers that may not be what was requested. Pure. */

/** The fields of a JSON object; null for anything else. */
export function fieldsOf(data: unknown): Readonly<Record<string, unknown>> | null {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as Record<string, unknown>) : null
}

/** Whether a body is the document in which Genesys describes an error; a proxy may deliver one with status 200. */
function isErrorDocument(data: unknown): boolean {
  const fields = fieldsOf(data)
  if (fields === null || typeof fields['message'] !== 'string') return false
  return 'code' in fields || 'status' in fields || 'errors' in fields
}

/** Describes a body that was not expected, without any of its content but an error's code. */
export function describeBody(data: unknown): string {
  if (!isErrorDocument(data)) return `it is ${kindOf(data)}`
  const { code, status } = data as Record<string, unknown>
  const facts = [code, status].filter((each) => typeof each === 'string' || typeof each === 'number')
  return `it is an error document (${facts.join(', ').slice(0, 100)})`
}

/**
 * Why a body has no list under `name`; null when it has one. An object without the list counts as one with an empty list, since
 * the analytics API omits empty lists; an error document does not, nor does a list that is null.
 */
export function refusalWithoutList(data: unknown, name: string, what: string): string | null {
  const list = fieldsOf(data)?.[name]
  const isAnswer = Array.isArray(list) || (fieldsOf(data) !== null && list === undefined && !isErrorDocument(data))
  return isAnswer ? null : `not a list of ${what}: ${describeBody(data)}`
}

function kindOf(data: unknown): string {
  if (data === undefined) return 'empty'
  if (data === null) return 'null'
  if (Array.isArray(data)) return 'an array'
  return typeof data === 'object'
    ? `an object with the fields ${Object.keys(data).slice(0, 5).join(', ').slice(0, 100) || '(none)'}`
    : `a ${typeof data}`
}
