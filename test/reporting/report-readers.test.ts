/** What a reader of schema reporting alone can do, and the names that it sees. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { measures } from '../../src/intervals/measures.ts'
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { conversation, load } from '../loader/conversations.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
const role = `reader_${database.name}`
beforeAll(async () => {
  await sql
    .raw(
      `create role ${role}; grant usage on schema reporting to ${role}; grant select on all tables in schema reporting to ${role}`,
    )
    .execute(warehouse.db)
  await sql`insert into genesys.dim_queues (id, name) values ('q1', 'Billing')`.execute(warehouse.db)
  await sql`insert into genesys.dim_users (id, name) values ('u1', 'Ada'), ('u2', 'Bob')`.execute(warehouse.db)
  await sql`insert into genesys.dim_teams (id, name) values ('t1', 'Support'), ('t2', 'Sales')`.execute(warehouse.db)
  // two teams must not double what a user has done, and one that the user has left does not count
  await sql`insert into genesys.dim_team_members (team_id, user_id, _deleted_at) values ('t1', 'u1', null), ('t2', 'u1', null), ('t1', 'u2', now())`.execute(
    warehouse.db,
  )
  const conversations = ['u1', 'u2'].flatMap((userId) => [2, 24, 24 * 9].map((hours) => handled(userId, hours)))
  await load(warehouse, conversations, 1)
  await recomputeDirtyHours(warehouse)
})
afterAll(async () => {
  await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(warehouse.db)
  await warehouse.close()
})

/** A message that was handled some hours ago. */
function handled(userId: string, hoursAgo: number) {
  const at = new Date(Date.now() - hoursAgo * 3_600_000 + 60_000).toISOString()
  const names = ['nOffered', 'tAnswered', 'tAcd', 'tHandle']
  return conversation(`${userId}-${hoursAgo}`, {
    conversationStart: at,
    participants: [
      {
        purpose: 'agent',
        userId,
        sessions: [
          {
            mediaType: 'voice',
            direction: 'inbound',
            segments: [{ segmentStart: at, queueId: 'q1' }],
            metrics: names.map((name) => ({ name, value: name === 'nOffered' ? 1 : 30_000, emitDate: at })),
          },
        ],
      },
    ],
  })
}

test('names stand beside the ids, and a user in two teams is counted once', async () => {
  for (const view of [
    'agent_daily',
    'agent_intervals',
    "agent_performance(now() - interval '20 days', now(), '1 day')",
  ]) {
    const { rows } = await sql
      .raw(
        `select queue_id, queue_name, user_id, user_name, team_name, sum(handled)::int as handled from reporting.${view} group by 1, 2, 3, 4, 5 order by user_id`,
      )
      .execute(warehouse.db)
    expect(rows, view).toEqual([
      { queue_id: 'q1', queue_name: 'Billing', user_id: 'u1', user_name: 'Ada', team_name: 'Sales', handled: 3 },
      { queue_id: 'q1', queue_name: 'Billing', user_id: 'u2', user_name: 'Bob', team_name: null, handled: 3 },
    ])
  }
})

test('a reader of schema reporting alone can use every view and function, and cannot change the settings', async () => {
  const columns = measures.map(({ column }) => column).join(', ')
  const from = "(now() - interval '20 days', now(), '30 minutes')"
  for (const view of [
    'queue_intervals',
    'agent_intervals',
    'queue_daily',
    'agent_daily',
    `queue_performance${from}`,
    `agent_performance${from}`,
  ]) {
    // with what is dirty, too
    await sql`insert into etl.dirty_hours (hour) select distinct date_trunc('hour', interval_start, 'UTC') from etl.queue_intervals limit 1`.execute(
      warehouse.db,
    )
    const { rows } = await warehouse.db.transaction().execute(async (trx) => {
      await sql.raw(`set local role ${role}`).execute(trx)
      return sql.raw(`select ${columns} from reporting.${view}`).execute(trx)
    })
    expect(rows.length, view).toBeGreaterThan(2)
  }
  for (const refused of [
    'update reporting.settings set settle_days = 1',
    'select * from etl.queue_intervals',
    'select * from etl.dirty_cells()',
  ])
    await expect(
      warehouse.db.transaction().execute(async (trx) => {
        await sql.raw(`set local role ${role}`).execute(trx)
        return sql.raw(refused).execute(trx)
      }),
      refused,
    ).rejects.toMatchObject({ code: '42501' })
})
