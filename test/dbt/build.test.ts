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
const COPY = 'stg_genesys__conversations'
const ENTRIES = 'first.stg_genesys__queue_entries'

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

/** Runs a command of dbt on a schema; the variables are those of every run, or dbt reads the package again. */
async function run(schema: string, ...command: readonly string[]): Promise<void> {
  const output = await dbt([...command, '--vars', VARIABLES], {
    url: database.url,
    role,
    password: 'test',
    schema,
    folder,
  })
  expect(output).not.toMatch(/[Dd]eprecat/)
}

async function reload(): Promise<void> {
  await it.backfill(range, { reload: true })
  await recomputeDirtyHours(it.warehouse)
}

async function count(query: string): Promise<number> {
  const { rows } = await sql
    .raw<{ count: number }>(`select count(*)::int as count from ${query}`)
    .execute(it.warehouse.db)
  return rows[0]!.count
}

async function ids(query: string): Promise<string[]> {
  const { rows } = await sql
    .raw<{ conversation_id: string }>(`select conversation_id from ${query} order by 1`)
    .execute(it.warehouse.db)
  return rows.map((row) => row.conversation_id)
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
  async () => {
    await it.backfill(range)
    await recomputeDirtyHours(it.warehouse)
    // the models rely on it: no change of a conversation moves only some of its rows
    for (const view of ['queue_entries', 'agent_sessions'])
      expect(
        await count(
          `reporting.${view} e left join reporting.conversations c using (conversation_id, conversation_start, updated_at) where c.conversation_id is null`,
        ),
      ).toBe(0)
    await run('first', 'build')
    expect(await count(`first.${COPY}`)).toBe(await count('reporting.conversations'))
    for (const model of MODELS) expect([model, (await count(`first.${model}`)) > 5]).toEqual([model, true])

    org.control.clock.advance(30 * DAY_MS)
    await reload()
    for (const reason of ['missing', 'moved'])
      expect(
        await count(
          `first.${COPY} join reporting.deletions using (conversation_id, conversation_start) where reason = '${reason}'`,
        ),
      ).toBeGreaterThan(3)
    const changed = `first.${COPY} f join reporting.conversations r using (conversation_id) where r.updated_at > f.updated_at`
    expect(await count(changed)).toBeGreaterThan(20)
    await run('first', 'build')
    expect(await count(changed)).toBe(0)
    await run('fresh', 'run')
    await expectEqual('first', 'fresh')
  },
)

test.skipIf(noDbt)(
  'a conversation that comes back is there again, and one that has lost its only queue entry keeps none',
  async () => {
    const [back = ''] = await ids("reporting.deletions where reason = 'missing'")
    const [lost = ''] = await ids(
      `(select conversation_id from ${ENTRIES} group by 1 having count(*) = 1 and bool_and(queue_id is not null)) e`,
    )
    const truth = org.truth().find(({ conversationId }) => conversationId === lost) ?? {}
    const participants = truth['participants'] as readonly { readonly purpose?: string }[]
    org.control.changes.restore(back)
    org.control.changes.replace(lost, {
      ...truth,
      participants: participants.filter(({ purpose }) => purpose !== 'acd'),
    })
    await reload()
    expect(await ids(`first.${COPY} where conversation_id = '${back}'`)).toEqual([])
    await run('first', 'build')
    expect(await ids(`first.${COPY} where conversation_id in ('${back}', '${lost}')`)).toEqual([back, lost].sort())
    expect(await ids(`${ENTRIES} where conversation_id = '${lost}'`)).toEqual([])
    await run('fresh', 'run', '--full-refresh')
    await expectEqual('first', 'fresh')
  },
)

test.skipIf(noDbt)('what was loaded is fresh, and tests find a mart and a copy that differ', async () => {
  const { db } = it.warehouse
  await run('first', 'source', 'freshness')
  await sql`update genesys.conversations set _loaded_at = _loaded_at - interval '51 hours'`.execute(db)
  await expect(run('first', 'source', 'freshness')).rejects.toThrow(/ERROR STALE/)
  await sql`update first.genesys_queue_days set handled = handled + 1`.execute(db)
  await sql`delete from first.stg_genesys__conversations where conversation_id in (select conversation_id from first.stg_genesys__queue_entries)`.execute(
    db,
  )
  const failed = await run('first', 'test').catch(String)
  for (const name of [
    'genesys_queue_days_equal_reporting',
    'genesys_conversations_equal_reporting',
    'relationships_stg_genesys__queue_entries',
  ])
    expect(failed).toMatch(new RegExp(`FAIL \\d+ ${name}`))
  expect(failed).not.toMatch(/FAIL \d+ genesys_agent_days_equal_reporting/)
})
