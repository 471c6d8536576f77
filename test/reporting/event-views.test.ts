/** The views of what conversations contain: who sees what, what is left out, and the order of the timeline. */
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { conversation, load, withAttributes } from '../loader/conversations.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
const reader = `reader_${database.name}`
const personal = `personal_${database.name}`

const at = (time: string): string => `2026-03-05T${time}.000Z`
const segment = (segmentType: string, from: string, to: string | null, more: JsonObject = {}): JsonObject => ({
  segmentType,
  segmentStart: at(from),
  ...(to !== null && { segmentEnd: at(to) }),
  ...more,
})
const session = (segments: JsonObject[], more: JsonObject = {}): JsonObject => ({
  mediaType: 'voice',
  direction: 'inbound',
  segments,
  ...more,
})
const metric = (name: string, value: number, time: string): JsonObject => ({ name, value, emitDate: at(time) })

/**
 * A call: a menu, a queue, an agent who holds, consults a colleague and hands over to another queue at the instant at which it is entered;
 * there it is answered at once.
 */
const call = conversation('call', {
  conversationStart: at('10:00:00'),
  participants: [
    {
      purpose: 'customer',
      sessions: [session([segment('interact', '10:00:00', '10:05:00', { queueId: 'q1', disconnectType: 'peer' })])],
    },
    {
      purpose: 'ivr',
      sessions: [
        session([segment('ivr', '10:00:00', '10:01:00', { disconnectType: 'transfer' })], {
          flow: {
            flowId: 'f1',
            flowName: 'Menu',
            exitReason: 'TRANSFER',
            entryReason: 'tel:+15550100',
            outcomes: [{ flowOutcomeId: 'o1', flowOutcomeValue: 'SUCCESS', flowOutcomeStartTimestamp: at('10:00:30') }],
          },
        }),
      ],
    },
    {
      purpose: 'acd',
      sessions: [session([segment('interact', '10:01:00', '10:02:00', { queueId: 'q1', disconnectType: 'transfer' })])],
    },
    {
      purpose: 'agent',
      userId: 'u1',
      sessions: [
        session(
          [
            segment('alert', '10:01:50', '10:02:00', { queueId: 'q1' }),
            segment('interact', '10:02:00', '10:03:00', { queueId: 'q1' }),
            segment('hold', '10:03:00', '10:03:30', { queueId: 'q1' }),
            segment('interact', '10:03:30', '10:04:00', { queueId: 'q1', disconnectType: 'transfer' }),
            segment('wrapup', '10:04:00', '10:04:20', {
              queueId: 'q1',
              wrapUpCode: 'w1',
              wrapUpNote: 'call +1 555 0100',
            }),
          ],
          {
            metrics: [
              metric('nConsult', 1, '10:03:00'),
              metric('nTransferred', 1, '10:04:00'),
              metric('nConsultTransferred', 1, '10:04:00'),
            ],
          },
        ),
      ],
    },
    {
      purpose: 'acd',
      sessions: [session([segment('interact', '10:04:00', '10:04:00', { queueId: 'q2', disconnectType: 'transfer' })])],
    },
    {
      purpose: 'agent',
      userId: 'u2',
      sessions: [
        session([
          segment('interact', '10:04:00', '10:05:00', { queueId: 'q2', disconnectType: 'client' }),
          segment('wrapup', '10:05:00', null, { queueId: 'q2' }),
        ]),
      ],
    },
  ],
  evaluations: [
    {
      evaluatorId: 'u3',
      formName: 'Quality',
      evaluationStatus: 'Finished',
      oTotalScore: 90,
      eventTime: at('12:00:00'),
    },
  ],
  surveys: [{ surveyFormName: 'After contact', surveyStatus: 'Sent', eventTime: at('12:00:00') }],
})

beforeAll(async () => {
  await sql
    .raw(
      [reader, personal]
        .map(
          (role) =>
            `create role ${role}; grant usage on schema reporting to ${role}; grant select on all tables in schema reporting to ${role};`,
        )
        .join('') + `grant select (ani) on genesys.sessions to ${personal}`,
    )
    .execute(warehouse.db)
  await sql`insert into genesys.dim_users (id, name) values ('u1', 'Ada'), ('u2', 'Bob'), ('u3', 'Eve')`.execute(
    warehouse.db,
  )
  await sql`insert into genesys.dim_queues (id, name) values ('q1', 'Billing')`.execute(warehouse.db)
  await sql`insert into genesys.dim_wrap_up_codes (id, name) values ('w1', 'Resolved')`.execute(warehouse.db)
  await load(warehouse, [withAttributes(call, { number: '+1 555 0100', plan: 'gold' }, ['no object'])], 1, {
    deliversAttributes: true,
  })
})
afterAll(async () => {
  for (const role of [reader, personal]) await sql.raw(`drop owned by ${role}; drop role ${role}`).execute(warehouse.db)
  await warehouse.close()
})

/** The rows of a query as a role. */
async function as(role: string, query: string): Promise<Record<string, unknown>[]> {
  return await warehouse.db.transaction().execute(async (trx) => {
    await sql.raw(`set local role ${role}`).execute(trx)
    return (await sql.raw<Record<string, unknown>>(query).execute(trx)).rows
  })
}

test('the timeline has every event in order, also of one instant, by the id alone', async () => {
  const rows = await as(
    reader,
    `select to_char(at at time zone 'UTC', 'HH24:MI:SS') as at, to_char(until at time zone 'UTC', 'HH24:MI:SS') as until, event, who,
      queue_name, detail from reporting.timeline('call')`,
  )
  expect(rows.map((row) => Object.values(row))).toEqual([
    ['10:00:00', '10:05:00', 'connect', 'customer', 'Billing', 'voice, inbound'],
    ['10:00:00', '10:01:00', 'ivr', 'ivr', null, 'Menu, TRANSFER'],
    ['10:01:00', '10:02:00', 'queue_entered', 'acd', 'Billing', null],
    ['10:01:50', '10:02:00', 'alert', 'Ada', 'Billing', null],
    ['10:02:00', null, 'queue_left', 'acd', 'Billing', 'transfer'],
    ['10:02:00', '10:03:00', 'answer', 'Ada', 'Billing', null],
    ['10:03:00', '10:03:30', 'hold', 'Ada', 'Billing', null],
    ['10:03:00', null, 'consult', 'Ada', 'Billing', null],
    ['10:03:30', '10:04:00', 'talk', 'Ada', 'Billing', null],
    ['10:04:00', null, 'transfer', 'Ada', 'Billing', 'consult'],
    ['10:04:00', '10:04:00', 'queue_entered', 'acd', 'q2', null],
    ['10:04:00', null, 'queue_left', 'acd', 'q2', 'transfer'],
    ['10:04:00', '10:05:00', 'answer', 'Bob', 'q2', null],
    ['10:04:00', null, 'disconnect', 'Ada', 'Billing', 'transfer'],
    ['10:04:00', '10:04:20', 'wrap_up', 'Ada', 'Billing', 'Resolved'],
    ['10:05:00', null, 'disconnect', 'customer', 'Billing', 'peer'],
    ['10:05:00', null, 'disconnect', 'Bob', 'q2', 'client'],
    ['10:05:00', null, 'wrap_up', 'Bob', 'q2', null],
    ['12:00:00', null, 'evaluation', 'Eve', null, 'Quality, Finished, 90 %'],
    ['12:00:00', null, 'survey', 'customer', null, 'After contact, Sent'],
  ])
  expect(
    await as(reader, `select from reporting.timeline('unknown') union all select from reporting.timeline(null)`),
  ).toEqual([])
  expect(await as(reader, `select reporting.conversation_start('call') as start`)).toEqual([
    { start: new Date(at('10:00:00')) },
  ])
  expect(await as(reader, `select reporting.conversation_start('unknown') as start`)).toEqual([{ start: null }])
})

/** The personal columns of the views, and a condition for the row that has something there. */
const PERSONAL = [
  ['wrap_ups', 'wrap_up_note', "wrap_up_code_id = 'w1'", 'call +1 555 0100'],
  ['flows', 'entry_reason', 'true', 'tel:+15550100'],
  ['participant_attributes', 'value', "key = 'number'", '+1 555 0100'],
  ['conversation_timeline', 'note', "detail = 'Resolved'", 'call +1 555 0100'],
  ["timeline('call')", 'note', "detail = 'Resolved'", 'call +1 555 0100'],
] as const

test.each(PERSONAL)(
  '%s shows %s to those who may read personal columns alone',
  async (view, column, condition, value) => {
    const query = `select ${column} as value from reporting.${view} where ${condition}`
    expect(await as(personal, query)).toEqual([{ value }])
    expect(await as(reader, query)).toEqual([{ value: null }])
  },
)

test('attributes that are no object have no keys', async () => {
  expect(await as(reader, 'select key, purpose from reporting.participant_attributes order by key')).toEqual([
    { key: 'number', purpose: 'customer' },
    { key: 'plan', purpose: 'customer' },
  ])
})

const VIEWS = [
  'metric_events', 'wrap_ups', 'flows', 'flow_outcomes', 'evaluations', 'surveys', 'participant_attributes', 'conversation_timeline',
  "timeline('call')",
] // prettier-ignore

test.each(VIEWS)('%s leaves out what Genesys has no more', async (view) => {
  const count = () => as(reader, `select count(*)::int as rows from reporting.${view}`)
  expect((await count())[0]!['rows']).toBeGreaterThan(0)
  await sql`update genesys.conversations set _missing_since = now()`.execute(warehouse.db)
  try {
    expect(await count()).toEqual([{ rows: 0 }])
  } finally {
    await sql`update genesys.conversations set _missing_since = null`.execute(warehouse.db)
  }
})
