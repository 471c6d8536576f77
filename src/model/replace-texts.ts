/** Replaces the texts in a JSON value. Pure. */
import { canonicalNumber, isRawNumber, put, textOfDeep } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'

/** Deeper values are replaced as one text, so that no nesting overflows the stack. */
const MAX_LEVELS = 50

/** What takes the place of texts and numbers. */
export interface Replacement {
  readonly text: (text: string) => string
  /** Takes the digits of a number; null: numbers stay. */
  readonly number: ((digits: string) => string) | null
  /** A member that stays, whatever it is. */
  readonly stays?: string
}

/** A value with every text in it replaced, at whatever depth. Names of members stay, and so does what has no characters but blanks. */
export function replaceTexts(value: JsonValue, replacement: Replacement, level = 0): JsonValue {
  if (typeof value === 'string') return value.trim() === '' ? value : replacement.text(value)
  if (typeof value === 'number') return replacement.number?.(String(value)) ?? value
  if (isRawNumber(value)) return replacement.number?.(canonicalNumber(value).rawJSON) ?? value
  if (value === null || typeof value === 'boolean') return value
  if (level === MAX_LEVELS) return replacement.text(textOfDeep(value))
  if (Array.isArray(value))
    return (value as readonly JsonValue[]).map((element) => replaceTexts(element, replacement, level + 1))
  const result: Record<string, JsonValue> = {}
  for (const [name, inner] of Object.entries(value as JsonObject))
    put(result, name, name === replacement.stays ? inner : replaceTexts(inner, replacement, level + 1))
  return result
}
