import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { Client } from 'pg'
import { expect, inject, test, vi } from 'vitest'
import { Interrupted } from '../../src/errors.ts'
import { withQueriesUnder } from '../../src/postgres/client.ts'
import { connect } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { startNetwork } from '../chaos/network.ts'
import { conversation, load, stored } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'

/** Restores the real ones at the end of the block, before what was opened earlier is closed. */
function fakeTimers(...toFake: ('setInterval' | 'clearInterval' | 'setTimeout' | 'clearTimeout')[]): Disposable {
  vi.useFakeTimers({ toFake })
  return { [Symbol.dispose]: () => void vi.useRealTimers() }
}

const never = new AbortController().signal

async function administrate(statement: string): Promise<void> {
  const admin = new Client({ connectionString: inject('postgres').adminUrl })
  await admin.connect()
  try {
    await admin.query(statement)
  } finally {
    await admin.end()
  }
}

test('a session has the settings that our statements depend on, whatever the defaults of the database are', async () => {
  await using database = await createTestDatabase()
  const defaults: Record<string, string> = {
    default_transaction_isolation: 'serializable',
    default_transaction_deferrable: 'on',
    statement_timeout: '1s',
    lock_timeout: '1s',
    idle_in_transaction_session_timeout: '1s',
    idle_session_timeout: '1s',
    transaction_timeout: '1s',
    timezone: 'Asia/Kolkata',
    datestyle: 'German',
    intervalstyle: 'iso_8601',
    extra_float_digits: '0',
    bytea_output: 'escape',
    standard_conforming_strings: 'off',
    array_nulls: 'off',
    transform_null_equals: 'on',
    enable_partition_pruning: 'off',
    jit: 'on',
  }
  for (const [name, value] of Object.entries(defaults)) {
    await administrate(`alter database ${database.name} set ${name} = '${value}'`)
  }
  await using warehouse = connect(database.url)
  const { rows } = await sql<{ name: string; setting: string }>`
    select name, setting from pg_settings where lower(name) = any(${Object.keys(defaults)}::text[])`.execute(
    warehouse.db,
  )
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name.toLowerCase(), setting]))).toEqual({
    default_transaction_isolation: 'read committed',
    default_transaction_deferrable: 'off',
    statement_timeout: '0',
    lock_timeout: '120000',
    idle_in_transaction_session_timeout: '300000',
    idle_session_timeout: '0',
    transaction_timeout: '0',
    timezone: 'UTC',
    datestyle: 'ISO, DMY',
    intervalstyle: 'postgres',
    extra_float_digits: '1',
    bytea_output: 'hex',
    standard_conforming_strings: 'on',
    array_nulls: 'on',
    transform_null_equals: 'off',
    enable_partition_pruning: 'on',
    jit: 'off',
  })
})

test.each(['repeatable read', 'serializable'])(
  'the first load of a month by two loaders succeeds in a database whose default isolation is %s',
  async (isolation) => {
    await using database = await createTestDatabase()
    await administrate(`alter database ${database.name} set default_transaction_isolation = '${isolation}'`)
    await using one = connect(database.url)
    await using other = connect(database.url)
    await Promise.all([load(one, [conversation('a')], 1), load(other, [conversation('b')], 1)])
    expect(await stored(one, 'a')).toMatchObject({ conversationId: 'a' })
    expect(await stored(one, 'b')).toMatchObject({ conversationId: 'b' })
  },
)

test('writes again after the database was read-only for a while, on the pool that was refused', async () => {
  await using database = await createTestDatabase()
  const write = `insert into etl.meta (key, value) values (gen_random_uuid()::text, '1')`
  await administrate(`alter database ${database.name} set default_transaction_read_only = on`)
  await using warehouse = connect(database.url, { max: 1 })
  await expect(warehouse.pool.query(write)).rejects.toMatchObject({ code: '25006' })
  await expect(sql.raw(write).execute(warehouse.db)).rejects.toMatchObject({ code: '25006' })
  await administrate(`alter database ${database.name} reset default_transaction_read_only`)
  expect((await warehouse.pool.query(write)).rowCount).toBe(1)
})

test('gives up a query that a silent server does not answer, and works again on a new connection', async () => {
  await using database = await createTestDatabase()
  await using network = await startNetwork(database.url)
  await using warehouse = connect(network.url, { max: 1 })
  using _timers = fakeTimers('setInterval', 'clearInterval')
  await warehouse.pool.query('select 1')
  network.stall()
  const silent = expect(warehouse.pool.query('select 1')).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  // the query has left by the first check, so only the second one finds that nothing has moved
  await sleep(50)
  vi.advanceTimersByTime(5 * 60_000)
  vi.advanceTimersByTime(5 * 60_000)
  await silent
  await network.restore()
  expect((await warehouse.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('leaves a query alone, however long it takes, that the server is sending something of', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  using _timers = fakeTimers('setInterval', 'clearInterval')
  const client = await warehouse.pool.connect()
  let notices = 0
  client.on('notice', () => {
    notices++
    vi.advanceTimersByTime(5 * 60_000)
  })
  await client.query(`do $$ begin for i in 1..6 loop raise notice 'working'; perform pg_sleep(0.02); end loop; end $$`)
  client.release()
  expect(notices).toBe(6)
})

test('a query of a job ends with the lock of the job', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await using other = connect(database.url)
  const work = withJobLock(warehouse, 'sync', never, async () => {
    await other.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%lock sync%'
         and datname = current_database()`,
    )
    await sql`select pg_sleep(600)`.execute(warehouse.db)
  })
  await expect(work).rejects.toMatchObject({ code: 'JOB_LOCK_LOST' })
  // other work of the process goes on
  expect((await warehouse.pool.query('select 1')).rowCount).toBe(1)
})

test('a query that runs when the process is asked to stop has ten seconds, and its connection is closed then', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  using _timers = fakeTimers('setTimeout', 'clearTimeout')
  const stop = new AbortController()
  await warehouse.pool.query('select 1')
  let isOver = false
  const work = withQueriesUnder(stop.signal, () => sql`select pg_sleep(600)`.execute(warehouse.db)).finally(
    () => (isOver = true),
  )
  const ended = expect(work).rejects.toBeInstanceOf(Interrupted)
  // the deadline counts for a query under way; a new connection can take longer than one round trip
  const isRunning = `select 1 from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(600)'`
  while ((await warehouse.pool.query(isRunning)).rowCount === 0);
  stop.abort(new Interrupted('SIGTERM'))
  vi.advanceTimersByTime(9_000)
  await warehouse.pool.query('select pg_sleep(0.05)')
  expect(isOver).toBe(false)
  vi.advanceTimersByTime(1_001)
  await ended
  // how it ended can be recorded all the same
  const recorded = withQueriesUnder(stop.signal, () => sql`select 1 as one`.execute(warehouse.db))
  expect((await recorded).rows).toEqual([{ one: 1 }])
})
