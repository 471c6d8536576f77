/** Steps of a calendar in a time zone, and instants as local time with their offset. */

/** An ISO 8601 period: what is added to the calendar, and what to the clock. */
export interface Period {
  readonly months: number
  readonly days: number
  readonly milliseconds: number
}

const PERIOD =
  /^P(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,3}))?S)?)?$/
const MAX_DIGITS = 6

/** Reads an ISO 8601 period such as PT30M, P1D or P1DT12H; undefined for anything else and for a period of zero. */
export function readPeriod(text: string): Period | undefined {
  const parts: readonly (string | undefined)[] | undefined = PERIOD.exec(text)?.slice(1)
  if (!parts || parts.some((part) => (part?.length ?? 0) > MAX_DIGITS)) return undefined
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map((part) =>
    Number(part ?? 0),
  )
  const fraction = Number((parts[7] ?? '').padEnd(3, '0'))
  const period = {
    months: years * 12 + months,
    days: weeks * 7 + days,
    milliseconds: ((hours * 60 + minutes) * 60 + seconds) * 1_000 + fraction,
  }
  return period.months + period.days + period.milliseconds > 0 ? period : undefined
}

/**
 * The instants start, start + period, start + 2 periods and so on, without end. Months and days are steps of the local
 * calendar, hours and less are steps of absolute time.
 */
export function* stepsOf(period: Period, start: number, timeZone: string): Generator<number> {
  const isClockOnly = period.months === 0 && period.days === 0
  const local = isClockOnly ? 0 : start + offsetAt(start, timeZone)
  for (let count = 0; ; count++) {
    const elapsed = period.milliseconds * count
    if (isClockOnly) {
      yield start + elapsed
      continue
    }
    const date = new Date(local)
    const day = date.getUTCDate()
    date.setUTCDate(1)
    date.setUTCMonth(date.getUTCMonth() + period.months * count)
    const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
    date.setUTCDate(Math.min(day, lastDay) + period.days * count)
    yield instantOf(date.getTime(), timeZone) + elapsed
  }
}

/** An instant in local time with its offset, as `2026-03-29T00:00:00.000+01:00`; with Z in UTC. */
export function formatLocal(instant: number, timeZone: string): string {
  const text = (milliseconds: number): string => new Date(milliseconds).toISOString()
  if (timeZone === 'UTC') return text(instant)
  const offset = offsetAt(instant, timeZone)
  const sign = offset < 0 ? '-' : '+'
  return `${text(instant + offset).slice(0, -1)}${sign}${text(Math.abs(offset)).slice(11, 16)}`
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formats.set(timeZone, format)
  return format
}

/** By how many milliseconds a zone's local time is ahead of UTC at an instant. */
function offsetAt(instant: number, timeZone: string): number {
  const second = Math.floor(instant / 1_000) * 1_000
  const parts = formatOf(timeZone).formatToParts(second)
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - second
}

/**
 * The instant of a local time (milliseconds as if it were UTC). Of a local time that occurs twice it is the first; one that the
 * clocks skip is taken with the offset before the jump, so that the day of a skipped midnight begins at the jump.
 */
function instantOf(local: number, timeZone: string): number {
  const before = local - offsetAt(local - 86_400_000, timeZone)
  const after = local - offsetAt(local + 86_400_000, timeZone)
  const isAt = (instant: number): boolean => instant + offsetAt(instant, timeZone) === local
  const found = [before, after].filter(isAt)
  return found.length > 0 ? Math.min(...found) : before
}
