/** Nothing is counted twice: sums over the rows of facts are those of the intervals, or of other facts. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { orgNow, startTestOrg } from '../support/simulated-org.ts'

/** By what they count: two queries with the same answer, for an organization whose metrics all have a time. */
const SUMS: Readonly<Record<string, readonly [string, string]>> = {
  'a row per conversation': [
    'select count(*) from reporting.conversations',
    'select count(*) from genesys.conversations where _missing_since is null',
  ],
  ...Object.fromEntries(
    [
      'offered',
      'answered',
      'abandoned',
      'short_abandoned',
      'flow_outs',
      'transferred',
      'blind_transferred',
      'consult_transferred',
    ].map((column) => [
      `${column} of conversations and intervals`,
      [`select sum(${column}) from reporting.conversations`, `select sum(${column}) from reporting.queue_intervals`],
    ]),
  ),
  ...Object.fromEntries(
    ['ivr', 'wait', 'talk', 'hold', 'acw', 'handle'].map((what) => [
      `${what} times of conversations and intervals`,
      [
        `select round(sum(${what}_seconds) * 1000) from reporting.conversations`,
        `select sum(${what}_ms) from reporting.queue_intervals`,
      ],
    ]),
  ),
  ...Object.fromEntries(
    ['alert', 'talk', 'hold', 'acw', 'handle'].map((what) => [
      `${what} times of agent sessions and of intervals of agents`,
      [
        `select round(sum(${what}_seconds) * 1000) from reporting.agent_sessions`,
        `select sum(${what}_ms) from reporting.agent_intervals`,
      ],
    ]),
  ),
  'handled of agent sessions and of intervals of agents': [
    'select count(handle_seconds) from reporting.agent_sessions',
    'select sum(handled) from reporting.agent_intervals',
  ],
  'waits of queue entries and intervals': [
    'select count(wait_seconds) || $$ $$ || round(sum(wait_seconds) * 1000) from reporting.queue_entries',
    'select sum(waits) || $$ $$ || sum(wait_ms) from reporting.queue_intervals',
  ],
  'over service level of queue entries and intervals': [
    'select sum(over_service_level) from reporting.queue_entries',
    'select sum(over_service_level) from reporting.queue_intervals',
  ],
  'offered of conversations and queue entries': [
    'select sum(offered) from reporting.conversations',
    'select count(*) from reporting.queue_entries',
  ],
  'outcomes of queue entries and intervals': [
    `select string_agg(n::text, ' ' order by o) from (select o, count(outcome) n from unnest('{abandoned,flow_out,short_abandoned}'::text[]) o
      left join reporting.queue_entries on outcome = o group by o) x`,
    `select concat_ws(' ', sum(abandoned) - sum(short_abandoned), sum(flow_outs), sum(short_abandoned)) from reporting.queue_intervals`,
  ],
  'a long wait': [
    'select count(*) from reporting.long_waits',
    `select count(*) from reporting.waits_over(300, '-infinity', 'infinity')`,
  ],
  'conversations and handle times by the hour': [
    'select sum(conversations) || $$ $$ || sum(handled) from reporting.hourly_by_direction',
    'select count(*) || $$ $$ || (select sum(handled) from reporting.queue_intervals) from reporting.conversations',
  ],
  'wrap-ups': [
    'select count(*) from reporting.wrap_ups',
    `select count(*) from genesys.segments join reporting.conversations using (conversation_id, conversation_start) where segment_type = 'wrapup'`,
  ],
  'an event of the timeline at each place': [
    'select sum(position) from reporting.conversation_timeline',
    `select sum(n * (n + 1) / 2) from (select count(distinct position) n from reporting.conversation_timeline
      group by conversation_id, conversation_start) x`,
  ],
}

test('nothing is counted twice: sums of facts are those of the intervals', async () => {
  await using it = await startTestOrg({ days: 3, perDay: 200, malformedShare: 0, reopenedShare: 0.3 })
  // so that all have ended
  it.org.control.clock.set(Date.parse(orgNow) + 45 * 86_400_000)
  await it.backfill()
  for (const [what, [ours, theirs]] of Object.entries(SUMS)) {
    const { rows } = await sql
      .raw<{ ours: string; theirs: string }>(`select (${ours})::text as ours, (${theirs})::text as theirs`)
      .execute(it.warehouse.db)
    const [row] = rows
    expect(row, what).toEqual({ ours: row!.theirs, theirs: row!.theirs })
    expect(Number(row!.theirs.split(' ').at(-1)), what).toBeGreaterThan(0)
  }
})
