import { existsSync, readFileSync } from 'node:fs'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { canonical, differences } from '../../src/model/canonical.ts'
import { dataColumnsOf, emptyRowSet, tables } from '../../src/model/columns.ts'
import type { Row, RowSet, Value } from '../../src/model/columns.ts'
import { isJsonObject, parseJson, storableJson } from '../../src/model/json.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { canonicalTime } from '../../src/model/timestamps.ts'
import { appendRows, conversationKey } from '../../src/model/transform.ts'
import { literalOf } from '../../src/model/copy-text.ts'
import {
  arbitraryConversation,
  arbitraryJson,
  arbitraryTime,
  DIFFICULT_TIMES,
} from '../support/arbitrary-conversation.ts'

const conversations = arbitraryConversation({
  conversationStart: fc.oneof(
    arbitraryTime,
    fc.constantFrom(...DIFFICULT_TIMES.filter((time) => canonicalTime(time) !== null)),
  ),
})

function rowsOf(...records: JsonObject[]): RowSet {
  const rows = emptyRowSet()
  for (const record of records) appendRows(rows, record)
  return rows
}

/** Equal to the last digit and in array order, with only null, [] and what Postgres can't hold made alike. */
function expectSame(actual: JsonValue, expected: JsonValue): void {
  expect(JSON.stringify(canonical(actual))).toBe(JSON.stringify(canonical(expected)))
}

describe('reassemble', () => {
  it('gives back any conversation that transform took apart', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        expectSame(reassemble(rowsOf(conversation)), conversation)
      }),
      { numRuns: 400 },
    )
  })

  it('gives it back from rows that went through JSON text and come in any order', () => {
    fc.assert(
      fc.property(conversations, fc.infiniteStream(fc.nat({ max: 1 << 20 })), (conversation, random) => {
        const stored = emptyRowSet()
        for (const [table, rows] of Object.entries(rowsOf(conversation)) as [keyof RowSet, Row[]][]) {
          const columns = dataColumnsOf(table)
          const read = rows.map((row) =>
            row.map((value, i) =>
              columns[i]!.type === 'jsonb' && value !== null ? parseJson(storableJson(value as JsonValue)) : value,
            ),
          )
          stored[table] = read
            .map((row) => ({ row, rank: random.next().value as number }))
            .sort((a, b) => a.rank - b.rank)
            .map(({ row }) => row)
        }
        expectSame(reassemble(stored), conversation)
      }),
      { numRuns: 200 },
    )
  })

  it('gives back each of many conversations in one set of rows', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(conversations, { maxLength: 4, selector: (conversation) => conversation['conversationId'] }),
        (several) => {
          const all = rowsOf(...several)
          for (const conversation of several) {
            const own = emptyRowSet()
            for (const table of tables) {
              own[table] = all[table].filter((row) => row[0] === conversation['conversationId'])
            }
            expectSame(reassemble(own), conversation)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('refuses rows of no conversation and of two', () => {
    expect(() => reassemble(emptyRowSet())).toThrow('got 0 conversations rows')
    const one = { conversationId: 'c', conversationStart: '2021-04-01T12:27:53.386Z' }
    expect(() => reassemble(rowsOf(one, one))).toThrow('got 2 conversations rows')
  })
})

describe('every row', () => {
  it('is as wide as its table, and every value in it fits its column', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        for (const [table, rows] of Object.entries(rowsOf(conversation)) as [keyof RowSet, Row[]][]) {
          const columns = dataColumnsOf(table)
          for (const row of rows) {
            expect(row).toHaveLength(columns.length)
            const misfits = columns
              .filter(({ type }, i) => row[i] !== null && !fits[type]!(row[i]!))
              .map(({ name }) => name)
            expect(misfits).toEqual([])
            expect(row[0]).toBe(conversation['conversationId'])
            expect(row[1]).toBe(canonicalTime(conversation['conversationStart'] as string))
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('has its place in document order, and names parents that exist', () => {
    fc.assert(
      fc.property(conversations, (conversation) => {
        const rows = rowsOf(conversation)
        const cells = (table: keyof RowSet, name: string): Value[] => {
          const slot = dataColumnsOf(table).findIndex((column) => column.name === name)
          return slot === -1 ? [] : rows[table].map((row) => row[slot]!)
        }
        for (const table of tables) {
          expect(cells(table, '_index')).toEqual(rows[table].map((_, i) => i))
          for (const [link, parent] of [
            ['_participant_index', 'participants'],
            ['_session_index', 'sessions'],
          ] as const) {
            const links = cells(table, link) as number[]
            expect(links).toEqual(links.toSorted((a, b) => a - b))
            expect(links.every((index) => Number.isInteger(index) && index >= 0 && index < rows[parent].length)).toBe(
              true,
            )
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})

/** By column type, independent of the code under test: whether Postgres takes this value for it and gives it back equal. */
const fits: Readonly<Record<string, (value: Value) => boolean>> = {
  text: isStorableText,
  timestamptz: (value) =>
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?Z$/.test(value) &&
    !value.startsWith('0000') &&
    new Date(`${value.slice(0, 23)}Z`).toISOString() === `${value.slice(0, 23)}Z`,
  integer: (value) => Number.isInteger(value),
  bigint: isInt64,
  'double precision': (value) => Number.isFinite(value) && !Object.is(value, -0),
  boolean: (value) => typeof value === 'boolean',
  'text[]': (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    (value as Value[]).every((element) => element === null || isStorableText(element)),
  'bigint[]': (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    (value as Value[]).every((element) => element === null || isInt64(element)),
  jsonb: (value) => typeof value !== 'bigint' && value !== undefined,
}

function isStorableText(value: Value): boolean {
  return typeof value === 'string' && Buffer.from(value).toString() === value && !value.includes('\0')
}

function isInt64(value: Value): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value
}

describe('jsonb text', () => {
  it('holds nothing that Postgres refuses, whatever the value', () => {
    fc.assert(
      fc.property(arbitraryJson, (value) => {
        const text = storableJson(value)
        expect(text.replaceAll('\\\\', '')).not.toMatch(/\\u(?:0000|d[89a-f])/i)
        expect(Buffer.from(text).toString()).toBe(text)
        expectSame(parseJson(text), value)
        expect(storableJson(parseJson(text))).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('any JSON whatever', () => {
  it('is keyed or rejected with a reason that quotes nothing of it', () => {
    fc.assert(
      fc.property(arbitraryJson, (value) => {
        const key = conversationKey(value)
        if ('rejected' in key) expect(key.rejected).toMatch(/^(not an object|no |conversationId longer)/)
        else if (isJsonObject(value)) expectSame(reassemble(rowsOf(value)), value)
      }),
      { numRuns: 1000 },
    )
  })

  it('survives nesting of any depth', () => {
    const deep = parseJson(`${'[{"a":'.repeat(20_000)}"\\u0000"${'}]'.repeat(20_000)}`)
    const conversation = { conversationId: 'c', conversationStart: '2021-04-01T12:27:53.386Z', deep }
    const rows = rowsOf(conversation)
    const extra = rows.conversations[0]!.at(-1) as JsonValue
    expect(storableJson(extra)).not.toContain('\\u0000"')
    expect(differences(reassemble(rows), conversation)).toEqual([])
  })
})

describe('nesting beyond what is kept as such', () => {
  const deep = (levels: number) => parseJson(`${'[{"a":'.repeat(levels)}9007199254740993${'}]'.repeat(levels)}`)
  const at = (place: (typeof places)[number], levels: number): JsonObject => {
    const key = { conversationId: 'c', conversationStart: '2021-04-01T12:27:53.386Z' }
    const within = (segment: JsonObject, session: JsonObject = {}, participant: JsonObject = {}): JsonObject => ({
      ...key,
      participants: [7, { ...participant, sessions: [{ ...session, segments: [null, segment] }] }],
    })
    const value = deep(levels)
    if (place === 'conversation') return { ...key, unknown: value }
    if (place === 'child that is none') return { ...key, evaluations: value }
    if (place === 'segment') return within({ unknown: value, queueId: value })
    if (place === 'jsonb of a segment') return within({ properties: value })
    if (place === 'outcome') return within({}, { flow: { outcomes: [{ unknown: value }] } })
    return within({}, {}, { attributes: { unknown: value } })
  }
  const places = [
    'conversation',
    'child that is none',
    'segment',
    'jsonb of a segment',
    'outcome',
    'attributes',
  ] as const

  it.each(places)('comes back equal in a %s, whatever its depth', (place) => {
    for (const levels of [240, 244, 245, 246, 247, 248, 249, 250, 251, 260, 3000]) {
      const conversation = at(place, levels)
      const stored = emptyRowSet()
      for (const table of tables) {
        const columns = dataColumnsOf(table)
        stored[table] = rowsOf(conversation)[table].map((row) =>
          row.map((value, i) =>
            columns[i]!.type === 'jsonb' && value !== null ? parseJson(literalOf(table, columns[i]!, value)!) : value,
          ),
        )
      }
      expect(differences(conversation, reassemble(stored)), `${levels} levels`).toEqual([])
    }
  })
})

const samples = `${import.meta.dirname}/../../../shared/samples/`

describe.skipIf(!existsSync(samples))('real answers of the API (skipped where ../shared/samples is absent)', () => {
  it.each(['details-query-voice.json', 'details-conversation-chat.json'])('%s comes back equal', (name) => {
    const answer = parseJson(readFileSync(samples + name, 'utf8')) as JsonObject
    const records = (answer['conversations'] ?? [answer]) as readonly JsonObject[]
    expect(records.length).toBeGreaterThan(0)
    for (const record of records) {
      const rows = rowsOf(record)
      expectSame(reassemble(rows), record)
      for (const table of tables) for (const row of rows[table]) expect(row.at(-1)).toBeNull()
    }
  })
})
