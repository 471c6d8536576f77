/** Recognizes the addresses of a person in whatever is stored. Pure. */
import { normalizeAddress } from '../model/address.ts'
import { isRawNumber, type JsonValue } from '../model/json.ts'

/** What the values of a person's fields are compared with. */
export interface SoughtAddresses {
  /** Normalized addresses. */
  readonly normalized: ReadonlySet<string>
  /** What stands for them in fields that are stored otherwise: their hashes. */
  readonly stored: ReadonlySet<string>
}

/** A number with fewer digits is hardly a telephone number, and may count or measure anything. */
const LEAST_DIGITS = 7

/** Whether a text, or a text or long number anywhere in a JSON value, is one of the addresses. */
export function holdsAddress(value: JsonValue, sought: SoughtAddresses): boolean {
  if (typeof value === 'string') return sought.stored.has(value) || sought.normalized.has(normalizeAddress(value))
  if (typeof value === 'number' || isRawNumber(value)) {
    const digits = isRawNumber(value) ? value.rawJSON : String(value)
    return /^\d+$/.test(digits) && digits.length >= LEAST_DIGITS && holdsAddress(digits, sought)
  }
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some((each: JsonValue) => holdsAddress(each, sought))
}

/** Whether an object anywhere in a JSON value has the field with one of the texts. */
export function holdsField(value: JsonValue, field: string, texts: ReadonlySet<string>): boolean {
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return false
  return Object.entries(value).some(
    ([name, each]: [string, JsonValue]) =>
      (name === field && typeof each === 'string' && texts.has(each)) || holdsField(each, field, texts),
  )
}

/**
 * The letters and digits of an address, in lower case. They are contained in those of every text that equals the address (see
 * searchableText, which is the same in SQL), so that a database can leave most texts out. null: it has other characters than ASCII, by which
 * nothing can be left out.
 */
export function searchKeyOf(address: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(address)) return null
  return searchableTextOf(address)
}

/** What a search key is looked for in; searchableText is the same in SQL. */
export function searchableTextOf(text: string): string {
  return text
    .normalize('NFKC')
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replaceAll(/[^0-9a-z]/g, '')
}
