import { expect, test } from 'vitest'
import { summarizeFreshness, type FreshnessRow } from '../../src/reporting/report-freshness.ts'

const NOW = new Date('2026-11-26T10:00:00Z')
const DAYS = ['2026-11-24', '2026-11-25', '2026-11-26']
const LOADED_AT = new Date('2026-11-26T09:52:00Z')

const row = (day: string, fields: Partial<FreshnessRow> = {}): FreshnessRow => ({
  day,
  filter: {},
  status: 'done',
  loadedAt: LOADED_AT,
  derived: true,
  emittedSettled: true,
  completeFrom: '2026-11-01',
  ...fields,
})
const today = row('2026-11-26', { status: 'provisional', emittedSettled: false })

test('days that are loaded are complete until the current day was read', () => {
  expect(summarizeFreshness([row(DAYS[0]!), row(DAYS[1]!), today], DAYS, NOW)).toEqual({
    completeUntil: LOADED_AT,
    incompleteDays: [],
    unsettledDays: 1,
    wholeFrom: null,
    filters: [],
  })
})

test('past days are complete to their end', () => {
  const rows = [row(DAYS[0]!), row(DAYS[1]!)]
  expect(summarizeFreshness(rows, DAYS.slice(0, 2), NOW).completeUntil).toEqual(new Date('2026-11-26T00:00:00Z'))
})

test.each<[string, Partial<FreshnessRow> | null]>([
  ['missing', null],
  ['failed', { status: 'failed' }],
  ['unstable', { status: 'unstable' }],
  ['partial', { status: 'partial' }],
  ['not derived', { derived: false }],
])('a day that is %s ends what is complete, and is named', (_, fields) => {
  const rows = [row(DAYS[0]!), ...(fields ? [row(DAYS[1]!, fields)] : []), today]
  expect(summarizeFreshness(rows, DAYS, NOW)).toMatchObject({
    completeUntil: new Date('2026-11-25T00:00:00Z'),
    incompleteDays: ['2026-11-25'],
  })
})

test('nothing is complete where the first day is missing, and nothing is read of a day that has just begun', () => {
  expect(summarizeFreshness([row(DAYS[1]!)], DAYS, NOW).completeUntil).toBeNull()
  expect(summarizeFreshness([], ['2026-11-26'], NOW)).toMatchObject({ completeUntil: null, incompleteDays: [] })
  expect(summarizeFreshness([row(DAYS[1]!)], DAYS.slice(1), NOW)).toMatchObject({
    completeUntil: new Date('2026-11-26T00:00:00Z'),
    incompleteDays: [],
  })
})

test('of several filters of a day the widest complete one counts', () => {
  const voice = { mediaTypes: ['voice'] }
  const wide = [row(DAYS[0]!, { filter: voice }), row(DAYS[0]!)]
  expect(summarizeFreshness(wide, DAYS.slice(0, 1), NOW).filters).toEqual([])
  const narrow = [row(DAYS[0]!, { filter: voice }), row(DAYS[0]!, { status: 'failed' })]
  expect(summarizeFreshness(narrow, DAYS.slice(0, 1), NOW)).toMatchObject({ incompleteDays: [], filters: [voice] })
})

test('says from when on numbers are whole, only where that is after the beginning', () => {
  const late = [row(DAYS[0]!, { completeFrom: '2026-12-20' }), row(DAYS[1]!, { completeFrom: '2026-12-20' })]
  expect(summarizeFreshness(late, DAYS.slice(0, 2), NOW).wholeFrom).toBe('2026-12-20')
})
