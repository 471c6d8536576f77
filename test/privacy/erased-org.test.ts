/** An erased person of a simulated organization, which still has the conversations: no read brings them back, and every check knows. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { verifyRange } from '../../src/history/verify.ts'
import { parseJson, type JsonObject } from '../../src/model/json.ts'
import { objects } from '../../src/model/json.ts'
import { splitByDay } from '../../src/model/interval.ts'
import { isExpected } from '../../src/reporting/classify.ts'
import { reconcileDays } from '../../src/reporting/reconcile.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { load } from '../loader/conversations.ts'
import { emptyFolder, environmentOf, runCli } from '../support/cli.ts'
import { createTestDatabase } from '../support/database.ts'
import { connectTestOrg, startOrg, startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { findTraces } from '../support/traces.ts'
import { expectDerived } from '../support/derived.ts'
import { erasePerson } from './support.ts'

const never = new AbortController().signal
const timing = { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 }

/** The number of a caller of an ordinary conversation, all conversations with it, and all that is personal in these. */
function aCaller(it: TestOrg): { ani: string; ids: string[]; personal: string[] } {
  const records = it.org.truthText().map((text) => parseJson(text) as JsonObject)
  const sessionsOf = (record: JsonObject, purpose: string): JsonObject[] =>
    objects(record['participants'])
      .filter((participant) => participant['purpose'] === purpose)
      .flatMap(({ sessions }) => objects(sessions))
  const caller = records
    .filter(({ conversationStart }) => (conversationStart as string | undefined)?.startsWith('2025-06-11') ?? false)
    .flatMap((record) => sessionsOf(record, 'customer'))
    .find(({ mediaType, ani }) => mediaType === 'voice' && typeof ani === 'string' && /^tel:\+\d{8,}$/.test(ani))
  const ani = caller!['ani'] as string
  const isTheirs = (record: JsonObject): boolean => JSON.stringify(record).includes(ani)
  return {
    ani,
    ids: records
      .filter(isTheirs)
      .flatMap(({ conversationId }) => (typeof conversationId === 'string' ? conversationId : [])),
    personal: [ani, ani.slice('tel:'.length)],
  }
}

async function verify(it: TestOrg) {
  await using dependencies = it.dependencies()
  return await verifyRange(dependencies, threeDays, never)
}

async function differences(it: TestOrg, byUser: boolean) {
  await using dependencies = it.dependencies()
  const request = { days: splitByDay(threeDays), byUser }
  return (await reconcileDays(dependencies, request, 'manual', never)).differences
}

test('neither reads by query and by jobs nor a replay bring an erased person back; verify and reconcile subtract them', async () => {
  await using it = await startTestOrg({ dataLagMs: 0 })
  const settings = { jobs: { attributes: 'auto', timing, pageSize: 50 } } as const
  const byJobs = { job: 'backfill', range: threeDays, reload: true, source: 'jobs' } as const
  await it.backfill()
  await it.run(byJobs, { settings })
  const { ani, ids, personal } = aCaller(it)
  expect(Object.keys(await findTraces(it.warehouse, personal)).length).toBeGreaterThan(0)

  const { conversations } = await erasePerson(it.warehouse, { addresses: [ani] })
  expect(conversations).toBeGreaterThanOrEqual(ids.length)
  expect((await it.backfill(threeDays, { reload: true })).counts.erased).toBeGreaterThanOrEqual(ids.length)
  expect((await it.run(byJobs, { settings })).counts.erased).toBeGreaterThanOrEqual(ids.length)
  await replayRejected(it.warehouse, { runId: 1, signal: never })
  expect(await findTraces(it.warehouse, personal)).toEqual({})
  expect(Object.keys(await findTraces(it.warehouse, ids))).toEqual(['etl.deletions', 'etl.tombstones'])

  await it.expectEqual(threeDays, { gone: ids })
  await expectDerived(it.warehouse)
  expect(await verify(it)).toMatchObject({ mismatches: [], erased: conversations })
  await recomputeDirtyHours(it.warehouse)
  const found = await differences(it, true)
  expect(found.filter((difference) => !isExpected(difference.class))).toEqual([])
  expect(found.some((difference) => difference.class === 'erased')).toBe(true)
  expect(Object.keys(await findTraces(it.warehouse, ids))).toEqual(['etl.deletions', 'etl.tombstones'])
  const { rows } = await sql<{ erased: number }>`
    select sum(erased)::integer as erased from reporting.freshness where filter = '{}'`.execute(it.warehouse.db)
  expect(rows).toEqual([{ erased: conversations }])
})

test('what a restored backup brings back goes with the list that was kept beside it, and stays away', async () => {
  await using org = await startOrg({ dataLagMs: 0 })
  await using database = await createTestDatabase()
  const unnamed = (ani: string): JsonObject => ({
    conversationStart: '2025-06-11T10:00:00Z',
    participants: [{ sessions: [{ ani }] }],
  })
  const readAll = async (it: TestOrg): Promise<void> => {
    await it.backfill(threeDays, { reload: true })
    await it.run(
      { job: 'backfill', range: threeDays, reload: true, source: 'jobs' },
      { settings: { jobs: { attributes: 'true', timing, pageSize: 50 } } },
    )
  }
  const filled = await connectTestOrg(org, database)
  await readAll(filled)
  const { ani, ids, personal } = aCaller(filled)
  await load(filled.warehouse, [unnamed(ani)], 1)
  await filled[Symbol.asyncDispose]()
  await using backup = await createTestDatabase({ copyOf: database })

  await using it = await connectTestOrg(org, database)
  const erased = await runCli(['erase', '--address', ani], { env: environmentOf(org, database.url) })
  expect(erased, erased.stderr).toMatchObject({ code: 0 })
  const list = path.join(emptyFolder(), 'erased.txt')
  const documented = /-Atc "(select [^"]+)"/.exec(
    readFileSync(new URL('../../docs/privacy.md', import.meta.url), 'utf8'),
  )?.[1]
  const { rows } = await it.warehouse.pool.query<[string]>({ text: documented!, rowMode: 'array' })
  writeFileSync(list, rows.map(([line]) => `${line}\n`).join(''))

  await using restored = await connectTestOrg(org, backup)
  expect(Object.keys(await findTraces(restored.warehouse, personal)).length).toBeGreaterThan(0)
  const env = environmentOf(org, backup.url)
  const again = await runCli(['erase', '--conversation-file', list], { env })
  expect(again, again.stderr).toMatchObject({ code: 0 })
  expect(await findTraces(restored.warehouse, personal)).toEqual({})
  await readAll(restored)
  await load(restored.warehouse, [unnamed(ani)], 2)
  expect((await runCli(['replay'], { env })).code).toBe(1)
  expect(await findTraces(restored.warehouse, personal)).toEqual({})
  expect(Object.keys(await findTraces(restored.warehouse, ids))).toEqual(['etl.deletions', 'etl.tombstones'])
  await restored.expectEqual(threeDays, { gone: ids })
  await expectDerived(restored.warehouse)
})

test('with statistics kept, the numbers by queue equal those of Genesys', async () => {
  await using it = await startTestOrg({ malformedShare: 0 })
  await it.backfill()
  const { ani } = aCaller(it)
  await erasePerson(it.warehouse, { addresses: [ani] }, { keepStatistics: true })
  await recomputeDirtyHours(it.warehouse)
  expect(await differences(it, false)).toEqual([])
  const byUser = await differences(it, true)
  expect(byUser.filter((difference) => !isExpected(difference.class))).toEqual([])
  expect(byUser.every(({ key }) => key.userId !== null)).toBe(true)
})
