import { describe, expect, test } from 'vitest'
import { compareHits, identify, judgeReads, startingInside } from '../../src/core/window-stability.ts'
import type { WindowRead } from '../../src/core/window-stability.ts'

const window = { start: new Date('2026-11-20T00:00:00Z'), end: new Date('2026-11-21T00:00:00Z') }
const noon = Date.parse('2026-11-20T12:00:00Z')
const before = Date.parse('2026-11-19T23:00:00Z')

function read(totals: number[], inside: string[], outside: string[] = []): WindowRead {
  const records = new Map([...inside.map((id) => [id, noon] as const), ...outside.map((id) => [id, before] as const)])
  return { totals, records }
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
    ['two reads that agree inside', [read([9], ['a'], ['x']), read([9], ['a'], ['y'])], 'done'],
    ['as many, but others', [read([9], ['a']), read([9], ['b'])], 'read-again'],
    ['a second that is whole', [read([3], ['a']), read([2], ['a', 'b'])], 'done'],
    ['the last two agree', [read([9], ['a']), read([9], ['a', 'b']), read([9], ['a', 'b'])], 'done'],
    ['the first and the last agree', [read([9], ['a']), read([9], ['a', 'b']), read([9], ['a'])], 'unstable'],
    ['new ones in the third read', [read([9], ['a']), read([9], ['b']), read([9], ['c'])], 'unstable'],
  ]
  test.each(cases)('%s', (_name, reads, verdict) => {
    expect(judgeReads(reads, window)).toBe(verdict)
  })

  test('to confirm takes two reads that agree, however whole the first looks', () => {
    const whole = read([1], ['a'])
    expect(judgeReads([whole], window, { confirm: true })).toBe('read-again')
    expect(judgeReads([whole, whole], window, { confirm: true })).toBe('done')
  })
})

test('a record is told by its id, without one by its content', () => {
  const start = '2026-11-20T12:00:00.000Z'
  expect(identify({ conversationId: 'a', conversationStart: start })).toEqual({ key: 'id a', start: noon })
  expect(identify({ conversationId: 'a', conversationStart: 'soon' })).toEqual({ key: 'id a', start: Number.NaN })
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
