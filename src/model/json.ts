/** A number that a double can't hold exactly, as its JSON text: what `JSON.rawJSON` makes. Recognized by isRawNumber. */
export interface RawNumber {
  readonly rawJSON: string
}

/** Any JSON value, as parseJson returns it. */
export type JsonValue = null | boolean | number | string | RawNumber | readonly JsonValue[] | JsonObject

/** A JSON object. It may have an own key `__proto__`: write to one with `put`. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** JSON source text access is newer than the type library. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(this: void, text: string): RawNumber
  isRawJSON(this: void, value: unknown): value is RawNumber
}

/** Whether a value is a number that a double can't hold exactly. */
export function isRawNumber(value: unknown): value is RawNumber {
  return isRawJSON(value)
}

/** Whether a value is a JSON object: not null, not an array, not a number kept as text. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value)
}

/** The objects among the elements of an array; none for any other value. */
export function objects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

/** Whether a member with this value counts as absent, since the API omits members: null or an empty array. */
export function isAbsent(value: JsonValue): boolean {
  return value === null || (Array.isArray(value) && value.length === 0)
}

/** Sets an own property whatever its name is: a plain assignment of `__proto__` would set the prototype instead. */
export function put(target: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    target[key] = value
  }
}

/**
 * Where there may be a number that a double does not keep as numberFrom requires: 16 digits without a point, more than 17 with
 * one, or an exponent of three digits. May also match inside a string, which costs time only; what must follow a number
 * keeps that rare: an address like sip:3e904d53-… would make every other page be parsed the slow way.
 */
const suspectNumber = /[:[,]\s*(-?\d(?:\d{15}|[\d.]{18}|[\d.]*[eE][+-]?\d{3})[\d.eE+-]*)(?=\s*[,\]}])/g

/** Digits inside a string need not be a number of JSON: `:0012…`, `1.2.3…`. */
const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/**
 * JSON text → value, exact: a number that a double would change comes as a RawNumber (see numberFrom), any other as a number.
 * Of a repeated key the last counts.
 * @throws SyntaxError as JSON.parse does
 */
export function parseJson(text: string): JsonValue {
  if (!/^\s*[[{]/.test(text)) return parseKeepingSource(text)
  for (const match of text.matchAll(suspectNumber)) {
    const [, source = ''] = match
    if (jsonNumber.test(source) && typeof numberFrom(source) !== 'number') return parseKeepingSource(text)
  }
  return JSON.parse(text) as JsonValue
}

/** The next token of JSON text, after white space and separators: a bracket, the opening quote of a text, or a word. */
const nextToken = /[\s,:]*([[\]{}"]|[^\s,:[\]{}"]+)/y

/**
 * Parses text with numbers that a double can't hold. JSON.parse with a reviver would provide their source too, but it recurses, and
 * overflows the stack at about 2 000 levels of nesting; without one it does not. So this keeps its own stack.
 */
function parseKeepingSource(text: string): JsonValue {
  // throws where the text is not JSON; what follows relies on it
  JSON.parse(text)
  const root: JsonValue[] = []
  const stack: (JsonValue[] | Record<string, JsonValue>)[] = [root]
  let key: string | null = null
  const add = (value: JsonValue): void => {
    const parent = stack.at(-1)!
    if (Array.isArray(parent)) parent.push(value)
    else put(parent, key!, value)
    key = null
  }
  nextToken.lastIndex = 0
  for (let match = nextToken.exec(text); match !== null; match = nextToken.exec(text)) {
    const token = match[1]!
    if (token === '"') {
      const end = endOfText(text, nextToken.lastIndex)
      const value = JSON.parse(text.slice(nextToken.lastIndex - 1, end)) as string
      nextToken.lastIndex = end
      if (key === null && !Array.isArray(stack.at(-1))) key = value
      else add(value)
    } else if (token === '[' || token === '{') {
      const container = token === '[' ? [] : {}
      add(container)
      stack.push(container)
    } else if (token === ']' || token === '}') {
      stack.pop()
    } else {
      add(jsonNumber.test(token) ? numberFrom(token) : (JSON.parse(token) as JsonValue))
    }
  }
  return root[0]!
}

/** Where a JSON string ends, after its closing quote: the first one that no backslash escapes. */
function endOfText(text: string, start: number): number {
  for (let quote = text.indexOf('"', start); ; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0
    while (text[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote + 1
  }
}

/** Smallest double of full precision (IEEE 754): 2^-1022. */
const MIN_NORMAL_DOUBLE = 2.2250738585072014e-308

/**
 * The value of a JSON number's text: a number where a double keeps it, else a RawNumber. Integers are kept to the last
 * digit. A number written with a point or an exponent was a double at its origin if it has no more than 17
 * significant digits (IEEE 754), so its nearest double is the exact value, in whatever digits it was printed.
 */
export function numberFrom(source: string): number | RawNumber {
  const number = Number(source)
  const shortest = String(number)
  if (shortest === source) return number
  if (!Number.isFinite(number)) return rawJSON(source)
  const isDouble = /[.eE]/.test(source) && Math.abs(number) >= MIN_NORMAL_DOUBLE
  if (isDouble && (decimalOf(source)?.digits.length ?? Infinity) <= 17) return number
  return plainDecimal(shortest) === plainDecimal(source) ? number : rawJSON(source)
}

/** The parts of a decimal number: digits without leading and trailing zeros, times ten to the exponent. Zero has no digits. */
export interface Decimal {
  readonly negative: boolean
  readonly digits: string
  readonly exponent: number
}

/** Splits the text of a JSON number into its parts; null for any other text. */
export function decimalOf(source: string): Decimal | null {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source)
  if (parts === null) return null
  const fraction = parts[3] ?? ''
  const significant = (parts[2]! + fraction).replace(/^0+/, '')
  const digits = significant.replace(/0+$/, '')
  const exponent = Number(parts[4] ?? 0) - fraction.length + significant.length - digits.length
  return digits === '' ? { negative: false, digits, exponent: 0 } : { negative: parts[1] === '-', digits, exponent }
}

/** The same spelling for every spelling of a number: -1.50e3 → -15e2. */
function plainDecimal(source: string): string {
  const decimal = decimalOf(source)
  if (decimal === null) return source
  return `${decimal.negative ? '-' : ''}${decimal.digits || '0'}e${decimal.exponent}`
}

/** A RawNumber in the one spelling of its value, for comparing. */
export function canonicalNumber(raw: RawNumber): RawNumber {
  return rawJSON(plainDecimal(raw.rawJSON))
}

/**
 * Digits that a number may have on either side of its point in jsonb. Postgres' own limits are 131 072 and 16 383, but
 * it prints a number in full: a few bytes like 1e131000 would come back as 131 kB.
 */
const MAX_JSONB_DIGITS = 1000

function isStorableNumber(source: string): boolean {
  const decimal = decimalOf(source)
  if (decimal === null) return false
  return decimal.digits.length + decimal.exponent <= MAX_JSONB_DIGITS && -decimal.exponent <= MAX_JSONB_DIGITS
}

/** A text that Postgres can hold: U+0000 and lone surrogates become U+FFFD, as the encoder of UTF-8 does with the latter. */
export function storableText(text: string): string {
  if (!text.includes('\0') && text.isWellFormed()) return text
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

/**
 * Levels of nesting of a record that are kept as such; deeper values are kept as their JSON text. Postgres and JSON.stringify
 * recurse, and overflow their stacks at some thousands.
 */
export const MAX_DEPTH = 500

/** In JSON text: an escaped NUL or surrogate, an exponent that a double can't have, or too many digits. */
const unstorable = /\\u(?:0000|d[89a-f])|[\d.][eE][+-]?\d{3,}|\d{1000}/i

/**
 * A JSON value as text that Postgres accepts as jsonb. What jsonb can't hold is replaced: U+0000 and lone surrogates in
 * texts and keys by U+FFFD (of keys that become equal the last counts), a number of more than 1000 digits before or after
 * its point by its text, values nested deeper than `levels` by their JSON text.
 */
export function storableJson(value: JsonValue, levels = MAX_DEPTH): string {
  const text = isShallow(value, levels) ? JSON.stringify(value) : null
  return text === null || unstorable.test(text) ? JSON.stringify(storableValue(value, levels)) : text
}

function isShallow(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null || isRawJSON(value)) return true
  return levels > 0 && Object.values(value).every((inner: JsonValue) => isShallow(inner, levels - 1))
}

/** The value that storableJson writes. */
export function storableValue(value: JsonValue, levels = MAX_DEPTH): JsonValue {
  if (typeof value === 'string') return storableText(value)
  if (typeof value !== 'object' || value === null) return value
  if (isRawJSON(value)) return isStorableNumber(value.rawJSON) ? value : value.rawJSON
  if (levels === 0) return storableText(textOfDeep(value))
  if (Array.isArray(value)) return value.map((inner: JsonValue) => storableValue(inner, levels - 1))
  const replaced: Record<string, JsonValue> = {}
  for (const [key, inner] of Object.entries(value)) {
    put(replaced, storableText(key), storableValue(inner, levels - 1))
  }
  return replaced
}

/** JSON.stringify for a value of any depth: keeps its own stack. */
export function textOfDeep(value: JsonValue): string {
  const parts: string[] = []
  const pending: ({ readonly value: JsonValue } | string)[] = [{ value }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'string') {
      parts.push(next)
    } else if (Array.isArray(next.value)) {
      const elements = next.value as readonly JsonValue[]
      pending.push(']')
      for (let i = elements.length - 1; i >= 0; i--) pending.push({ value: elements[i]! }, i === 0 ? '' : ',')
      pending.push('[')
    } else if (isJsonObject(next.value)) {
      const members = Object.entries(next.value)
      pending.push('}')
      for (let i = members.length - 1; i >= 0; i--) {
        const [key, member] = members[i]!
        pending.push({ value: member }, `${i === 0 ? '' : ','}${JSON.stringify(key)}:`)
      }
      pending.push('{')
    } else {
      parts.push(JSON.stringify(next.value))
    }
  }
  return parts.join('')
}
