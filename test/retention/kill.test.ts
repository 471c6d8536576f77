/** Kills a sync that drops a month with kill -9, at seeded points (KILLS=…, SEED=…) over the whole of the drop; the next run completes it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Client } from 'pg'
import { afterAll, expect, inject, test, vi } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { selectDueMonths } from '../../src/retention/due-months.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { kill } from '../faults/killed-backfill.ts'
import { load } from '../loader/conversations.ts'
import { call } from '../support/calls.ts'
import { environmentOf, startCli, type CliProcess } from '../support/cli.ts'
import { createFileDatabase } from '../support/database.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg } from '../support/simulated-org.ts'
import { droppedDays, floor, loadWeek, monthsSince, numbersOf, retain, startWeek, storedRows } from './support.ts'

// many processes, one after the other
vi.setConfig({ testTimeout: 1_800_000 })

const POINTS = Number(process.env['KILLS'] ?? 5)
const SEED = process.env['SEED'] ?? 'retention'

const org = await startWeek({ perDay: 100 })
afterAll(() => org.close())
const source = await createFileDatabase()
const { numbers, months } = await prepare()

/** Loads the week into the database that the others are copies of. */
async function prepare() {
  await using it = await connectTestOrg(org, source)
  await loadWeek(it)
  return { numbers: await numbersOf(it.warehouse), months: await monthsSince(it.warehouse, floor) }
}

async function asAdmin(statement: string): Promise<void> {
  const admin = new Client({ connectionString: inject('postgres').adminUrl })
  await admin.connect()
  try {
    await admin.query(statement)
  } finally {
    await admin.end()
  }
}

/** A copy of the loaded database, and a process that keeps what starts at the floor or later. */
async function copyOfSource(point: string): Promise<{ url: string; warehouse: Warehouse } & AsyncDisposable> {
  const name = `${source.name}_${point}`
  await asAdmin(`create database ${name} template ${source.name} strategy file_copy`)
  const url = new URL(source.url)
  url.pathname = `/${name}`
  const warehouse = connect(url.href, { retentionMonths: months })
  return {
    url: url.href,
    warehouse,
    async [Symbol.asyncDispose]() {
      await warehouse.close()
      await asAdmin(`drop database ${name} with (force)`)
    },
  }
}

function startSync(url: string): CliProcess {
  return startCli(['sync'], { env: { ...environmentOf(org, url), HISTORY_RETENTION_MONTHS: `${months}` } })
}

async function selectMonth({ db }: Warehouse): Promise<{ tookMs: number | null } | undefined> {
  const { rows } = await sql<{ tookMs: number | null }>`
    select (extract(epoch from finished_at - started_at) * 1000)::integer as "tookMs" from etl.dropped_months`.execute(
    db,
  )
  return rows[0]
}

async function expectDropped(warehouse: Warehouse): Promise<void> {
  expect(await selectDueMonths(warehouse.db, floor)).toEqual([])
  expect(Object.keys(await storedRows(warehouse, droppedDays))).toEqual(['etl.interval_cells'])
  expect(await numbersOf(warehouse)).toEqual(numbers)
  const { rows } = await sql`select from etl.agent_intervals where interval_start < ${floor}`.execute(warehouse.db)
  expect(rows).toEqual([])
}

test(`survives being killed at ${POINTS} seeded points`, async () => {
  let tookMs = 0
  {
    await using whole = await copyOfSource('whole')
    const { code, stderr } = await startSync(whole.url).result
    expect(code, stderr).toBe(0)
    await expectDropped(whole.warehouse)
    tookMs = (await selectMonth(whole.warehouse))?.tookMs ?? 0
    expect(tookMs).toBeGreaterThan(0)
  }
  let unfinished = 0
  for (let point = 0; point < POINTS; point++) {
    await using copy = await copyOfSource(`p${point}`)
    const { warehouse } = copy
    const child = startSync(copy.url)
    await expect.poll(() => selectMonth(warehouse), { ...patience, interval: 5 }).toBeDefined()
    // one in each part of the time that it takes
    await sleep(((point + hashFraction(`${SEED}/${point}`)) / POINTS) * tookMs)
    await kill(child)
    const left = (await selectMonth(warehouse))?.tookMs ?? null
    if (left === null) unfinished++
    // the kill came too late, since the machine has become faster
    else tookMs = Math.min(tookMs, left)
    // whatever has gone by then, the numbers are those of before, and nothing comes back
    expect(await numbersOf(warehouse), `point ${point}`).toEqual(numbers)
    const late = call('late', { start: '2025-06-20T10:00:00.000Z' })
    expect(await load(warehouse, [late], point + 1), `point ${point}`).toMatchObject({ expired: 1, inserted: 0 })
    await expect
      .poll(() => retain(warehouse).then(() => selectMonth(warehouse)), patience)
      .not.toMatchObject({ tookMs: null })
    await expectDropped(warehouse)
  }
  expect(unfinished).toBeGreaterThan(POINTS / 2)
})
