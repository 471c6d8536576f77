import { describe, expect, it } from 'vitest'

import { dataColumnsOf, emptyRowSet, tables } from '../../src/model/columns.ts'
import type { Row, TableName, Value } from '../../src/model/columns.ts'
import { parseJson } from '../../src/model/json.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { reassemble } from '../../src/model/reassemble.ts'
import { appendRows, conversationKey } from '../../src/model/transform.ts'

const start = '2021-04-01T12:27:53.386Z'

/** The rows of a conversation as objects of their non-null cells, keys and position left out where they are as usual. */
function transformed(members: JsonObject): { [T in TableName]: Record<string, Value>[] } {
  const rows = emptyRowSet()
  appendRows(rows, { conversationId: 'c', conversationStart: start, ...members })
  const named = (table: TableName, row: Row): Record<string, Value> =>
    Object.fromEntries(
      dataColumnsOf(table).flatMap(({ name }, i): [string, Value][] =>
        row[i] === null || i < 2 ? [] : [[name, row[i]!]],
      ),
    )
  return Object.fromEntries(tables.map((table) => [table, rows[table].map((row) => named(table, row))])) as never
}

/** What a single field of a table's first row becomes: its cell and its `_extra`. */
function cellAndExtra(
  table: 'conversations' | 'session_metrics' | 'segments',
  api: string,
  value: JsonValue,
): [Value | undefined, Value | undefined] {
  const object = { [api]: value }
  const sessions = table === 'segments' ? [{ segments: [object] }] : [{ metrics: [object] }]
  const row = transformed(table === 'conversations' ? object : { participants: [{ sessions }] })[table][0]!
  const column = dataColumnsOf(table).find((candidate) => candidate.api === api)!.name
  return [row[column], row['_extra']]
}

describe('a value', () => {
  const exactly = (source: string) => parseJson(`[${source}]`) as readonly [JsonValue]

  it.each([
    ['5.0', 5],
    ['1e3', 1000],
    ['-0', 0],
    ['9007199254740993', 9007199254740993n],
    ['1152921504606847000', 1152921504606847000n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
  ])('%s fits a bigint column', (source, cell) => {
    expect(cellAndExtra('session_metrics', 'value', exactly(source)[0])).toEqual([cell, undefined])
  })

  it.each(['5.5', '9223372036854775808', '-9223372036854775809', '1e19', '1e400', '"5"', 'true', '{}', '[5]'])(
    '%s does not fit a bigint column and stays in _extra',
    (source) => {
      const [value] = exactly(source)
      expect(cellAndExtra('session_metrics', 'value', value)).toEqual([undefined, { value }])
    },
  )

  it('that a double can only come near goes into the column, and exactly into _extra', () => {
    const [value] = exactly('4.8825928709677420001')
    expect(cellAndExtra('conversations', 'mediaStatsMinConversationMos', value)).toEqual([
      4.882592870967742,
      { mediaStatsMinConversationMos: value },
    ])
  })

  it.each(['1e400', '-1e400', '1e-400', '"4.2"'])('%s is no double and stays in _extra', (source) => {
    const [value] = exactly(source)
    expect(cellAndExtra('conversations', 'mediaStatsMinConversationMos', value)).toEqual([
      undefined,
      { mediaStatsMinConversationMos: value },
    ])
  })

  it.each([
    ['a time as Postgres gives it back', '2021-04-01T12:27:53.386123Z', '2021-04-01T12:27:53.386123Z', false],
    ['a time in another spelling', '2021-04-01T12:27:53+02:00', '2021-04-01T10:27:53.000Z', true],
    ['a malformed time', '2021-04-2T15:46:21.288Z', undefined, true],
    ['a number for a time', 1617280073386, undefined, true],
    ['a word that Postgres would take for a time', 'now', undefined, true],
  ])('%s', (_, value, cell, inExtra) => {
    expect(cellAndExtra('conversations', 'conversationEnd', value)).toEqual([
      cell,
      inExtra ? { conversationEnd: value } : undefined,
    ])
  })

  it.each([
    ['an empty text', 'externalTag', '', '', false],
    ['a text with NUL and a lone surrogate', 'externalTag', 'a\0b\uD800', 'a\uFFFDb\uFFFD', false],
    ['a number for a text', 'externalTag', 5, undefined, true],
    ['a text for a boolean', 'selfServed', 'true', undefined, true],
    ['a list of texts', 'divisionIds', ['a', 'b\0'], ['a', 'b\uFFFD'], false],
    ['a list of texts with a null', 'divisionIds', ['a', null, 'NULL'], ['a', null, 'NULL'], false],
    ['a list of nulls', 'divisionIds', [null, null], [null, null], false],
    ['a list of texts with a number', 'divisionIds', ['a', 1, null], ['a', null, null], true],
    ['a list of numbers for texts', 'divisionIds', [1, 2], undefined, true],
    ['a list of a null and a number', 'divisionIds', [null, 2], [null, null], true],
    ['a list of lists', 'divisionIds', [['a']], undefined, true],
    ['one text for a list', 'divisionIds', 'a', undefined, true],
    ['an empty list', 'divisionIds', [], undefined, false],
    ['null', 'divisionIds', null, undefined, false],
  ])('%s', (_, api, value, cell, inExtra) => {
    expect(cellAndExtra('conversations', api, value)).toEqual([cell, inExtra ? { [api]: value } : undefined])
  })

  it.each([
    ['a list of integers', [16, 17], [16, 17], false],
    ['a list with a fraction', [16, 1.5], [16, null], true],
    ['a list with a null', [16, null], [16, null], false],
    ['a list of texts', ['16'], undefined, true],
  ])('%s in a bigint[] column', (_, value, cell, inExtra) => {
    expect(cellAndExtra('segments', 'q850ResponseCodes', value)).toEqual([
      cell,
      inExtra ? { q850ResponseCodes: value } : undefined,
    ])
  })
})

describe('a field that the model does not know', () => {
  it('stays in _extra of its record, under its name, at every level', () => {
    const rows = transformed({
      newField: 1,
      participants: [{ newField: 2, sessions: [{ newField: 3, flow: { newField: 4, outcomes: [{ newField: 5 }] } }] }],
    })
    expect(
      [rows.conversations, rows.participants, rows.sessions, rows.flows, rows.flow_outcomes].map(
        ([row]) => row!['_extra'],
      ),
    ).toEqual([1, 2, 3, 4, 5].map((newField) => ({ newField })))
  })

  it('named like a column of ours or like a field of another table stays there too', () => {
    const odd = { _extra: 1, _index: 2, conversation_id: 3, attributes: { a: 4 }, sessionId: 5 }
    expect(transformed(odd).conversations).toEqual([{ _index: 0, _extra: odd }])
  })

  it('named __proto__ or constructor comes back as an own key', () => {
    const conversation = parseJson(
      `{"conversationId":"c","conversationStart":"${start}","__proto__":{"a":1},"constructor":2,"participants":[{"__proto__":3}]}`,
    ) as JsonObject
    const rows = emptyRowSet()
    appendRows(rows, conversation)
    expect(JSON.stringify(reassemble(rows))).toBe(
      `{"conversationId":"c","conversationStart":"${start}","__proto__":{"a":1},"constructor":2,"participants":[{"__proto__":3}]}`,
    )
  })

  it('is left out where it is null or an empty list, kept where it is an empty object', () => {
    expect(transformed({ a: null, b: [], c: {} }).conversations[0]!['_extra']).toEqual({ c: {} })
  })
})

describe('a child', () => {
  it('that is an empty object is a row, and comes back', () => {
    const conversation = { conversationId: 'c', conversationStart: start, participants: [{ sessions: [{ flow: {} }] }] }
    const rows = emptyRowSet()
    appendRows(rows, conversation)
    expect(rows.flows).toHaveLength(1)
    expect(reassemble(rows)).toEqual(conversation)
  })

  it('that is no object or no list stays in its parent as it came', () => {
    const rows = transformed({ participants: 'none', evaluations: { 0: {} }, surveys: [null, [], 'x'] })
    expect(rows.conversations[0]!['_extra']).toEqual({
      participants: 'none',
      evaluations: { 0: {} },
      surveys: [null, [], 'x'],
    })
    expect([rows.participants, rows.evaluations, rows.surveys]).toEqual([[], [], []])
    expect(transformed({ participants: [{ sessions: [{ flow: [{}] }] }] }).sessions[0]!['_extra']).toEqual({
      flow: [{}],
    })
  })

  it('among elements that are no objects is a row, and they stay in the parent at their positions', () => {
    const rows = transformed({ participants: [null, { userId: 'a' }, [], { userId: 'b' }, 7] })
    expect(rows.conversations[0]!['_extra']).toEqual({ participants: { 0: null, 2: [], 4: 7 } })
    expect(rows.participants).toEqual([
      { _index: 0, user_id: 'a' },
      { _index: 1, user_id: 'b' },
    ])
  })

  it('names its parents by position, with their ids where they are texts', () => {
    const session = (sessionId: JsonValue) => ({ sessionId, segments: [{}], metrics: [{}], flow: { outcomes: [{}] } })
    const rows = transformed({
      participants: [
        { participantId: 'same', sessions: [session('s')] },
        { participantId: 'same', sessions: [session(5), session(null)] },
        { sessions: [session('s')] },
      ],
    })
    expect(rows.flow_outcomes).toEqual([
      { _index: 0, _participant_index: 0, _session_index: 0, participant_id: 'same', session_id: 's' },
      { _index: 1, _participant_index: 1, _session_index: 1, participant_id: 'same' },
      { _index: 2, _participant_index: 1, _session_index: 2, participant_id: 'same' },
      { _index: 3, _participant_index: 2, _session_index: 3, session_id: 's' },
    ])
    expect(rows.segments).toEqual(rows.flow_outcomes)
    expect(rows.flows).toEqual(rows.flow_outcomes)
    expect(rows.session_metrics).toEqual([0, 1, 2, 3].map((i) => ({ _index: i, _session_index: i })))
  })
})

describe('attributes of a participant', () => {
  it('are a row of their own for each participant that has any, whatever they are', () => {
    const rows = transformed({
      participants: [
        { participantId: 'p', attributes: { a: '1' } },
        { attributes: {} },
        { attributes: null },
        { attributes: [] },
        { attributes: 'no object' },
      ],
    })
    expect(rows.participant_attributes).toEqual([
      { _index: 0, _participant_index: 0, participant_id: 'p', attributes: { a: '1' } },
      { _index: 1, _participant_index: 1, attributes: {} },
      { _index: 2, _participant_index: 4, attributes: 'no object' },
    ])
    expect(rows.participants.map((row) => row['_extra'])).toEqual(Array(5).fill(undefined))
  })
})

describe('conversationKey', () => {
  it.each([
    [null, 'not an object'],
    [[], 'not an object'],
    ['text', 'not an object'],
    [{ conversationStart: start }, 'no conversationId'],
    [{ conversationId: '', conversationStart: start }, 'no conversationId'],
    [{ conversationId: 5, conversationStart: start }, 'no conversationId'],
    [{ conversationId: 'x'.repeat(256), conversationStart: start }, 'conversationId longer than 255 characters'],
    [{ conversationId: 'c' }, 'no valid conversationStart'],
    [{ conversationId: 'c', conversationStart: null }, 'no valid conversationStart'],
    [{ conversationId: 'c', conversationStart: 1617280073386 }, 'no valid conversationStart'],
    [{ conversationId: 'c', conversationStart: '2021-02-29T00:00:00.000Z' }, 'no valid conversationStart'],
  ])('rejects %j: %s', (raw, rejected) => {
    expect(conversationKey(raw)).toEqual({ rejected })
    if (rejected !== 'not an object') expect(() => appendRows(emptyRowSet(), raw as JsonObject)).toThrow(rejected)
  })

  it('gives the start in UTC, so that it names the month of its partition', () => {
    expect(conversationKey({ conversationId: 'c', conversationStart: '2021-12-31T23:30:00-02:00' })).toEqual({
      conversationId: 'c',
      conversationStart: '2022-01-01T01:30:00.000Z',
    })
  })
})
