/** The dbt package, built by dbt on what was loaded from the simulator: in full, after changes and deletions, and in full again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dbtModels } from '../../scripts/dbt-models.ts'
import { readReference } from '../../src/reference/read-reference.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { createFileDatabase } from '../support/database.ts'
import { connectTestOrg, startOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { dbt, noDbt } from './dbt.ts'

const DAY_MS = 86_400_000
/** Where starts are moved to, too. */
const range = { start: new Date(+threeDays.start - DAY_MS), end: new Date(+threeDays.end + DAY_MS) }
/** Without an overlap a change that the package misses is not repaired by accident. */
const VARIABLES = JSON.stringify({
  genesys_overlap_minutes: 0,
  genesys_untested_minutes: 0,
  genesys_compared_days: 10_000,
})
const MODELS = Object.keys(dbtModels)

const org = await startOrg({
  malformedShare: 0.05,
  lateChanges: { corrected: 0.3, moved: 0.1, removed: 0.2, evaluated: 0.1, surveyed: 0.1 },
})
const database = await createFileDatabase()
const role = `bi_${database.name}`
const folder = mkdtempSync(path.join(tmpdir(), 'genesys-etl-dbt-'))
let it: TestOrg
beforeAll(async () => {
  it = await connectTestOrg(org, database)
  await using dependencies = it.dependencies()
  await readReference(dependencies, { trigger: 'manual' }, new AbortController().signal)
  // a reader without personal data that has a schema of its own
  await sql
    .raw(
      `create role ${role} login password 'test';
      grant create on database ${database.name} to ${role};
      grant usage on schema reporting, genesys to ${role};
      grant select on all tables in schema reporting to ${role};
      grant select (id, name, division_id, _deleted_at) on genesys.dim_queues, genesys.dim_wrap_up_codes to ${role};
      grant select (conversation_start, _loaded_at) on genesys.conversations to ${role}`,
    )
    .execute(it.warehouse.db)
})
afterAll(async () => {
  await sql.raw(`drop owned by ${role} cascade; drop role ${role}`).execute(it.warehouse.db)
  await it[Symbol.asyncDispose]()
  await org.close()
  rmSync(folder, { recursive: true, force: true })
})

function run(schema: string, ...args: readonly string[]): Promise<string> {
  return dbt(args, { url: database.url, role, password: 'test', schema, folder })
}

function build(schema: string, ...options: readonly string[]): Promise<string> {
  return run(schema, 'build', '--vars', VARIABLES, ...options)
}

async function count(query: string): Promise<number> {
  const { rows } = await sql
    .raw<{ count: number }>(`select count(*)::int as count from ${query}`)
    .execute(it.warehouse.db)
  return rows[0]!.count
}

/** Rows of a model that only one of two schemas has. */
function different(model: string, a: string, b: string): Promise<number> {
  return count(
    `((table ${a}.${model} except all table ${b}.${model}) union all (table ${b}.${model} except all table ${a}.${model})) d`,
  )
}

async function expectEqual(a: string, b: string): Promise<void> {
  for (const model of MODELS) expect([model, await different(model, a, b)]).toEqual([model, 0])
}

test.skipIf(noDbt)(
  'an incremental build takes over changes, corrected starts and deletions, as a build in full does',
  { timeout: 600_000 },
  async () => {
    await it.backfill(range)
    await recomputeDirtyHours(it.warehouse)
    expect(await build('first')).toMatch(/ERROR=0/)
    expect(await count('first.stg_genesys__conversations')).toBe(await count('reporting.conversations'))
    for (const model of MODELS) expect([model, (await count(`first.${model}`)) > 5]).toEqual([model, true])
    // nothing has changed: nothing is different
    expect(await build('first', '--select', 'staging')).toMatch(/ERROR=0/)

    org.control.clock.advance(30 * DAY_MS)
    const counts = (await it.backfill(range, { reload: true })).counts
    expect(counts['changed']).toBeGreaterThan(20)
    await recomputeDirtyHours(it.warehouse)
    for (const reason of ['missing', 'moved'])
      expect(await count(`reporting.deletions where reason = '${reason}'`)).toBeGreaterThan(3)
    expect(await count('first.stg_genesys__conversations')).toBeGreaterThan(await count('reporting.conversations'))
    expect(await build('first')).toMatch(/ERROR=0/)
    expect(await build('fresh')).toMatch(/ERROR=0/)
    await expectEqual('first', 'fresh')

    // one comes back, one loses all that it had beside its head
    const [back = ''] = (
      await sql<{
        id: string
      }>`select conversation_id as id from reporting.deletions where reason = 'missing' order by 1`.execute(
        it.warehouse.db,
      )
    ).rows.map(({ id }) => id)
    org.control.changes.restore(back)
    await it.backfill(range, { reload: true })
    await recomputeDirtyHours(it.warehouse)
    expect(await build('first')).toMatch(/ERROR=0/)
    expect(await count(`first.stg_genesys__conversations where conversation_id = '${back}'`)).toBe(1)
    expect(await build('fresh', '--full-refresh')).toMatch(/ERROR=0/)
    await expectEqual('first', 'fresh')
  },
)

test.skipIf(noDbt)('a conversation that has lost its only queue entry keeps none', { timeout: 300_000 }, async () => {
  const entries = 'first.stg_genesys__queue_entries'
  const { rows } = await sql
    .raw<{ id: string }>(
      `select conversation_id as id from ${entries} group by 1 having count(*) = 1 order by 1 limit 1`,
    )
    .execute(it.warehouse.db)
  const id = rows[0]?.id ?? ''
  const alone = `${entries} where conversation_id = '${id}'`
  expect(await count(alone)).toBe(1)
  const truth = org.truth().find(({ conversationId }) => conversationId === id) ?? {}
  const participants = (truth['participants'] ?? []) as { purpose?: string }[]
  org.control.changes.replace(id, { ...truth, participants: participants.filter(({ purpose }) => purpose !== 'acd') })
  await it.backfill(range, { reload: true })
  await recomputeDirtyHours(it.warehouse)
  await build('first')
  expect(await count(alone)).toBe(0)
  expect(await count(`first.stg_genesys__conversations where conversation_id = '${id}'`)).toBe(1)
})

test.skipIf(noDbt)(
  'the sources are fresh after a load, and a mart that differs fails its test',
  { timeout: 300_000 },
  async () => {
    expect(await run('first', 'source', 'freshness')).not.toMatch(/WARN|ERROR [a-z]/)
    await sql.raw('update first.genesys_queue_days set handled = handled + 1').execute(it.warehouse.db)
    await expect(build('first', '--select', 'genesys_queue_days_equal_reporting')).rejects.toThrow(/FAIL/)
    await sql
      .raw(
        'delete from first.stg_genesys__conversations where conversation_id in (select conversation_id from first.stg_genesys__queue_entries)',
      )
      .execute(it.warehouse.db)
    await expect(build('first', '--select', 'test_type:data,stg_genesys__queue_entries')).rejects.toThrow(
      /relationships/,
    )
  },
)
