/** An organization whose older conversations lose their personal data here, although Genesys still sends it: no read brings it back. */
import { sql } from 'kysely'
import { beforeAll, afterAll, expect, test } from 'vitest'
import { runHistory } from '../../src/history/sync.ts'
import { verifyRange } from '../../src/history/verify.ts'
import { replayRejected } from '../../src/loader/replay.ts'
import { createLogger } from '../../src/log.ts'
import { snakeCase, tables } from '../../src/model/columns.ts'
import { isJsonObject, type JsonValue } from '../../src/model/json.ts'
import { KEEP_ALL, personalFields } from '../../src/model/personal.ts'
import { selectFloor } from '../../src/postgres/personal-policy.ts'
import { dropPersonalAfterSync, selectRetention } from '../../src/privacy/personal-retention.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { deriveDue } from '../../src/reporting/walk.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'
import { expectDerived } from '../support/derived.ts'
import { findValues, personalValuesIn } from '../support/personal-values.ts'
import { FLOOR, monthsSince, whole } from './retained-months.ts'
import type { Simulator } from '../../src/simulator/server.ts'

const never = new AbortController().signal
const timing = { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 }
const jobs = { attributes: 'true', timing, pageSize: 100 } as const

let org: Simulator
beforeAll(async () => {
  org = await startOrg({ now: '2025-06-03T12:00:00.000Z', days: 4, perDay: 60, dataLagMs: 0 })
})
afterAll(() => org.close())

/** A sync with the retention, and what the service does after it. */
async function sync(it: TestOrg): Promise<void> {
  await using dependencies = it.dependencies({ settings: { personalMonths: monthsSince(FLOOR), jobs } })
  const afterSync = (signal: AbortSignal): Promise<void> => dropPersonalAfterSync(dependencies, signal)
  await runHistory({ ...dependencies, afterSync }, { job: 'sync' }, 'manual', never)
}

const byJobs = (it: TestOrg) =>
  it.run({ job: 'backfill', range: whole, reload: true, source: 'jobs' }, { settings: { jobs } })

/** Whether a conversation started before the floor; a record without a valid start counts as such. */
function isOld(record: JsonValue): boolean {
  const start = isJsonObject(record) ? record['conversationStart'] : null
  return !(typeof start === 'string' && Date.parse(start) >= Date.parse(FLOOR))
}

/** Personal values that nothing but conversations from before the floor have. */
function oldValues(): string[] {
  const recent = new Set(personalValuesIn(org, (record) => !isOld(record)))
  const users = new Set(org.org.users.flatMap(({ name, email }) => [name, email]))
  const values = personalValuesIn(org, isOld)
  return values.filter((value) => !recent.has(value) && !users.has(value))
}

/** Rows before the floor in which a column that the model marks as personal has a value. */
async function personalCells({ warehouse: { db } }: TestOrg): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const [table, fields] of Object.entries(personalFields))
    for (const field of Object.keys(fields)) {
      const named = field === 'participantName' ? sql`and purpose in ('customer', 'external', 'agent', 'user')` : sql``
      const { rows } = await sql<{ count: number }>`
        select count(*)::integer as count from ${sql.table(`genesys.${table}`)}
        where conversation_start < ${FLOOR} and ${sql.ref(snakeCase(field))} is not null ${named}`.execute(db)
      if (rows[0]!.count > 0) found[`${table}.${field}`] = rows[0]!.count
    }
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from etl.conversation_facts
    where conversation_start < ${FLOOR} and customer_address is not null`.execute(db)
  if (rows[0]!.count > 0) found['conversation_facts.customer_address'] = rows[0]!.count
  return found
}

const NUMBERS: readonly string[] = [
  'reporting.queue_intervals',
  'reporting.agent_intervals',
  'reporting.queue_daily',
  'reporting.agent_daily',
  'reporting.queue_entries',
  'reporting.agent_sessions',
  'reporting.conversations',
  'reporting.wrap_ups',
  'reporting.evaluations',
  'reporting.surveys',
  'reporting.metric_events',
  'etl.interval_cells',
]

/** How many rows each has, and a fingerprint of them without what is personal or says when they were loaded. */
async function numbers({ warehouse: { db } }: TestOrg): Promise<Record<string, unknown>> {
  const personal = Object.values(personalFields).flatMap((fields) => Object.keys(fields).map(snakeCase))
  const left = [...personal, 'customer_address', 'updated_at', 'loaded_at']
  const found: Record<string, unknown> = {}
  for (const name of NUMBERS) {
    const { rows } = await sql`
      select count(*)::integer as rows, md5(string_agg(text, ',' order by text)) as fingerprint
      from (select (to_jsonb(v) - ${left}::text[])::text as text from ${sql.table(name)} v) as rows`.execute(db)
    found[name] = rows[0]
  }
  return found
}

/** A fingerprint of every row from the floor on, also of when it was loaded. */
async function recentRows({ warehouse: { db } }: TestOrg): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const table of tables) {
    const { rows } = await sql`
      select md5(string_agg(text, ',' order by text)) as fingerprint
      from (select to_jsonb(t)::text as text from ${sql.table(`genesys.${table}`)} t where conversation_start >= ${FLOOR}) as rows`.execute(
      db,
    )
    found[table] = rows[0]
  }
  return found
}

test('personal data of older conversations goes, their numbers stay, and neither query, jobs, replay nor reload bring it back', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill(whole)
  await byJobs(it)
  await deriveDue({ ...it, logger: createLogger('silent') }, { budgetMs: 60_000 }, never)
  await recomputeDirtyHours(it.warehouse)
  const values = oldValues()
  expect(values.length).toBeGreaterThan(100)
  const held = Object.keys(await findValues(it.warehouse, values))
  expect(held).toEqual(expect.arrayContaining(['genesys.participant_attributes', 'etl.rejected_records']))
  const before = await numbers(it)
  const recent = await recentRows(it)
  for (const name of NUMBERS) expect(before[name], name).not.toMatchObject({ rows: 0 })

  await sync(it)
  expect(await selectRetention(it.warehouse.db)).toEqual({ floor: FLOOR, isApplied: true })
  const expectDropped = async (): Promise<void> => {
    expect(await findValues(it.warehouse, values)).toEqual({})
    expect(await personalCells(it)).toEqual({})
  }
  await expectDropped()
  await recomputeDirtyHours(it.warehouse)
  expect(await numbers(it)).toEqual(before)
  expect(await recentRows(it)).toEqual(recent)

  const reread = await it.backfill(whole, { reload: true })
  // the hash of what Genesys sends differs only where Postgres cannot hold a character of it
  const unstorable = org.malformed().filter(({ kind }) => ['lone-surrogates', 'nul-characters'].includes(kind))
  expect(reread.counts.changed).toBeLessThanOrEqual(unstorable.length)
  expect(reread.counts.unchanged).toBeGreaterThan(150)
  await byJobs(it)
  await replayRejected(it.warehouse, { runId: 1, signal: never })
  await sync(it)
  await expectDropped()
  await using dependencies = it.dependencies()
  expect(await verifyRange(dependencies, whole, never)).toMatchObject({
    mismatches: [],
    misplaced: { duplicates: [], inconsistent: [], orphans: {} },
  })
  await recomputeDirtyHours(it.warehouse)
  expect(await numbers(it)).toEqual(before)
  await expectDerived(it.warehouse)
  const { rows } = await sql`select status from etl.runs where job = 'pii-retention'`.execute(it.warehouse.db)
  expect(rows).toEqual([{ status: 'done' }])
})

test('a first load under a retention stores no personal data of older conversations anywhere', async () => {
  await using it = await connectTestOrg(org, undefined, { ...KEEP_ALL, customers: 'drop' })
  const settings = { personalMonths: monthsSince(FLOOR), jobs }
  await it.run({ job: 'backfill', range: whole, reload: false }, { settings })
  expect(await selectFloor(it.warehouse.db)).toBe(FLOOR)
  expect(await findValues(it.warehouse, oldValues())).toEqual({})
  expect(await personalCells(it)).toEqual({})
  await sync(it)
  const { rows } = await sql`
    select status, (counts ->> 'rewritten')::integer as rewritten from etl.runs where job = 'pii-retention'`.execute(
    it.warehouse.db,
  )
  expect(rows).toEqual([{ status: 'done', rewritten: 0 }])
})

test('the job runs after a sync whose windows have failed, too', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill(whole)
  org.control.faults.add({ on: 'details', kind: '403' })
  await expect(sync(it)).rejects.toThrow()
  org.control.faults.clear()
  expect(await findValues(it.warehouse, oldValues())).toEqual({})
})

test('a clock of the database that is months ahead of Genesys drops nothing', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill(whole)
  org.control.set({ dateSkewMs: -60 * 86_400_000 })
  await sync(it)
  org.control.set({ dateSkewMs: 0 })
  expect(await selectFloor(it.warehouse.db)).toBeNull()
  expect(it.log.join('')).toContain('no personal data of further months is dropped')
})
