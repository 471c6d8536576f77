import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { normalizeAddress } from '../../src/model/address.ts'
import { dataColumnsOf, emptyRowSet, tables } from '../../src/model/columns.ts'
import { attributesHash, contentHash } from '../../src/model/content-hash.ts'
import { isJsonObject, objects, storableText, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import {
  applyPolicy,
  isHashed,
  KEEP_ALL,
  personalFields,
  policyTag,
  type PersonalPolicy,
} from '../../src/model/personal.ts'
import { applyPolicyToEntity } from '../../src/model/personal-reference.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { differences } from '../../src/model/canonical.ts'
import { appendRows } from '../../src/model/transform.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { arbitraryConversation, arbitraryJson } from '../support/arbitrary-conversation.ts'

const hasher = personalHasher('a key of at least thirty-two characters')
const HASH: PersonalPolicy = { customers: 'hash', employees: 'hash', hasher }
const DROP: PersonalPolicy = { customers: 'drop', employees: 'hash', hasher }
const conversations = arbitraryConversation()

/** Marks every text of a personal field, so that it is recognized wherever it ends up. */
const MARK = 'PRIVATE-'

function marked(value: JsonValue): JsonValue {
  if (typeof value === 'string') return `${MARK}${value}`
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(marked)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, marked(inner)]))
}

/** The same conversation with its personal texts marked, and with one unknown field of each object of a participant. */
function withMarks(conversation: JsonObject): JsonObject {
  const personal = new Set(Object.values(personalFields).flatMap((fields) => Object.keys(fields)))
  const structures = new Set(['agentGroups', 'proposedAgents', 'scoredAgents', 'properties'])
  const visit = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return (value as readonly JsonValue[]).map(visit)
    if (!isJsonObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        personal.has(name) ? marked(inner) : structures.has(name) ? inner : visit(inner),
      ]),
    )
  }
  const participants = objects(conversation['participants']).map((participant) => ({
    ...(visit(participant) as JsonObject),
    purpose: 'customer',
    userId: null,
    unknownField: `${MARK}unknown`,
    unknownList: [{ of: [`${MARK}unknown`] }],
  }))
  return { ...conversation, participants }
}

const textsIn = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner))

describe('the policy of every field', () => {
  test.each(tables)('names exactly the personal fields of %s', (table) => {
    const inModel = dataColumnsOf(table).filter(({ api, personal }) => api !== null && personal)
    expect(new Set(Object.keys(personalFields[table] ?? {}))).toEqual(new Set(inModel.map(({ api }) => api)))
  })
})

describe('keep', () => {
  it('is the identity', () => {
    fc.assert(
      fc.property(arbitraryJson, (record) => {
        expect(applyPolicy(KEEP_ALL, record)).toBe(record)
      }),
    )
    const user = { id: '1', name: 'Ada' }
    expect(applyPolicyToEntity(KEEP_ALL, 'users', user)).toBe(user)
  })

  it('does not change the content hash', () => {
    fc.assert(
      fc.property(conversations, (record) => {
        expect(contentHash(record, policyTag(KEEP_ALL))).toBe(contentHash(record))
        expect(contentHash(applyPolicy(HASH, record), policyTag(HASH))).not.toBe(contentHash(record))
      }),
    )
  })
})

describe.each([
  ['hash', HASH],
  ['drop', DROP],
])('%s', (treatment, policy) => {
  it('leaves no personal text of a customer in the JSON, the rows or _extra', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        const stored = applyPolicy(policy, withMarks(conversation)) as JsonObject
        expect(textsIn(stored)).not.toContain(MARK)
        const rows = emptyRowSet()
        appendRows(rows, stored)
        expect(textsIn(rows)).not.toContain(MARK)
      }),
    )
  })

  it('leaves no personal column of a row in clear text', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        const rows = emptyRowSet()
        appendRows(rows, applyPolicy(policy, conversation) as JsonObject)
        for (const table of tables) {
          for (const [slot, { name, personal, api }] of dataColumnsOf(table).entries()) {
            if (!personal || api === null || name === 'participant_name') continue
            for (const row of rows[table]) expectNoText(row[slot] as JsonValue, treatment === 'hash')
          }
        }
      }),
    )
  })

  it('takes any JSON, and changes nothing when applied again', () => {
    fc.assert(
      fc.property(fc.oneof(conversations, arbitraryJson), (record) => {
        const once = applyPolicy(policy, record)
        expect(applyPolicy(policy, once)).toEqual(once)
      }),
    )
  })

  it('gives the same for what is stored as for what Genesys sent', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        const rows = emptyRowSet()
        appendRows(rows, conversation)
        const ofStored = applyPolicy(policy, reassemble(rows))
        expect(differences(ofStored, applyPolicy(policy, conversation))).toEqual([])
      }),
    )
  })

  it('keeps the key of a conversation and the number of its participants', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        const stored = applyPolicy(policy, conversation) as JsonObject
        for (const name of ['conversationId', 'conversationStart']) expect(stored[name]).toEqual(conversation[name])
        expect(objects(stored['participants'])).toHaveLength(objects(conversation['participants']).length)
      }),
    )
  })

  it('hides a record that is no conversation', () => {
    for (const record of ['Ada Lovelace', ['Ada Lovelace'], { name: 'Ada Lovelace' }, { participants: 'Ada Lovelace' }])
      expect(textsIn(applyPolicy(policy, record))).not.toContain('Ada')
  })
})

/** Nothing, a hash, or blanks. */
function expectNoText(value: JsonValue, mayBeHash: boolean): void {
  if (Array.isArray(value)) for (const element of value as readonly JsonValue[]) expectNoText(element, mayBeHash)
  else if (isJsonObject(value)) for (const inner of Object.values(value)) expectNoText(inner, mayBeHash)
  else if (typeof value === 'string') expect(value.trim() === '' || (mayBeHash && isHashed(value))).toBe(true)
  else if (!mayBeHash) expect([null, true, false]).toContain(value)
}

describe('whose value it is', () => {
  const participant = (fields: JsonObject): JsonObject => ({
    conversationId: 'c',
    conversationStart: '2026-01-01T00:00:00.000Z',
    participants: [fields],
  })
  const nameUnder = (policy: PersonalPolicy, fields: JsonObject): JsonValue | undefined =>
    objects(
      (applyPolicy(policy, participant({ participantName: 'Ada', ...fields })) as JsonObject)['participants'],
    )[0]!['participantName']
  const customersOnly: PersonalPolicy = { customers: 'drop', employees: 'keep', hasher: null }
  const employeesOnly: PersonalPolicy = { customers: 'keep', employees: 'hash', hasher }

  test.each([
    [{ purpose: 'customer' }, undefined, 'Ada'],
    [{ purpose: 'external', userId: 'u' }, undefined, 'Ada'],
    [{ purpose: 'something new' }, undefined, 'Ada'],
    [{}, undefined, 'Ada'],
    [{ purpose: 'agent', userId: 'u' }, 'Ada', hasher.address('Ada')],
    [{ purpose: 'agent' }, 'Ada', hasher.address('Ada')],
    [{ purpose: 'something new', userId: 'u' }, 'Ada', hasher.address('Ada')],
    [{ purpose: 'acd' }, 'Ada', 'Ada'],
    [{ purpose: 'ivr' }, 'Ada', 'Ada'],
  ])('the name of %j', (fields, withCustomersDropped, withEmployeesHashed) => {
    expect(nameUnder(customersOnly, fields)).toBe(withCustomersDropped)
    expect(nameUnder(employeesOnly, fields)).toBe(withEmployeesHashed)
  })

  it("hides the customer's addresses on an agent's session, and unknown fields of it", () => {
    const session = {
      ani: 'tel:+13175550100',
      cc: ['ada@example.org'],
      remote: 'Ada',
      fresh: 'Ada',
      direction: 'inbound',
    }
    const record = participant({ purpose: 'agent', userId: 'u', sessions: [session] })
    const sessions = (policy: PersonalPolicy) =>
      objects(objects((applyPolicy(policy, record) as JsonObject)['participants'])[0]!['sessions'])
    expect(sessions(customersOnly)).toEqual([{ direction: 'inbound' }])
    expect(sessions(HASH)).toEqual([
      {
        ani: hasher.address('+1 (317) 555-0100'),
        cc: [hasher.address('Ada@example.org')],
        remote: hasher.address('ada'),
        fresh: hasher.address('Ada'),
        direction: 'inbound',
      },
    ])
    expect(sessions(employeesOnly)).toEqual([
      { ...session, remote: hasher.address('ada'), fresh: hasher.address('Ada') },
    ])
  })

  it('hides attributes value by value, so that an address in them is found', () => {
    const record = participant({ purpose: 'customer', attributes: { phone: '+13175550100', vip: true, age: 7 } })
    const attributes = (policy: PersonalPolicy) =>
      objects((applyPolicy(policy, record) as JsonObject)['participants'])[0]!['attributes']
    expect(attributes(HASH)).toEqual({ phone: hasher.address('tel:+13175550100'), vip: true, age: hasher.address('7') })
    expect(attributes(DROP)).toBeUndefined()
    expect(attributesHash(applyPolicy(DROP, record))).toBeNull()
  })

  it('hides what names an employee in reference data, and keeps ids', () => {
    const id = '0f2c1b70-0d5e-4f1c-9d5b-3f6a2f1f9a11'
    const user = {
      id, name: 'Ada', email: 'ada@example.org', title: 'Agent', state: 'active', version: 3,
      division: { id: '*', name: 'Home' }, addresses: [{ address: '+13175550100', type: 'WORK' }],
    } // prettier-ignore
    const stored = applyPolicyToEntity(employeesOnly, 'users', user)
    expect(stored).toMatchObject({ id, title: 'Agent', state: 'active', version: 3, name: hasher.address('ada') })
    expect(stored).toMatchObject({ division: { id: '*' }, addresses: [{ address: hasher.address('+13175550100') }] })
    const flow = { id, name: 'Main Menu', createdBy: { id, name: 'Ada' }, modifiedBy: id }
    expect(applyPolicyToEntity(employeesOnly, 'flows', flow)).toEqual({
      ...flow,
      createdBy: { id, name: hasher.address('Ada') },
    })
    expect(applyPolicyToEntity(customersOnly, 'users', user)).toBe(user)
  })
})

describe('hashes', () => {
  it('are equal for all spellings of an address, and stay as they are when they are normalized or hashed', () => {
    const spellings = ['tel:+13175550100', '+1 (317) 555-0100', 'sip:+13175550100@10.0.0.1;user=phone']
    const [hash, ...others] = spellings.map((text) => hasher.address(text))
    expect(new Set(others)).toEqual(new Set([hash]))
    expect(isHashed(hash!)).toBe(true)
    expect(hasher.text('  Grüße ')).toBe(hasher.text('grüße'))
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const hash of [hasher.address(text), hasher.text(text)]) {
          expect(normalizeAddress(hash)).toBe(hash)
          expect([hasher.address(hash), hasher.text(hash)]).toEqual([hash, hash])
        }
        expect(hasher.address(normalizeAddress(text))).toBe(hasher.address(text))
        expect(hasher.text(storableText(text))).toBe(hasher.text(text))
      }),
    )
  })

  it('depend on the key, and so does the fingerprint', () => {
    const other = personalHasher('another key of at least thirty-two characters')
    expect(other.address('Ada')).not.toBe(hasher.address('Ada'))
    expect(other.fingerprint).not.toBe(hasher.fingerprint)
    expect(policyTag({ ...HASH, hasher: other })).not.toBe(policyTag(HASH))
    const onlyDrops = { customers: 'drop', employees: 'keep' } as const
    expect(policyTag({ ...onlyDrops, hasher })).toBe(policyTag({ ...onlyDrops, hasher: null }))
    expect(personalHasher('another key of at least thirty-two characters').fingerprint).toBe(other.fingerprint)
  })

  it('are not made without a key', () => {
    expect(() => applyPolicy({ ...HASH, hasher: null }, { externalTag: 'x', fresh: 'Ada' })).toThrow('no key')
  })
})
