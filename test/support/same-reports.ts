/** Compares everything that reports count from with what a database without some conversations has. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { parseJson, type JsonObject } from '../../src/model/json.ts'
import type { PersonalPolicy } from '../../src/model/personal.ts'
import { chunks } from '../../src/chunks.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { load } from '../loader/conversations.ts'
import { createTestDatabase } from './database.ts'
import { DERIVED_TABLES } from './derived.ts'
import type { Range } from './truth.ts'

const SUMS = {
  'etl.queue_intervals': 'interval_start',
  'etl.agent_intervals': 'interval_start',
  'etl.queue_days': 'day',
  'etl.agent_days': 'day',
} as const

/**
 * Requires that the derived rows of the conversations that began in the range, and all sums of its intervals and days, are those of a new
 * database into which the conversations of the organization were loaded without the given ones, which it has never heard of.
 */
export async function expectReportsWithout(
  warehouse: Warehouse,
  org: Simulator,
  {
    range,
    gone,
    policy,
  }: { readonly range: Range; readonly gone: readonly string[]; readonly policy?: PersonalPolicy },
): Promise<void> {
  await using database = await createTestDatabase()
  await using fresh = connect(database.url, policy && { personalPolicy: policy })
  const left = new Set(gone)
  const records = org
    .truthText()
    .map((text) => parseJson(text) as JsonObject)
    .filter(({ conversationId, conversationStart }) => {
      const start = typeof conversationStart === 'string' ? Date.parse(conversationStart) : Number.NaN
      return (
        start >= +range.start && start < +range.end && typeof conversationId === 'string' && !left.has(conversationId)
      )
    })
  for (const batch of chunks(records, 500)) await load(fresh, batch, 1)
  for (const each of [warehouse, fresh]) {
    await recomputeDirtyHours(each)
    expect((await sql`select from etl.dirty_hours union all select from etl.stale_days`.execute(each.db)).rows).toEqual(
      [],
    )
  }
  const tables = [...DERIVED_TABLES.map((table) => [table, 'conversation_start'] as const), ...Object.entries(SUMS)]
  for (const [table, time] of tables) {
    const [rows, expected] = [
      await selectWithin(warehouse, table, { time, range }),
      await selectWithin(fresh, table, { time, range }),
    ]
    expect(expected.length, table).toBeGreaterThan(0)
    expect({ missing: lacking(rows, expected), surplus: lacking(expected, rows) }, table).toEqual({
      missing: [],
      surplus: [],
    })
    expect(rows, table).toHaveLength(expected.length)
  }
}

/** The rows of the range as text, without what says when they were written. */
async function selectWithin(
  { db }: Warehouse,
  table: string,
  { time, range }: { readonly time: string; readonly range: Range },
): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`
    select (to_jsonb(t) - '{updated_at,loaded_at}'::text[])::text as text from ${sql.table(table)} t
    where ${sql.ref(time)} >= ${range.start} and ${sql.ref(time)} < ${range.end} order by 1`.execute(db)
  return rows.map(({ text }) => text)
}

/** The first of the rows that others lack. */
function lacking(others: readonly string[], rows: readonly string[]): string[] {
  const known = new Set(others)
  return rows.filter((row) => !known.has(row)).slice(0, 3)
}
