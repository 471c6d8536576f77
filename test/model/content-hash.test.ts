import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { canonical } from '../../src/model/canonical.ts'
import { attributesHash, contentHash } from '../../src/model/content-hash.ts'
import { isJsonObject, isRawNumber, parseJson } from '../../src/model/json.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { arbitraryConversation, arbitraryJson, objectOf } from '../support/arbitrary-conversation.ts'

const conversations = arbitraryConversation()
const randomness = fc.infiniteStream(fc.nat({ max: 1 << 20 }))

/** The same value with keys and array elements in another order. */
function shuffled(value: JsonValue, random: () => number): JsonValue {
  const inAnyOrder = <Item>(items: readonly Item[]): Item[] =>
    items
      .map((item) => ({ item, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item)
  if (Array.isArray(value)) return inAnyOrder(value as readonly JsonValue[]).map((element) => shuffled(element, random))
  if (!isJsonObject(value)) return value
  return objectOf(inAnyOrder(Object.entries(value)).map(([key, member]) => [key, shuffled(member, random)]))
}

type Path = readonly string[]

/** Where every value without members stands. */
function leavesOf(value: JsonValue, path: Path = []): Path[] {
  const isLeaf = typeof value !== 'object' || value === null || isRawNumber(value)
  const members = isLeaf ? [] : Object.entries(value)
  if (members.length === 0) return [path]
  return members.flatMap(([key, member]: [string, JsonValue]) => leavesOf(member, [...path, key]))
}

function withLeaf(value: JsonValue, [key, ...rest]: Path, leaf: JsonValue): JsonValue {
  if (key === undefined) return leaf
  if (Array.isArray(value)) {
    return (value as readonly JsonValue[]).map((element, i) =>
      String(i) === key ? withLeaf(element, rest, leaf) : element,
    )
  }
  return objectOf(
    Object.entries(value as JsonObject).map(([name, member]) => [
      name,
      name === key ? withLeaf(member, rest, leaf) : member,
    ]),
  )
}

function isInAttributes(conversation: JsonObject, path: Path): boolean {
  return (
    path[0] === 'participants' &&
    path[2] === 'attributes' &&
    Array.isArray(conversation['participants']) &&
    isJsonObject(conversation['participants'][Number(path[1])])
  )
}

function withoutAttributes(conversation: JsonObject): JsonObject {
  const { participants } = conversation
  if (!Array.isArray(participants)) return conversation
  const stripped = (participants as readonly JsonValue[]).map((participant) =>
    isJsonObject(participant)
      ? objectOf(Object.entries(participant).filter(([key]) => key !== 'attributes'))
      : participant,
  )
  return { ...conversation, participants: stripped }
}

describe('contentHash', () => {
  it('is 16 hex digits for any JSON whatever', () => {
    fc.assert(
      fc.property(arbitraryJson, (value) => {
        expect(contentHash(value)).toMatch(/^[0-9a-f]{16}$/)
        expect(attributesHash(value) ?? '0000000000000000').toMatch(/^[0-9a-f]{16}$/)
      }),
    )
    const deep = parseJson(`${'[{"a":'.repeat(20_000)}1${'}]'.repeat(20_000)}`)
    expect(contentHash({ deep })).toMatch(/^[0-9a-f]{16}$/)
  })

  it('stays the same when keys and array elements change their order', () => {
    fc.assert(
      fc.property(conversations, randomness, (conversation, random) => {
        const other = shuffled(conversation, () => random.next().value as number)
        expect(contentHash(other)).toBe(contentHash(conversation))
        expect(attributesHash(other)).toBe(attributesHash(conversation))
      }),
      { numRuns: 200 },
    )
  })

  it('changes when any leaf changes, but those of the attributes', () => {
    fc.assert(
      fc.property(conversations, randomness, (conversation, random) => {
        const base = canonical(conversation) as JsonObject
        const leaves = leavesOf(base)
        const path = leaves[(random.next().value as number) % leaves.length]!
        const changed = withLeaf(base, path, 'a value that was not there before')
        if (isInAttributes(base, path)) {
          expect(contentHash(changed)).toBe(contentHash(base))
          expect(attributesHash(changed)).not.toBe(attributesHash(base))
        } else {
          expect(contentHash(changed)).not.toBe(contentHash(base))
        }
      }),
      { numRuns: 400 },
    )
  })

  it('is the same with and without attributes, null members and empty arrays', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        expect(contentHash(withoutAttributes(conversation))).toBe(contentHash(conversation))
        expect(attributesHash(withoutAttributes(conversation))).toBeNull()
        expect(contentHash({ ...conversation, newField: null, newList: [] })).toBe(
          contentHash(
            objectOf(Object.entries(conversation).filter(([key]) => key !== 'newField' && key !== 'newList')),
          ),
        )
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['a text and a number', { a: '1' }, { a: 1 }],
    ['a number and a list of it', { a: 1 }, { a: [1] }],
    ['one occurrence and two', { a: [1] }, { a: [1, 1] }],
    ['a list and a list in a list', { a: [[1]] }, { a: [1] }],
    ['absent and an empty object', {}, { a: {} }],
    ['an empty object and one in a list', { a: {} }, { a: [{}] }],
    ['false and absent', { a: false }, {}],
    ['zero and absent', { a: 0 }, {}],
    ['an empty text and absent', { a: '' }, {}],
    ['a list of null and an empty one', { a: [null] }, { a: [] }],
    ['values under swapped keys', { a: 1, b: 2 }, { a: 2, b: 1 }],
    ['values at other levels', { a: { b: 1 } }, { a: 1, b: 1 }],
    [
      'participants of a participant with attributes',
      { participants: [{ x: { attributes: 1 } }] },
      { participants: [{ x: {} }] },
    ],
    ['attributes that belong to no participant', { attributes: { a: 1 } }, {}],
    [
      'large integers that a double holds as the same',
      parseJson('{"a":9007199254740993}'),
      parseJson('{"a":9007199254740992}'),
    ],
    ['texts that differ in the last character only', { a: 'x'.repeat(99) }, { a: `${'x'.repeat(98)}y` }],
    ['texts that differ in length only', { a: 'aa' }, { a: 'aaa' }],
    ['a text and it with NULs', { a: 'a' }, { a: 'a\0' }],
  ])('distinguishes %s', (_, a, b) => {
    expect(contentHash(a)).not.toBe(contentHash(b))
  })

  it('distinguishes neighbouring ids and times: no collision in 100 000 of them', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 50_000; i++) {
      seen.add(contentHash({ conversationStart: new Date(1.6e12 + i).toISOString() }))
      seen.add(contentHash({ metrics: [{ name: 'tTalk', value: i }] }))
    }
    expect(seen.size).toBe(100_000)
    // Each lane alone is as good as chance: of n values in 2^32, n²/2^33 pairs collide (1.2 here).
    for (const [from, to] of [
      [0, 8],
      [8, 16],
    ]) {
      const lane = new Set([...seen].map((hash) => hash.slice(from, to)))
      expect(100_000 - lane.size).toBeLessThan(15)
    }
  })
})

/** Hashes that warehouses have stored: whoever changes one makes every conversation count as changed. */
describe('the hash of stored conversations', () => {
  it.each([
    ['null', 'ed917c47c74ef610'],
    ['"text"', '245c085eecc63f44'],
    ['[1,2,[3]]', '45d7c97d9c88c6b0'],
    ['{}', '29f20a5f4619b531'],
    [
      '{"conversationId":"c","conversationStart":"2021-04-01T12:27:53.386Z","unknownField":{"deep":[1,null,true,"x"]}}',
      '218facd7bf5326d8',
    ],
    [
      '{"conversationId":"c-1","conversationStart":"2021-04-01T12:27:53.386Z","divisionIds":["a","b"],"participants":[{"participantId":"p","purpose":"agent","attributes":{"a":"1"},"sessions":[{"mediaType":"voice","metrics":[{"name":"tTalk","value":9007199254740993}],"segments":[{"segmentType":"interact"}]}]}],"mediaStatsMinConversationMos":4.88,"newField":1e400,"own":-0.5}',
      'f98fc686417909c3',
    ],
    [`{"deep":${'[{"a":'.repeat(600)}1${'}]'.repeat(600)}}`, '9e0e835959a65ce8'],
  ])('%s stays what it is', (text, hash) => {
    expect(contentHash(parseJson(text))).toBe(hash)
  })

  it('of attributes stays what it is', () => {
    expect(attributesHash({ participants: [{ participantId: 'p', attributes: { a: '1' } }] })).toBe('f070513f6822f348')
  })
})

describe('attributesHash', () => {
  const hashOf = (...participants: JsonValue[]) => attributesHash({ participants })

  it('is null where no participant has attributes', () => {
    expect(hashOf({ participantId: 'p' }, { attributes: null }, { attributes: [] }, 'no object')).toBeNull()
    expect(attributesHash({ participants: { attributes: { a: 1 } } })).toBeNull()
  })

  it('distinguishes none from empty ones, and to whom they belong', () => {
    expect(hashOf({ attributes: {} })).not.toBeNull()
    expect(
      hashOf({ participantId: 'p', attributes: { a: '1' } }, { participantId: 'q', attributes: { b: '1' } }),
    ).not.toBe(hashOf({ participantId: 'q', attributes: { a: '1' } }, { participantId: 'p', attributes: { b: '1' } }))
  })
})
