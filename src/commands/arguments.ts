/** Reads command-line arguments; anything wrong is a ConfigError (exit code 78). */
import { ConfigError } from '../errors.ts'
import { type Interval } from '../model/interval.ts'

/**
 * A date or an instant in UTC: `2026-01-31`, `2026-01-31T10:00`, `2026-01-31T10:00:00Z`, `2026-01-31T10:00:00+02:00`.
 * @param option the option's name, for the message
 * @throws ConfigError
 */
export function parseInstant(text: string, option: string): Date {
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  const [, date = '', time = '00:00', zone = 'Z'] = match ?? []
  const instant = new Date(`${date}T${time}${zone}`)
  // Date accepts 2026-02-30 and makes it 2 March; the day itself must exist.
  const dayExists = match !== null && new Date(`${date}T00:00Z`).toJSON()?.startsWith(date)
  if (!dayExists || Number.isNaN(+instant)) {
    throw new ConfigError(
      `${option} ${JSON.stringify(text)} is neither a date nor an instant`,
      'Write 2026-01-31 or 2026-01-31T10:00:00Z; both are UTC.',
    )
  }
  return instant
}

/** The clock of this machine may be behind by this much. */
const CLOCK_TOLERANCE_MS = 3_600_000

/**
 * The half-open range [from, to).
 * @throws ConfigError where it is empty, or has not begun yet
 */
export function parseRange(options: { readonly from: string; readonly to: string }): Interval {
  const range = { start: parseInstant(options.from, '--from'), end: parseInstant(options.to, '--to') }
  if (range.start >= range.end) {
    throw new ConfigError(
      `--from ${options.from} is not before --to ${options.to}`,
      'The range is half open: --to itself is not part of it.',
    )
  }
  if (+range.start > Date.now() + CLOCK_TOLERANCE_MS) {
    throw new ConfigError(`--from ${options.from} lies in the future: no conversation has started then`)
  }
  return range
}

/**
 * A whole number within bounds, both included.
 * @throws ConfigError
 */
export function parseWholeNumber(text: string, option: string, from: number, to: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < from || value > to) {
    throw new ConfigError(`${option} must be a whole number from ${from} to ${to}, not ${JSON.stringify(text)}`)
  }
  return value
}
