const canonicalForm =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}(?:\d{3})?Z$/

/**
 * The canonical spelling of an ISO 8601 instant: `YYYY-MM-DDTHH:MM:SS.mmmZ`, with six digits where the last three aren't 000.
 * Takes any offset, up to any number of digits (cut after microseconds, which is what Postgres holds), no seconds, 24:00,
 * second 60 (both the instant after), a space for the T. Null where it is not an instant of the years 1 to 9999: no such
 * day, no offset, anything else.
 */
export function canonicalTime(text: string): string | null {
  if (canonicalForm.test(text) && !text.startsWith('0000') && !(text.length === 27 && text.endsWith('000Z')))
    return text
  return normalizedTime(text)
}

const instant =
  /^(\d{4,5})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d)(?::(\d\d))?)?)$/

function normalizedTime(text: string): string | null {
  const parts = instant.exec(text)
  if (parts === null) return null
  const [year, month, day, hour, minute, second] = numbers(parts, 1, 7)
  const fraction = (parts[7] ?? '').slice(0, 6).padEnd(6, '0')
  if (!isDay(year!, month!, day!) || !isTimeOfDay(hour!, minute!, second!, Number(parts[7] ?? 0))) return null
  const [offsetHours, offsetMinutes, offsetSeconds] = numbers(parts, 9, 12)
  if (offsetHours! > 23 || offsetMinutes! > 59 || offsetSeconds! > 59) return null
  const offset = (offsetHours! * 3600 + offsetMinutes! * 60 + offsetSeconds!) * (parts[8] === '-' ? -1 : 1)
  // Date.UTC would take the years 0 to 99 for 1900 to 1999.
  const date = new Date(0)
  date.setUTCFullYear(year!, month! - 1, day)
  date.setUTCHours(hour!, minute, second! - offset)
  if (date.getUTCFullYear() < 1 || date.getUTCFullYear() > 9999) return null
  const digits = fraction.endsWith('000') ? fraction.slice(0, 3) : fraction
  return `${date.toISOString().slice(0, 19)}.${digits}Z`
}

function numbers(parts: readonly (string | undefined)[], from: number, to: number): number[] {
  return parts.slice(from, to).map((part) => Number(part ?? 0))
}

function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false
  if (day <= 28) return true
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31)
}

function isTimeOfDay(hour: number, minute: number, second: number, fraction: number): boolean {
  if (hour === 24) return minute === 0 && second === 0 && fraction === 0
  return hour < 24 && minute < 60 && second <= 60
}

/**
 * A timestamptz as Postgres prints it (ISO style, any time zone of the session) in canonical spelling:
 * `2021-04-01 12:27:53.386+00` → `2021-04-01T12:27:53.386Z`. Anything but an instant of the years 1 to 9999 (`infinity`,
 * BC) is returned unchanged; west of UTC that includes the first hours of the year 1, so the session has to be in UTC.
 */
export function fromPostgres(text: string): string {
  return canonicalTime(text) ?? text
}

/** Compares instants in canonical spelling; null is before all others. */
export function compareTimes(a: string | null, b: string | null): number {
  if (a === b) return 0
  if (a === null || b === null) return a === null ? -1 : 1
  if (a.length === b.length) return a < b ? -1 : 1
  // without the Z, `.386` comes before `.386123`
  return a.slice(0, -1) < b.slice(0, -1) ? -1 : 1
}
