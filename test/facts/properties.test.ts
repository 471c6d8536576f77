/** Properties of facts, over conversations of any content and rows in any order. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { derive, derivedColumns, derivedTables, type DerivedRows, type DerivedTable } from '../../src/facts/derived.ts'
import { columnIndex, type Row, type RowSet, type TableName } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { arbitraryConversation } from '../support/arbitrary-conversation.ts'
import { rowsOf } from '../intervals/records.ts'

/** Few instants, so that many coincide, some of them within a second of each other; some unreadable. */
const instant = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 30 }).map((n) => new Date(1.7e12 + n * 500).toISOString()) },
  { weight: 1, arbitrary: fc.constantFrom(null, 'infinity', '2023-11-14T22:13:20.000001Z') },
)
const queue = fc.constantFrom('a', 'b', null)
const segments = fc.array(
  fc.record({
    segmentType: fc.constantFrom('interact', 'alert', 'hold', 'wrapup', 'delay'),
    segmentStart: instant,
    segmentEnd: instant,
    queueId: queue,
    wrapUpCode: fc.constantFrom('w1', 'w2', null),
    disconnectType: fc.constantFrom('client', 'peer', null),
  }),
  { maxLength: 4 },
)
const NAMES = ['tAcd', 'tAnswered', 'tAbandon', 'tShortAbandon', 'tFlowOut', 'tTalk', 'tTalkComplete', 'tHandle']
const metrics = fc.array(
  fc.record({
    name: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('tAcd', 'tAnswered') },
      fc.constantFrom(...NAMES, 'nOffered'),
    ),
    value: fc.oneof({ weight: 8, arbitrary: fc.nat({ max: 1000 }) }, fc.constantFrom(null, '7')),
    emitDate: instant,
  }),
  { maxLength: 3 },
)
const sessions = fc.array(fc.record({ mediaType: fc.constantFrom('voice', 'message', null), segments, metrics }), {
  maxLength: 3,
})
const participants = fc.array(
  fc.record({
    purpose: fc.constantFrom('customer', 'external', 'acd', 'acd', 'agent', 'agent', 'user', 'ivr', null),
    userId: fc.constantFrom('u1', 'u2', null),
    sessions,
  }),
  { maxLength: 5 },
)
const focused = fc.tuple(fc.uuid(), participants).map(([conversationId, parts]): JsonObject => ({
  conversationId,
  conversationStart: '2023-11-14T22:13:20.000Z',
  participants: parts,
}))
const conversations = fc.array(
  fc.oneof({ weight: 5, arbitrary: focused }, { weight: 1, arbitrary: arbitraryConversation() }),
  { maxLength: 4 },
)

const FACTS = derivedTables.filter((table) => table !== 'interval_cells')

function value(table: DerivedTable, row: Row, column: string): unknown {
  return row[derivedColumns[table].findIndex(({ name }) => name === column)]
}

function cell(table: TableName, row: Row, column: string): unknown {
  return row[columnIndex(table, column)]
}

/** The rows of sessions whose participant has one of these purposes. */
function sessionsOf(rows: RowSet, ...purposes: readonly string[]): Row[] {
  return rows.sessions.filter((session) => {
    const participant = rows.participants.find(
      (row) =>
        row[0] === session[0] &&
        row[1] === session[1] &&
        cell('participants', row, '_index') === cell('sessions', session, '_participant_index'),
    )!
    return purposes.includes(cell('participants', participant, 'purpose') as string)
  })
}

function childrenOf(rows: RowSet, table: 'segments' | 'session_metrics', session: Row): Row[] {
  return rows[table].filter(
    (row) =>
      row[0] === session[0] &&
      row[1] === session[1] &&
      cell(table, row, '_session_index') === cell('sessions', session, '_index'),
  )
}

const keyOf = (row: Row, index: unknown): string => JSON.stringify([row[0], row[1], index])

test('nothing is counted twice: one row per conversation, acd session and agent session', () => {
  fc.assert(
    fc.property(conversations, (raws) => {
      const rows = rowsOf(...raws.map((raw, n) => ({ ...raw, conversationId: `${n}` })))
      const found = derive(rows)
      const keys = (table: DerivedTable) => found[table].map((row) => keyOf(row, value(table, row, '_session_index')))
      const expected = (sessions: Row[]) => sessions.map((row) => keyOf(row, cell('sessions', row, '_index')))
      expect(found.conversation_facts.map((row) => row[0])).toEqual(raws.map((_, n) => `${n}`))
      expect(keys('queue_entries')).toEqual(expected(sessionsOf(rows, 'acd')))
      expect(keys('agent_sessions')).toEqual(expected(sessionsOf(rows, 'agent', 'user')))
    }),
  )
})

test('sums over facts equal sums over the metric rows with a value', () => {
  fc.assert(
    fc.property(fc.array(focused, { maxLength: 4 }), (raws) => {
      const rows = rowsOf(...raws)
      const found = derive(rows)
      const counting = (sessions: readonly Row[], name: string): number[] =>
        sessions
          .flatMap((session) => childrenOf(rows, 'session_metrics', session))
          .filter((row) => cell('session_metrics', row, 'name') === name)
          .flatMap((row) => (cell('session_metrics', row, 'value') as number | null) ?? [])
      const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0)
      const stored = (table: DerivedTable, column: string): number =>
        sum(found[table].map((row) => Number(value(table, row, column) ?? 0)))
      expect(stored('conversation_facts', 'wait_ms')).toBe(sum(counting(rows.sessions, 'tAcd')))
      expect(stored('conversation_facts', 'offered')).toBe(sum(counting(rows.sessions, 'nOffered')))
      expect(stored('conversation_facts', 'answered')).toBe(counting(rows.sessions, 'tAnswered').length)
      expect(stored('conversation_facts', 'handled')).toBe(counting(rows.sessions, 'tHandle').length)
      expect(stored('conversation_facts', 'handle_ms')).toBe(sum(counting(rows.sessions, 'tHandle')))
      expect(stored('queue_entries', 'wait_ms')).toBe(sum(counting(sessionsOf(rows, 'acd'), 'tAcd')))
      expect(stored('agent_sessions', 'talk_ms')).toBe(
        sum(counting(sessionsOf(rows, 'agent', 'user'), 'tTalkComplete')),
      )
    }),
  )
})

/** The outcomes of all entries, by the rules as they are written down, each session compared with every other one. */
function outcomes(rows: RowSet): string[] {
  const micros = (text: unknown): bigint =>
    BigInt(Date.parse(`${(text as string).slice(0, 19)}Z`)) * 1000n +
    BigInt((text as string).slice(20, -1).padEnd(6, '0'))
  const startOf = (session: Row): bigint | null => {
    const starts = childrenOf(rows, 'segments', session)
      .map((row) => cell('segments', row, 'segment_start'))
      .filter((start) => start !== null)
      .map(micros)
    return starts.length === 0 ? null : starts.reduce((a, b) => (b < a ? b : a))
  }
  const queueOf = (session: Row): unknown => {
    const began = (row: Row): bigint => {
      const start = cell('segments', row, 'segment_start')
      return start === null ? -1n : micros(start)
    }
    const inQueues = childrenOf(rows, 'segments', session).filter((row) => cell('segments', row, 'queue_id') !== null)
    const last = inQueues.find((a) =>
      inQueues.every(
        (b) =>
          began(a) > began(b) ||
          (began(a) === began(b) &&
            (cell('segments', a, '_index') as number) >= (cell('segments', b, '_index') as number)),
      ),
    )
    return last === undefined ? null : cell('segments', last, 'queue_id')
  }
  const metricsOf = (session: Row, name: string): Row[] =>
    childrenOf(rows, 'session_metrics', session).filter(
      (row) => cell('session_metrics', row, 'name') === name && cell('session_metrics', row, 'value') !== null,
    )
  const emitted = (session: Row, name: string): bigint[] =>
    metricsOf(session, name)
      .map((row) => cell('session_metrics', row, 'emit_date'))
      .filter((date) => date !== null)
      .map(micros)
  const isConnected = (session: Row): boolean =>
    metricsOf(session, 'tTalk').length + metricsOf(session, 'tTalkComplete').length > 0 ||
    childrenOf(rows, 'segments', session).some((row) => cell('segments', row, 'segment_type') === 'interact')
  const inOrder = (a: Row, b: Row): boolean => {
    const [x, y] = [startOf(a) ?? -1n, startOf(b) ?? -1n]
    return x < y || (x === y && (cell('sessions', a, '_index') as number) < (cell('sessions', b, '_index') as number))
  }
  return sessionsOf(rows, 'acd').map((entry) => {
    const own = (session: Row): boolean => session[0] === entry[0] && session[1] === entry[1]
    const agents = sessionsOf(rows, 'agent', 'user').filter(own)
    const later = sessionsOf(rows, 'acd').filter((other) => own(other) && inOrder(entry, other))
    const next = later.find((other) => later.every((each) => each === other || inOrder(other, each)))
    const until = next === undefined ? null : startOf(next)
    const entered = startOf(entry)
    const isNear = agents.some((agent) =>
      emitted(agent, 'tAnswered').some((a) =>
        emitted(entry, 'tAcd').some((b) => a - b <= 1_000_000n && b - a <= 1_000_000n),
      ),
    )
    const follows = agents.some((agent) => {
      const start = startOf(agent)
      return (
        isConnected(agent) &&
        start !== null &&
        entered !== null &&
        start >= entered &&
        (until === null || start < until) &&
        queueOf(agent) !== null &&
        queueOf(agent) === queueOf(entry)
      )
    })
    if (metricsOf(entry, 'tShortAbandon').length > 0) return 'short_abandoned'
    if (metricsOf(entry, 'tAbandon').length > 0) return 'abandoned'
    if (metricsOf(entry, 'tFlowOut').length > 0) return 'flow_out'
    if (isNear || follows) return 'answered'
    const isOpen = childrenOf(rows, 'segments', entry).some((row) => cell('segments', row, 'segment_end') === null)
    return metricsOf(entry, 'tAcd').length === 0 && isOpen ? 'waiting' : 'other'
  })
}

test('outcomes equal those of a search that follows the rules word by word', () => {
  const seen = new Set<unknown>()
  fc.assert(
    fc.property(focused, (raw) => {
      const rows = rowsOf(raw)
      const found = derive(rows).queue_entries.map((row) => value('queue_entries', row, 'outcome'))
      expect(found).toEqual(outcomes(rows))
      for (const each of found) seen.add(each)
    }),
    { numRuns: 400 },
  )
  expect(seen.size).toBe(6)
})

test('the order of the rows does not matter, nor which other conversations come with them; nothing is changed', () => {
  fc.assert(
    fc.property(conversations, fc.integer(), (raws, seed) => {
      const ids = raws.map((raw, n) => ({ ...raw, conversationId: `${n}` }))
      const rows = rowsOf(...ids)
      const shuffled = { ...rows }
      for (const table of [
        'participants',
        'sessions',
        'segments',
        'session_metrics',
        'evaluations',
        'surveys',
      ] as const)
        shuffled[table] = fc.sample(fc.shuffledSubarray(rows[table], { minLength: rows[table].length }), {
          seed,
          numRuns: 1,
        })[0]!
      const found = derive(shuffled)
      const apart: DerivedRows[] = ids.map((raw) => derive(rowsOf(raw)))
      for (const table of FACTS) expect(found[table], table).toEqual(apart.flatMap((each) => each[table]))
      expect(rows).toEqual(rowsOf(...ids))
    }),
  )
})
