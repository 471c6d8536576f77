import * as fc from 'fast-check'

import { model } from '../../src/model/model.ts'
import type { Entity, FieldType } from '../../src/model/model.ts'
import type { TableName } from '../../src/model/columns.ts'
import { parseJson } from '../../src/model/json.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'

/** Strings that break encoders, escapers and databases, one of each kind. */
export const DIFFICULT_TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\uD800',
  'x\uDFFF',
  '\uDC00\uD800',
  '😀',
  '\uFFFD',
  '\\',
  '\\N',
  '\\.',
  '\\u0000',
  '"',
  "'; drop table x; --",
  '{}',
  '{NULL,"a"}',
  'NULL',
  'null',
  '\n\r\t\b\f\v',
  '\u2028',
  '1e500',
  '-0',
  'n'.repeat(70_000),
]

/** Times in the API's format, in formats that it might send, and strings that are not times. */
export const DIFFICULT_TIMES: readonly string[] = [
  '2021-04-01T12:27:53.386Z',
  '2021-04-01T12:27:53.386123Z',
  '2021-04-01T12:27:53.386000Z',
  '2021-04-01T12:27:53.000Z',
  '2021-04-01T12:27:53Z',
  '2021-04-01T12:27Z',
  '2021-04-01T12:27:53.3Z',
  '2021-04-01T12:27:53.3861234567Z',
  '2021-04-01T12:27:53.999999999Z',
  '2021-04-01T12:27:53.386+02:00',
  '2021-04-01T12:27:53.386-0330',
  '2021-12-31T23:30:00.000-02:00',
  '2021-04-01 12:27:53.386+00',
  '2021-12-31T24:00:00.000Z',
  '2016-12-31T23:59:60.000Z',
  '2024-02-29T00:00:00.000Z',
  '0001-01-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
  '2023-02-29T00:00:00.000Z',
  '2021-04-2T15:46:21.288Z',
  '2021-04-01T25:00:00.000Z',
  '2021-04-01T12:27:53.386',
  '0000-01-01T00:00:00.000Z',
  '10000-01-01T00:00:00.000Z',
  '2021-04-01',
  'infinity',
  'now',
  '1617280073386',
  '',
]

/** JSON numbers as text: at and beyond the limits of doubles, of int64 and of Postgres' numeric. */
export const DIFFICULT_NUMBERS: readonly string[] = [
  '0',
  '-0',
  '5.0',
  '5.5',
  '1e2',
  '0.1',
  '4.882592870967742',
  '0.30000000000000004',
  '0.1234567890123456789',
  '5.6843418860808015E-14',
  '9007199254740991',
  '9007199254740993',
  '9007199254740993.0',
  '-9223372036854775808',
  '9223372036854775807',
  '9223372036854775808',
  '1152921504606847000',
  '1e18',
  '1e19',
  '123456789012345678901234567890',
  '1.7976931348623157e308',
  '5e-324',
  '1e400',
  '-1e400',
  '1e-400',
  '1e2000',
  '1E-2000',
]

/** Keys that are special in JavaScript, resemble ours, or cannot be stored. */
export const DIFFICULT_KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'rawJSON',
  '',
  '0',
  '1',
  'a\0b',
  '\uD800',
  '_extra',
  '_index',
  '_loaded_at',
  'conversation_id',
  'conversationId',
  'participants',
  'sessions',
  'attributes',
  'flow',
  'newField',
]

/** An object of these members; of a repeated key the last counts. Own keys of any name, also `__proto__`. */
export function objectOf(members: Iterable<readonly [string, JsonValue]>): JsonObject {
  return Object.fromEntries(members)
}

const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
  { weight: 2, arbitrary: fc.constantFrom(...DIFFICULT_TEXTS) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 4 })
      .map((units) => String.fromCharCode(...units)),
  },
)

/** Any instant of the years 2012 to 2030 as the API spells it: to the millisecond, sometimes to the microsecond. */
export const arbitraryTime: fc.Arbitrary<string> = fc
  .tuple(
    fc.date({ min: new Date('2012-01-02'), max: new Date('2030-01-01'), noInvalidDate: true }),
    fc.option(fc.integer({ min: 1, max: 999 }), { freq: 4 }),
  )
  .map(([date, micros]) =>
    date.toISOString().replace('Z', micros === null ? 'Z' : `${String(micros).padStart(3, '0')}Z`),
  )

const number: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map((integer) => parseJson(String(integer))),
  fc.constantFrom(...DIFFICULT_NUMBERS).map((source) => parseJson(source)),
)

const key = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 10 }) },
  { weight: 3, arbitrary: fc.constantFrom(...DIFFICULT_KEYS) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.values(model).flatMap((entity) => Object.keys(entity.fields))) },
)

/** Any JSON value whatever, biased towards what breaks things. */
export const arbitraryJson: fc.Arbitrary<JsonValue> = fc.letrec<{ any: JsonValue; leaf: JsonValue }>((tie) => ({
  leaf: fc.oneof(fc.constant(null), fc.boolean(), number, text, fc.constantFrom(...DIFFICULT_TIMES)),
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 5, arbitrary: tie('leaf') },
    { weight: 2, arbitrary: fc.array(tie('any'), { maxLength: 4 }) },
    { weight: 2, arbitrary: fc.array(fc.tuple(key, tie('any')), { maxLength: 4 }).map(objectOf) },
  ),
})).any

const int64 = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 10_000_000 }) },
  {
    weight: 1,
    arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((integer) => parseJson(String(integer))),
  },
)

/** Mostly of the list's type, now and then null or something else. */
function element(fittingOne: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.oneof(
    { weight: 8, arbitrary: fittingOne },
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: arbitraryJson },
  )
}

const fitting: Readonly<Record<FieldType, fc.Arbitrary<JsonValue>>> = {
  text,
  timestamptz: fc.oneof(
    { weight: 3, arbitrary: arbitraryTime },
    { weight: 1, arbitrary: fc.constantFrom(...DIFFICULT_TIMES) },
  ),
  bigint: int64,
  'double precision': fc.double({ noNaN: true, noDefaultInfinity: true }),
  boolean: fc.boolean(),
  'text[]': fc.array(element(text), { maxLength: 3 }),
  'bigint[]': fc.array(element(int64), { maxLength: 3 }),
  jsonb: arbitraryJson,
}

/** Mostly a value of the field's type, now and then any JSON. */
function fieldValue(type: FieldType): fc.Arbitrary<JsonValue> {
  return fc.oneof({ weight: 8, arbitrary: fitting[type] }, { weight: 1, arbitrary: arbitraryJson })
}

/** Ids from a small set, so that some are repeated. */
const id = fc.constantFrom('p-1', 'p-2', 's-1', 's-2', '9c1f0f1e-6d0c-4f8e-9d3c-2f2d7b7c6a11')

function recordOf(table: TableName): fc.Arbitrary<JsonObject> {
  const entity: Entity = model[table]
  const fields = Object.entries(entity.fields)
  const field = fc
    .nat({ max: fields.length - 1 })
    .chain((i) => fc.tuple(fc.constant(fields[i]![0]), fieldValue(fields[i]![1].type)))
  const children = Object.entries(model)
    .filter(([, child]) => child.parent === table)
    .map(([name, child]) => childOf(name as TableName, child))
  return fc
    .tuple(
      fc.array(field, { maxLength: 8 }),
      fc.tuple(...children),
      fc.array(fc.tuple(key, arbitraryJson), { maxLength: 2 }),
      fc.boolean(),
    )
    .map(([known, nested, unknown, unknownLast]) => {
      const members = [...known, ...nested.flat()]
      return objectOf(unknownLast ? [...members, ...unknown] : [...unknown, ...members])
    })
}

const none = fc.constant<[string, JsonValue][]>([])

/** Members for a child: none, its rows, rows among misfits, or something else altogether. */
function childOf(table: TableName, child: Entity): fc.Arbitrary<[string, JsonValue][]> {
  if (child.property === null) return fc.oneof(none, arbitraryJson.map(asMember('attributes')))
  const anonymous = recordOf(table)
  const record = fc.oneof(
    { weight: 6, arbitrary: anonymous },
    {
      weight: 2,
      arbitrary: fc.tuple(anonymous, id, id).map(([own, p, s]) => ({ ...own, participantId: p, sessionId: s })),
    },
  )
  const list = fc.array(fc.oneof({ weight: 8, arbitrary: record }, { weight: 1, arbitrary: arbitraryJson }), {
    maxLength: 3,
  })
  const repeated = list.map((elements) => [...elements, ...elements.slice(0, 1)])
  const usual: fc.Arbitrary<JsonValue> = child.cardinality === 'one' ? record : fc.oneof(list, repeated)
  return fc.oneof(
    { weight: 2, arbitrary: none },
    { weight: 6, arbitrary: usual.map(asMember(child.property)) },
    { weight: 1, arbitrary: arbitraryJson.map(asMember(child.property)) },
  )
}

function asMember(name: string): (value: JsonValue) => [string, JsonValue][] {
  return (value) => [[name, value]]
}

/** What a test wants to decide itself; by default ids are UUIDs and starts lie between 2012 and 2030. */
export interface ConversationChoices {
  readonly conversationId?: fc.Arbitrary<string>
  readonly conversationStart?: fc.Arbitrary<string>
}

/**
 * Conversations that can be keyed, and apart from that hold anything: every field and entity of the model, unknown fields
 * and values of the wrong type at every level, misfits among list elements, texts and keys that Postgres can't hold,
 * times and numbers in every spelling, missing and repeated ids, repeated elements.
 */
export function arbitraryConversation(choices: ConversationChoices = {}): fc.Arbitrary<JsonObject> {
  const { conversationId = fc.uuid(), conversationStart = arbitraryTime } = choices
  return fc
    .tuple(recordOf('conversations'), conversationId, conversationStart)
    .map(([record, id, start]) => ({ ...record, conversationId: id, conversationStart: start }))
}
