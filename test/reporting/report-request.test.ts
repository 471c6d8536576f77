import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { dayCount, shiftDay, type Days } from '../../src/reporting/report-range.ts'
import {
  FIGURES_OF,
  GRANULARITIES,
  GROUPINGS,
  listQuery,
  NAMED_RANGES,
  parseListRequest,
  parseReportRequest,
  reportQuery,
  type Granularity,
  type Grouping,
  type ListRequest,
  type RangeName,
  type ReportRequest,
} from '../../src/reporting/report-request.ts'

const parse = (query: string) => parseReportRequest(new URLSearchParams(query))

const days = fc
  .record({ offset: fc.integer({ min: 0, max: 20_000 }), length: fc.integer({ min: 1, max: 400 }) })
  .map(({ offset, length }): Days => {
    const first = shiftDay('2015-01-01', offset)
    return { first, last: shiftDay(first, length - 1) }
  })
const range = fc.oneof(fc.constantFrom(...(Object.keys(NAMED_RANGES) as RangeName[])), days)
const id = fc.oneof(fc.uuid(), fc.stringMatching(/^[\w.:-]{1,100}$/)).filter((text) => text !== 'none')
const filter = fc.oneof(fc.constant(undefined), fc.constant(null), id)
const theme = fc.constantFrom('light' as const, 'dark' as const, null)
const count = (value: ReportRequest['range']): number =>
  typeof value === 'string' ? NAMED_RANGES[value][1] - NAMED_RANGES[value][0] + 1 : dayCount(value)

const reportRequest: fc.Arbitrary<ReportRequest> = fc
  .record({ range, queue: filter, media: filter, theme, by: fc.constantFrom(...GROUPINGS) })
  .chain((selection) =>
    fc.record({
      range: fc.constant(selection.range),
      queue: fc.constant(selection.queue),
      media: fc.constant(selection.media),
      theme: fc.constant(selection.theme),
      by: fc.constant<Grouping>(selection.by),
      granularity: fc.constantFrom(
        null,
        ...(Object.keys(GRANULARITIES) as Granularity[]).filter(
          (step) => GRANULARITIES[step].maxDays >= count(selection.range),
        ),
      ),
      sort: fc.record({ by: fc.constantFrom('name' as const, ...FIGURES_OF[selection.by]), descending: fc.boolean() }),
    }),
  )

const cursor = fc.record({
  start: fc
    .date({ min: new Date('2001-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((at) => at.toISOString().replace('Z', '123Z')),
  id,
})
const listRequest: fc.Arbitrary<ListRequest> = fc.record({
  range: range.filter((each) => count(each) <= 31),
  queue: filter,
  media: filter,
  agent: filter,
  theme,
  after: fc.option(cursor),
})

test('an address says everything that was asked for', () => {
  fc.assert(
    fc.property(reportRequest, (request) => {
      expect(parse(reportQuery(request))).toEqual({ request })
    }),
  )
  fc.assert(
    fc.property(listRequest, (request) => {
      expect(parseListRequest(new URLSearchParams(listQuery(request)))).toEqual({ request })
    }),
  )
})

test('without parameters it is today by queue, the most contacts first', () => {
  expect(parse('')).toMatchObject({
    request: { range: 'today', by: 'queue', sort: { by: 'offered', descending: true }, granularity: null },
  })
  expect(parse('by=agent')).toMatchObject({ request: { sort: { by: 'handled', descending: true } } })
})

test('an empty field of a form counts as absent', () => {
  expect(parse('queue=&media=&range=yesterday')).toMatchObject({ request: { range: 'yesterday', queue: undefined } })
})

test.each([
  ['granularity=5-minutes', 'granularity: 5-minutes is none of 30-minutes, 1-hour, 1-day, 1-week'],
  ['granularity=30-minutes&range=28-days', 'granularity: 30-minutes is for at most 8 days'],
  ['range=last-year', 'range: last-year is none of today, yesterday, 7-days, 28-days'],
  ['from=2026-11-26&to=2026-11-20', 'from: 2026-11-26 is after to, 2026-11-20'],
  ['from=2016-11-26&to=2026-11-26', 'from and to: 3653 days are too many; at most 400 can be shown'],
  ['from=2026-11-26', 'from and to: give both, the first and the last day'],
  ['from=2026-11-26&to=2026-02-30', 'to: 2026-02-30 is no day since 2015, such as 2026-11-26'],
  ['from=2026-11-26&to=2026-11-26&range=today', 'range: give range, or from and to, not both'],
  ['queue=%27%3B+drop+table', "queue: '; drop table is no id"],
  ['media=%3Cscript%3E', 'media: <script> is no id'],
  ['by=moon', 'by: moon is none of queue, media, agent'],
  ['by=agent&sort=offered', 'sort: offered is none of name'],
  ['que=q1', 'que: is no parameter of this page'],
  ['queue=a&queue=b', 'queue: is given twice'],
  ['theme=blue', 'theme: blue is none of light, dark'],
])('%s is refused with the reason', (query, reason) => {
  const parsed = parse(query)
  expect('problems' in parsed && parsed.problems.join('\n')).toContain(reason)
})

test.each([
  'after=x',
  'after=2026-02-30T00:00:00.000000Z~c1',
  'after=0000-01-01T00:00:00.000000Z~c1',
  'after=2026-01-01T24:00:00.000000Z~c1',
  'after=2026-11-26T10:00:00.000000Z~%27',
  'by=queue',
])('a list refuses %s', (query) => {
  expect(parseListRequest(new URLSearchParams(query))).toHaveProperty('problems')
})

test('a list is of 31 days at most', () => {
  expect(parseListRequest(new URLSearchParams('from=2026-10-01&to=2026-10-31'))).toHaveProperty('request')
  expect(parseListRequest(new URLSearchParams('from=2026-10-01&to=2026-11-01'))).toHaveProperty('problems')
})

test('whatever a query is, it is read or refused with short reasons', () => {
  const known = fc.constantFrom('range', 'from', 'to', 'queue', 'media', 'by', 'sort', 'granularity', 'after', 'agent')
  const pairs = fc.array(fc.tuple(fc.oneof(known, fc.string()), fc.string({ maxLength: 300 })))
  fc.assert(
    fc.property(pairs, (query) => {
      for (const parsed of [parseReportRequest(query), parseListRequest(query)]) {
        if ('problems' in parsed) {
          expect(parsed.problems.length).toBeGreaterThan(0)
          for (const problem of parsed.problems) expect(problem.length).toBeLessThan(400)
        }
      }
    }),
  )
})
