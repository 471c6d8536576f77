import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { canonical, differences } from '../../src/model/canonical.ts'
import { contentHash } from '../../src/model/content-hash.ts'
import { parseJson } from '../../src/model/json.ts'
import { arbitraryJson } from '../support/arbitrary-conversation.ts'

describe('differences', () => {
  it('are none between what counts as equal', () => {
    const a = parseJson('{"a":null,"b":[],"c":1.0,"d":"\\u0000","e":1e400,"f":[1,2,{"x":[3,4]}],"\\ud800":1,"g":-0}')
    const b = parseJson(`{"\\ufffd":1,"f":[{"x":[4,3]},2,1],"e":1${'0'.repeat(400)},"d":"\\ufffd","c":1,"g":0}`)
    expect(differences(a, b)).toEqual([])
  })

  it('name the path and both values', () => {
    const a = { conversationId: 'c', participants: [{ sessions: [{ ani: 'x' }] }, { userId: 'u' }] }
    const b = { conversationId: 'c', participants: [{ userId: 'u' }, { sessions: [{ ani: 'y', dnis: 'z' }] }] }
    expect(differences(a, b)).toEqual([
      { path: 'participants[0].sessions[0].ani', a: 'x', b: 'y' },
      { path: 'participants[0].sessions[0].dnis', a: undefined, b: 'z' },
    ])
  })

  it('count how often an element occurs', () => {
    expect(differences([{ name: 'tTalk' }, { name: 'tTalk' }], [{ name: 'tTalk' }])).toEqual([
      { path: '[1]', a: { name: 'tTalk' }, b: undefined },
    ])
    expect(differences([1, 1, 2], [1, 2, 2])).toEqual([{ path: '[1]', a: 1, b: 2 }])
  })

  it.each([
    ['null and absent in a list', [null], []],
    ['an empty object and absent', { a: {} }, {}],
    ['a text and a number', { a: '1' }, { a: 1 }],
    ['a list and its only element', { a: [1] }, { a: 1 }],
    ['integers that one double stands for', parseJson('[9007199254740993]'), parseJson('[9007199254740992]')],
    ['an inherited and an own key', { constructor: 1 }, {}],
  ])('distinguish %s', (_, a, b) => {
    expect(differences(a, b)).toHaveLength(1)
    expect(differences(b, a)).toHaveLength(1)
  })

  it('are none exactly where the content hash is the same', () => {
    fc.assert(
      fc.property(arbitraryJson, arbitraryJson, (a, b) => {
        expect(differences(a, a)).toEqual([])
        const wrapped = [{ list: canonical(a) }, { list: canonical(b) }] as const
        expect(differences(...wrapped).length === 0).toBe(contentHash(wrapped[0]) === contentHash(wrapped[1]))
      }),
      { numRuns: 1000 },
    )
  })
})
