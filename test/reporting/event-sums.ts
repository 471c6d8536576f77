/** The interval views, recomputed from reporting.metric_events: what they must equal at every instant. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { measures, type Measure } from '../../src/intervals/measures.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'

export const queueKeys = ['queue_id', 'media_type', 'direction', 'originating_direction'] as const
export const agentKeys = ['queue_id', 'user_id', 'media_type', 'direction', 'originating_direction'] as const

const measured = measures.map(({ column }) => column)

/** One measure of a group of reporting.metric_events as the views have it: 0 where there is none, but null for the largest value. */
function aggregateOf({ column, metric, aggregate }: Measure): string {
  const filter = `filter (where name = '${metric}')`
  if (aggregate === 'events') return `count(*) ${filter} as ${column}`
  if (aggregate === 'max') return `max(value) ${filter} as ${column}`
  return `coalesce(sum(value) ${filter}, 0)::bigint as ${column}`
}

/** A query that groups metric events by interval and keys, without groups that none of the metrics belongs to. */
function sumsOfEvents(keys: readonly string[], condition = 'true'): string {
  const names = [...new Set(measures.map(({ metric }) => `'${metric}'`))].join(', ')
  return `select date_bin('15 minutes', emit_date, 'epoch') as interval_start, ${keys.join(', ')}, ${measures.map(aggregateOf).join(', ')}
    from reporting.metric_events where emit_date is not null and name in (${names}) and ${condition}
    group by 1, ${keys.map((_key, index) => index + 2).join(', ')}`
}

const isEmpty = measured.map((column) => `coalesce(${column}, 0) = 0`).join(' and ')

/**
 * Requires that both interval views equal the events, row by row and column by column, in one statement, and so in one snapshot.
 * @returns the rows of queue_intervals
 */
export async function expectIntervalsEqualEvents(warehouse: Warehouse): Promise<number> {
  const differing = (view: string, keys: readonly string[], condition?: string): string => {
    const columns = ['interval_start', ...keys, ...measured].join(', ')
    const ours = `select ${columns} from reporting.${view} where not (${isEmpty})`
    const theirs = `select ${columns} from (${sumsOfEvents(keys, condition)}) e where not (${isEmpty})`
    return `(select count(*)::int from ((${ours} except all ${theirs}) union all (${theirs} except all ${ours})) d)`
  }
  const { rows } = await sql
    .raw<{ queues: number; agents: number; rows: number }>(
      `select ${differing('queue_intervals', queueKeys)} as queues,
        ${differing('agent_intervals', agentKeys, 'user_id is not null')} as agents,
        (select count(*)::int from reporting.queue_intervals) as rows`,
    )
    .execute(warehouse.db)
  expect(rows[0]).toMatchObject({ queues: 0, agents: 0 })
  return rows[0]!.rows
}
