import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { differences } from '../../src/model/canonical.ts'
import { tables } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { findMisplacedRows } from '../../src/loader/integrity.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { createFileDatabase } from '../support/database.ts'
import { conversation, instant, load, stored } from './conversations.ts'
import { startCuttingProxy } from '../postgres/cutting-proxy.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())
const everything = { start: new Date('2012-01-01'), end: new Date('2100-01-01') }

beforeEach(async () => {
  const all = [...tables.map((table) => `genesys.${table}`), 'etl.conversations', 'etl.rejected_records']
  await sql.raw(`truncate ${all.join(', ')}`).execute(warehouse.db)
})

async function expectStored(expected: readonly JsonObject[]): Promise<void> {
  for (const raw of expected) {
    expect(differences(raw, (await stored(warehouse, raw['conversationId'] as string)) ?? null)).toEqual([])
  }
  const { rows } = await sql`select count(*) from genesys.conversations`.execute(warehouse.db)
  expect(rows).toEqual([{ count: expected.length }])
  expect(await findMisplacedRows(warehouse.db, everything)).toEqual({ duplicates: [], inconsistent: [], orphans: {} })
}

/** Makes inserts into a table fail with a SQLSTATE until the returned function is called. */
async function failing(table: string, state: string, condition = 'true'): Promise<() => Promise<void>> {
  await sql
    .raw(
      `create sequence public.failures;
       create function public.fail() returns trigger language plpgsql as $$ begin
         if ${condition} then perform nextval('public.failures'); raise sqlstate '${state}' using message = 'made up'; end if;
         return new; end $$;
       create trigger fail before insert on ${table} for each row execute function public.fail()`,
    )
    .execute(warehouse.db)
  return async () => {
    await sql
      .raw(`drop trigger fail on ${table}; drop function public.fail; drop sequence public.failures`)
      .execute(warehouse.db)
  }
}

async function failures(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select case when is_called then last_value else 0 end as count from public.failures`.execute(warehouse.db)
  return rows[0]?.count ?? 0
}

test('waits and tries again while the disk is full, and then has everything', async () => {
  const repair = await failing('genesys.participants', '53100')
  const batch = [conversation('a'), conversation('b')]
  const loading = load(warehouse, batch, 1)
  await expect.poll(failures, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
  expect(await stored(warehouse, 'a')).toBeUndefined()
  await repair()
  expect(await loading).toMatchObject({ received: 2, inserted: 2 })
  await expectStored(batch)
})

test('gives up with a retryable error when it stays full, leaves nothing half-written and reveals no data', async () => {
  const repair = await failing('genesys.session_metrics', '53100')
  try {
    const stop = new AbortController()
    const raw = conversation('secret-name')
    const loading = load(warehouse, [raw], 1, { signal: stop.signal })
    await expect.poll(failures, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
    stop.abort(new Error('stopped by the test'))
    await expect(loading).rejects.toThrow()
    await expectStored([])
  } finally {
    await repair()
  }
})

test('distinguishes a permanent refusal, with what to do', async () => {
  const repair = await failing('genesys.conversations', '42501')
  try {
    await expect(load(warehouse, [conversation('a')], 1)).rejects.toMatchObject({
      code: 'DATABASE_FORBIDDEN',
      kind: 'fatal',
    })
  } finally {
    await repair()
  }
})

test('loads again what a killed backend was writing', async () => {
  // a lock on one table holds every transaction up in the middle of its COPYs
  const blocker = await warehouse.connectAlone('blocker')
  await load(warehouse, [conversation('first')], 1)
  await blocker.query('begin; lock table genesys.evaluations in exclusive mode')
  const batch = Array.from({ length: 50 }, (_, index) => conversation(`c${index}`))
  const loading = load(warehouse, batch, 2)
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like 'copy genesys.evaluations%'`
  try {
    for (let round = 0; round < 2; round++) {
      await expect.poll(async () => (await warehouse.pool.query(kill)).rowCount, { timeout: 10_000 }).toBe(1)
    }
  } finally {
    await blocker.end()
  }
  expect(await loading).toMatchObject({ received: 50, inserted: 50 })
  await expectStored([conversation('first'), ...batch])
})

test('counts right when the connection breaks after COMMIT was sent and before its answer came', async () => {
  await using proxy = await startCuttingProxy(database.url)
  await using cut = connect(proxy.url)
  await load(cut, [conversation('warm')], 1)
  const batch = [conversation('a'), conversation('b')]
  proxy.cutAfterNext('commit')
  expect(await load(cut, batch, 1)).toMatchObject({ received: 2, inserted: 2, stale: 0 })
  expect(proxy.cuts()).toBe(1)
  await expectStored([conversation('warm'), ...batch])
})

test('two loaders with overlapping batches in any order end with the newest of each, without deadlock', async () => {
  await using other = connect(database.url)
  const { rows: before } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(warehouse.db)
  const random = lcg(42)
  const newest = new Map<string, { raw: JsonObject; seconds: number }>()
  for (let round = 0; round < 25; round++) {
    const batches = [warehouse, other, warehouse, other].map((loader) => {
      const records = Array.from({ length: 25 }, () => {
        const seconds = Math.floor(random() * 100_000)
        const start = `2026-0${1 + Math.floor(random() * 3)}-15T00:00:00.000Z`
        const id = `c${Math.floor(random() * 60)}`
        const raw = conversation(id, { externalTag: `at ${seconds}`, conversationStart: start })
        if ((newest.get(id)?.seconds ?? -1) < seconds) newest.set(id, { raw, seconds })
        return { conversation: raw, fetchedAt: instant(seconds) }
      })
      return loadBatch(loader, records, { source: 'query', runId: null, deliversAttributes: false })
    })
    for (const counts of await Promise.all(batches)) {
      expect(counts.inserted + counts.changed + counts.unchanged + counts.stale).toBe(25)
    }
  }
  await expectStored([...newest.values()].map(({ raw }) => raw))
  const { rows: after } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(warehouse.db)
  expect(after).toEqual(before)
})

test('a reader sees a conversation whole, before or after', async () => {
  const sizes = [1, 30]
  const version = (number: number) =>
    conversation('a', {
      externalTag: String(sizes[number % 2]),
      participants: Array.from({ length: sizes[number % 2]! }, (_, index) => ({ participantId: `p${index}` })),
    })
  await load(warehouse, [version(0)], 0)
  const loading = { isDone: false }
  const reading = (async () => {
    const seen = new Set<string>()
    while (!loading.isDone) {
      const { rows } = await sql<{ tag: string; count: number }>`
        select c.external_tag as tag, (select count(*) from genesys.participants p where p.conversation_id = 'a')
        from genesys.conversations c`.execute(warehouse.db)
      expect(rows).toHaveLength(1)
      expect(Number(rows[0]?.tag)).toBe(rows[0]?.count)
      seen.add(rows[0]?.tag ?? '')
    }
    return seen.size
  })()
  for (let number = 1; number <= 40; number++) await load(warehouse, [version(number)], number)
  loading.isDone = true
  expect(await reading).toBe(2)
})

/** A small generator of numbers in [0, 1), the same for a seed. */
function lcg(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('a foreign key of the customer blocks its conversation alone, and the reason names constraint and table', async () => {
  const batch = ['a', 'b', 'c'].map((id) => conversation(id))
  await load(warehouse, batch, 1)
  await sql`create schema customer`.execute(warehouse.db)
  await sql`create table customer.orders (id text, start timestamptz, constraint orders_call
    foreign key (id, start) references genesys.conversations (conversation_id, conversation_start))`.execute(
    warehouse.db,
  )
  try {
    await sql`insert into customer.orders select conversation_id, conversation_start from genesys.conversations
      where conversation_id = 'b'`.execute(warehouse.db)
    const changed = batch.map((raw) => ({ ...raw, externalTag: 'changed' }))
    expect(await load(warehouse, changed, 2)).toMatchObject({ received: 3, changed: 2, rejected: 1 })
    expect(await stored(warehouse, 'b')).not.toHaveProperty('externalTag')
    const { rows } = await sql<{ conversation_id: string; reason: string }>`
      select conversation_id, reason from etl.rejected_records`.execute(warehouse.db)
    expect(rows).toEqual([
      {
        conversation_id: 'b',
        reason: expect.stringMatching(/23503.* constraint orders_call\S* of customer\.orders; .*deferrable/) as string,
      },
    ])

    // what the reason advises
    await sql`alter table customer.orders drop constraint orders_call`.execute(warehouse.db)
    await sql`alter table customer.orders add constraint orders_call foreign key (id, start)
      references genesys.conversations (conversation_id, conversation_start) deferrable initially deferred`.execute(
      warehouse.db,
    )
    expect(await load(warehouse, changed, 3)).toMatchObject({ changed: 1, unchanged: 2, rejected: 0 })
    await expectStored(changed)
  } finally {
    await sql`drop schema customer cascade`.execute(warehouse.db)
  }
})

test.each([
  ['a check', "add constraint no_b check (conversation_id <> 'b')", /23514.* constraint no_b of genesys\.participants/],
])('%s of the customer blocks its conversation alone', async (_name, constraint, reason) => {
  await sql.raw(`alter table genesys.participants ${constraint}`).execute(warehouse.db)
  try {
    const batch = ['a', 'b', 'c'].map((id) => conversation(id))
    expect(await load(warehouse, batch, 1)).toMatchObject({ received: 3, inserted: 2, rejected: 1 })
    const { rows } = await sql<{ reason: string }>`select reason from etl.rejected_records`.execute(warehouse.db)
    expect(rows).toEqual([{ reason: expect.stringMatching(reason) as string }])
  } finally {
    await sql`alter table genesys.participants drop constraint no_b`.execute(warehouse.db)
  }
})
