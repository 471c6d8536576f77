/** The views of what conversations contain, over tables of three years. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensurePartitions } from '../../src/loader/partitions.ts'
import { columnsOf, tables } from '../../src/model/columns.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { connectTestOrg, startOrg } from '../support/simulated-org.ts'
import { createFileDatabase } from '../support/database.ts'

const MONTHS = 36
const database = await createFileDatabase()
const warehouse = connect(database.url)

/** Loads three days, and copies them into each of the months before. */
beforeAll(async () => {
  await using org = await startOrg({ perDay: 200 })
  await using it = await connectTestOrg(org, { url: database.url })
  await it.backfill()
  for (let month = 1; month < MONTHS; month++) {
    const [start, end] = [8, 14].map((day) => new Date(Date.UTC(2025, 5 - month, day))) as [Date, Date]
    await ensurePartitions(warehouse, { start, end })
    const move = (column: string) =>
      column === 'conversation_id'
        ? `conversation_id || '-${month}'`
        : column === 'conversation_start'
          ? `conversation_start - interval '${month} months'`
          : `"${column}"`
    const copy = (table: string, columns: readonly string[]) =>
      sql
        .raw(
          `insert into ${table} (${columns.map((column) => `"${column}"`).join(', ')}) select ${columns.map(move).join(', ')}
          from ${table} where conversation_start >= '2025-06-01'`,
        )
        .execute(warehouse.db)
    for (const table of tables)
      await copy(
        `genesys.${table}`,
        columnsOf(table).map(({ name }) => name),
      )
    await copy('etl.conversations', ['conversation_id', 'conversation_start', 'content_hash', 'fetched_at'])
  }
  await sql`analyze`.execute(warehouse.db)
}, 600_000)
afterAll(() => warehouse.close())

/** Ids of conversations of a month. */
async function someIds(month: string, count: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations
    where conversation_start >= ${month}::timestamptz and conversation_start < ${month}::timestamptz + interval '1 month'
    order by 1 limit ${count}`.execute(warehouse.db)
  return rows.map(({ id }) => id)
}

/** How long the timeline of a conversation takes: the shortest of five calls, since other processes are at work, too. */
async function timelineMs(own: Warehouse, id: string): Promise<number> {
  let shortest = Infinity
  for (let call = 0; call < 5; call++) {
    const before = performance.now()
    const { rows } = await sql`select * from reporting.timeline(${id})`.execute(own.db)
    shortest = Math.min(shortest, performance.now() - before)
    expect(rows.length).toBeGreaterThan(0)
  }
  return shortest
}

test('the timeline of a conversation takes less than 50 ms, planning included', async () => {
  await using own = connect(database.url)
  const ids = (await Promise.all(['2022-08-01', '2024-01-01', '2025-06-01'].map((month) => someIds(month, 15)))).flat()
  const times: number[] = []
  for (const id of ids) times.push(await timelineMs(own, id))
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
  process.stdout.write(
    `timeline over ${MONTHS} months: ${median.toFixed(1)} ms (median of ${ids.length} conversations)\n`,
  )
  expect(median).toBeLessThan(50)
})

/** The months of the tables of schema genesys that a query reads, and whether it scans one without an index. */
async function monthsRead(query: string): Promise<{ months: string[]; withoutIndex: string[] }> {
  const { rows } = await sql
    .raw<{ 'QUERY PLAN': string }>(`explain (analyze, costs off, timing off, summary off, buffers off) ${query}`)
    .execute(warehouse.db)
  const read = rows
    .map((row) => row['QUERY PLAN'])
    .filter((line) => /_20\d\d_\d\d /.test(line) && !line.includes('never executed'))
  const scans = read.filter((line) => / on \w+_20\d\d_\d\d/.test(line))
  return {
    months: [...new Set(scans.map((line) => /_(20\d\d_\d\d) /.exec(line)![1]!))],
    withoutIndex: scans.filter((line) => line.includes('Seq Scan')),
  }
}

const VIEWS = [
  'wrap_ups', 'flows', 'flow_outcomes', 'evaluations', 'surveys', 'participant_attributes', 'conversation_timeline',
] // prettier-ignore

test.each(VIEWS)('%s reads the months of a range of conversation_start alone', async (view) => {
  const range = `conversation_start >= '2024-03-11' and conversation_start < '2024-03-12'`
  expect((await monthsRead(`select * from reporting.${view} where ${range}`)).months).toEqual(['2024_03'])
})

test.each(VIEWS)('%s reads the month of one conversation, by the keys', async (view) => {
  const [id] = await someIds('2024-03-01', 1)
  const one = `conversation_id = '${id}' and conversation_start = reporting.conversation_start('${id}')`
  const { months, withoutIndex } = await monthsRead(`select * from reporting.${view} where ${one}`)
  expect(months).toEqual(['2024_03'])
  // the smallest tables fit into few pages, where an index is of no use
  expect(withoutIndex.filter((line) => !/on (?:evaluations|surveys|participant_attributes)_/.test(line))).toEqual([])
})

test.each(VIEWS)('%s reads by updated_at what has changed alone', async (view) => {
  await sql`update genesys.conversations set _loaded_at = '2030-01-01' where conversation_start >= '2023-05-01' and conversation_start < '2023-06-01'
    and conversation_id < '1'`.execute(warehouse.db)
  const { months } = await monthsRead(`select * from reporting.${view} where updated_at > '2029-12-31'`)
  expect(months).toContain('2023_05')
  const { rows } = await sql
    .raw<{ plan: string }>(`explain (costs off) select * from reporting.${view} where updated_at > '2029-12-31'`)
    .execute(warehouse.db)
  const plan = rows.map((row) => Object.values(row)[0]).join('\n')
  expect(plan).toMatch(/Index Scan using \w*conversations\w*_loaded_at\w*/)
})
