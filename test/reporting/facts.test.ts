/** The views of facts: their rows, names and definitions, what they cost, and who sees what. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureMonths } from '../../src/loader/partitions.ts'
import { markMissing } from '../../src/loader/missing.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { connect } from '../../src/postgres/connect.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import { at, conversation, metric, participant, segment, session } from '../facts/records.ts'
import { load } from '../loader/conversations.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

async function rows(query: string, db = warehouse.db): Promise<Record<string, unknown>[]> {
  return (await sql.raw<Record<string, unknown>>(query).execute(db)).rows
}

const skills = { requestedRoutingSkillIds: ['s1', 's2'], requestedLanguageId: 'l1' }
/** Answered by u1 after 310 s, and transferred to a queue that the customer leaves. Its queue, agent, code, skill and campaign have names, or not. */
const transferred = conversation(
  [
    participant('customer', [
      session([segment('interact', '10:00:00', '10:20:00', { disconnectType: 'client' })], [], {
        ani: 'tel:+12125550143',
      }),
    ]),
    participant('acd', [
      session(
        [segment('interact', '10:01:00', '10:06:10', { queueId: 'q1', ...skills })],
        [metric('nOffered', 1, '10:01:00'), metric('tAcd', 310_000, '10:06:10'), metric('nOverSla', 1, '10:06:10')],
      ),
    ]),
    participant(
      'agent',
      [
        session(
          [
            segment('alert', '10:06:00', '10:06:10', { queueId: 'q1' }),
            segment('interact', '10:06:10', '10:10:00', { queueId: 'q1', disconnectType: 'transfer' }),
            segment('wrapup', '10:10:00', '10:11:00', { queueId: 'q1', wrapUpCode: 'w1', wrapUpNote: 'called back' }),
          ],
          [
            metric('tAnswered', 310_000, '10:06:10'),
            metric('tAlert', 10_000, '10:06:10'),
            metric('tTalkComplete', 230_000, '10:10:00'),
            metric('tAcw', 60_000, '10:11:00'),
            metric('tHandle', 290_000, '10:11:00'),
            metric('nTransferred', 1, '10:10:00'),
            metric('nBlindTransferred', 1, '10:10:00'),
          ],
          { outboundCampaignId: 'p1' },
        ),
      ],
      'u1',
    ),
    participant('acd', [
      session(
        [segment('interact', '10:10:00', '10:20:00', { queueId: 'unknown' })],
        [
          metric('nOffered', 1, '10:10:00'),
          metric('tAcd', 600_000, '10:20:00'),
          metric('tAbandon', 600_000, '10:20:00'),
        ],
      ),
    ]),
  ],
  {
    conversationEnd: at('10:20:00'),
    originatingDirection: 'inbound',
    divisionIds: ['d1', 'd2'],
    surveys: [{ surveyId: 's', oSurveyTotalScore: 75 }],
  },
)
const open: JsonObject = {
  ...conversation([participant('acd', [session([segment('interact', '11:30:00', null, { queueId: 'q1' })])])]),
  conversationId: 'open',
  conversationStart: at('11:30:00'),
}

beforeAll(async () => {
  await rows(`insert into genesys.dim_queues (id, name) values ('q1', 'Sales'), ('q2', 'Sales');
    insert into genesys.dim_users (id, name) values ('u1', 'Ada');
    insert into genesys.dim_wrap_up_codes (id, name) values ('w1', 'Sold');
    insert into genesys.dim_skills (id, name) values ('s2', 'French');
    insert into genesys.dim_languages (id, name) values ('l1', 'English');
    insert into genesys.dim_campaigns (id, name) values ('p1', 'Spring')`)
  await ensureMonths(warehouse, ['2026-01', '2026-02', '2026-04'])
  await load(warehouse, [transferred, open], 1)
})

const key = { conversation_id: 'c', conversation_start: new Date(at('10:00:00')) }
const written = { updated_at: expect.any(Date) as Date }

test('a conversation, with its names', async () => {
  const [found] = await rows(`select * from reporting.conversations where conversation_id = 'c'`)
  expect(found).toEqual({
    ...key,
    conversation_end: new Date(at('10:20:00')),
    is_open: false,
    is_final: true,
    originating_direction: 'inbound',
    media_type: 'voice',
    media_types: ['voice'],
    message_type: null,
    division_ids: ['d1', 'd2'],
    first_queue_id: 'q1',
    first_queue_name: 'Sales',
    last_queue_id: 'unknown',
    last_queue_name: 'unknown',
    queue_count: 2,
    first_user_id: 'u1',
    first_user_name: 'Ada',
    last_user_id: 'u1',
    last_user_name: 'Ada',
    agent_count: 1,
    customer_end: new Date(at('10:20:00')),
    duration_seconds: 1200,
    ivr_seconds: null,
    wait_seconds: 910,
    talk_seconds: 230,
    hold_seconds: null,
    acw_seconds: 60,
    handle_seconds: 290,
    offered: 2,
    answered: 1,
    abandoned: 1,
    short_abandoned: 0,
    flow_outs: 0,
    transferred: 1,
    blind_transferred: 1,
    consult_transferred: 0,
    is_answered: true,
    is_abandoned: false,
    wrap_up_code_id: 'w1',
    wrap_up_code_name: 'Sold',
    disconnect_type: 'client',
    survey_score: 75,
    evaluation_score: null,
    customer_address: '+12125550143',
    loaded_at: expect.any(Date) as Date,
    ...written,
  })
})

const entry = { ...key, media_type: 'voice', direction: 'inbound', priority: null, ...written }
const firstEntry = {
  ...entry,
  _session_index: 1,
  queue_id: 'q1',
  queue_name: 'Sales',
  entered_at: new Date(at('10:01:00')),
  left_at: new Date(at('10:06:10')),
  wait_seconds: 310,
  answered_by_user_id: 'u1',
  answered_by_user_name: 'Ada',
  over_service_level: 1,
  requested_skills: ['s1', 'French'],
  requested_skill_ids: ['s1', 's2'],
  requested_language: 'English',
  requested_language_id: 'l1',
  outcome: 'answered',
}
const secondEntry = {
  ...entry,
  _session_index: 3,
  queue_id: 'unknown',
  queue_name: 'unknown',
  entered_at: new Date(at('10:10:00')),
  left_at: new Date(at('10:20:00')),
  wait_seconds: 600,
  answered_by_user_id: null,
  answered_by_user_name: null,
  over_service_level: 0,
  requested_skills: null,
  requested_skill_ids: null,
  requested_language: null,
  requested_language_id: null,
  outcome: 'abandoned',
}

test('its queue entries and the agent session, with their names', async () => {
  const own = `where conversation_id = 'c' order by _session_index`
  expect(await rows(`select * from reporting.queue_entries ${own}`)).toEqual([firstEntry, secondEntry])
  expect(await rows(`select * from reporting.agent_sessions ${own}`)).toEqual([
    {
      ...key,
      _session_index: 2,
      user_id: 'u1',
      user_name: 'Ada',
      queue_id: 'q1',
      queue_name: 'Sales',
      media_type: 'voice',
      direction: 'inbound',
      alerted_at: new Date(at('10:06:00')),
      answered_at: new Date(at('10:06:10')),
      ended_at: new Date(at('10:11:00')),
      alert_seconds: 10,
      talk_seconds: 230,
      hold_seconds: null,
      acw_seconds: 60,
      handle_seconds: 290,
      is_answered: true,
      transferred: 1,
      wrap_up_code_id: 'w1',
      wrap_up_code_name: 'Sold',
      wrap_up_note: 'called back',
      disconnect_type: 'transfer',
      campaign_id: 'p1',
      campaign_name: 'Spring',
      ...written,
    },
  ])
})

test('long waits are those of more than 300 s, and of any other length in a period', async () => {
  expect(await rows('select * from reporting.long_waits order by entered_at')).toEqual([firstEntry, secondEntry])
  const over = async (seconds: number, from: string, to: string) =>
    (await rows(`select * from reporting.waits_over(${seconds}, '${at(from)}', '${at(to)}') order by entered_at`)).map(
      (each) => each['_session_index'],
    )
  expect(await over(309.9, '10:01:00', '10:10:00')).toEqual([1])
  expect(await over(310, '10:01:00', '10:10:01')).toEqual([3])
  expect(await over(1, '10:01:00.001', '10:10:00')).toEqual([])
  expect(await rows(`select * from reporting.waits_over(500, '${at('00:00:00')}', '${at('23:00:00')}')`)).toEqual([
    secondEntry,
  ])
  await rows('update etl.queue_entries set wait_ms = 300000 where _session_index = 1')
  expect(await rows('select _session_index from reporting.long_waits')).toEqual([{ _session_index: 3 }])
  await rows('update etl.queue_entries set wait_ms = 310000 where _session_index = 1')
})

test('by hour of the local start, also where the hour is not one of UTC', async () => {
  const hours = () => rows('select * from reporting.hourly_by_direction order by hour')
  expect(await hours()).toEqual([
    {
      hour: new Date(at('10:00:00')),
      direction: 'inbound',
      media_type: 'voice',
      conversations: 1,
      average_duration_seconds: 1200,
      average_hold_seconds: null,
      handled: 1,
      average_handle_seconds: 290,
    },
    {
      hour: new Date(at('11:00:00')),
      direction: null,
      media_type: 'voice',
      conversations: 1,
      average_duration_seconds: null,
      average_hold_seconds: null,
      handled: 0,
      average_handle_seconds: null,
    },
  ])
  await rows(`update reporting.settings set time_zone = 'Asia/Kolkata'`)
  expect((await hours()).map(({ hour }) => hour)).toEqual([new Date(at('09:30:00')), new Date(at('11:30:00'))])
  await rows(`update reporting.settings set time_zone = 'UTC'`)
})

test('a change moves updated_at, a name does not; what Genesys has no more is in no view', async () => {
  const updated = async () => {
    const views = ['conversations', 'queue_entries', 'agent_sessions']
    const texts = views.map(
      (view) => `select '${view}' as view, updated_at::text from reporting.${view} where conversation_id = 'x'`,
    )
    return await rows(`${texts.join(' union all ')} order by 1, 2`)
  }
  const version = (more: JsonObject): JsonObject => ({ ...transferred, conversationId: 'x', ...more })
  await load(warehouse, [version({})], 1)
  const first = await updated()
  expect(first).toHaveLength(4)
  await load(warehouse, [version({})], 2)
  await rows(`update genesys.dim_queues set name = 'Sales and service' where id = 'q1'`)
  expect(await updated()).toEqual(first)
  await load(warehouse, [version({ externalTag: 'changed' })], 3)
  const second = await updated()
  expect(second.map((row, i) => (row['updated_at'] as string) > (first[i]!['updated_at'] as string))).toEqual(
    second.map(() => true),
  )
  await markMissing(warehouse.db, ['x'], new Date('2100-01-01'))
  expect(await updated()).toEqual([])
  await rows(`update genesys.dim_queues set name = 'Sales' where id = 'q1'`)
})

describe('what Postgres reads', () => {
  const plan = async (query: string, db = warehouse.db): Promise<string> =>
    (await rows(`explain ${query}`, db)).map((row) => row['QUERY PLAN']).join('\n')
  const partitions = (text: string): string[] => [...new Set(text.match(/\w+_20\d\d_\d\d\b/g))]

  test.each(['conversations', 'queue_entries', 'agent_sessions', 'long_waits'])(
    '%s of a range or of a conversation: one month; what changed lately: by an index',
    async (view) => {
      const table = { conversations: 'conversation_facts', long_waits: 'queue_entries' }[view] ?? view
      const month = `${table}_2026_03`
      const range = `conversation_start >= '2026-03-05' and conversation_start < '2026-03-06'`
      const isOf = (name: string): boolean => name.startsWith(table)
      expect(partitions(await plan(`select * from reporting.${view} where ${range}`)).filter(isOf)).toEqual([month])
      await warehouse.db.connection().execute(async (db) => {
        // the tables of this test are so small that Postgres would rather read them whole
        await sql`set enable_seqscan = off`.execute(db)
        const one = `conversation_id = 'c' and conversation_start = '${at('10:00:00')}'`
        expect(await plan(`select * from reporting.${view} where ${one}`, db)).toContain(`${month}_pkey`)
        const since = await plan(`select * from reporting.${view} where updated_at > now() - interval '1 hour'`, db)
        expect(since).toContain(`Bitmap Index Scan on ${month}_conversation_start`)
        expect(since).toMatch(/Index Cond: \(\w*\.?updated_at > /)
        await sql`reset enable_seqscan`.execute(db)
      })
    },
  )

  test('a period of waits_over leaves out the months after it', async () => {
    const text = await plan(`select * from reporting.waits_over(300, '2026-03-05', '2026-03-06')`)
    expect(partitions(text)).not.toContain('queue_entries_2026_04')
    expect(text).not.toContain('Function Scan on waits_over')
  })

  test('only what is asked for is joined', async () => {
    const text = await plan('select media_type, sum(handle_seconds) from reporting.conversations group by 1')
    expect(text).not.toMatch(/dim_|conversations_pkey| on conversations /)
  })
})

test('who may not read the addresses of sessions sees neither addresses nor notes', async () => {
  const role = `reports_only_${database.name}`
  await rows(
    `create role ${role}; grant usage on schema reporting to ${role}; grant select on all tables in schema reporting to ${role}`,
  )
  try {
    await warehouse.db.connection().execute(async (db) => {
      await sql.raw(`set role ${role}`).execute(db)
      expect(
        await rows(`select count(*) as rows, count(customer_address) as shown from reporting.conversations`, db),
      ).toEqual([{ rows: 2, shown: 0 }])
      expect(await rows('select user_name, wrap_up_note from reporting.agent_sessions', db)).toEqual([
        { user_name: 'Ada', wrap_up_note: null },
      ])
      expect(await rows(`select * from reporting.waits_over(1, '2026-01-01', '2027-01-01')`, db)).toHaveLength(2)
      await sql`reset role`.execute(db)
    })
  } finally {
    await rows(`drop owned by ${role}; drop role ${role}`)
  }
})

test('in a simulated organization nothing is left out or counted twice', async () => {
  await using org = await startSimulator({
    seed: 'facts',
    now: '2025-06-13T12:00:00.000Z',
    days: 4,
    perDay: 150,
    malformedShare: 0.2,
  })
  await using own = await createTestDatabase()
  await using filled = connect(own.url)
  await load(filled, org.truth(), 1)
  const compared = async (view: string, truth: string): Promise<void> => {
    const [found] = await rows(view, filled.db)
    expect(Object.values(found!).map(Number)[0]).toBeGreaterThan(100)
    expect([found]).toEqual(await rows(truth, filled.db))
  }
  const join = `from genesys.sessions s join genesys.participants p
    on p.conversation_id = s.conversation_id and p.conversation_start = s.conversation_start and p._index = s._participant_index`
  const total = (name: string, result: string): string =>
    `sum(value) filter (where name = '${name}')::float8 as ${result}`
  await compared(
    `select count(*) as n, sum(answered)::float8 as answered, sum(offered)::float8 as offered, round(sum(wait_seconds) * 1000) as waited,
      round(sum(handle_seconds) * 1000) as handled from reporting.conversations`,
    `select (select count(*) from genesys.conversations) as n, count(*) filter (where name = 'tAnswered')::float8 as answered,
      ${total('nOffered', 'offered')}, ${total('tAcd', 'waited')}, ${total('tHandle', 'handled')}
     from reporting.metric_events`,
  )
  await compared(
    `select count(*) as n, round(sum(wait_seconds) * 1000) as waited from reporting.queue_entries`,
    `select (select count(*) ${join} where p.purpose = 'acd') as n, ${total('tAcd', 'waited')}
     from reporting.metric_events where purpose = 'acd'`,
  )
  await compared(
    `select count(*) as n, sum(transferred)::float8 as transferred, round(sum(handle_seconds) * 1000) as handled from reporting.agent_sessions`,
    `select (select count(*) ${join} where p.purpose in ('agent', 'user')) as n, ${total('nTransferred', 'transferred')},
      ${total('tHandle', 'handled')} from reporting.metric_events where purpose in ('agent', 'user')`,
  )
  await compared(
    `select sum(conversations)::bigint as n, sum(handled)::bigint as handled from reporting.hourly_by_direction`,
    `select (select count(*) from genesys.conversations) as n, count(*) filter (where name = 'tHandle') as handled
     from reporting.metric_events`,
  )
  await compared(
    `select count(*) as n from reporting.conversations c join reporting.conversation_status s using (conversation_id, conversation_start)
     where (c.is_open, c.is_final, c.conversation_end, c.loaded_at) is not distinct from (s.is_open, s.is_final, s.conversation_end, s.loaded_at)`,
    'select count(*) as n from genesys.conversations',
  )
})
