import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { attributesHash, contentHash } from '../../src/model/content-hash.ts'
import { isJsonObject, objects, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { applyPolicy, KEEP_ALL, personalFields, type PersonalPolicy } from '../../src/model/personal.ts'
import { policyAt, policyOfRecord } from '../../src/model/personal-retention.ts'
import { retentionFloor } from '../../src/model/retention.ts'
import { personalHasher } from '../../src/privacy/hasher.ts'
import { arbitraryConversation, arbitraryJson } from '../support/arbitrary-conversation.ts'

const hasher = personalHasher('a key of at least thirty-two characters')
const policies: readonly PersonalPolicy[] = (['keep', 'hash', 'drop'] as const).flatMap((customers) =>
  (['keep', 'hash'] as const).map((employees) => ({ customers, employees, hasher })),
)
const arbitraryPolicy = fc.constantFrom(...policies)
const arbitraryInstant = fc.date({
  min: new Date('2012-01-01T00:00:00Z'),
  max: new Date('2099-12-31T00:00:00Z'),
  noInvalidDate: true,
})
const PERSONAL: ReadonlySet<string> = new Set(Object.values(personalFields).flatMap((fields) => Object.keys(fields)))
/** What they hold says nothing of a person, whatever its members are called. */
const STRUCTURES: ReadonlySet<string> = new Set(['agentGroups', 'proposedAgents', 'scoredAgents', 'properties'])

/** Every personal field of a record that holds anything. */
function personalIn(value: JsonValue): string[] {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).flatMap(personalIn)
  if (!isJsonObject(value)) return []
  const members = Object.entries(value).filter(([name]) => !STRUCTURES.has(name))
  return members.flatMap(([name, inner]) =>
    PERSONAL.has(name) && inner !== null && typeof inner !== 'boolean' ? [name] : personalIn(inner),
  )
}

/** All participants are people: names of queues and the like stay. */
function ofPeople(conversation: JsonObject): JsonObject {
  const participants = objects(conversation['participants']).map((participant, index) => ({
    ...participant,
    purpose: index % 2 === 0 ? 'customer' : 'agent',
    userId: index % 2 === 0 ? null : 'u1',
  }))
  return { ...conversation, participants }
}

test('a conversation has the policy of the settings from the floor on, and none of its personal data stays before it', () => {
  fc.assert(
    fc.property(arbitraryPolicy, arbitraryInstant, fc.option(arbitraryInstant), (policy, start, instant) => {
      const floor = instant && retentionFloor(instant, 1).toISOString()
      const effective = policyAt({ policy, floor }, start.toISOString())
      if (floor === null || start >= new Date(floor)) expect(effective).toBe(policy)
      else expect(effective).toEqual({ customers: 'drop', employees: 'drop', hasher: null })
    }),
  )
  const inForce = { policy: KEEP_ALL, floor: '2026-03-01T00:00:00.000Z' }
  expect(policyAt(inForce, '2026-03-01T00:00:00.000Z')).toBe(KEEP_ALL)
  expect(policyAt(inForce, '2026-02-28T23:59:59.999999Z')).not.toBe(KEEP_ALL)
})

test('before the floor no personal field holds anything, of employees neither', () => {
  fc.assert(
    fc.property(arbitraryPolicy, arbitraryConversation(), (policy, conversation) => {
      const dropped = policyAt({ policy, floor: '9000-01-01T00:00:00.000Z' }, '2026-03-01T00:00:00.000Z')
      expect(personalIn(applyPolicy(dropped, ofPeople(conversation)))).toEqual([])
    }),
  )
})

test('a record whose start cannot be read counts as older than any floor', () => {
  const inForce = { policy: KEEP_ALL, floor: '2026-03-01T00:00:00.000Z' }
  for (const record of ['Ada', null, [], {}, { conversationStart: 'never' }, { conversationStart: 20_260_301 }])
    expect(policyOfRecord(inForce, record as JsonValue)).not.toBe(KEEP_ALL)
  expect(policyOfRecord(inForce, { conversationStart: '2026-03-01 00:00+00' })).toBe(KEEP_ALL)
  expect(policyOfRecord(inForce, { conversationStart: '2026-03-01T00:00:00+02:00' })).not.toBe(KEEP_ALL)
  expect(policyOfRecord({ ...inForce, floor: null }, 'Ada')).toBe(KEEP_ALL)
})

test('what was stored under any policy becomes what a load before the floor stores', () => {
  fc.assert(
    fc.property(arbitraryPolicy, fc.oneof(arbitraryConversation(), arbitraryJson), (policy, record) => {
      const dropped = policyAt({ policy, floor: '9000-01-01T00:00:00.000Z' }, '2026-03-01T00:00:00.000Z')
      const ofStored = applyPolicy(dropped, applyPolicy(policy, record))
      const ofSent = applyPolicy(dropped, record)
      expect(contentHash(ofStored)).toBe(contentHash(ofSent))
      expect(attributesHash(ofStored)).toBe(attributesHash(ofSent))
      expect(applyPolicy(dropped, ofSent)).toEqual(ofSent)
    }),
  )
})
