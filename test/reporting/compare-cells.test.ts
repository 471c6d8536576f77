import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { measures } from '../../src/intervals/measures.ts'
import {
  addFigure,
  askedMetrics,
  compareCells,
  comparedFigures,
  comparedInterval,
  figureName,
  subtractCells,
  type CellKey,
  type Cells,
} from '../../src/reporting/compare-cells.ts'

const key: CellKey = { intervalStart: new Date('2026-11-20T10:00Z'), queueId: 'q1', mediaType: 'voice', userId: null }
const names = comparedFigures.map(figureName)

function cellsOf(...entries: readonly (readonly [Partial<CellKey>, Readonly<Record<string, bigint>>])[]): Cells {
  const cells: Cells = new Map()
  for (const [changes, figures] of entries)
    for (const [figure, value] of Object.entries(figures)) addFigure(cells, { ...key, ...changes }, figure, value)
  return cells
}

const arbitraryCells = fc
  .array(
    fc.tuple(
      fc.constantFrom('q1', 'q2', null),
      fc.constantFrom('voice', 'message', null),
      fc.constantFrom('u1', null),
      fc.constantFrom(...names),
      fc.bigInt(-5n, 2n ** 70n),
    ),
    { maxLength: 12 },
  )
  .map((rows) => {
    const cells: Cells = new Map()
    for (const [queueId, mediaType, userId, figure, value] of rows)
      addFigure(cells, { ...key, queueId, mediaType, userId }, figure, value)
    return cells
  })

describe('the figures that are compared', () => {
  test('are counts of n metrics, and counts and sums of t metrics, each a column of the intervals', () => {
    expect(names).toEqual([
      'nOffered.count',
      'nOverSla.count',
      'nTransferred.count',
      'tAnswered.count',
      'tAnswered.sum',
      'tAbandon.count',
      'tAbandon.sum',
      'tShortAbandon.count',
      'tFlowOut.count',
      'tAcd.count',
      'tAcd.sum',
      'tHandle.count',
      'tHandle.sum',
      'tTalkComplete.count',
      'tTalkComplete.sum',
      'tHeldComplete.count',
      'tHeldComplete.sum',
      'tAcw.count',
      'tAcw.sum',
    ])
    const columns = measures.map(({ column }) => column)
    expect(columns).toEqual(expect.arrayContaining(comparedFigures.map(({ column }) => column)))
    expect(askedMetrics).toHaveLength(13)
    expect(askedMetrics).toContain('oServiceLevel')
  })

  test('are of intervals of half an hour', () => {
    expect(comparedInterval(new Date('2026-11-20T10:44:59.999Z'))).toEqual(new Date('2026-11-20T10:30Z'))
    expect(comparedInterval(new Date('1969-12-31T23:59Z'))).toEqual(new Date('1969-12-31T23:30Z'))
  })
})

describe('the comparison', () => {
  test('finds what differs, in order, and takes what is absent as 0', () => {
    const ours = cellsOf([{}, { 'tHandle.sum': 100n, 'tHandle.count': 1n }], [{ queueId: null }, { 'tAcw.sum': 7n }])
    const theirs = cellsOf(
      [{}, { 'tHandle.sum': 90n, 'tHandle.count': 1n }],
      [{ queueId: 'q2' }, { 'nOffered.count': 2n }],
    )
    expect(compareCells(ours, theirs)).toEqual([
      { key: { ...key, queueId: null }, metric: 'tAcw', statistic: 'sum', ours: 7n, theirs: 0n },
      { key, metric: 'tHandle', statistic: 'sum', ours: 100n, theirs: 90n },
      { key: { ...key, queueId: 'q2' }, metric: 'nOffered', statistic: 'count', ours: 0n, theirs: 2n },
    ])
  })

  test('tells no queue from a queue without a name, and one user from another', () => {
    const ours = cellsOf([{ queueId: null }, { 'tAcw.sum': 7n }], [{ userId: 'u1' }, { 'tAcw.sum': 7n }])
    const theirs = cellsOf([{ queueId: 'null' }, { 'tAcw.sum': 7n }], [{ userId: 'u2' }, { 'tAcw.sum': 7n }])
    expect(compareCells(ours, theirs)).toHaveLength(4)
  })

  test('of equal cells finds nothing; of others what has to be added to one of them', () => {
    fc.assert(
      fc.property(arbitraryCells, arbitraryCells, (ours, theirs) => {
        expect(compareCells(ours, ours)).toEqual([])
        const sum: Cells = new Map()
        for (const cells of [ours, subtractCells(theirs, ours)])
          for (const cell of cells.values())
            for (const [figure, value] of cell.figures) addFigure(sum, cell.key, figure, value)
        expect(compareCells(sum, theirs)).toEqual([])
        for (const difference of compareCells(ours, theirs)) expect(difference.ours).not.toBe(difference.theirs)
      }),
    )
  })
})
