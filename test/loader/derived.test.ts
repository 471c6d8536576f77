/** What is derived, in the database, through loads of every kind. */
import { sql } from 'kysely'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { CELL_COLUMNS } from '../../src/intervals/cells.ts'
import { tables, type Value } from '../../src/model/columns.ts'
import { parseJson, type JsonObject } from '../../src/model/json.ts'
import { hashFraction } from '../../src/simulator/random.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { analyzeMonths, ensureMonths, forgetMonths, summarizeMonths } from '../../src/loader/partitions.ts'
import { markMissing } from '../../src/loader/missing.ts'
import { deriveBatch } from '../../src/reporting/derive.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { DERIVED_TABLES, expectDerived, selectCells, selectWrongCells } from '../support/derived.ts'
import { conversation, load } from './conversations.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

async function rows<Row>(query: string): Promise<Row[]> {
  return (await sql.raw<Row>(query).execute(warehouse.db)).rows
}

beforeEach(async () => {
  const all = [...tables.map((table) => `genesys.${table}`), ...DERIVED_TABLES]
  await rows(`truncate ${all.join(', ')}, etl.conversations, etl.dirty_hours`)
})

/** A conversation that began at an instant and whose agent was done at others, for as many milliseconds. */
function handled(id: string, conversationStart: string, ...emitDates: string[]): JsonObject {
  const metrics = emitDates.map((emitDate, index) => ({ name: 'tHandle', value: 1000 * (index + 1), emitDate }))
  const segments = [{ segmentStart: conversationStart, segmentType: 'interact', queueId: 'q' }]
  const sessions = [{ mediaType: 'voice', direction: 'inbound', segments, metrics }]
  const queue = { purpose: 'acd', sessions: [{ mediaType: 'voice', direction: 'inbound', segments }] }
  const participants = [queue, { purpose: 'agent', userId: 'u', sessions }]
  return conversation(id, { conversationStart, participants })
}

/** The dirty hours, and no longer. */
async function takeDirtyHours(): Promise<string[]> {
  const taken = await rows<{ hour: Date }>('with d as (delete from etl.dirty_hours returning hour) table d')
  return [...new Set(taken.map(({ hour }) => hour.toISOString()))].sort()
}

const slot = (name: string): number => CELL_COLUMNS.indexOf(name)

/** Start, interval and handling time of the stored cells. */
async function summary(): Promise<Value[][]> {
  const cells = await selectCells(warehouse)
  return cells.map((cell) => ['conversation_start', 'interval_start', 'handle_ms'].map((name) => cell[slot(name)]!))
}

const march = '2026-03-05T10:00:00.000Z'
const february = '2026-02-28T23:59:59.000Z'

test('a load writes the cells of new and changed conversations, and marks the hours of both', async () => {
  await load(warehouse, [handled('a', march, '2026-03-05T10:10:00Z', '2026-03-05T11:20:00Z')], 1)
  expect(await takeDirtyHours()).toEqual(['2026-03-05T10:00:00.000Z', '2026-03-05T11:00:00.000Z'])
  expect(await summary()).toEqual([
    [march, '2026-03-05T10:00:00.000Z', 1000],
    [march, '2026-03-05T11:15:00.000Z', 2000],
  ])
  await load(warehouse, [handled('a', march, '2026-03-05T10:10:00Z', '2026-03-06T00:00:00Z')], 2)
  expect(await takeDirtyHours()).toEqual([
    '2026-03-05T10:00:00.000Z',
    '2026-03-05T11:00:00.000Z',
    '2026-03-06T00:00:00.000Z',
  ])
  expect(await summary()).toEqual([
    [march, '2026-03-05T10:00:00.000Z', 1000],
    [march, '2026-03-06T00:00:00.000Z', 2000],
  ])
  await load(warehouse, [handled('a', march)], 3)
  expect(await takeDirtyHours()).toEqual(['2026-03-05T10:00:00.000Z', '2026-03-06T00:00:00.000Z'])
  expect(await summary()).toEqual([])
  await expectDerived(warehouse)
})

test('an unchanged load writes no cell and no mark, whatever derived_hash says, and does not touch it', async () => {
  const batch = [handled('a', march, march), handled('b', march, march)]
  await load(warehouse, batch, 1)
  await rows(`update etl.conversations set derived_hash = null, derived_version = 0 where conversation_id = 'b'`)
  await takeDirtyHours()
  const versions = 'select xmin::text, ctid::text from etl.interval_cells order by 2'
  const before = await rows(versions)
  expect(await load(warehouse, batch, 2)).toMatchObject({ unchanged: 2 })
  expect(await rows(versions)).toEqual(before)
  expect(before).toHaveLength(2)
  expect(await takeDirtyHours()).toEqual([])
  expect(
    await rows(
      `select derived_hash = content_hash as derived, derived_version from etl.conversations order by conversation_id`,
    ),
  ).toEqual([
    { derived: true, derived_version: 2 },
    { derived: null, derived_version: 0 },
  ])
})

test('a corrected start takes the cells along, into another month', async () => {
  await load(warehouse, [handled('a', march, march)], 1)
  await load(warehouse, [handled('a', february, march)], 2)
  expect(await summary()).toEqual([[february, march, 1000]])
  await expectDerived(warehouse)
})

test('numbers and dates beyond all bounds do not fail a load, and can be stored', async () => {
  const largest = parseJson('9223372036854775807')
  const metrics = [
    { name: 'tHandle', value: largest, emitDate: '0001-01-01T00:00:00Z' },
    { name: 'tHandle', value: largest, emitDate: '0001-01-01T00:14:59.999999Z' },
    { name: 'tHandle', value: 9, emitDate: '9999-12-31T23:59:59.999999Z' },
    { name: 'tHandle', value: 8, emitDate: '1900-01-01T00:00:00Z' },
    { name: 'tHandle', value: 7, emitDate: 'infinity' },
  ]
  const raw = conversation('a', { participants: [{ sessions: [{ metrics, mediaType: 'tab\there \\N' }] }] })
  expect(await load(warehouse, [raw], 1)).toMatchObject({ inserted: 1, rejected: 0 })
  expect(await summary()).toEqual([
    [march, '0001-01-01T00:00:00.000Z', 2n ** 63n - 1n],
    [march, '1900-01-01T00:00:00.000Z', 8],
    [march, '9999-12-31T23:45:00.000Z', 9],
  ])
  await expectDerived(warehouse)
  expect(await selectWrongCells(warehouse)).toEqual([])
})

describe('what a release without cells has loaded', () => {
  /** Does what a load of that release does: the tables follow, the cells and what they were derived from stay. */
  async function loadWithoutCells(raws: JsonObject[], seconds: number): Promise<void> {
    await rows(`create table kept_cells as table etl.interval_cells;
      create table kept as select conversation_id, derived_hash, derived_version from etl.conversations`)
    await load(warehouse, raws, seconds)
    await rows(`truncate etl.interval_cells, etl.dirty_hours; insert into etl.interval_cells table kept_cells;
      update etl.conversations c set derived_hash = k.derived_hash, derived_version = k.derived_version
      from (select c.conversation_id, kept.derived_hash, kept.derived_version
        from etl.conversations c left join kept using (conversation_id)) k
      where k.conversation_id = c.conversation_id;
      drop table kept, kept_cells`)
  }

  test('is recognized as out of date, and gets its cells with the next change', async () => {
    await load(warehouse, [handled('a', march, march)], 1)
    await loadWithoutCells([handled('a', march, february), handled('b', march, march)], 2)
    expect(
      await rows(`select conversation_id as id, derived_hash is null as never, derived_hash <> content_hash as outdated
        from etl.conversations order by 1`),
    ).toEqual([
      { id: 'a', never: false, outdated: true },
      { id: 'b', never: true, outdated: null },
    ])
    await load(warehouse, [handled('a', march, february, march), handled('b', march, march, march)], 3)
    await expectDerived(warehouse)
  })

  test('leaves no cells behind where it has moved conversations to other months', async () => {
    await load(warehouse, [handled('a', march, march)], 1)
    await loadWithoutCells([handled('a', february, march)], 2)
    await loadWithoutCells([handled('a', '2026-01-31T00:00:00.000Z', march)], 3)
    await load(warehouse, [handled('a', february, march, march)], 4)
    expect(await takeDirtyHours()).toEqual(['2026-03-05T10:00:00.000Z'])
    await expectDerived(warehouse)
    expect(await selectCells(warehouse)).toHaveLength(1)
  })
})

describe('what a release without facts has loaded', () => {
  const FACTS = DERIVED_TABLES.filter((table) => table !== 'etl.interval_cells')

  /** Does what a load of that release does: the cells follow, too, but not the facts. */
  async function loadWithoutFacts(raws: JsonObject[], seconds: number): Promise<void> {
    for (const [n, table] of FACTS.entries()) await rows(`create table kept_${n} as table ${table}`)
    await load(warehouse, raws, seconds)
    for (const [n, table] of FACTS.entries())
      await rows(`truncate ${table}; insert into ${table} table kept_${n}; drop table kept_${n}`)
    const ids = raws.map((raw) => `'${raw['conversationId'] as string}'`).join()
    await rows(`update etl.conversations set derived_version = 1 where conversation_id in (${ids})`)
  }

  test.each(['the next change', 'deriving'])('gets its facts with %s, and leaves none behind', async (how) => {
    await load(warehouse, [handled('a', march, march), handled('b', march, march)], 1)
    await loadWithoutFacts([handled('a', february, march), handled('c', march, march)], 2)
    await loadWithoutFacts([handled('a', '2026-01-31T00:00:00.000Z', march)], 3)
    if (how === 'deriving') {
      const candidates = ['a', 'b', 'c'].map((id) => ({ id, start: march }))
      await deriveBatch(warehouse, candidates, { force: false, signal: new AbortController().signal })
    } else await load(warehouse, [handled('a', february, march, march), handled('c', march, march, march)], 4)
    await expectDerived(warehouse)
  })

  test('leaves no facts behind where Genesys has a conversation no more', async () => {
    await load(warehouse, [handled('a', march, march)], 1)
    await loadWithoutFacts([handled('a', february, march)], 2)
    expect(await markMissing(warehouse.db, ['a'], new Date('2100-01-01'))).toBe(1)
    for (const table of DERIVED_TABLES) expect(await rows(`select from ${table}`)).toEqual([])
  })
})

describe('what was lost', () => {
  const later = '2026-03-20T00:00:00.000Z'

  test('a lost partition of cells is made again, and its conversations are marked as not derived, its hours as dirty', async () => {
    await load(warehouse, [handled('a', march, march), handled('b', february, march)], 1)
    await takeDirtyHours()
    await rows('drop table etl.interval_cells_2026_03')
    forgetMonths(warehouse)
    await ensureMonths(warehouse, ['2026-03', '2026-02'])
    expect(await rows(`select conversation_id as id from etl.conversations where derived_hash is null`)).toEqual([
      { id: 'a' },
    ])
    expect(await rows(`select 1 from etl.conversations where content_hash = ''`)).toEqual([])
    expect(await takeDirtyHours()).toEqual(expect.arrayContaining(['2026-03-01T00:00:00.000Z', later, march]))
    // the next content is derived as usual
    await load(warehouse, [handled('a', march, later)], 2)
    await expectDerived(warehouse)
  })

  test('a lost partition of facts is made again, and its conversations are marked as not derived; cells stay', async () => {
    await load(warehouse, [handled('a', march, march), handled('b', february, march)], 1)
    await takeDirtyHours()
    await rows('drop table etl.queue_entries_2026_03')
    forgetMonths(warehouse)
    await ensureMonths(warehouse, ['2026-03', '2026-02'])
    expect(await rows(`select conversation_id as id from etl.conversations where derived_hash is null`)).toEqual([
      { id: 'a' },
    ])
    expect(await takeDirtyHours()).toEqual([])
    expect(await selectCells(warehouse)).toHaveLength(2)
    const candidates = [{ id: 'a', start: march }]
    await deriveBatch(warehouse, candidates, { force: false, signal: new AbortController().signal })
    await expectDerived(warehouse)
  })

  test.each(DERIVED_TABLES)('a partition of %s that was dropped while a process knew it', async (table) => {
    await load(warehouse, [handled('a', march, march)], 1)
    await rows(`drop table ${table}_2026_03`)
    expect(await load(warehouse, [handled('a', march, later)], 2)).toMatchObject({ changed: 1 })
    await expectDerived(warehouse)
  })

  test('the cells of a month follow its conversations, whether they come back or not', async () => {
    await load(warehouse, [handled('a', march, march), handled('b', march, later)], 1)
    await takeDirtyHours()
    await rows(tables.map((table) => `drop table genesys.${table}_2026_03`).join(';'))
    forgetMonths(warehouse)
    expect(await load(warehouse, [handled('a', march, march)], 2)).toMatchObject({ changed: 1 })
    expect(await takeDirtyHours()).toEqual(expect.arrayContaining([march, later]))
    expect(await summary()).toEqual([[march, march, 1000]])
    expect(await selectWrongCells(warehouse)).toEqual([])
  })

  test('a table of the history without its partition leaves the cells until the month is loaded again', async () => {
    await load(warehouse, [handled('a', march, march)], 1)
    await rows('drop table genesys.session_metrics_2026_03')
    forgetMonths(warehouse)
    await ensureMonths(warehouse, ['2026-03'])
    expect(await summary()).toHaveLength(1)
    expect(await rows(`select content_hash from etl.conversations`)).toEqual([{ content_hash: '' }])
    expect(await load(warehouse, [handled('a', march, march)], 2)).toMatchObject({ changed: 1 })
    await expectDerived(warehouse)
  })

  test('cells that etl.conversations does not know, under whatever start, leave no duplicate', async () => {
    await load(warehouse, [handled('a', february, march), handled('b', march, march)], 1)
    await rows('truncate etl.conversations')
    const tables = await load(warehouse, [handled('a', march, march), handled('b', march, march)], 2)
    expect(tables).toMatchObject({ inserted: 2 })
    await expectDerived(warehouse)
    // and where the history is gone as well
    await rows('truncate etl.conversations, genesys.conversations, genesys.session_metrics')
    expect(await load(warehouse, [handled('b', march, later)], 3)).toMatchObject({ inserted: 1 })
    expect((await summary()).filter(([, interval]) => interval === later)).toHaveLength(1)
  })

  test('a conversation whose row is gone gets its cells with its rows', async () => {
    await load(warehouse, [handled('a', march, march)], 1)
    await rows(`delete from genesys.conversations; delete from etl.interval_cells;
      update etl.conversations set derived_hash = null`)
    expect(await load(warehouse, [handled('a', march, march)], 2)).toMatchObject({ changed: 1 })
    await expectDerived(warehouse)
  })
})

test('readers may not read the cells, not even of a partition that is made under generous default rights', async () => {
  const role = `reader_${database.name}`
  await rows(`create role ${role}; alter default privileges in schema etl grant select on tables to ${role}`)
  try {
    await ensureMonths(warehouse, ['2022-07'])
    expect(await rows(`select has_table_privilege('${role}', 'etl.interval_cells_2022_07', 'select') as may`)).toEqual([
      { may: false },
    ])
  } finally {
    await rows(`alter default privileges in schema etl revoke select on tables from ${role}; drop role ${role}`)
  }
})

test.each(DERIVED_TABLES)('the statistics of a month include those of %s', async (table) => {
  await load(warehouse, [handled('a', march, march)], 1)
  await analyzeMonths(warehouse.db, ['2026-03'])
  const partition = `${table.replace('etl.', '')}_2026_03`
  const analyzed = `select last_analyze is not null as analyzed from pg_stat_user_tables where relname = '${partition}'`
  await expect.poll(() => rows(analyzed)).toEqual([{ analyzed: true }])
})

test('the BRIN indexes of facts are summarized after runs', async () => {
  await ensureMonths(warehouse, ['2026-03'])
  await rows(`insert into etl.conversation_facts (conversation_id, conversation_start, queue_count, agent_count)
    select n::text, '${march}', 0, 0 from generate_series(1, 10000) n`)
  await summarizeMonths(warehouse.db, ['2026-03'])
  const index = 'etl.conversation_facts_2026_03_conversation_start_updated_at_idx'
  expect(await rows(`select brin_summarize_new_values('${index}') as more`)).toEqual([{ more: 0 }])
})

/** Cells by everything but their _index, with the hour of each. */
async function cellsWithHours(of: Warehouse): Promise<Map<string, string>> {
  const cells = await selectCells(of)
  return new Map(
    cells.map((cell) => [
      JSON.stringify(cell.filter((_, index) => index !== slot('_index')).map(String)),
      `${(cell[slot('interval_start')] as string).slice(0, 13)}:00:00.000Z`,
    ]),
  )
}

/** Seeded choices. */
function chooser(seed: string): { below(limit: number): number } {
  let drawn = 0
  return { below: (limit) => Math.floor(hashFraction(`${seed}/${drawn++}`) * limit) }
}

const STARTS = ['2026-01-15T12:00:00.000Z', '2026-01-31T23:59:59.999Z', '2026-02-01T00:00:00.000Z', march]

/** A version of one of five conversations: one of four starts, up to three metrics at one of 20 instants of two days. */
function arbitraryVersion(draw: ReturnType<typeof chooser>): JsonObject {
  const emitted = Array.from({ length: draw.below(4) }, () =>
    new Date(Date.parse(march) + draw.below(20) * 2.5 * 3_600_000).toISOString(),
  )
  return handled(`c${draw.below(5)}`, STARTS[draw.below(STARTS.length)]!, ...emitted)
}

/** Loses rows as an administrator might, at random. */
function lossOf(draw: ReturnType<typeof chooser>): string {
  const month = ['2026_01', '2026_02', '2026_03'][draw.below(3)]!
  return [
    `delete from genesys.conversations where conversation_id = 'c${draw.below(5)}'`,
    `delete from genesys.session_metrics where conversation_id = 'c${draw.below(5)}'; update etl.conversations set content_hash = ''`,
    `drop table if exists ${DERIVED_TABLES[draw.below(DERIVED_TABLES.length)]}_${month}`,
    tables.map((table) => `drop table if exists genesys.${table}_${month}`).join(';'),
    `drop table if exists genesys.sessions_${month}`,
  ][draw.below(5)]!
}

test.each(Array.from({ length: 8 }, (_, seed) => seed))(
  'after any sequence of loads and marks cells and facts follow from the rows, and changed hours are marked (seed %i)',
  async (seed) => {
    const draw = chooser(`cells/${seed}`)
    await using others = connect(database.url)
    let seconds = 1
    for (let step = 0; step < 12; step++) {
      await takeDirtyHours()
      const before = await cellsWithHours(warehouse)
      const batch = () => Array.from({ length: 1 + draw.below(4) }, () => arbitraryVersion(draw))
      const first = batch()
      const loads = [load(warehouse, first, seconds++)]
      if (draw.below(3) === 0) loads.push(load(others, batch(), seconds++), load(others, first, seconds++))
      await Promise.all(loads)
      if (draw.below(4) === 0) await markMissing(warehouse.db, [`c${draw.below(5)}`], new Date('2100-01-01'))
      await expectDerived(warehouse)
      const after = await cellsWithHours(warehouse)
      const changed = [...before, ...after].filter(([cell]) => !before.has(cell) || !after.has(cell))
      const dirty = await takeDirtyHours()
      expect(changed.map(([, hour]) => hour).filter((hour) => !dirty.includes(hour))).toEqual([])
    }
  },
)

test.each(Array.from({ length: 8 }, (_, seed) => seed))(
  'after losses of every kind, the next load of everything sets cells and facts right (seed %i)',
  async (seed) => {
    const draw = chooser(`losses/${seed}`)
    let seconds = 1
    const everything = () =>
      Array.from({ length: 5 }, (_, index) => ({ ...arbitraryVersion(draw), conversationId: `c${index}` }))
    await load(warehouse, everything(), seconds++)
    for (let step = 0; step < 5; step++) {
      await rows(lossOf(draw))
      if (draw.below(2) === 0) forgetMonths(warehouse)
      if (draw.below(2) === 0) await load(warehouse, [arbitraryVersion(draw)], seconds++)
    }
    forgetMonths(warehouse)
    await ensureMonths(warehouse, ['2026-01', '2026-02', '2026-03'])
    await load(warehouse, everything(), seconds++)
    await expectDerived(warehouse)
    expect(await selectWrongCells(warehouse)).toEqual([])
  },
)

test('SQL over the tables finds the same cells in a simulated organization with malformed records', async () => {
  await using org = await startSimulator({
    seed: 'cells',
    now: '2025-06-13T12:00:00.000Z',
    days: 4,
    perDay: 150,
    malformedShare: 0.3,
  })
  await using own = await createTestDatabase()
  await using filled = connect(own.url)
  await load(filled, org.truth(), 1)
  const { rows: counted } = await sql<{ cells: number; columns: number }>`
    select count(*) as cells, count(distinct queue_id) as queues from etl.interval_cells`.execute(filled.db)
  expect(counted[0]?.cells).toBeGreaterThan(1000)
  expect(await selectWrongCells(filled)).toEqual([])
  await expectDerived(filled)
  // the oracle does notice what is wrong
  await sql`update etl.interval_cells set queue_id = 'other' where queue_id is null`.execute(filled.db)
  expect((await selectWrongCells(filled)).length).toBeGreaterThan(10)
})
