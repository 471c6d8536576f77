/** A history over the end of a month, with a floor at that end. */
import { sql } from 'kysely'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { dropMonthsAfterSync } from '../../src/retention/run-retention.ts'
import type { Simulator, SimulatorOptions } from '../../src/simulator/server.ts'
import { startOrg, type TestOrg } from '../support/simulated-org.ts'
import type { Range } from '../support/truth.ts'

/** The first instant that is kept. */
export const floor = new Date('2025-07-01T00:00:00Z')
/** What is loaded: four days of the month that is dropped, and three of the next one. */
export const week: Range = { start: new Date('2025-06-27T00:00:00Z'), end: new Date('2025-07-04T00:00:00Z') }
export const droppedDays: Range = { start: week.start, end: floor }
export const keptDays: Range = { start: floor, end: week.end }

const never = new AbortController().signal

/** An organization of that week, with many threads that go on for days. */
export async function startWeek(options: SimulatorOptions = {}): Promise<Simulator> {
  return await startOrg({
    now: '2025-07-04T12:00:00Z',
    days: 7,
    perDay: 30,
    malformedShare: 0,
    reopenedShare: 0.6,
    ...options,
  })
}

/** HISTORY_RETENTION_MONTHS for which a month is the first that is kept, by the clock of the database. */
export async function monthsSince({ db }: Pick<Warehouse, 'db'>, first: Date): Promise<number> {
  const { rows } = await sql<{ months: number }>`
    select (extract(year from age) * 12 + extract(month from age))::integer as months
    from age(date_trunc('month', now() at time zone 'UTC'), ${first}::timestamptz at time zone 'UTC') as age`.execute(
    db,
  )
  return rows[0]!.months
}

/** Connections of a process that keeps what starts at an instant, the first of a month, or later. */
export async function connectKeeping(
  it: Pick<TestOrg, 'databaseUrl' | 'warehouse'>,
  first = floor,
): Promise<Warehouse> {
  return connect(it.databaseUrl, { retentionMonths: await monthsSince(it.warehouse, first) })
}

/** Runs the retention; returns the lines of its log. */
export async function retain(warehouse: Warehouse, clockAheadMs: number | null = null): Promise<string[]> {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line: string) => lines.push(line) } as unknown as NodeJS.WritableStream)
  await dropMonthsAfterSync({ warehouse, logger, readClockAhead: () => Promise.resolve(clockAheadMs) }, never)
  return lines
}

/** Loads the week and adds its numbers up. */
export async function loadWeek(it: TestOrg): Promise<void> {
  await it.backfill(week)
  await recomputeDirtyHours(it.warehouse)
}

const NUMBERS: Readonly<Record<string, string>> = {
  queueIntervals: 'select * from reporting.queue_intervals',
  queueDaily: 'select * from reporting.queue_daily',
  agentDaily: 'select * from reporting.agent_daily',
  queuePerformance: `select * from reporting.queue_performance('2025-06-01', '2025-08-01', '1 day')`,
  queueHours: `select * from reporting.queue_performance('2025-06-01', '2025-08-01', '30 minutes')`,
  agentPerformance: `select * from reporting.agent_performance('2025-06-01', '2025-08-01', '1 day')`,
  agentMonths: `select * from reporting.agent_performance('2025-06-01', '2025-08-01', '1 month')`,
  agentIntervalsKept: `select * from reporting.agent_intervals where interval_start >= '2025-07-01'`,
}

/** What the views show, each as the text of its rows, in an order that depends on these alone. */
export async function numbersOf(
  { db }: Pick<Warehouse, 'db'>,
  { withTimes = true }: { readonly withTimes?: boolean } = {},
): Promise<Record<string, string[]>> {
  const numbers: Record<string, string[]> = {}
  for (const [name, query] of Object.entries(NUMBERS)) {
    // names come from reference data, which a process of the command line reads as well
    const row = `to_jsonb(x) - '{queue_name,user_name,team_name${withTimes ? '' : ',updated_at'}}'::text[]`
    const { rows } = await sql
      .raw<{ row: string }>(`select (${row})::text as row from (${query}) x order by 1`)
      .execute(db)
    numbers[name] = rows.map((each) => each.row)
  }
  return numbers
}

/** How many rows the tables of the history and of what is derived from it have of conversations that started in a range. */
export async function storedRows(
  { db }: Pick<Warehouse, 'db'>,
  { start, end }: Range,
): Promise<Record<string, number>> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', table_schema, table_name) as name from information_schema.columns
    where column_name = 'conversation_start' and table_schema in ('genesys', 'etl')
      and to_regclass(format('%I.%I', table_schema, table_name)) in (select oid from pg_class where relkind in ('r', 'p') and not relispartition)
    order by 1`.execute(db)
  const found: Record<string, number> = {}
  for (const { name } of tables) {
    const { rows } = await sql<{ count: number }>`
      select count(*)::integer as count from ${sql.raw(name)}
      where conversation_start >= ${start} and conversation_start < ${end}`.execute(db)
    if (rows[0]!.count > 0) found[name] = rows[0]!.count
  }
  return found
}
