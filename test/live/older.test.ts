import { describe, expect, it } from 'vitest'
import { olderIdsPerSnapshot, rereadIdsPerSnapshot } from '../../src/live/request-budget.ts'
import { chooseOlder, olderWindows, type LastRead } from '../../src/live/older.ts'
import { rereadDueAt } from '../../src/live/ended.ts'

const now = new Date('2026-11-26T06:30:00.000Z')
const day = 86_400_000

describe('the windows of older starts', () => {
  it('reach from a day ago back to 558 days ago, without a gap, none longer than the details query takes', () => {
    const windows = olderWindows(now)
    expect(windows).toHaveLength(19)
    expect(windows[0]).toEqual({ start: new Date(+now - 30 * day), end: new Date(+now - day) })
    expect(windows[1]).toEqual({ start: new Date(+now - 60 * day), end: new Date(+now - 30 * day) })
    expect(windows.at(-1)?.start).toEqual(new Date(+now - 558 * day))
    for (const [i, { start, end }] of windows.entries()) {
      expect(+end - +start).toBeLessThanOrEqual(31 * day)
      if (i > 0) expect(end).toEqual(windows[i - 1]?.start)
    }
  })
})

describe('older conversations by id', () => {
  const lastReads = (entries: Record<string, LastRead>): ReadonlyMap<string, LastRead> =>
    new Map(Object.entries(entries))

  it('are all read if they fit', () => {
    expect(chooseOlder(['a', 'b'], null, new Map(), 2)).toEqual(['a', 'b'])
  })

  it('are read when their activity has changed, appeared or vanished, then by how long ago they were read', () => {
    const known = lastReads({
      same: { readAt: 1, activity: 'x' },
      idle: { readAt: 2, activity: '' },
      changed: { readAt: 9, activity: 'x' },
      vanished: { readAt: 8, activity: 'x' },
      appeared: { readAt: 7, activity: '' },
    })
    const activity = new Map([
      ['same', 'x'],
      ['changed', 'y'],
      ['appeared', 'x'],
      ['new', 'x'],
    ])
    const ids = ['idle', 'same', 'changed', 'vanished', 'appeared', 'never', 'new']
    const chosen = (limit: number): string[] => chooseOlder(ids, activity, known, limit)
    expect(chosen(6)).toEqual(['new', 'appeared', 'vanished', 'changed', 'never', 'same'])
    expect(chosen(1)).toEqual(['new'])
  })

  it('are chosen by how long ago they were read if activity cannot be read', () => {
    const known = lastReads({
      a: { readAt: 3, activity: 'x' },
      b: { readAt: 1, activity: '' },
      c: { readAt: 2, activity: 'x' },
    })
    expect(chooseOlder(['a', 'b', 'c'], null, known, 2)).toEqual(['b', 'c'])
  })

  it('take half of a minute’s live share, re-reads a quarter, never fewer than one request’s worth', () => {
    expect([270, 60, 1].map(olderIdsPerSnapshot)).toEqual([2700, 600, 50])
    expect([270, 60, 1].map(rereadIdsPerSnapshot)).toEqual([1350, 300, 50])
  })
})

describe('an ended conversation is read again', () => {
  const seenAt = new Date('2026-11-26T06:30:00.000Z')

  it.each([
    ['six minutes after its end', '2026-11-26T06:29:20.000Z', '2026-11-26T06:35:20.000Z'],
    ['at once where its end was seen late', '2026-11-26T05:00:00.000Z', '2026-11-26T06:30:00.000Z'],
    ['six minutes after it was seen where its end lies ahead', '2126-11-26T06:29:20.000Z', '2026-11-26T06:36:00.000Z'],
    ['six minutes after it was seen where its end is unknown', null, '2026-11-26T06:36:00.000Z'],
  ])('%s', (_case, endedAt, dueAt) => {
    expect(rereadDueAt(endedAt, seenAt)).toEqual(new Date(dueAt))
  })
})
