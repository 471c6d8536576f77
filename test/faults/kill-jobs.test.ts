/** Kills backfills by jobs with kill -9 at seeded points: what was under way is resumed, nothing is left behind, nothing comes twice. */
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { hashFraction } from '../../src/simulator/random.ts'
import { environmentOf, startCli } from '../support/cli.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { kill, requests } from './killed-backfill.ts'

const org = await startOrg({ latencyMs: 15, dataLagMs: 0 })
org.control.set({ jobPageSize: 30, jobQueuedMs: 100, jobPendingMs: 300 })
afterAll(() => org.close())

const JOBS = '/api/v2/analytics/conversations/details/jobs'
const command = ['backfill', '--from', '2025-06-10', '--to', '2025-06-13', '--source', 'jobs']
const days = ['2025-06-10', '2025-06-11', '2025-06-12']
/** A run takes about so many requests. */
const REQUESTS_PER_RUN = 40
const SERIES = 5
const KILLS_PER_SERIES = 5

async function storedJobs(it: TestOrg): Promise<{ id: string; day: string }[]> {
  const { rows } = await sql<{ id: string; day: string }>`
    select job_id as id, (start at time zone 'UTC')::date::text as day from etl.details_jobs`
    .execute(it.warehouse.db)
    // the first process may not have migrated yet
    .catch(() => ({ rows: [] }))
  return rows
}

/** The days of the jobs that were submitted since. */
function submittedDays(from: number): string[] {
  return org.requests
    .slice(from)
    .filter(({ method, path }) => method === 'POST' && path === JOBS)
    .map(({ interval = '' }) => interval.slice(0, 10))
}

/** Jobs whose submission was answered, but not stored: their process died within the milliseconds between. */
function lostJobs(from: number, stored: readonly { id: string }[]): Set<string> {
  const known = new Set(stored.map(({ id }) => id))
  const deleted = new Set(org.control.jobs.list().flatMap(({ id, isDeleted }) => (isDeleted ? [id] : [])))
  const since = org.requests.slice(from)
  const last = Math.max(...since.map(({ doneAt = 0 }) => doneAt))
  const lost = since.filter(
    ({ method, path, jobId }) =>
      method === 'POST' && path === JOBS && jobId !== undefined && !known.has(jobId) && !deleted.has(jobId),
  )
  // one that could have been stored must have been stored
  expect(lost.filter(({ doneAt = Infinity }) => doneAt < last - 1000)).toEqual([])
  return new Set(lost.flatMap(({ jobId }) => jobId ?? []))
}

test.each(Array.from({ length: SERIES }, (_, series) => series))('survives five kills, series %i', async (series) => {
  await using it = await connectTestOrg(org)
  const lost = new Set<string>()
  const ours = org.requests.length
  for (let time = 0; time <= KILLS_PER_SERIES; time++) {
    const isLast = time === KILLS_PER_SERIES
    const underWay = await storedJobs(it)
    const done = await it.doneDays()
    const from = org.requests.length
    const child = startCli(command, { env: environmentOf(org, it.databaseUrl) })
    if (isLast) {
      const { code, stderr } = await child.result
      expect(code, stderr).toBe(0)
    } else {
      await requests(org, 1 + Math.floor(hashFraction(`kill-jobs/${series}/${time}`) * REQUESTS_PER_RUN), child)
      await kill(child)
    }
    // what was under way is resumed, what is done is not asked for again
    const again = submittedDays(from).filter((day) => done.includes(day) || underWay.some((job) => job.day === day))
    expect(again).toEqual([])
    for (const id of lostJobs(from, await storedJobs(it))) lost.add(id)
  }
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
  expect(await storedJobs(it)).toEqual([])
  const submitted = new Set(org.requests.slice(ours).flatMap(({ jobId }) => jobId ?? []))
  const left = org.control.jobs.list().filter(({ id, isDeleted }) => submitted.has(id) && !isDeleted && !lost.has(id))
  expect(left).toEqual([])
  // a process is rarely killed within those milliseconds
  expect(lost.size).toBeLessThanOrEqual(KILLS_PER_SERIES)
})
