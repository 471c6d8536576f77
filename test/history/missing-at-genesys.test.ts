/** What a complete read of a day does not bring any more. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { EtlError } from '../../src/errors.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { runHistory } from '../../src/history/sync.ts'
import { verifyRange } from '../../src/history/verify.ts'
import { expectDerived } from '../support/derived.ts'
import { startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'

const signal = new AbortController().signal

async function marked({ warehouse }: TestOrg): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations where _missing_since is not null order by 1`.execute(
    warehouse.db,
  )
  return rows.map(({ id }) => id)
}

/** Ids of conversations that started on a day, none of them malformed. */
const idsOf = (it: TestOrg, day: string): string[] =>
  it.org.truth(day).map(({ conversationId }) => String(conversationId))

const again = (it: TestOrg, overrides: Parameters<TestOrg['backfill']>[1] = {}) =>
  it.backfill(threeDays, { reload: true, ...overrides })

test('what Genesys has no more is marked, counted by the run, and unmarked when it is back', async () => {
  await using it = await startTestOrg({ perDay: 20, malformedShare: 0 })
  expect((await it.backfill()).counts).toMatchObject({ inserted: 60, missing: 0, reopened: 0 })
  const [a = '', b = '', c = ''] = idsOf(it, '2025-06-11').sort()
  for (const id of [a, b]) it.org.control.changes.remove(id)
  const { counts } = await again(it)
  expect(counts).toMatchObject({ missing: 2, unchanged: 58, changed: 0 })
  expect(await marked(it)).toEqual([a, b])
  const { rows } = await sql`select counts from etl.runs order by id desc limit 1`.execute(it.warehouse.db)
  expect(rows).toMatchObject([{ counts: { missing: 2 } }])
  await it.expectEqual(threeDays, { gone: [a, b] })
  await expectDerived(it.warehouse)
  // known now: no request by id, and no difference
  it.org.control.set({})
  const asked = it.org.requests.length
  expect((await again(it)).counts).toMatchObject({ missing: 0 })
  expect(it.org.requests.slice(asked).filter(({ endpoint }) => endpoint === 'details-by-id')).toEqual([])
  await using given = it.dependencies()
  expect((await verifyRange(given, threeDays, signal)).mismatches).toEqual([])
  it.org.control.changes.restore(a)
  it.org.control.changes.remove(c)
  expect((await again(it)).counts).toMatchObject({ missing: 1, changed: 1, unchanged: 57 })
  expect(await marked(it)).toEqual([b, c].sort())
  const { rows: left } = await sql<{ id: string }>`
    select conversation_id as id from reporting.deletions where reason = 'missing' order by at, 1`.execute(
    it.warehouse.db,
  )
  expect(left.map(({ id }) => id)).toEqual([a, b, c])
})

test('one whose start was corrected to a day that is not read is found by its id, and moved', async () => {
  await using it = await startTestOrg({ perDay: 20, malformedShare: 0 })
  await it.backfill()
  const [a = ''] = idsOf(it, '2025-06-10')
  it.org.control.changes.correctStart(a, '2025-05-31T23:00:00.000Z')
  expect((await again(it)).counts).toMatchObject({ missing: 0, changed: 1 })
  expect(await marked(it)).toEqual([])
  const { rows } = await sql`
    select conversation_start from genesys.conversations where conversation_id = ${a}`.execute(it.warehouse.db)
  expect(rows).toEqual([{ conversation_start: new Date('2025-05-31T23:00:00.000Z') }])
})

test('what another read delivered after this one began is left alone', async () => {
  await using it = await startTestOrg({ perDay: 20, malformedShare: 0 })
  await it.backfill()
  const [a = '', b = ''] = idsOf(it, '2025-06-11').sort()
  for (const id of [a, b]) it.org.control.changes.remove(id)
  // as the live job would
  await sql`update etl.conversations set fetched_at = now() + interval '1 hour' where conversation_id = ${a}`.execute(
    it.warehouse.db,
  )
  expect((await again(it)).counts).toMatchObject({ missing: 1 })
  expect(await marked(it)).toEqual([b])
})

test('a request by id that fails costs the marks, not the window, and the next read makes up for it', async () => {
  await using it = await startTestOrg({ perDay: 20, malformedShare: 0 })
  await it.backfill()
  it.org.control.changes.remove(idsOf(it, '2025-06-11')[0]!)
  await using given = it.dependencies()
  const genesys: GenesysClient = {
    close: () => given.genesys.close(),
    request: async (request) => {
      if (request.endpoint === 'details-by-id') throw new EtlError('no', { code: 'GENESYS_TIMEOUT', kind: 'retryable' })
      return await given.genesys.request(request)
    },
  }
  const request = { job: 'backfill', range: threeDays, reload: true } as const
  const summary = await runHistory({ ...given, genesys }, request, 'manual', signal)
  expect(summary).toMatchObject({ windows: { done: 3 }, counts: { missing: 0 } })
  expect(it.log.some((line) => line.includes('could not be found out'))).toBe(true)
  expect((await again(it)).counts).toMatchObject({ missing: 1 })
})

test('with a filter, only what it selects can be missing', async () => {
  await using it = await startTestOrg({ perDay: 40, malformedShare: 0 })
  await it.backfill()
  const { rows } = await sql<{ id: string; voice: boolean }>`
    select c.conversation_id as id, bool_or(s.media_type = 'voice') as voice from genesys.conversations c
    join genesys.sessions s using (conversation_id, conversation_start)
    where c.conversation_start >= '2025-06-11' and c.conversation_start < '2025-06-12' group by 1 order by 1`.execute(
    it.warehouse.db,
  )
  const gone = [rows.find(({ voice }) => voice)!.id, rows.find(({ voice }) => !voice)!.id]
  for (const id of gone) it.org.control.changes.remove(id)
  const voice = { settings: { filter: { mediaTypes: ['voice'] } } }
  expect((await again(it, voice)).counts).toMatchObject({ missing: 1 })
  expect(await marked(it)).toEqual([gone[0]])
  expect((await again(it)).counts).toMatchObject({ missing: 1 })
  expect(await marked(it)).toEqual(gone.toSorted())
})

test('when most of a large day is not shown any more, nothing is marked', async () => {
  await using it = await startTestOrg({ perDay: 220, malformedShare: 0 })
  await it.backfill()
  for (const id of idsOf(it, '2025-06-11').slice(0, 120)) it.org.control.changes.remove(id)
  expect((await again(it)).counts).toMatchObject({ missing: 0 })
  expect(it.log.some((line) => line.includes('they are not marked as missing'))).toBe(true)
  expect(await marked(it)).toEqual([])
})
