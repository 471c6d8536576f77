/** Four simulated days around the beginning of a month, which is the floor of a retention. */
export const FLOOR = '2025-06-01T00:00:00.000Z'
export const whole = { start: new Date('2025-05-30T00:00:00Z'), end: new Date('2025-06-03T00:00:00Z') }

/** The PII_RETENTION_MONTHS with which a month's first instant is the floor now. */
export function monthsSince(floor: string, now = new Date()): number {
  const monthOf = (date: Date): number => date.getUTCFullYear() * 12 + date.getUTCMonth()
  return monthOf(now) - monthOf(new Date(floor))
}
