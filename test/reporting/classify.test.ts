import { describe, expect, test } from 'vitest'
import {
  classifyDifferences,
  isExpected,
  unexplainedRest,
  type Cause,
  type Circumstances,
  type Evidence,
} from '../../src/reporting/classify.ts'
import { addFigure, cellName, type CellKey, type Cells, type Difference } from '../../src/reporting/compare-cells.ts'

const key: CellKey = { intervalStart: new Date('2026-11-20T10:00Z'), queueId: 'q1', mediaType: 'voice', userId: null }
const elsewhere: CellKey = { ...key, queueId: 'q2' }
const none: Circumstances = {
  isFiltered: false,
  isLimitedToDivisions: false,
  mayBeBeforeFirstDay: false,
  inCell: new Map(),
}

/** Handled: so many here, so many at Genesys. */
function handled(ours: bigint, theirs: bigint): Difference {
  return { key, metric: 'tHandle', statistic: 'count', ours, theirs }
}

/** A conversation that counts so many more at Genesys. */
function evidence(conversationId: string, cause: Cause, more: bigint, at = key): Evidence {
  const cells: Cells = new Map()
  addFigure(cells, at, 'tHandle.count', more)
  return { conversationId, cause, more: cells }
}

function classOf(
  difference: Difference,
  found: readonly Evidence[],
  circumstances: Partial<Circumstances> = {},
): string {
  return classifyDifferences([difference], found, { ...none, ...circumstances })[0]!.class
}

describe('a difference', () => {
  test.each(['before_first_day', 'erased', 'division', 'changed', 'missing'] as const)(
    'that a conversation explains wholly is of its class: %s',
    (cause) => {
      const more = cause === 'erased' || cause === 'division' ? -2n : 2n
      expect(classOf(handled(5n, 5n + more), [evidence('a', cause, more)])).toBe(cause)
      expect(isExpected(cause)).toBe(cause !== 'changed' && cause !== 'missing')
    },
  )

  test('that nothing explains is unexplained, whatever conversations of other cells do', () => {
    expect(classOf(handled(5n, 7n), [])).toBe('unexplained')
    expect(classOf(handled(5n, 7n), [evidence('a', 'erased', 2n, elsewhere)])).toBe('unexplained')
    expect(isExpected('unexplained')).toBe(false)
  })

  test('that an expected cause explains in part only is unexplained', () => {
    expect(classOf(handled(5n, 8n), [evidence('a', 'before_first_day', 2n)])).toBe('unexplained')
    expect(classOf(handled(5n, 2n), [evidence('a', 'erased', -2n)])).toBe('unexplained')
  })

  test('to which a changed conversation contributes is a fault, even if an expected cause contributes too', () => {
    const found = [evidence('a', 'erased', -2n), evidence('b', 'changed', -1n)]
    expect(classOf(handled(5n, 2n), found)).toBe('changed')
    expect(classOf(handled(5n, 2n), found, { isLimitedToDivisions: true })).toBe('changed')
  })

  test('in which Genesys has more may be due to a filter, or to what was too much to read', () => {
    expect(classOf(handled(5n, 7n), [], { isFiltered: true })).toBe('filter')
    expect(classOf(handled(7n, 5n), [], { isFiltered: true })).toBe('unexplained')
    expect(classOf(handled(5n, 7n), [], { mayBeBeforeFirstDay: true })).toBe('before_first_day')
    expect(classOf(handled(7n, 5n), [], { mayBeBeforeFirstDay: true })).toBe('unexplained')
  })

  test('may be due to divisions in either direction, since the client sees only some of them', () => {
    for (const difference of [handled(5n, 7n), handled(7n, 5n)])
      expect(classOf(difference, [], { isLimitedToDivisions: true })).toBe('division')
  })

  test('names those that explain it, faults first, and then those in the cell, twenty at most', () => {
    const inCell = Array.from({ length: 30 }, (_, index) => `c${index}`)
    const [conversations = []] = classifyDifferences(
      [handled(5n, 5n)],
      [evidence('gone', 'erased', -1n), evidence('c3', 'changed', 1n)],
      { ...none, inCell: new Map([[cellName(key), inCell]]) },
    ).map(({ conversations }) => conversations)
    expect(conversations).toHaveLength(20)
    expect(conversations.slice(0, 3)).toEqual([
      { conversationId: 'c3', cause: 'changed' },
      { conversationId: 'gone', cause: 'erased' },
      { conversationId: 'c0', cause: 'in_cell' },
    ])
    expect(conversations.filter(({ conversationId }) => conversationId === 'c3')).toHaveLength(1)
  })
})

test('what evidence does not explain remains, less what it does', () => {
  expect(unexplainedRest([handled(5n, 8n)], [evidence('a', 'missing', 2n)])).toEqual([handled(7n, 8n)])
  expect(unexplainedRest([handled(5n, 8n)], [evidence('a', 'missing', 3n)])).toEqual([])
})
