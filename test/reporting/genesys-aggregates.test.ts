/**
 * The interval views against the aggregates that the simulated organization computes from its own JSON: every column of every cell,
 * with malformed records, threads that last for weeks, transfers, callbacks and campaigns.
 */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { queryAggregates } from '../../src/genesys/conversation-aggregates.ts'
import { measures } from '../../src/intervals/measures.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'

/** Some malformed records have metrics of the next year. */
const interval = { start: new Date('2025-06-01T00:00:00Z'), end: new Date('2026-01-15T00:00:00Z') }
const QUEUE_KEYS = ['queue_id', 'media_type', 'direction', 'originating_direction']
const DIMENSIONS: Readonly<Record<string, string>> = {
  queue_id: 'queueId',
  media_type: 'mediaType',
  direction: 'direction',
  originating_direction: 'originatingDirection',
  user_id: 'userId',
}
/** The values of a cell by column, zeros left out, as text, since they can be beyond what a double holds. */
type Cell = Record<string, string>

const org = await startOrg({ perDay: 40, malformedShare: 0.2, reopenedShare: 0.5, aggregateCellLimit: 1e7 })
let loaded: TestOrg
beforeAll(async () => {
  // Long enough that threads are reopened, again and again, between the days that are loaded and now.
  org.control.clock.set(Date.parse('2025-07-12T12:00:00Z'))
  loaded = await connectTestOrg(org)
  await loaded.backfill({ start: new Date('2025-06-10T00:00:00Z'), end: new Date('2025-07-13T00:00:00Z') })
  await recomputeDirtyHours(loaded.warehouse)
}, 300_000)
afterAll(async () => {
  await loaded[Symbol.asyncDispose]()
  await org.close()
})

async function cellsOfView(view: string, keys: readonly string[]): Promise<Map<string, Cell>> {
  const columns = sql.join(measures.map(({ column }) => sql`${sql.ref(column)}::text`))
  const { rows } = await sql<Record<string, string | null> & { interval_start: Date }>`
    select interval_start, ${sql.join(keys.map((key) => sql.ref(key)))}, ${columns} from reporting.${sql.ref(view)}
    where interval_start >= ${interval.start} and interval_start < ${interval.end}`.execute(loaded.warehouse.db)
  const cells = new Map<string, Cell>()
  for (const row of rows) {
    const key = JSON.stringify([row.interval_start, ...keys.map((name) => row[name])])
    expect(cells.has(key), key).toBe(false)
    const cell = cellOf(({ column }) => row[column] ?? null)
    if (Object.keys(cell).length > 0) cells.set(key, cell)
  }
  return cells
}

/** Of the largest values, 0 is one; elsewhere it is the same as nothing. */
function cellOf(valueOf: (measure: (typeof measures)[number]) => string | null): Cell {
  return Object.fromEntries(
    measures.flatMap((measure) => {
      const value = valueOf(measure)
      return value === null || (value === '0' && measure.aggregate !== 'max') ? [] : [[measure.column, value]]
    }),
  )
}

async function cellsOfGenesys(keys: readonly string[]): Promise<Map<string, Cell>> {
  // One answer has everything, which takes seconds on a busy machine.
  await using dependencies = loaded.dependencies({ timeoutMs: 120_000 })
  const values = await queryAggregates(
    dependencies.genesys,
    {
      interval,
      granularity: 'PT15M',
      groupBy: keys.map((key) => DIMENSIONS[key] ?? ''),
      metrics: [...new Set(measures.map(({ metric }) => metric))],
    },
    { priority: 'live', signal: new AbortController().signal },
  )
  const cells = new Map<string, Cell>()
  for (const { group, interval: own, metric, stats } of values) {
    const key = JSON.stringify([own.start, ...keys.map((name) => group[DIMENSIONS[name] ?? ''] ?? null)])
    const figureOf = { total: metric.startsWith('n') ? stats.count : stats.sum, events: stats.count, max: stats.max }
    const cell = cellOf((measure) => (measure.metric === metric ? String(figureOf[measure.aggregate]) : null))
    if (Object.keys(cell).length > 0) cells.set(key, { ...cells.get(key), ...cell })
  }
  return cells
}

const list = (value: unknown): Json[] =>
  Array.isArray(value) ? (value as Json[]).filter((each) => each?.constructor === Object) : []

describe('the interval views equal the aggregates of the organization', () => {
  test.each([
    ['queue_intervals', QUEUE_KEYS, 1_500],
    ['agent_intervals', ['user_id', ...QUEUE_KEYS], 1_000],
  ] as const)('%s in every column of every cell', async (view, keys, atLeast) => {
    const ours = await cellsOfView(view, keys)
    const theirs = await cellsOfGenesys(keys)
    expect(theirs.size).toBeGreaterThan(atLeast)
    expect([...ours.keys()].toSorted()).toEqual([...theirs.keys()].toSorted())
    const different = [...theirs].filter(
      ([key, cell]) => JSON.stringify(sorted(cell)) !== JSON.stringify(sorted(ours.get(key) ?? {})),
    )
    expect(different.map(([key, cell]) => ({ key, genesys: cell, ours: ours.get(key) }))).toEqual([])
  })

  test('with a value in every column, and everything that is hard to count', async () => {
    const cells = [...(await cellsOfView('queue_intervals', QUEUE_KEYS)).values()]
    expect(new Set(cells.flatMap((cell) => Object.keys(cell)))).toEqual(new Set(measures.map(({ column }) => column)))
    expect(org.malformed().filter(({ keyable }) => keyable).length).toBeGreaterThan(100)
    const spans = org
      .truth()
      .map(
        ({ conversationStart, conversationEnd }) =>
          Date.parse(String(conversationEnd)) - Date.parse(String(conversationStart)),
      )
    expect(spans.filter((span) => span > 5 * 86_400_000).length).toBeGreaterThan(20)
    const sessions = org
      .truth()
      .flatMap(({ participants }) => list(participants))
      .flatMap((participant) => list(participant['sessions']))
    expect(sessions.filter(({ mediaType }) => mediaType === 'callback').length).toBeGreaterThan(20)
    expect(sessions.filter(({ outboundCampaignId }) => outboundCampaignId !== undefined).length).toBeGreaterThan(20)
  })
})

function sorted(cell: Cell): [string, string][] {
  return Object.entries(cell).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
