import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { recordWindow } from '../../src/history/ledger.ts'
import { addDays } from '../../src/model/interval.ts'
import { Interrupted } from '../../src/errors.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { parseJson } from '../../src/model/json.ts'
import { conversationKey } from '../../src/model/transform.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { migrateDown, migrateUp } from '../../src/postgres/migrate.ts'
import { deriveRange } from '../../src/reporting/derive-range.ts'
import { selectDerivation } from '../../src/reporting/derivation.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { deriveDue, type DueOptions } from '../../src/reporting/walk.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { load } from '../loader/conversations.ts'
import { call, countUnderived, storedDerived, type CallOptions } from '../support/calls.ts'
import { createTestDatabase } from '../support/database.ts'
import {
  databaseBeforeCells,
  databaseBeforeFacts,
  FIRST_MIGRATION,
  freshlyDerived,
} from '../support/history-before-cells.ts'
import { loadBeforeCells } from '../support/loader-before-cells.ts'
import { startOrg } from '../support/simulated-org.ts'

const logger = createLogger('silent')
const signal = new AbortController().signal
const org = await startOrg()
afterAll(() => org.close())
const instant = (seconds: number): string => new Date(Date.UTC(2026, 3, 1, 0, 0, seconds)).toISOString()

const due = (warehouse: Warehouse, options: DueOptions = {}) => deriveDue({ warehouse, logger }, options, signal)

/** Derives until the first transaction of one conversation has committed, and stops there. Returns whether there was nothing to do. */
async function deriveOneBatch(warehouse: Warehouse): Promise<boolean> {
  const stopping = new AbortController()
  const onDerived = (): void => stopping.abort(new Interrupted())
  try {
    return (await deriveDue({ warehouse, logger, onDerived }, { batchSize: 1 }, stopping.signal)).isComplete
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    return false
  }
}

/** Marks a UTC day as loaded in the ledger. */
async function recordDay({ db }: Warehouse, day: string, hits: number): Promise<void> {
  const start = new Date(`${day}T00:00:00Z`)
  const key = { stream: 'conversations', filter: {} }
  await recordWindow(db, { ...key, start, end: addDays(start, 1), status: 'done', hits, runId: null })
}

/** What the organization has, without records that cannot be keyed. */
function usableTruth(): JsonObject[] {
  const byId = new Map<string, JsonObject>()
  for (const text of org.truthText()) {
    const raw = parseJson(text) as JsonObject
    const key = conversationKey(raw)
    if (!('rejected' in key) && key.conversationStart > '2012') byId.set(key.conversationId, raw)
  }
  return [...byId.values()]
}

test('a database of the previous release is migrated and filled: equal to a fresh load, and _loaded_at stays', async () => {
  const truth = usableTruth()
  await using database = await databaseBeforeCells(truth)
  await using warehouse = connect(database.url)
  const loadedAt = () =>
    sql`select conversation_id, _loaded_at, xmin::text from genesys.conversations order by 1`.execute(warehouse.db)
  const before = await loadedAt()
  await migrateUp(warehouse.db)
  expect(await storedDerived(warehouse)).toEqual([])
  expect(await selectDerivation(warehouse.db)).toMatchObject({ isFilled: false, filledBackTo: null })
  expect(await due(warehouse)).toEqual({ conversations: truth.length, withoutRows: 0, isComplete: true })
  expect(await storedDerived(warehouse)).toEqual(await freshlyDerived(truth))
  expect((await loadedAt()).rows).toEqual(before.rows)
  expect(await selectDerivation(warehouse.db)).toEqual({
    isFilled: true,
    filledBackTo: null,
    shownFrom: null,
    staleConversations: 0,
  })
  expect(await due(warehouse)).toEqual({ conversations: 0, withoutRows: 0, isComplete: true })
})

test('a database with cells but without facts keeps its cells and intervals, and is filled with facts', async () => {
  const calls = ['2026-02-10', '2026-03-10'].map((day) => call(day, { start: `${day}T09:00:00Z` }))
  await using database = await databaseBeforeFacts(calls)
  await using warehouse = connect(database.url)
  for (const day of ['2026-02-10', '2026-03-10']) await recordDay(warehouse, day, 1)
  const select = async (text: string) => (await sql.raw(text).execute(warehouse.db)).rows
  const cells = 'select xmin::text, * from etl.interval_cells order by 3, 4'
  const hours = 'select * from etl.dirty_hours order by 1'
  const derivedDays = 'select day::text from reporting.freshness where derived order by 1'
  const before = [await select(cells), await select(hours)]
  expect(before[0]).not.toEqual([])
  await migrateUp(warehouse.db)
  await ensureMonths(warehouse, ['2026-02', '2026-03'])
  expect([await select(cells), await select(hours)]).toEqual(before)
  const shown = 'select distinct interval_start::date::text as day from reporting.queue_intervals'
  expect(await select(shown)).toHaveLength(2)
  expect(await select('select * from reporting.conversations')).toEqual([])
  expect(await select(derivedDays)).toEqual([])
  while (!(await deriveOneBatch(warehouse))) {
    const facts = await select('select conversation_id as day from reporting.conversations order by 1')
    expect(await select(derivedDays)).toEqual(facts)
  }
  expect(await select(derivedDays)).toHaveLength(2)
  expect(await storedDerived(warehouse)).toEqual(await freshlyDerived(calls))
  // loaded when it was, but new to those who copy the view
  expect(
    await select(`select f.loaded_at = c._loaded_at as loaded, f.updated_at > c._loaded_at as updated
      from reporting.conversations f join genesys.conversations c using (conversation_id, conversation_start)`),
  ).toEqual([
    { loaded: true, updated: true },
    { loaded: true, updated: true },
  ])
})

test.each([
  // what the views of intervals show on the way
  ['20261126T1700Z-create-facts', 'everything'],
  ['20261126T1510Z-create-rollups', 'nothing'],
  [FIRST_MIGRATION, 'nothing'],
])('going down to before %s leaves the history as it was, and going up fills what was dropped', async (name, kept) => {
  const truth = usableTruth().slice(0, 50)
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, truth, 1)
  await recomputeDirtyHours(warehouse)
  await recordDay(warehouse, '2025-06-10', truth.length)
  const select = async (text: string) => (await sql.raw(text).execute(warehouse.db)).rows
  const history = () => select('select xmin::text, * from genesys.segments order by conversation_id, _index')
  const measures = () =>
    select(`select to_jsonb(q) - 'updated_at' as row from reporting.queue_intervals q
      order by interval_start, queue_id, media_type, direction, originating_direction`)
  const days = () =>
    select(
      `select to_jsonb(q) - 'updated_at' as row from reporting.queue_daily q order by day, queue_id, media_type, direction`,
    )
  const [derived, before, shown, shownDays] = [
    await storedDerived(warehouse),
    await history(),
    await measures(),
    await days(),
  ]
  for (;;) if ((await migrateDown(warehouse.db)).includes(name)) break
  expect(await history()).toEqual(before)
  await migrateUp(warehouse.db)
  expect(await measures()).toEqual(kept === 'everything' ? shown : [])
  expect(await select('select day from reporting.freshness where derived')).toEqual([])
  expect(await due(warehouse)).toEqual({ conversations: truth.length, withoutRows: 0, isComplete: true })
  expect(await storedDerived(warehouse)).toEqual(derived)
  expect(await measures()).toEqual(shown)
  await recomputeDirtyHours(warehouse)
  expect([await measures(), await days()]).toEqual([shown, shownDays])
})

test('after any sequence of loads by both releases, corrected starts and deletions, the cells are those of a fresh load', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const days = ['2026-01-30', '2026-01-31', '2026-02-01', '2026-02-28', '2026-03-01']
  const current = new Map<string, JsonObject>()
  for (let step = 1; step <= 60; step++) {
    const pick = (name: string, of: number): number => Math.floor(hashFraction(`derive/${name}/${step}`) * of)
    const ids = Array.from({ length: 1 + pick('number', 4) }, (_, i) => `c${pick(`id${i}`, 6)}`)
    const conversations = [...new Set(ids)].map((id) => {
      const options: CallOptions = {
        start: `${days[pick(`day ${id}`, days.length)]}T23:${10 + pick(`minute ${id}`, 45)}:00.000Z`,
        minutes: 1 + pick('minutes', 60),
        handleMs: 1000 * step,
        queue: `q${pick('queue', 3)}`,
      }
      return call(id, options)
    })
    switch (pick('what', 6)) {
      case 0:
        await due(warehouse, { batchSize: 2 })
        break
      case 1: {
        const [id] = ids
        current.delete(id!)
        for (const table of ['conversations', 'sessions', 'segments', 'session_metrics', 'participants'])
          await sql`delete from ${sql.table(`genesys.${table}`)} where conversation_id = ${id}`.execute(warehouse.db)
        await deriveRange({ warehouse, logger }, { start: new Date('2026-01-01'), end: new Date('2027-01-01') }, signal)
        break
      }
      case 2:
      case 3:
        await load(warehouse, conversations, step)
        for (const raw of conversations) current.set(raw['conversationId'] as string, raw)
        break
      default:
        await loadBeforeCells(warehouse, conversations, instant(step))
        for (const raw of conversations) current.set(raw['conversationId'] as string, raw)
    }
  }
  await due(warehouse)
  expect(await countUnderived(warehouse)).toBe(0)
  expect(current.size).toBeGreaterThan(3)
  expect(await storedDerived(warehouse)).toEqual(await freshlyDerived([...current.values()]))
})

test('conversations whose rows are gone leave no cells, and their month is not created again', async () => {
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  await load(warehouse, [call('a', { start: '2026-01-10T10:00:00Z' }), call('b', { start: '2026-02-10T10:00:00Z' })], 1)
  await sql`drop table genesys.conversations_2026_01`.execute(warehouse.db)
  const range = { start: new Date('2026-01-01'), end: new Date('2026-03-01') }
  expect(await deriveRange({ warehouse, logger }, range, signal)).toEqual({ conversations: 2, withoutRows: 1 })
  const ids = await sql`select distinct conversation_id from etl.interval_cells`.execute(warehouse.db)
  expect(ids.rows).toEqual([{ conversation_id: 'b' }])
  const { rows } = await sql`select to_regclass('genesys.conversations_2026_01') as month`.execute(warehouse.db)
  expect(rows).toEqual([{ month: null }])
  // this version's loader brings rows and cells back
  await load(warehouse, [call('a', { start: '2026-01-10T10:00:00Z' })], 2)
  await due(warehouse)
  expect(await storedDerived(warehouse)).toEqual(
    await freshlyDerived([call('a', { start: '2026-01-10T10:00:00Z' }), call('b', { start: '2026-02-10T10:00:00Z' })]),
  )
})

test('a process of the previous release loads on while the history is filled, and the result equals a fresh load', async () => {
  const start = (n: number): string => new Date(Date.UTC(2026, 0, 1 + (n % 60), 12, n % 60)).toISOString()
  const history = Array.from({ length: 600 }, (_, n) => call(`c${n}`, { start: start(n) }))
  await using database = await databaseBeforeCells(history)
  await using warehouse = connect(database.url)
  await using older = connect(database.url, { applicationName: 'older release' })
  await migrateUp(warehouse.db)
  const current = new Map(history.map((raw) => [raw['conversationId'] as string, raw]))
  const filling = { isDone: false }
  const loading = (async () => {
    for (let round = 0; !filling.isDone || round < 5; round++) {
      const changed = Array.from({ length: 40 }, (_, i) => {
        const n = Math.floor(hashFraction(`older/${round}/${i}`) * 700)
        return call(`c${n}`, { start: start(n + (i % 3)), handleMs: 1000 + round })
      })
      const unique = [...new Map(changed.map((raw) => [raw['conversationId'] as string, raw])).values()]
      await loadBeforeCells(older, unique, instant(10 + round))
      for (const raw of unique) current.set(raw['conversationId'] as string, raw)
    }
  })()
  while (!(await due(warehouse, { batchSize: 30 })).isComplete);
  filling.isDone = true
  await loading
  const summary = await due(warehouse)
  expect(summary.isComplete).toBe(true)
  expect(await countUnderived(warehouse)).toBe(0)
  expect(await storedDerived(warehouse)).toEqual(await freshlyDerived([...current.values()]))
})

test('the views show a day once nothing is missing of it, metrics of older conversations included', async () => {
  const calls = [
    call('newest', { start: '2026-03-10T09:00:00Z' }),
    call('day before', { start: '2026-03-09T09:00:00Z' }),
    call('second before', { start: '2026-03-08T09:00:00Z' }),
    call('third before', { start: '2026-03-07T09:00:00Z' }),
    call('e-mail', { start: '2026-02-20T09:00:00Z', minutes: 19 * 24 * 60, mediaType: 'email' }),
    call('older e-mail', { start: '2026-02-19T09:00:00Z', minutes: 60, mediaType: 'email' }),
  ]
  await using database = await databaseBeforeCells(calls)
  await using warehouse = connect(database.url)
  await migrateUp(warehouse.db)
  const days = [...new Set(calls.map((raw) => (raw['conversationStart'] as string).slice(0, 10)))].sort()
  for (const day of days) await recordDay(warehouse, day, 1)
  const derived = async () => {
    const { rows } = await sql<{ id: string }>`
      select conversation_id as id from etl.conversations where derived_hash is not null order by 1`.execute(
      warehouse.db,
    )
    return rows.map(({ id }) => id)
  }
  await using complete = await createTestDatabase()
  await using fresh = connect(complete.url)
  await load(fresh, calls, 1)
  const rowsFrom = async (from: Warehouse, day: string) =>
    (
      await sql`select interval_start, queue_id, media_type, offered, answered, handled, handle_ms
        from reporting.queue_intervals where interval_start >= ${day} order by 1, 2, 3`.execute(from.db)
    ).rows
  const shown: [string | undefined, readonly string[]][] = []
  while (!(await deriveOneBatch(warehouse))) {
    const { shownFrom } = await selectDerivation(warehouse.db)
    const day = shownFrom?.toISOString().slice(0, 10)
    shown.push([day, await derived()])
    // nothing before that day, and of it what a fresh load shows
    expect(await rowsFrom(warehouse, '2000-01-01')).toEqual(day === undefined ? [] : await rowsFrom(fresh, day))
    const { rows } = await sql<{ day: string }>`
      select day::text from reporting.freshness where derived order by 1`.execute(warehouse.db)
    expect(rows.map(({ day }) => day)).toEqual(days.filter((each) => day !== undefined && each >= day))
  }
  // whatever has a metric on a shown day is derived
  for (const [day, ids] of shown) {
    if (day === undefined) continue
    if (day <= '2026-03-10') expect(ids).toEqual(expect.arrayContaining(['newest', 'day before', 'e-mail']))
    if (day <= '2026-03-09') expect(ids).toContain('second before')
  }
  expect(shown.map(([day]) => day)).toContain('2026-03-10')
  expect(shown.find(([day]) => day === '2026-03-10')![1]).not.toContain('older e-mail')
})
