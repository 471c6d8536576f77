import { expect, test } from 'vitest'
import { parseInstant, parseRange, parseWholeNumber } from '../../src/commands/arguments.ts'
import { ConfigError } from '../../src/errors.ts'

test.each([
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T10:30', '2026-01-31T10:30:00.000Z'],
  ['2026-01-31T10:30:05Z', '2026-01-31T10:30:05.000Z'],
  ['2026-01-31T10:30:05.250Z', '2026-01-31T10:30:05.250Z'],
  ['2026-01-31T00:30:00+02:00', '2026-01-30T22:30:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('reads %s as UTC unless it names an offset', (text, instant) => {
  expect(parseInstant(text, '--from').toISOString()).toBe(instant)
})

test.each([
  '2026-02-30',
  '2026-13-01',
  '31.1.2026',
  'yesterday',
  '2026-01-31T25:00Z',
  '',
  '2026-1-1',
  '2026-01-31 10:00',
])('refuses %j and names the option', (text) => {
  expect(() => parseInstant(text, '--from')).toThrow(ConfigError)
  expect(() => parseInstant(text, '--from')).toThrow('--from')
})

test('refuses a range that is empty or runs backwards', () => {
  expect(() => parseRange({ from: '2026-01-02', to: '2026-01-02' })).toThrow('is not before')
  expect(() => parseRange({ from: '2026-01-03', to: '2026-01-02' })).toThrow('is not before')
  expect(parseRange({ from: '2026-01-01', to: '2026-01-02' }).end.toISOString()).toBe('2026-01-02T00:00:00.000Z')
})

test('refuses a range that has not begun', () => {
  const year = new Date().getUTCFullYear() + 1
  expect(() => parseRange({ from: `${year}-02-01`, to: `${year}-02-02` })).toThrow('lies in the future')
})

test('takes whole numbers within their bounds only', () => {
  expect(parseWholeNumber('50', '--concurrency', 1, 50)).toBe(50)
  for (const text of ['0', '51', '-1', '1.5', 'ten', '', '1e1']) {
    expect(() => parseWholeNumber(text, '--concurrency', 1, 50)).toThrow(
      '--concurrency must be a whole number from 1 to 50',
    )
  }
})
