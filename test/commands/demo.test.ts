import { expect, test } from 'vitest'
import { timeZoneOf, utcOffsetAt } from '../../src/commands/demo.ts'
import { startSimulator } from '../../src/simulator/server.ts'

const HOURS = Array.from({ length: 24 }, (_, hour) => hour)
const at = (hour: number): Date => new Date(`2026-03-18T${String(hour).padStart(2, '0')}:40:00Z`)

test('the time zone of the demo makes it mid-morning at any hour, and exists', () => {
  const offsets = HOURS.map((hour) => utcOffsetAt(at(hour)))
  expect(offsets.map((offset, hour) => (hour + offset + 24) % 24)).toEqual(HOURS.map(() => 10))
  expect([Math.min(...offsets), Math.max(...offsets)]).toEqual([-12, 11])
})

test('the days of the reports are those of the organization', () => {
  for (const hour of HOURS) {
    const local = new Intl.DateTimeFormat('en', {
      timeZone: timeZoneOf(utcOffsetAt(at(hour))),
      hour: '2-digit',
      hourCycle: 'h23',
    })
    expect(local.format(at(hour))).toBe('10')
  }
})

test.each([0, 7, 12, 21])('the simulated organization is busy at %i:40 UTC in that time zone', async (hour) => {
  const now = at(hour)
  await using org = await startSimulator({
    seed: 7,
    now,
    perDay: 400,
    exactPerDay: true,
    days: 2,
    malformedShare: 0,
    utcOffsetHours: utcOffsetAt(now),
  })
  const starts = ['2026-03-16', '2026-03-17'].flatMap((day) =>
    org.truth(day).map(({ conversationStart }) => new Date(String(conversationStart)).getUTCHours()),
  )
  expect(starts).toHaveLength(800)
  // Local hours 9 to 11 have 16 to 30 % of a day's conversations; nights have 1 %.
  const near = starts.filter((start) => [23, 0, 1].includes((start - hour + 24) % 24)).length
  expect(near).toBeGreaterThan(800 * 0.16)
})
