/** Kills a backfill in a child process with kill -9, and runs the same command again. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { hashFraction } from '../../src/simulator/random.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { environmentOf, startCli, type CliProcess } from '../support/cli.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, pagesAsked, type TestOrg } from '../support/simulated-org.ts'

const command = ['backfill', '--from', '2025-06-10', '--to', '2025-06-13', '--concurrency', '2']
const days = ['2025-06-10', '2025-06-11', '2025-06-12']

/** Starts the backfill of three days. */
export function startBackfill(org: Simulator, databaseUrl: string): CliProcess {
  return startCli(command, { env: environmentOf(org, databaseUrl) })
}

/** Resolves when the organization has received `count` more requests, or the process has ended. */
export async function requests(org: Simulator, count: number, child: CliProcess): Promise<void> {
  const from = org.requests.length
  let isOver = false
  void child.result.then(() => (isOver = true))
  await expect.poll(() => isOver || org.requests.length - from >= count, patience).toBe(true)
}

/** Kills a process and waits for its end. */
export async function kill(child: CliProcess): Promise<void> {
  child.kill('SIGKILL')
  await child.result
}

/** Runs the same command again: no window that was done is read again, and the tables equal the organization. */
export async function expectResumed(org: Simulator, it: TestOrg): Promise<void> {
  const done = await it.doneDays()
  const asked = org.requests.length
  const { code, stderr } = await startBackfill(org, it.databaseUrl).result
  expect(code, stderr).toBe(0)
  expect(pagesAsked(org.requests.slice(asked)).filter((day) => done.includes(day))).toEqual([])
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
}

// login, organization, 3 estimates and 6 pages are 11 requests; later points hit the loading and the end of the run
const seed = 'kill/1'

/** Kills the backfill at seeded points, one after the other, then requires that the same command completes. */
export async function expectSurvivesKills(org: Simulator, series: number, kills: number): Promise<void> {
  await using it = await connectTestOrg(org)
  for (let time = 0; time < kills; time++) {
    const done = await it.doneDays()
    const asked = org.requests.length
    const child = startBackfill(org, it.databaseUrl)
    const point = hashFraction(`${seed}/${series}/${time}`)
    await requests(org, 1 + Math.floor(point * 12), child)
    // some time after the request, during the load
    if (point > 0.5) await progressOf(it, Math.floor(point * 6) - 2)
    await kill(child)
    expect(pagesAsked(org.requests.slice(asked)).filter((day) => done.includes(day))).toEqual([])
  }
  await expectResumed(org, it)
}

/** Waits until `batches` more batches were committed, for a second at most. */
async function progressOf(it: TestOrg, batches: number): Promise<void> {
  const until = performance.now() + 1000
  const count = async (): Promise<number> =>
    (
      await sql<{
        days: number
      }>`select count(distinct date_trunc('day', conversation_start)) as days from etl.conversations`.execute(
        it.warehouse.db,
      )
    ).rows[0]?.days ?? 0
  const from = await count()
  while ((await count()) < from + batches && performance.now() < until);
}
