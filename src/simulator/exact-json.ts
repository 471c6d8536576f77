import type { Json } from './conversation-plan.ts'

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown }
const parse = JSON.parse as (text: string, reviver?: Reviver) => Json

/** Numbers that a double may not hold as they are spelled. */
const SUSPICIOUS_NUMBER = /[:[,]-?\d*\.?\d{16}|[:[,]-?[\d.]+[eE]|[:[,]-0[,\]}]/

/**
 * Parses the JSON of a conversation without losing a digit: a number that a double would change comes as
 * `JSON.rawJSON` with its own spelling.
 */
export function parseExactly(text: string): Json {
  if (!SUSPICIOUS_NUMBER.test(text)) return parse(text)
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  )
}
