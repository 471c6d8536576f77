import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { migrateUp } from '../../src/postgres/migrate.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { selectDerivation } from '../../src/reporting/derivation.ts'
import { deriveRange } from '../../src/reporting/derive-range.ts'
import { ensureStaleIndex, hasStaleIndex } from '../../src/reporting/stale.ts'
import { DERIVATION_LOCK, deriveDue } from '../../src/reporting/walk.ts'
import { load } from '../loader/conversations.ts'
import { call, countUnderived, storedDerived } from '../support/calls.ts'
import { createTestDatabase } from '../support/database.ts'
import { databaseBeforeCells } from '../support/history-before-cells.ts'
import { loadBeforeCells } from '../support/loader-before-cells.ts'

const signal = new AbortController().signal
const logger = createLogger('silent')
const due = (warehouse: Warehouse) => deriveDue({ warehouse, logger }, {}, signal)
/** The expression of the index. */
const staleStart =
  '(case when derived_hash is distinct from content_hash or derived_version is distinct from 2 then conversation_start end)'
const start = '2026-03-10T09:00:00.000Z'

async function plan(warehouse: Warehouse, query: string): Promise<string> {
  const { rows } = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(query)}`.execute(warehouse.db)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

test('what a process of the previous release changes afterwards is found by the index alone', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const calls = Array.from({ length: 2000 }, (_, n) => call(`c${n}`, { start }))
  await load(warehouse, calls, 1)
  await sql`analyze etl.conversations`.execute(warehouse.db)
  expect(await due(warehouse)).toMatchObject({ conversations: 0 })
  await loadBeforeCells(warehouse, [call('c7', { start, handleMs: 7 }), call('new', { start })], '2026-04-01T00:01:00Z')
  expect(await selectDerivation(warehouse.db)).toMatchObject({ isFilled: true, staleConversations: 2 })
  for (const query of [
    `select conversation_id from etl.conversations where ${staleStart} is not null order by ${staleStart} desc limit 10`,
    `select count(*) from (select from etl.conversations where ${staleStart} is not null order by ${staleStart} desc limit 1000) s`,
    'select day, derived from reporting.freshness',
  ]) {
    expect(await plan(warehouse, query)).toContain('conversations_stale_v2_idx')
  }
  expect(await due(warehouse)).toEqual({ conversations: 2, withoutRows: 0, isComplete: true })
  expect(await countUnderived(warehouse)).toBe(0)
})

test('an index whose build was interrupted is built again, and one of other formulas is dropped', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await sql`drop index etl.conversations_stale_v2_idx`.execute(warehouse.db)
  expect(await hasStaleIndex(warehouse.db)).toBe(false)
  expect(await selectDerivation(warehouse.db)).toMatchObject({ staleConversations: null })
  // a unique index that can't be built stays behind, invalid
  await load(warehouse, [call('a', { start }), call('b', { start })], 1)
  await sql`create unique index concurrently conversations_stale_v2_idx on etl.conversations (conversation_start)`
    .execute(warehouse.db)
    .catch(() => {})
  await sql`create index conversations_stale_v0_idx on etl.conversations (conversation_start)`.execute(warehouse.db)
  await ensureStaleIndex(warehouse)
  const { rows } = await sql<{ definition: string; valid: boolean }>`
    select indexdef as definition, indisvalid as valid from pg_indexes
    join pg_index on indexrelid = format('etl.%I', indexname)::regclass
    where schemaname = 'etl' and indexname like 'conversations_stale%'`.execute(warehouse.db)
  expect(rows).toEqual([{ definition: expect.stringMatching(/^CREATE INDEX [^]*WHERE/) as string, valid: true }])
})

test('an open transaction that keeps the index from being built does not hold up the walk', async () => {
  await using database = await databaseBeforeCells([call('a', { start })])
  await using warehouse = connect(database.url)
  await migrateUp(warehouse.db)
  await sql`drop index etl.conversations_stale_v2_idx`.execute(warehouse.db)
  await sql.raw(`alter role current_user in database ${database.name} set lock_timeout = '200ms'`).execute(warehouse.db)
  const blocker = await warehouse.connectAlone('blocker')
  await blocker.query('begin; lock table etl.conversations in share row exclusive mode')
  const index = sql`select from pg_class where relname = 'conversations_stale_v2_idx'`
  const waiting = due(warehouse)
  await expect
    .poll(
      async () =>
        (
          await warehouse.pool.query(
            `select from pg_stat_activity where query like 'create index concurrently%' and wait_event_type = 'Lock'`,
          )
        ).rowCount,
      { timeout: 20_000 },
    )
    .toBe(1)
  const { rows } = await sql<{ pid: number }>`
    select pg_cancel_backend(pid) from pg_stat_activity where query like 'create index concurrently%' and datname = current_database()`.execute(
    warehouse.db,
  )
  expect(rows).toHaveLength(1)
  await blocker.query('rollback')
  await blocker.end()
  expect(await waiting).toMatchObject({ conversations: 1, isComplete: true })
  expect((await index.execute(warehouse.db)).rows).toHaveLength(0)
  await due(warehouse)
  expect(await hasStaleIndex(warehouse.db)).toBe(true)
})

test('other formulas: the walk begins again, and what is shown stays until it is replaced', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, [call('a', { start }), call('b', { start: '2026-02-10T09:00:00Z' })], 1)
  const expected = await storedDerived(warehouse)
  // as an older version with other formulas would have left it
  await sql`update etl.conversations set derived_version = 0`.execute(warehouse.db)
  await sql`update etl.interval_cells set offered = 9 where offered > 0`.execute(warehouse.db)
  await sql`update etl.derivation set version = 0`.execute(warehouse.db)
  const stopping = new AbortController()
  const onDerived = () => stopping.abort(new Error('stop'))
  await expect(deriveDue({ warehouse, logger, onDerived }, { batchSize: 1 }, stopping.signal)).rejects.toThrow('stop')
  expect(await selectDerivation(warehouse.db)).toMatchObject({
    isFilled: false,
    filledBackTo: new Date(start),
    shownFrom: null,
  })
  const shown =
    await sql`select offered from reporting.queue_intervals where offered > 0 order by interval_start`.execute(
      warehouse.db,
    )
  expect(shown.rows).toEqual([{ offered: 9 }, { offered: 1 }])
  expect(await due(warehouse)).toMatchObject({ conversations: 1, isComplete: true })
  expect(await storedDerived(warehouse)).toEqual(expected)
})

test('cells of a newer version are left alone', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await sql`update etl.derivation set version = 99`.execute(warehouse.db)
  const range = { start: new Date('2026-01-01'), end: new Date('2027-01-01') }
  const refusal = { code: 'DERIVED_BY_NEWER', kind: 'fatal' }
  await expect(due(warehouse)).rejects.toMatchObject(refusal)
  await expect(deriveRange({ warehouse, logger }, range, signal)).rejects.toMatchObject(refusal)
})

test('one process at a time walks; a range does not wait for it', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, [call('a', { start })], 1)
  await withJobLock(warehouse, DERIVATION_LOCK, signal, async () => {
    await expect(due(warehouse)).rejects.toMatchObject({ code: 'JOB_ALREADY_RUNNING' })
    const range = { start: new Date('2026-03-10'), end: new Date('2026-03-11') }
    expect(await deriveRange({ warehouse, logger }, range, signal)).toEqual({ conversations: 1, withoutRows: 0 })
  })
})

test('gives way to loads: while a job of the history runs, a fifth of the time is used', async () => {
  await using database = await databaseBeforeCells(
    Array.from({ length: 60 }, (_, n) => call(`c${n}`, { start: `2026-03-${10 + (n % 10)}T09:00:00Z` })),
  )
  await using warehouse = connect(database.url)
  await migrateUp(warehouse.db)
  const batches: number[] = []
  const onDerived = () => batches.push(performance.now())
  const startedAt = performance.now()
  await withJobLock(warehouse, 'backfill', signal, () =>
    deriveDue({ warehouse, logger, onDerived }, { batchSize: 10 }, signal),
  )
  const whileLoading = performance.now() - startedAt
  expect(batches).toHaveLength(6)
  await sql`update etl.conversations set derived_hash = null`.execute(warehouse.db)
  const again = performance.now()
  await due(warehouse)
  expect(whileLoading).toBeGreaterThan(performance.now() - again)
})
