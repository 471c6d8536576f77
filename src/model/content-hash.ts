import { canonicalNumber, isAbsent, isJsonObject, isRawNumber, MAX_DEPTH, textOfDeep } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { model } from './model.ts'
import type { Entity } from './model.ts'

/**
 * Seed of a conversation's hash. Frozen: it was the model's version when hashes still included that, and stored hashes must stay
 * valid. The model must not influence it again, or every upgrade would mark the entire history as changed. A policy for personal
 * data is added beside it.
 */
const SEED = 1

/**
 * Fingerprint of a conversation as the API sent it: 16 hex digits, 64 bits. The same for every order of keys and of array
 * elements, and whether a member is null, [] or absent. Only the content counts, not the
 * participants' attributes, nor which fields the model has. Takes any JSON. Not cryptographic: two 32-bit lanes, each from
 * Murmur3's mixing steps.
 * @param policyTag the policy that was applied to it, as policyTag() tells it: another policy gives another fingerprint
 */
export function contentHash(raw: JsonValue, policyTag = ''): string {
  hashValue(raw, Role.conversation, 0)
  const [a, b] = lanes
  start(SEED)
  addWords(a!, b!)
  if (policyTag !== '') {
    const [contentA, contentB] = lanes
    hashText(Tag.text, policyTag)
    addWords(contentA!, contentB!)
  }
  finish()
  return hex()
}

/**
 * Fingerprint of the participants' attributes of a conversation, in the same form; null when no participant has any.
 * The order of participants and of keys doesn't matter; which participantId has which attributes does.
 */
export function attributesHash(raw: JsonValue): string | null {
  const participants = isJsonObject(raw) ? raw['participants'] : undefined
  const carried = Array.isArray(participants) ? (participants as readonly JsonValue[]).flatMap(carriedAttributes) : []
  if (carried.length === 0) return null
  hashValue(carried, Role.other, 0)
  finish()
  return hex()
}

function carriedAttributes(participant: JsonValue): JsonObject[] {
  if (!isJsonObject(participant)) return []
  const { participantId, attributes } = participant
  return attributes === undefined || isAbsent(attributes) ? [] : [{ participantId: participantId ?? null, attributes }]
}

/** Which part of a conversation a value is: attributes are skipped in participants, and only there. */
const Role = { conversation: 0, participants: 1, participant: 2, other: 3 } as const
type Role = (typeof Role)[keyof typeof Role]

/** Start values of hashes, so that "1", 1, [1] and {"1": …} differ. */
const Tag = { text: 1, integer: 2, number: 3, true: 4, false: 5, null: 6, array: 7, object: 8, deep: 9 } as const

/**
 * The two lanes of the hash in progress, then its result. Module state instead of an object per value, because a conversation has
 * hundreds of values and hashing has to take much less time than parsing. Every function below leaves its result here.
 */
const lanes = new Int32Array(2)

function start(tag: number): void {
  lanes[0] = Math.imul(tag, 0x9e3779b1)
  lanes[1] = Math.imul(tag, 0x85ebca77)
}

function addWords(forA: number, forB: number): void {
  const a = Math.imul(lanes[0]! ^ forA, 0xcc9e2d51)
  const b = Math.imul(lanes[1]! ^ forB, 0x1b873593)
  lanes[0] = (a << 15) | (a >>> 17)
  lanes[1] = (b << 13) | (b >>> 19)
}

function finish(): void {
  const a = lanes[0]!
  const b = lanes[1]!
  lanes[0] = avalanche(a ^ ((b << 16) | (b >>> 16)))
  lanes[1] = avalanche(Math.imul(b, 0x27d4eb2f) + a)
}

/** Murmur3's 32-bit finalizer: every input bit changes every output bit with a chance of one half. */
function avalanche(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

function hex(): string {
  return (lanes[0]! >>> 0).toString(16).padStart(8, '0') + (lanes[1]! >>> 0).toString(16).padStart(8, '0')
}

/** Leaves the value's state in the lanes; the caller runs `finish` before it adds the state to another. */
function hashValue(value: JsonValue, role: Role, depth: number): void {
  if (typeof value === 'string') hashText(Tag.text, value)
  else if (typeof value === 'number') hashNumber(value)
  else if (typeof value === 'boolean') hashWord(value ? Tag.true : Tag.false, 0)
  else if (value === null) hashWord(Tag.null, 0)
  else if (isRawNumber(value)) hashText(Tag.number, canonicalNumber(value).rawJSON)
  else if (depth === MAX_DEPTH) hashText(Tag.deep, textOfDeep(value))
  else if (Array.isArray(value)) hashArray(value, role, depth)
  else hashObject(value as JsonObject, role, depth)
}

function hashNumber(value: number): void {
  if ((value | 0) === value) hashWord(Tag.integer, value)
  else hashText(Tag.number, String(value))
}

function hashWord(tag: number, word: number): void {
  start(tag)
  addWords(word, word)
}

function hashText(tag: number, text: string): void {
  const length = text.length
  start(tag)
  let a = lanes[0]! ^ length
  let b = lanes[1]! ^ length
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0xcc9e2d51)
    b = Math.imul(b ^ unit, 0x1b873593)
  }
  lanes[0] = a
  lanes[1] = b
}

/** A cache of the hashes of the model's keys; other keys are hashed in the same way. */
const knownKeys: ReadonlyMap<string, readonly [number, number]> = new Map(
  Object.values(model)
    .flatMap((entity: Entity) => [...Object.keys(entity.fields), entity.property ?? ''])
    .map((key) => {
      hashText(Tag.text, key)
      return [key, [lanes[0]!, lanes[1]!]]
    }),
)

function hashKey(key: string): void {
  const known = knownKeys.get(key)
  if (known === undefined) {
    hashText(Tag.text, key)
  } else {
    lanes[0] = known[0]
    lanes[1] = known[1]
  }
}

/** The sum of the elements' hashes, so that their order doesn't matter and how often each occurs does. */
function hashArray(elements: readonly JsonValue[], role: Role, depth: number): void {
  const elementRole = role === Role.participants ? Role.participant : Role.other
  let sumA = 0
  let sumB = 0
  for (const element of elements) {
    hashValue(element, elementRole, depth + 1)
    finish()
    sumA = (sumA + lanes[0]!) | 0
    sumB = (sumB + lanes[1]!) | 0
  }
  hashSum(Tag.array, elements.length, sumA, sumB)
}

function hashObject(object: JsonObject, role: Role, depth: number): void {
  let members = 0
  let sumA = 0
  let sumB = 0
  for (const key in object) {
    const value = object[key]!
    if (isAbsent(value) || (role === Role.participant && key === 'attributes')) continue
    hashValue(value, role === Role.conversation && key === 'participants' ? Role.participants : Role.other, depth + 1)
    const valueA = lanes[0]!
    const valueB = lanes[1]!
    hashKey(key)
    addWords(valueA, valueB)
    finish()
    members++
    sumA = (sumA + lanes[0]!) | 0
    sumB = (sumB + lanes[1]!) | 0
  }
  hashSum(Tag.object, members, sumA, sumB)
}

function hashSum(tag: number, count: number, sumA: number, sumB: number): void {
  start(tag)
  addWords(count, count)
  addWords(sumA, sumB)
}
