import { describe, expect, test } from 'vitest'
import {
  compareHits,
  implausibility,
  isStranger,
  judgeReads,
  startingInside,
  whyUnstable,
} from '../../src/history/stability.ts'
import { identify, toleratedShortfall } from '../../src/genesys/record-identity.ts'
import type { WindowRead } from '../../src/history/stability.ts'

const window = { start: new Date('2026-11-20T00:00:00Z'), end: new Date('2026-11-21T00:00:00Z') }
const noon = Date.parse('2026-11-20T12:00:00Z')
const before = Date.parse('2026-11-19T23:00:00Z')

function read(totals: number[], inside: string[], outside: string[] = []): WindowRead {
  const records = new Map([...inside.map((id) => [id, noon] as const), ...outside.map((id) => [id, before] as const)])
  return { totals, records, received: records.size, strangers: 0, repeatedPages: 0 }
}

describe('the verdict about a window', () => {
  const cases: [name: string, reads: WindowRead[], verdict: string][] = [
    ['nothing read yet', [], 'read-again'],
    ['nothing there', [read([0], [])], 'done'],
    ['as many distinct as every page said', [read([2, 2], ['a', 'b'])], 'done'],
    ['others than inside count, too', [read([2], ['a'], ['x'])], 'done'],
    ['pages that disagree', [read([2, 3], ['a', 'b'])], 'read-again'],
    ['fewer distinct than hits', [read([3, 3], ['a', 'b'])], 'read-again'],
    ['more distinct than hits', [read([1, 1], ['a', 'b'])], 'read-again'],
    ['two reads that agree', [read([3], ['a', 'b']), read([3], ['b', 'a'])], 'done'],
    ['two reads that agree inside', [read([4], ['a'], ['x']), read([4], ['a'], ['y'])], 'done'],
    ['as many, but others', [read([2], ['a']), read([2], ['b'])], 'read-again'],
    ['a second that is whole', [read([3], ['a']), read([2], ['a', 'b'])], 'done'],
    ['the last two agree', [read([3], ['a']), read([3], ['a', 'b']), read([3], ['a', 'b'])], 'done'],
    ['the first and the last agree', [read([3], ['a']), read([3], ['a', 'b']), read([3], ['a'])], 'unstable'],
    ['new ones in the third read', [read([3], ['a']), read([3], ['b']), read([3], ['c'])], 'unstable'],
    ['two that agree and lack one too many', [read([4], ['a']), read([4], ['a'])], 'read-again'],
    ['three that agree and lack one too many', [read([4], ['a']), read([4], ['a']), read([4], ['a'])], 'unstable'],
    ['pages of which one says that no more are missing', [read([9, 3], ['a']), read([9, 9], ['a'])], 'done'],
  ]
  test.each(cases)('the verdict about a window: %s', (_name, reads, verdict) => {
    expect(judgeReads(reads, window)).toBe(verdict)
  })
})

test('what was repeated counts as received: totalHits may count it, too', () => {
  const repeating = { ...read([4], ['a', 'b']), received: 4 }
  expect(judgeReads([repeating, repeating], window)).toBe('done')
})

describe('why a window is unstable', () => {
  test('reads that agree and lack much: with both numbers', () => {
    const lacking = read([250, 250], ['a', 'b'])
    expect(whyUnstable([lacking, lacking, lacking], window)).toEqual({
      code: 'WINDOW_INCOMPLETE',
      reason: 'Genesys says that 250 conversations match, and 3 reads brought no more than 2',
    })
  })

  test('reads that do not agree', () => {
    const reads = ['a', 'b', 'c'].map((id) => read([1, 2], [id]))
    expect(whyUnstable(reads, window)).toMatchObject({
      code: 'WINDOW_CHANGING',
      reason: expect.stringMatching(/^still changing after 3 reads .*\b1 conversations, .* 1 came/),
    })
  })
})

describe('answers that cannot be right together', () => {
  const many = Array.from({ length: 51 }, (_, index) => `old-${index}`)
  const cases: [name: string, read: WindowRead, isPlausible: boolean][] = [
    ['nothing', read([0], []), true],
    ['what is to be expected', read([2], ['a', 'b']), true],
    ['a quiet day beside what is still open', read([2], [], ['x', 'y']), true],
    ['records of unknown start', { ...read([1], []), records: new Map([['a', Number.NaN]]) }, true],
    ['strangers beside what is asked for', { ...read([3], ['a']), strangers: 2 }, true],
    ['nothing but strangers', { ...read([3], []), strangers: 3 }, false],
    ['strangers and what is still open', { ...read([3], [], ['x']), strangers: 2 }, false],
    ['far too many that are still open', read([51], [], many), false],
    ['a page that repeats another one, and records are missing', { ...read([250], ['a']), repeatedPages: 2 }, false],
    ['a page that repeats another one behind the end', { ...read([1], ['a']), repeatedPages: 1 }, true],
  ]
  test.each(cases)('answers that can or cannot be right together: %s', (_name, given, isPlausible) => {
    expect(implausibility(given, window, false) === null).toBe(isPlausible)
  })

  test('a part of the conversations may have many that are still open, and none of the day', () => {
    expect(implausibility(read([51], [], many), window, true)).toBeNull()
    expect(implausibility({ ...read([51], [], many), strangers: 1 }, window, true)).not.toBeNull()
  })

  test('are described with the numbers', () => {
    expect(implausibility({ ...read([250], ['a']), repeatedPages: 2 }, window, false)).toMatch(
      /250.*1 came.*2 of the pages/,
    )
    expect(implausibility({ ...read([250], []), strangers: 250 }, window, false)).toMatch(
      /250 conversations.*none of the 250/,
    )
  })
})

test.each([
  [before, Number.NaN, false],
  [before, window.start.getTime(), false],
  [before, window.start.getTime() - 1, true],
  [before, before - 5, true],
  [noon, before, false],
  [noon, noon + 86_400_000, false],
  [window.end.getTime(), Number.NaN, true],
  [Number.NaN, before, false],
])('a record from %d to %d is a stranger to the window: %s', (start, end, expected) => {
  expect(isStranger({ key: 'a', start, end }, window)).toBe(expected)
})

test.each([
  [0, 2],
  [2999, 2],
  [3000, 3],
  [100_000, 100],
])('of %i hits %i may be missing', (hits, tolerated) => {
  expect(toleratedShortfall(hits)).toBe(tolerated)
})

test('a record is identified by its id, without one by its content', () => {
  const start = '2026-11-20T12:00:00.000Z'
  expect(identify({ conversationId: 'a', conversationStart: start })).toMatchObject({ key: 'id a', start: noon })
  expect(identify({ conversationId: 'a', conversationStart: 'soon' })).toMatchObject({ key: 'id a', start: Number.NaN })
  const nameless = [{ n: 1 }, { conversationId: '' }, { conversationId: 7 }, null, 'text', [1]].map((each) =>
    identify(each),
  )
  expect(new Set(nameless.map(({ key }) => key)).size).toBe(nameless.length)
  expect(identify({ n: 1 })).toEqual(identify({ n: 1 }))
})

test('the start of a window is inside, its end is not, an unknown start is not', () => {
  const records = new Map([
    ['at the start', window.start.getTime()],
    ['at the end', window.end.getTime()],
    ['unknown', Number.NaN],
  ])
  expect(startingInside(records, window)).toEqual(['at the start'])
})

test.each([
  [30_000, [15_000, 15_000], 'same'],
  [30_000, [29_995, 0], 'same'],
  [30_000, [20_000, 16_000], 'same'],
  [30_000, [30_000, 30_000], 'more'],
  [30_000, [14_000, 14_000], 'less'],
] as const)('%i hits against parts of %j: %s', (whole, parts, verdict) => {
  expect(compareHits(whole, parts)).toBe(verdict)
})
