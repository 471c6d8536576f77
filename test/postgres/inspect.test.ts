import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { derivedTables } from '../../src/facts/derived.ts'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { tables } from '../../src/model/columns.ts'
import { connect } from '../../src/postgres/connect.ts'
import { inspectDatabase, inspectSchema, locksCheck } from '../../src/postgres/inspect.ts'
import { migrationStatus } from '../../src/postgres/migrate.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

test.each([
  [0, 64, 'ok', ''],
  [900, 64, 'ok', ''],
  [1600, 64, 'ok', ''],
  [1601, 64, 'warning', ' = 128 '],
  [2160, 64, 'warning', ' = 128 '],
  [2160, 256, 'ok', ''],
  [6500, 64, 'warning', ' = 512 '],
])('%i partitions and indexes with max_locks_per_transaction = %i and 100 sessions: %s', (...expected) => {
  const [partition_relations, max_locks_per_transaction, verdict, setting] = expected
  const check = locksCheck({ partition_relations, max_locks_per_transaction, max_sessions: 100 })
  expect(check.verdict).toBe(verdict)
  expect(check.fix ?? '').toContain(setting)
})

test('counts the partitions of the history and of what is derived from it, and their indexes', async () => {
  await ensureMonths(warehouse, ['2026-01', '2026-02'])
  // a table, its key and its index on conversation_start, or of cells on interval_start; genesys.conversations has one on _loaded_at besides
  const relations = 2 * (3 * (tables.length + derivedTables.length) + 1)
  const check = (await inspectDatabase(warehouse)).find(({ name }) => name === 'locks')
  expect(check).toMatchObject({
    verdict: 'ok',
    detail: expect.stringContaining(`${relations} partitions and indexes`) as string,
  })
})

test('names what was changed in a schema by hand, and what is not of this version', async () => {
  const { db } = warehouse
  const states = await migrationStatus(db)
  expect(await inspectSchema(db, states)).toEqual([])
  await sql`alter table genesys.flows rename column flow_name to name`.execute(db)
  await sql`update etl.meta set value = '"older"' where key = 'comments'`.execute(db)
  await sql`update etl.meta set value = jsonb_set(value, array['20261122T1700Z-create-live'], '"other"') where key = 'migrations'`.execute(
    db,
  )
  expect(await inspectSchema(db, states)).toEqual([
    {
      name: 'schema: migrations',
      verdict: 'failed',
      detail: 'edited after the database had executed them: 20261122T1700Z-create-live',
      fix: expect.stringContaining('Restore') as string,
    },
    {
      name: 'schema: columns',
      verdict: 'failed',
      detail: 'the database lacks the column genesys.flows.flow_name',
      fix: expect.stringContaining('alter table genesys.flows add column flow_name text;') as string,
    },
    {
      name: 'schema: views',
      verdict: 'warning',
      detail: 'not those of this version: comments',
      fix: expect.stringContaining('migrate') as string,
    },
  ])
})
