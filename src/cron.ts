/**
 * When a cron line ticks. Pure: croner does the arithmetic, and schedule.ts runs the jobs.
 *
 * Both changes of the clocks follow cron(8): a line whose seconds, minutes and hours are plain numbers, lists or ranges names times
 * of the day. Each of them comes once per day: a time that spring skips comes at the first instant after the gap, and one that
 * autumn repeats comes the first time. A line with `*` or a step in one of these fields is an interval: it goes on in absolute
 * time, so `20 * * * *` ticks once in each of the 23 or 25 hours of such a day. A line of one hour names times of the day, whatever
 * its minutes are: the steps of a night whose hour is skipped come together at the first instant after the gap. Day-of-month and
 * day-of-week together tick where either matches, as in cron(5).
 */
import { Cron } from 'croner'

/** The ticks of one cron line in one time zone. */
export interface CronLine {
  /** Whether it has a leading field for seconds, and so may tick more often than once per minute. */
  readonly hasSeconds: boolean
  /** The first tick after an instant; null: there is none. */
  next(after: Date): Date | null
  /** The last tick at an instant or before it; null: there is none. */
  previous(at: Date): Date | null
}

/**
 * Parses a cron line: minute hour day month weekday, with seconds in front of them where there are six fields.
 * @param timezone IANA name of the zone in which the line is written
 * @throws TypeError where it is not a cron line or never ticks, RangeError for an unknown zone
 */
export function parseCronLine(line: string, timezone: string): CronLine {
  const fields = withNamedTimes(withShortNames(line.trim()))
  // croner would read an instant such as 2026-01-31T10:00:00 as a line that ticks once
  if (/^\d{4}-/.test(fields)) throw new TypeError(`not a cron line: ${line}`)
  const cron = new Cron(fields, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard', sloppyRanges: true })
  if (cron.nextRun(SOME_DATE) === null) throw new TypeError(`never ticks: ${line}`)
  return {
    hasSeconds: fields.split(/\s+/).length === 6,
    next: (after) => cron.nextRun(after),
    previous: (at) => cron.previousRuns(1, new Date(+at + 1))[0] ?? null,
  }
}

/** Whether a text is a cron line that ticks at least once. */
export function isCronLine(text: string): boolean {
  try {
    parseCronLine(text, 'UTC')
    return true
  } catch {
    return false
  }
}

/** Whether a tick of the line came after the last start of its job. A job that never started is due. */
export function hasMissedTick(line: CronLine, lastStartedAt: Date | null, now: Date): boolean {
  if (lastStartedAt === null) return true
  const tick = line.previous(now)
  return tick !== null && tick > lastStartedAt
}

const SOME_DATE = new Date('2024-01-01T00:00:00Z')
const LONG_NAMES =
  /\b(?:january|february|march|april|june|july|august|september|october|november|december|sunday|monday|tuesday|wednesday|thursday|friday|saturday)\b/gi

/** In a line of a single hour, minutes and seconds that are `*` or steps become lists, so that croner takes them for times of the day. */
function withNamedTimes(line: string): string {
  const fields = line.split(/\s+/)
  const hour = fields.length - 4
  if (hour < 1 || !/^\d+$/.test(fields[hour]!)) return line
  return fields.map((field, index) => (index < hour ? listOf(field) : field)).join(' ')
}

/** The numbers that a field of minutes or seconds names; the field as it is where it is none, for croner to refuse. */
function listOf(field: string): string {
  if (!/^(?:\*|\d+(?:-\d+)?)(?:\/\d+)?$/.test(field)) return field
  const [range = '', step = '1'] = field.split('/')
  const [first = 0, last = field.includes('/') ? 59 : first] = range === '*' ? [0, 59] : range.split('-').map(Number)
  if (last > 59 || Number(step) < 1) return field
  const numbers = Array.from({ length: 60 }, (_, number) => number)
  const named = numbers.filter((number) => number >= first && number <= last && (number - first) % Number(step) === 0)
  return named.length === 0 ? field : named.join(',')
}

/** Names of months and weekdays may be written out; croner knows the first three letters. */
function withShortNames(line: string): string {
  return line.replace(LONG_NAMES, (name) => name.slice(0, 3))
}
