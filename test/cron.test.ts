import { describe, expect, test } from 'vitest'
import { isCronLine, parseCronLine } from '../src/cron.ts'

/** The next ticks after an instant, as `DDTHH:MM:SS` in UTC; the line's previous ticks must be the same ones. */
function ticks(line: string, timezone: string, after: string, count: number): string[] {
  const cron = parseCronLine(line, timezone)
  const found: Date[] = []
  for (let from: Date | null = new Date(after); found.length < count;) {
    from = cron.next(from)
    if (!from) break
    found.push(from)
  }
  for (const [position, tick] of found.entries()) {
    expect(cron.previous(tick)).toEqual(tick)
    expect(cron.previous(new Date(+tick - 1))).toEqual(found[position - 1] ?? expect.any(Date))
  }
  return found.map((tick) => tick.toISOString().slice(5, 19))
}

describe('in spring, when an hour or half an hour is skipped', () => {
  test.each([
    // the nightly time is in the gap: it comes at the end of the gap, once, and at its own time the day after
    ['15 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['03-29T01:00:00', '03-30T00:15:00', '03-31T00:15:00']],
    ['15 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', ['03-08T07:00:00', '03-09T06:15:00', '03-10T06:15:00']],
    ['15 0 * * *', 'America/Santiago', '2026-09-05T12:00:00Z', ['09-06T04:00:00', '09-07T03:15:00', '09-08T03:15:00']],
    ['15 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', ['04-23T22:00:00', '04-24T21:15:00', '04-25T21:15:00']],
    [
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00:00Z',
      ['10-03T15:30:00', '10-04T15:15:00', '10-05T15:15:00'],
    ],
    // with a field for seconds, and with more than one time per day
    ['30 15 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['03-29T01:00:00', '03-30T00:15:30']],
    ['30 2,14 * * *', 'Europe/Berlin', '2026-03-28T20:00:00Z', ['03-29T01:00:00', '03-29T12:30:00', '03-30T00:30:00']],
    // steps within one hour of the night: once at the end of the gap, so that no night is left out
    ['*/20 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', ['03-29T01:00:00', '03-30T00:00:00', '03-30T00:20:00']],
    [
      '*/30 5/40 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00:00Z',
      ['03-29T01:00:00', '03-30T00:05:00', '03-30T00:05:30'],
    ],
    [
      '0-20/20 2 * * *',
      'America/New_York',
      '2026-03-07T12:00:00Z',
      ['03-08T07:00:00', '03-09T06:00:00', '03-09T06:20:00'],
    ],
    // intervals go on in absolute time
    [
      '20 * * * *',
      'Europe/Berlin',
      '2026-03-28T23:30:00Z',
      ['03-29T00:20:00', '03-29T01:20:00', '03-29T02:20:00', '03-29T03:20:00'],
    ],
    ['* * * * *', 'Europe/Berlin', '2026-03-29T00:58:30Z', ['03-29T00:59:00', '03-29T01:00:00', '03-29T01:01:00']],
    ['* * * * *', 'America/Santiago', '2026-09-06T03:58:30Z', ['09-06T03:59:00', '09-06T04:00:00', '09-06T04:01:00']],
    [
      '*/10 * * * *',
      'Australia/Lord_Howe',
      '2026-10-03T15:15:00Z',
      ['10-03T15:20:00', '10-03T15:30:00', '10-03T15:40:00'],
    ],
  ])('%s in %s after %s', (line, timezone, after, expected) => {
    expect(ticks(line, timezone, after, expected.length)).toEqual(expected)
  })
})

describe('in autumn, when an hour or half an hour is repeated', () => {
  test.each([
    // the nightly time comes twice: the first one counts
    ['15 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['10-25T00:15:00', '10-26T01:15:00']],
    ['15 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', ['11-01T05:15:00', '11-02T06:15:00']],
    ['15 23 * * *', 'America/Santiago', '2026-04-04T12:00:00Z', ['04-05T02:15:00', '04-06T03:15:00']],
    ['15 23 * * *', 'Africa/Cairo', '2026-10-29T12:00:00Z', ['10-29T20:15:00', '10-30T21:15:00']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2026-04-04T00:00:00Z', ['04-04T14:45:00', '04-05T15:15:00']],
    ['*/30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', ['10-25T00:00:00', '10-25T00:30:00', '10-26T01:00:00']],
    // `* * * * *` paused for 61 minutes, `20 * * * *` for 120
    [
      '* * * * *',
      'Europe/Berlin',
      '2026-10-25T00:58:30Z',
      ['10-25T00:59:00', '10-25T01:00:00', '10-25T01:01:00', '10-25T01:02:00'],
    ],
    [
      '20 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:00:00Z',
      ['10-24T23:20:00', '10-25T00:20:00', '10-25T01:20:00', '10-25T02:20:00'],
    ],
    [
      '20 * * * *',
      'America/New_York',
      '2026-11-01T04:00:00Z',
      ['11-01T04:20:00', '11-01T05:20:00', '11-01T06:20:00', '11-01T07:20:00'],
    ],
    ['20 * * * *', 'America/Santiago', '2026-04-05T02:00:00Z', ['04-05T02:20:00', '04-05T03:20:00', '04-05T04:20:00']],
    ['20 * * * *', 'Africa/Cairo', '2026-10-29T20:00:00Z', ['10-29T20:20:00', '10-29T21:20:00', '10-29T22:20:00']],
    [
      '*/10 * * * *',
      'Australia/Lord_Howe',
      '2026-04-04T14:35:00Z',
      ['04-04T14:40:00', '04-04T14:50:00', '04-04T15:00:00', '04-04T15:10:00', '04-04T15:20:00', '04-04T15:30:00'],
    ],
    ['*/30 * * * * *', 'Europe/Berlin', '2026-10-25T00:59:15Z', ['10-25T00:59:30', '10-25T01:00:00', '10-25T01:00:30']],
  ])('%s in %s after %s', (line, timezone, after, expected) => {
    expect(ticks(line, timezone, after, expected.length)).toEqual(expected)
  })
})

test('day-of-month together with day-of-week ticks where either matches, as in cron(5)', () => {
  // Fridays, and the 13th; 13 January 2026 is a Tuesday
  expect(ticks('0 0 13 * 5', 'UTC', '2026-01-03T00:00:00Z', 4)).toEqual([
    '01-09T00:00:00',
    '01-13T00:00:00',
    '01-16T00:00:00',
    '01-23T00:00:00',
  ])
})

test('a tick on the instant itself is the previous one, not the next', () => {
  const line = parseCronLine('15 2 * * *', 'UTC')
  const tick = new Date('2026-03-10T02:15:00.000Z')
  expect(line.previous(tick)).toEqual(tick)
  expect(line.next(tick)).toEqual(new Date('2026-03-11T02:15:00.000Z'))
  expect(line.next(new Date(+tick - 1))).toEqual(tick)
})

test.each([
  '15 2 * * *',
  '*/10 * * * * *',
  '5/15 * * * *',
  '*/15 2 * * *',
  '0 0 * * 7',
  '0 0 * * monday',
  '0 0 1 January,jul *',
  '@daily',
])('%s is a cron line', (line) => expect(isCronLine(line)).toBe(true))

test.each([
  '',
  '61 * * * *',
  '*/61x 2 * * *',
  '70/5 2 * * *',
  '* * * *',
  '* * * * * * *',
  'every night',
  '2026-01-31T10:00:00',
  // never
  '0 0 30 2 *',
])('%j is no cron line', (line) => expect(isCronLine(line)).toBe(false))
