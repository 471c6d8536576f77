/** Properties of cells, over rows of any content and in any order. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CELL_COLUMNS, cellsOf } from '../../src/intervals/cells.ts'
import { measures } from '../../src/intervals/measures.ts'
import { columnIndex, type Row, type RowSet, type TableName } from '../../src/model/columns.ts'
import { parseJson, type JsonObject, type JsonValue } from '../../src/model/json.ts'
import { arbitraryConversation } from '../support/arbitrary-conversation.ts'
import { conversation, participant, rowsOf, session, type Metric, type Segment } from './records.ts'

/** Few instants, so that many coincide; some of them unreadable, one written with an offset. */
const instant = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => new Date(1.7e12 + n * 240_000).toISOString()) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '2023-11-14T22:15:00.000Z',
      '2023-11-14T22:15:00.000001Z',
      '2023-11-14T22:14:59.999999Z',
      '2023-11-15T00:15:00+02:00',
      '1900-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(null, 'infinity', '') },
)
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...new Set(measures.map(({ metric }) => metric))) },
  { weight: 2, arbitrary: fc.constantFrom('tTalk', 'thandle', 'oMessageTurn', '') },
)
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 1000 }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('9223372036854775807', '-9223372036854775808', '9007199254740993', '-1', '1.5')
      .map(parseJson),
  },
  { weight: 1, arbitrary: fc.constantFrom(null, '7') },
)
const queue = fc.constantFrom('a', 'b', 'c', null)
const metrics: fc.Arbitrary<Metric[]> = fc.array(fc.tuple(name, value, instant), { maxLength: 8 })
const segments: fc.Arbitrary<Segment[]> = fc.array(fc.tuple(queue, instant), { maxLength: 5 })
const media = fc.constantFrom('voice', 'message', null)
const direction = fc.constantFrom('inbound', 'outbound', null)
const sessions = fc.array(
  fc.tuple(media, direction, segments, metrics).map((parts) => session(...parts)),
  { maxLength: 4 },
)
const participants = fc.array(
  fc.tuple(fc.constantFrom('u1', 'u2', null), sessions).map(([user, held]) => participant('agent', user, ...held)),
  { maxLength: 4 },
)
const focused = fc.tuple(fc.uuid(), direction, participants).map(([id, originating, parts]): JsonObject => ({
  ...conversation('2023-11-14T22:00:00.000Z', originating, ...parts),
  conversationId: id,
}))
const conversations = fc.array(
  fc.oneof({ weight: 5, arbitrary: focused }, { weight: 1, arbitrary: arbitraryConversation() }),
  {
    maxLength: 4,
  },
)

function at(table: TableName, row: Row, column: string): unknown {
  return row[columnIndex(table, column)]
}

/** The rows of metrics that count in some interval. */
function counting(rows: RowSet): Row[] {
  return rows.session_metrics.filter(
    (row) => at('session_metrics', row, 'value') !== null && at('session_metrics', row, 'emit_date') !== null,
  )
}

const clamped = (integer: bigint): bigint => {
  const limit = 2n ** 63n
  return integer >= limit ? limit - 1n : integer < -limit ? -limit : integer
}

/** Microseconds since 1970 of an instant in canonical spelling. */
function micros(text: string): bigint {
  return BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1000n + BigInt(text.slice(20, -1).padEnd(6, '0'))
}

/** The queue of a metric, by the rule as it is written down: by comparing every segment with every other one. */
function queueOf(rows: RowSet, metric: Row): unknown {
  const emitted = micros(at('session_metrics', metric, 'emit_date') as string)
  const candidates = rows.segments
    .filter(
      (segment) =>
        segment[0] === metric[0] &&
        segment[1] === metric[1] &&
        at('segments', segment, '_session_index') === at('session_metrics', metric, '_session_index') &&
        at('segments', segment, 'queue_id') !== null,
    )
    .map((segment) => {
      const start = at('segments', segment, 'segment_start') as string | null
      return {
        queue: at('segments', segment, 'queue_id'),
        start: start === null ? -(10n ** 30n) : micros(start),
        index: BigInt(at('segments', segment, '_index') as number),
      }
    })
  const begun = candidates.filter(({ start }) => start <= emitted)
  const latest = begun.find((a) => begun.every((b) => a.start > b.start || (a.start === b.start && a.index >= b.index)))
  const earliest = candidates.find((a) =>
    candidates.every((b) => a.start < b.start || (a.start === b.start && a.index <= b.index)),
  )
  return (latest ?? earliest)?.queue ?? null
}

/** The cells, worked out another way: the keys of each metric row by searching, then a filter for each cell and measure. */
function bruteForce(rows: RowSet): Map<string, Record<string, bigint>> {
  const keyed = counting(rows).map((metric) => {
    const sameConversation = (row: Row) => row[0] === metric[0] && row[1] === metric[1]
    const own = rows.sessions.find(
      (row) =>
        sameConversation(row) && at('sessions', row, '_index') === at('session_metrics', metric, '_session_index'),
    )!
    const holder = rows.participants.find(
      (row) => sameConversation(row) && at('participants', row, '_index') === at('sessions', own, '_participant_index'),
    )!
    const whole = rows.conversations.find(sameConversation)!
    const quarter = 900_000_000n
    const emitted = micros(at('session_metrics', metric, 'emit_date') as string)
    const floored = emitted - (((emitted % quarter) + quarter) % quarter)
    const key = JSON.stringify([
      metric[0],
      metric[1],
      new Date(Number(floored / 1000n)).toISOString(),
      queueOf(rows, metric),
      at('participants', holder, 'user_id'),
      at('sessions', own, 'media_type'),
      at('sessions', own, 'direction'),
      at('conversations', whole, 'originating_direction'),
    ])
    const amount = BigInt(at('session_metrics', metric, 'value') as number | bigint)
    return { key, name: at('session_metrics', metric, 'name'), amount }
  })
  const found = new Map<string, Record<string, bigint>>()
  for (const key of new Set(keyed.map((each) => each.key))) {
    const cell: Record<string, bigint> = {}
    for (const { column, metric, aggregate } of measures) {
      const amounts = keyed.filter((each) => each.key === key && each.name === metric).map(({ amount }) => amount)
      const total = amounts.reduce((a, b) => a + b, 0n)
      if (aggregate === 'events' && amounts.length > 0) cell[column] = BigInt(amounts.length)
      if (aggregate === 'total' && total !== 0n) cell[column] = clamped(total)
      if (aggregate === 'max' && amounts.length > 0) cell[column] = amounts.sort((a, b) => (a > b ? -1 : 1))[0]!
    }
    if (Object.keys(cell).length > 0) found.set(key, cell)
  }
  return found
}

const KEYS = [
  'conversation_id',
  'conversation_start',
  'interval_start',
  'queue_id',
  'user_id',
  'media_type',
  'direction',
  'originating_direction',
]

function cellsByKey(rows: RowSet): Map<string, Record<string, bigint>> {
  const found = new Map<string, Record<string, bigint>>()
  for (const row of cellsOf(rows)) {
    const cell = Object.fromEntries(CELL_COLUMNS.map((column, slot) => [column, row[slot]]))
    const key = JSON.stringify(KEYS.map((column) => cell[column]))
    expect(found.has(key), 'no two cells have the same key').toBe(false)
    const counted = measures.filter(({ column }) => cell[column] !== null)
    found.set(key, Object.fromEntries(counted.map(({ column }) => [column, BigInt(cell[column] as number | bigint)])))
  }
  return found
}

test('cells equal those of a search that is written another way', () => {
  fc.assert(
    fc.property(conversations, (raws) => {
      const rows = rowsOf(...raws)
      expect(cellsByKey(rows)).toEqual(bruteForce(rows))
    }),
    { numRuns: 200 },
  )
})

test('sums over cells equal sums over the metric rows that count', () => {
  fc.assert(
    fc.property(fc.array(focused, { maxLength: 4 }), (raws) => {
      const rows = rowsOf(...raws)
      const small = (row: Row) => Math.abs(Number(at('session_metrics', row, 'value'))) <= 1000
      const some = { ...rows, session_metrics: counting(rows).filter(small) }
      const cells = cellsOf(some)
      for (const { column, metric, aggregate } of measures) {
        const values = some.session_metrics
          .filter((row) => at('session_metrics', row, 'name') === metric)
          .map((row) => Number(at('session_metrics', row, 'value')))
        const stored = cells.map((cell) => cell[CELL_COLUMNS.indexOf(column)]).filter((each) => each !== null)
        const sum = (numbers: readonly unknown[]) => numbers.reduce((total: number, each) => total + Number(each), 0)
        if (aggregate === 'total') expect(sum(stored)).toBe(sum(values))
        if (aggregate === 'events') expect(sum(stored)).toBe(values.length)
        if (aggregate === 'max') expect(Math.max(...stored.map(Number))).toBe(Math.max(...values))
      }
    }),
  )
})

test('the order of the rows does not matter', () => {
  fc.assert(
    fc.property(conversations, fc.integer(), (raws, seed) => {
      const rows = rowsOf(...raws)
      const shuffled = { ...rows }
      for (const table of ['participants', 'sessions', 'segments', 'session_metrics'] as const)
        shuffled[table] = fc.sample(fc.shuffledSubarray(rows[table], { minLength: rows[table].length }), {
          seed,
          numRuns: 1,
        })[0]!
      expect(cellsOf(shuffled)).toEqual(cellsOf(rows))
      const backwards = { ...shuffled, conversations: rows.conversations.toReversed() }
      expect(cellsByKey(backwards)).toEqual(cellsByKey(rows))
    }),
  )
})

test('the cells of a conversation do not depend on which others come with it, and nothing is changed', () => {
  fc.assert(
    fc.property(conversations, (raws) => {
      const ids = raws.map((raw, n) => ({ ...raw, conversationId: `${n}` }))
      const rows = rowsOf(...ids)
      expect(cellsOf(rows)).toEqual(ids.flatMap((raw) => cellsOf(rowsOf(raw))))
      expect(rows).toEqual(rowsOf(...ids))
    }),
  )
})
