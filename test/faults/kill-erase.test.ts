/** Kills an erasure with kill -9; the same command again, or the next run of the history, completes it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, expect, test, vi } from 'vitest'
import { findMisplacedRows } from '../../src/loader/integrity.ts'
import { addDays } from '../../src/model/interval.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { expectDerived } from '../support/derived.ts'
import { emptyFolder, environmentOf, runCli, startCli, type CliProcess } from '../support/cli.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { findTraces } from '../support/traces.ts'
import { kill } from './killed-backfill.ts'

// many processes, one after the other
vi.setConfig({ testTimeout: 600_000 })

const org = await startOrg({ perDay: 100 })
afterAll(() => org.close())

async function loaded(): Promise<{ it: TestOrg; ids: string[] }> {
  const it = await connectTestOrg(org)
  await it.backfill()
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.conversations order by md5(conversation_id) limit 120`.execute(
    it.warehouse.db,
  )
  return { it, ids: rows.map(({ id }) => id) }
}

function startErase(it: TestOrg, ids: readonly string[]): CliProcess {
  const file = path.join(emptyFolder(), 'ids.txt')
  writeFileSync(file, ids.join('\n'))
  return startCli(['erase', '--conversation-file', file], { env: environmentOf(org, it.databaseUrl) })
}

/** Each conversation is wholly there or wholly gone. */
async function expectNothingHalf({ warehouse }: TestOrg): Promise<void> {
  const range = { start: addDays(threeDays.start, -40), end: addDays(threeDays.end, 1) }
  expect(await findMisplacedRows(warehouse.db, range)).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
  await expectDerived(warehouse)
}

async function expectCompleted(it: TestOrg, ids: readonly string[]): Promise<void> {
  const { code, stderr } = await startErase(it, ids).result
  expect(code, stderr).toBe(0)
  await expectNothingHalf(it)
  expect(Object.keys(await findTraces(it.warehouse, ids.slice(0, 20)))).toEqual(['etl.deletions', 'etl.tombstones'])
  const { rows } = await sql`select from etl.erasures where finished_at is null`.execute(it.warehouse.db)
  expect(rows).toEqual([])
  const { counts } = await it.backfill(threeDays, { reload: true })
  expect(counts).toMatchObject({ erased: ids.length, inserted: 0, changed: 0 })
  await it.expectEqual(threeDays, { gone: ids })
}

/** How many backends wait for a lock. */
async function waiting(it: TestOrg): Promise<number> {
  const { rowCount } = await it.warehouse.pool.query(
    `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

test('survives being killed at each step', async () => {
  const { it, ids } = await loaded()
  await using _ = it
  for (const table of ['etl.tombstones', 'genesys.live_conversations', 'genesys.segments', 'etl.dirty_hours']) {
    const blocker = await it.warehouse.connectAlone('blocker')
    await blocker.query(`begin; lock table ${table} in share mode`)
    const child = startErase(it, ids)
    await expect.poll(() => waiting(it), { ...patience, message: table }).toBeGreaterThan(0)
    await kill(child)
    await blocker.query('rollback')
    await blocker.end()
    await expect.poll(() => waiting(it), patience).toBe(0)
    await expectNothingHalf(it)
  }
  await expectCompleted(it, ids)
})

test('survives being killed three times at seeded points', async () => {
  const { it, ids } = await loaded()
  await using _ = it
  for (let time = 0; time < 3; time++) {
    const child = startErase(it, ids)
    await expect
      .poll(async () => (await sql`select from etl.erasures`.execute(it.warehouse.db)).rows.length, patience)
      .toBeGreaterThan(time)
    await sleep(hashFraction(`kill-erase/${time}`) * 1000)
    await kill(child)
    await expectNothingHalf(it)
  }
  await expectCompleted(it, ids)
})

test('the next run of the history completes it', async () => {
  const { it, ids } = await loaded()
  await using _ = it
  const blocker = await it.warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table genesys.segments in share mode')
  const child = startErase(it, ids)
  await expect.poll(() => waiting(it), patience).toBeGreaterThan(0)
  await kill(child)
  await blocker.query('rollback')
  await blocker.end()
  const env = environmentOf(org, it.databaseUrl)
  const status = JSON.parse((await runCli(['status', '--json'], { env })).stdout) as Record<string, unknown>
  expect(status['erasures']).toMatchObject({ unfinished: 1, conversations: ids.length })
  expect((await runCli(['status'], { env })).stdout).toMatch(
    /Erasures +1 not complete since .*120 conversations to delete/,
  )
  expect((await runCli(['doctor'], { env })).stdout).toContain('1 not complete since')
  const { code, stderr } = await startCli(['backfill', '--from', '2025-06-12', '--to', '2025-06-13'], { env }).result
  expect(code, stderr).toBe(0)
  expect(Object.keys(await findTraces(it.warehouse, ids.slice(0, 20)))).toEqual(['etl.deletions', 'etl.tombstones'])
})
