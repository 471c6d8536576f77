import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { tables } from '../../src/model/columns.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { verifyRange, type Verification } from '../../src/history/verify.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { insertDuplicate, type Range } from '../support/truth.ts'

stayClearOfMidnight()

async function verify(it: TestOrg, range: Range = threeDays): Promise<Verification> {
  await using dependencies = it.dependencies()
  return await verifyRange(dependencies, range, new AbortController().signal)
}

/** An ordinary conversation with a participant and a segment. */
async function anId(it: TestOrg, offset = 0): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    select distinct conversation_id as id from genesys.segments order by 1 limit 1 offset ${offset}`.execute(
    it.warehouse.db,
  )
  return rows[0]!.id
}

/** The conversations that the next load writes again even where Genesys' answer is the same. */
async function forgotten(it: TestOrg): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.conversations where content_hash = '' order by 1`.execute(it.warehouse.db)
  return rows.map(({ id }) => id)
}

const nothing = { mismatches: [], misplaced: { duplicates: [], inconsistent: [], orphans: {} } }

test('finds nothing where the tables equal the organization', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  expect(await verify(it)).toMatchObject({ ...nothing, windows: 3, unstable: 0 })
})

test('finds a changed value, a missing row, a missing conversation and one that Genesys has not', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const [changed, thinner, missing, unknown] = [
    await anId(it, 0),
    await anId(it, 1),
    await anId(it, 2),
    await anId(it, 3),
  ]
  const { db } = it.warehouse
  await sql`update genesys.conversations set external_tag = 'tampered' where conversation_id = ${changed}`.execute(db)
  await sql`delete from genesys.segments where conversation_id = ${thinner} and _index = 0`.execute(db)
  for (const table of ['genesys.conversations', 'etl.conversations']) {
    await sql`delete from ${sql.table(table)} where conversation_id = ${missing}`.execute(db)
  }
  it.org.control.changes.remove(unknown)
  const { mismatches, misplaced } = await verify(it)
  const kinds = new Map(mismatches.map(({ conversationId, kind }) => [conversationId, kind]))
  expect(kinds.get(changed)).toBe('differs')
  expect(
    mismatches.find(({ conversationId }) => conversationId === changed)?.differences.map(({ path }) => path),
  ).toEqual(['externalTag'])
  expect(kinds.get(thinner)).toBe('differs')
  expect(['missing here', 'differs']).toContain(kinds.get(missing))
  expect(kinds.get(unknown)).toBe('missing at Genesys')
  expect(mismatches).toHaveLength(4)
  // the deleted parent leaves its children behind
  expect(misplaced.orphans['participants']).toBeGreaterThan(0)
})

test('a corrected start is a difference, not a loss, also where it leaves the range', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const { rows } = await sql<{ id: string }>`select conversation_id as id from genesys.conversations
    where conversation_start >= '2025-06-11T12:00Z' and conversation_start < '2025-06-12' order by 1 limit 2`.execute(
    it.warehouse.db,
  )
  const [within, beyond] = rows.map(({ id }) => id) as [string, string]
  it.org.control.changes.correctStart(within, '2025-06-10T05:00:00.000Z')
  it.org.control.changes.correctStart(beyond, '2025-06-01T05:00:00.000Z')
  const { mismatches } = await verify(it)
  expect(
    mismatches
      .map(({ conversationId, kind, differences }) => ({
        conversationId,
        kind,
        paths: differences.map(({ path }) => path),
      }))
      .toSorted((a, b) => (a.conversationId < b.conversationId ? -1 : 1)),
  ).toEqual(
    [within, beyond].map((conversationId) => ({ conversationId, kind: 'differs', paths: ['conversationStart'] })),
  )
})

test('refuses another organization, and touches nothing', async () => {
  await using it = await startTestOrg({ perDay: 5 })
  await it.backfill()
  await using other = await startTestOrg({ perDay: 5, seed: 12 })
  await using foreign = other.dependencies()
  await expect(
    verifyRange({ ...foreign, warehouse: it.warehouse }, threeDays, new AbortController().signal),
  ).rejects.toMatchObject({ code: 'FOREIGN_ORGANIZATION' })
  expect(await forgotten(it)).toEqual([])
})

test('refuses a range of which nothing has settled', async () => {
  await using it = await startTestOrg({ perDay: 1 })
  const today = startOfDay(new Date())
  await expect(verify(it, { start: addDays(today, 2), end: addDays(today, 3) })).rejects.toMatchObject({
    kind: 'config',
    message: expect.stringContaining('old enough'),
  })
})

test('makes a reload fix what it found, which an unchanged answer alone would not', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const { db } = it.warehouse
  await sql`update genesys.conversations set external_tag = 'tampered' where conversation_id = ${await anId(it, 0)}`.execute(
    db,
  )
  await sql`delete from genesys.segments where conversation_id = ${await anId(it, 1)}`.execute(db)
  await sql`delete from genesys.conversations where conversation_id = ${await anId(it, 2)}`.execute(db)
  await sql`delete from etl.conversations where conversation_id = ${await anId(it, 3)}`.execute(db)
  expect((await verify(it)).mismatches).toHaveLength(3)
  await it.backfill(threeDays, { reload: true })
  await it.expectEqual()
  expect(await verify(it)).toMatchObject(nothing)
})

test('finds a duplicate under another start, in the same range or outside of it', async () => {
  await using it = await startTestOrg()
  await it.backfill()
  const [near, far] = [await anId(it, 0), await anId(it, 1)]
  await insertDuplicate(it.warehouse, near, '1 second')
  // still within the month's partition
  await insertDuplicate(it.warehouse, far, '-5 days')
  const { misplaced } = await verify(it)
  expect([...misplaced.duplicates].sort()).toEqual([near, far].sort())
})

test('a difference that a later read of the same window no longer has is none, and nothing is to be loaded again', async () => {
  await using it = await startTestOrg({ malformedShare: 0 })
  await it.backfill()
  await using given = it.dependencies({ settings: { concurrency: 1 } })
  const changed: string[] = []
  /** The first page as it was a moment before: another tag, and one more hit, so that the window is read again. */
  const genesys: GenesysClient = {
    close: () => given.genesys.close(),
    async request<T>(request: Parameters<GenesysClient['request']>[0]) {
      const answer = await given.genesys.request<T>(request)
      const { paging } = (request.body ?? {}) as { paging?: { pageSize: number } }
      if (paging?.pageSize !== 100 || changed.length > 0) return answer
      const data = answer.data as { totalHits: number; conversations: { conversationId: string }[] }
      const [first, ...rest] = data.conversations
      changed.push(first!.conversationId)
      const conversations = [{ ...first, externalTag: 'a moment ago' }, ...rest]
      return { ...answer, data: { ...data, totalHits: data.totalHits + 1, conversations } as T }
    },
  }
  const found = await verifyRange({ ...given, genesys }, threeDays, new AbortController().signal)
  expect(changed).toHaveLength(1)
  expect(found).toMatchObject({ ...nothing, unstable: 0 })
  expect(await forgotten(it)).toEqual([])
})

test('does not miss what is too young to be loaded', async () => {
  const now = new Date()
  const today = startOfDay(now)
  await using it = await startTestOrg({ now, days: 1, perDay: 30 })
  await it.run({ job: 'sync' }, { settings: { lookbackDays: 1 } })
  await it.run({ job: 'intraday' })
  for (let number = 0; number < 5; number++) it.org.control.changes.begin('inboundCall', +now - 1000 * number)
  expect(await verify(it, { start: addDays(today, -1), end: addDays(today, 2) })).toMatchObject(nothing)
})

test('compares a range without reading other months', async () => {
  await using it = await startTestOrg({ malformedShare: 0, perDay: 20 })
  await it.backfill()
  await ensureMonths(it.warehouse, ['2025-05', '2025-07'])
  const blocker = await it.warehouse.connectAlone('blocker')
  try {
    const others = ['2025_05', '2025_07'].flatMap((month) => tables.map((table) => `genesys.${table}_${month}`))
    await blocker.query(`begin; lock table ${others.join(', ')} in access exclusive mode`)
    expect(await verify(it)).toMatchObject(nothing)
  } finally {
    await blocker.end()
  }
})
