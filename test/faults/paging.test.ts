import { expect, test } from 'vitest'
import type { DriftRule } from '../../src/simulator/changes.ts'
import { windowKey } from '../../src/history/context.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { verifyRange } from '../../src/history/verify.ts'
import { selectWindows } from '../../src/history/ledger.ts'
import { startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

const day = '2025-06-11'
const interval = `${day}T00:00:00.000Z/2025-06-12T00:00:00.000Z`
const oneDay = { start: new Date(`${day}T00:00:00Z`), end: new Date('2025-06-12T00:00:00Z') }
/** Reads pages one after the other, so that a drift after the nth request has the same effect in every run. */
const inOrder = { settings: { concurrency: 1 } }

/** The ids that the organization shows of the day now. */
function idsOf(it: TestOrg): string[] {
  return it.org.truth(day).flatMap(({ conversationId: id }) => (typeof id === 'string' ? [id] : []))
}

// the first request is the estimate, the second page 1, and so on: 4 pages
const drifts: readonly [string, DriftRule][] = [
  ['a removal before our position after page 1, undone later', { after: 2, removeBefore: 3, restoreAfter: 2 }],
  ['a removal before our position after page 2, undone later', { after: 3, removeBefore: 3, restoreAfter: 3 }],
  ['an insertion before our position after page 1', { after: 2, insertBefore: 5 }],
  ['an insertion before our position after page 3', { after: 4, insertBefore: 101 }],
  ['an insertion behind us after page 1', { after: 2, insertAfter: 120 }],
  ['an insertion between the estimate and page 1', { after: 1, insertBefore: 50 }],
]

test.each(drifts)('is complete after %s', async (_name, rule) => {
  await using it = await startTestOrg({ days: 2, perDay: 320 })
  const before = idsOf(it)
  it.org.control.changes.drift({ interval, ...rule })
  const first = await it.backfill(oneDay, inOrder)
  expect(first.windows.failed).toBe(0)
  if (first.windows.unstable > 0) {
    // more reads than a run makes are left to the next one
    await it.backfill(oneDay, { ...inOrder, reload: true })
  }
  expect(idsOf(it).length).toBeGreaterThanOrEqual(before.length)
  expect(await it.doneDays()).toEqual([day])
  await it.expectEqual(oneDay)
})

test('keeps a conversation that was removed after it was read, and has all the others', async () => {
  await using it = await startTestOrg({ days: 2, perDay: 320, malformedShare: 0 })
  const before = idsOf(it)
  it.org.control.changes.drift({ interval, after: 2, removeBefore: 4 })
  await it.backfill(oneDay, inOrder)
  const after = new Set(idsOf(it))
  const gone = before.filter((id) => !after.has(id))
  expect(gone.length).toBeGreaterThan(0)
  expect(await it.doneDays()).toEqual([day])
  await it.expectEqual(oneDay, { gone })
})

test.each<[string, DriftRule]>([
  ['conversations that were read disappear while as many appear', { after: 3, insertBefore: 2, removeBefore: 2 }],
  ['the last conversations move onto a page that was read before', { after: 3, removeBefore: 3, insertAfter: 3 }],
])('gets with the next read what one read cannot notice because the changes cancel out: %s', async (_name, rule) => {
  await using it = await startTestOrg({ days: 2, perDay: 320, malformedShare: 0 })
  const before = idsOf(it)
  it.org.control.changes.drift({ interval, ...rule })
  await it.backfill(oneDay, inOrder)
  // every page had the same totalHits, and there were as many conversations: the lookback reads the day again anyway
  await it.backfill(oneDay, { ...inOrder, reload: true })
  const after = new Set(idsOf(it))
  await it.expectEqual(oneDay, { gone: before.filter((id) => !after.has(id)) })
})

test('a day whose every read brings new conversations is loaded, but not marked done', async () => {
  await using it = await startTestOrg({ days: 2, perDay: 320 })
  for (const after of [3, 6, 9, 12, 15, 18]) it.org.control.changes.drift({ interval, after, insertBefore: 7 })
  const { windows } = await it.backfill(oneDay, inOrder)
  expect(windows).toMatchObject({ planned: 1, unstable: 1, done: 0 })
  expect(await it.windows()).toMatchObject([{ status: 'unstable', attempts: 1 }])

  it.org.control.changes.clearDrift()
  // it is not due yet: the same command again plans nothing
  expect((await it.backfill(oneDay, inOrder)).windows.planned).toBe(0)
  await it.backfill(oneDay, { ...inOrder, reload: true })
  expect(await it.doneDays()).toEqual([day])
  await it.expectEqual(oneDay)
})

test.each([
  ['totalHits that is always too high', { totalHitsOffset: 2 }],
  ['totalHits that is always too low', { totalHitsOffset: -3 }],
  ['totalHits that is off by more than a page', { totalHitsOffset: -130 }],
  ['totalHits that drifts from page to page', { totalHitsJitter: 4 }],
  ['records repeated across pages', { duplicateShare: 0.1 }],
  ['repeated records and drifting totals', { duplicateShare: 0.05, totalHitsJitter: 3 }],
])('is complete and done with %s', async (_name, noise) => {
  await using it = await startTestOrg()
  it.org.control.set(noise)
  const { windows } = await it.backfill()
  expect(windows).toMatchObject({ planned: 3, done: 3 })
  await it.expectEqual()
})

test('leaves days unstable that lack conversations that totalHits reports, and reports the shortfall everywhere', async () => {
  await using it = await startTestOrg({ malformedShare: 0 })
  it.org.control.set({ totalHitsOffset: 60 })
  const { windows, unsettled } = await it.backfill()
  expect(windows).toMatchObject({ planned: 3, done: 0, unstable: 3, failed: 0 })
  const reason = 'Genesys says that 180 conversations match, and 3 reads brought no more than 120'
  expect(unsettled).toMatchObject([{ reason }, { reason }, { reason }])
  expect(await selectWindows(it.warehouse.db, windowKey({ filter: {} }))).toMatchObject(
    unsettled.map(({ start }) => ({ start, status: 'unstable', errorCode: 'WINDOW_INCOMPLETE', error: reason })),
  )
  const document = await readStatus(it.warehouse, { lookbackDays: 3, start: threeDays.start, filter: {} })
  expect(document.history.unsettled).toMatchObject([{ error: reason }, { error: reason }, { error: reason }])
  expect(it.log.join('')).toContain(reason)

  // they are not due yet, and still unsettled
  const again = await it.backfill()
  expect(again.windows.planned).toBe(0)
  expect(again.unsettled).toHaveLength(3)
  expect(again.unsettled[0]?.nextAttemptAt).toBeInstanceOf(Date)

  await using dependencies = it.dependencies()
  expect(await verifyRange(dependencies, threeDays, new AbortController().signal)).toMatchObject({
    mismatches: [],
    unstable: 3,
    incomplete: [{ reason }, { reason }, { reason }],
  })

  it.org.control.set({ totalHitsOffset: 0 })
  expect(await it.backfill(threeDays, { reload: true })).toMatchObject({ windows: { done: 3 }, unsettled: [] })
  await it.expectEqual()
})

test.each(['day', 'overlap'] as const)(
  'splits a day at the limit that the API names when intervals select by %s',
  async (intervalReading) => {
    await using it = await startTestOrg({ intervalReading, days: 2, perDay: 300, paginationLimit: 200 })
    const { windows } = await it.backfill(oneDay)
    expect(windows).toMatchObject({ planned: 1, done: 1 })
    await it.expectEqual(oneDay)
  },
)

test('reads days of 0, 1, 99, 100 and 101 conversations', async () => {
  const counts = [0, 1, 99, 100, 101]
  await using it = await startTestOrg({ days: 0, perDay: 0 })
  for (const [index, count] of counts.entries()) {
    const start = Date.UTC(2025, 5, 3 + index, 8)
    for (let number = 0; number < count; number++) it.org.control.changes.begin('inboundCall', start + number * 1000)
  }
  const range = { start: new Date('2025-06-03'), end: new Date('2025-06-08') }
  const summary = await it.backfill(range)
  expect(summary.windows.done).toBe(5)
  expect(summary.counts.inserted).toBe(301)
  await it.expectEqual(range)
})

test.each(['day', 'overlap'] as const)('splits a large day when intervals select by %s', async (intervalReading) => {
  await using it = await startTestOrg({ intervalReading, days: 2, perDay: 300, paginationLimit: 200 })
  const { windows } = await it.backfill(oneDay, { settings: { limits: { wholeUpTo: 150, deepest: 200 } } })
  expect(windows).toMatchObject({ planned: 1, done: 1 })
  await it.expectEqual(oneDay)
})

test('fails a day that nothing splits with its reason, and loads the others', async () => {
  await using it = await startTestOrg({ perDay: 30, paginationLimit: 200 })
  const [model] = it.org.truth('2025-06-12')
  const like = { ...model, participants: [], evaluations: [], surveys: [], resolutions: [] }
  for (let number = 0; number < 230; number++) {
    const conversationStart = new Date(Date.parse(`${day}T10:00:00.000Z`) + number).toISOString()
    const conversationId = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
    it.org.control.changes.add({
      ...like,
      conversationId,
      conversationStart,
      divisionIds: ['d'],
      originatingDirection: 'inbound',
    })
  }
  const settings = { limits: { wholeUpTo: 100, deepest: 200 } }
  await expect(it.backfill(threeDays, { settings })).rejects.toMatchObject({
    code: 'GENESYS_WINDOW_TOO_LARGE',
    kind: 'fatal',
  })
  expect(await it.doneDays()).toEqual(['2025-06-10', '2025-06-12'])
  expect(await it.windows()).toContainEqual(
    expect.objectContaining({ status: 'failed', errorCode: 'GENESYS_WINDOW_TOO_LARGE' }),
  )
})
