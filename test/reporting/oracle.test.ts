/** Every view of facts, column by column, against rows that an oracle computes from the JSON of the organization and the text of the contract. */
import * as fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import type { Org } from '../../src/simulator/org.ts'
import { load } from '../loader/conversations.ts'
import { createTestDatabase } from '../support/database.ts'
import { startTestOrg, type RunOverrides, type TestOrg } from '../support/simulated-org.ts'
import { parseTruth, type Range } from '../support/truth.ts'
import { arbitraryConversation } from './oracle/arbitrary.ts'
import { hourlyRows, queueEntryRows } from './oracle/facts.ts'
import { compareViews } from './oracle/compare.ts'
import { nameLists, type Names } from './oracle/names.ts'
import { readConversation, type Conversation } from './oracle/read-json.ts'

const DAY_MS = 86_400_000
const now = Date.parse('2025-06-13T12:00:00Z')
/** A day more than the organization has, since starts are moved to the day before. */
const days: Range = { start: new Date('2025-06-09T00:00:00Z'), end: new Date('2025-06-13T00:00:00Z') }

let it: TestOrg
let names: Names
beforeAll(async () => {
  it = await startTestOrg({
    now,
    days: 3,
    perDay: 150,
    reopenedShare: 0.3,
    lateChanges: { corrected: 0.15, moved: 0.05, removed: 0.05, evaluated: 0.15, surveyed: 0.15 },
  })
  names = await writeMostNames(it.warehouse, it.org.org)
}, 120_000)
afterAll(() => it[Symbol.asyncDispose]())

/** Stores the names of the organization, except every third, which stay unknown. */
async function writeMostNames(warehouse: Warehouse, org: Org): Promise<Names> {
  const most = (entities: readonly { readonly id: string }[]) =>
    entities.filter((_entity, index) => index % 3 !== 2).map(({ id }) => id)
  return await writeNames(warehouse, {
    queues: most(org.queues),
    users: most(org.users),
    teams: most(org.teams),
    campaigns: most(org.campaigns),
    skills: most(org.skills),
    languages: most(org.languages),
    flows: most(org.flows),
    flow_outcomes: most(org.outcomes),
    wrap_up_codes: most(org.wrapUpCodes),
    evaluation_forms: most(org.evaluationForms),
    survey_forms: most(org.surveyForms),
  })
}

/** Gives each of these ids a name. */
async function writeNames(
  warehouse: Warehouse,
  ids: Partial<Readonly<Record<keyof Names, readonly string[]>>>,
): Promise<Names> {
  const read = async (list: keyof Names): Promise<[string, ReadonlyMap<string, string>]> => {
    for (const id of ids[list] ?? [])
      await sql`insert into ${sql.table(`genesys.dim_${list}`)} (id, name) values (${id}, ${`Name of ${id}`})`.execute(
        warehouse.db,
      )
    // the wrap-up codes of the system are there from the beginning
    const { rows } = await sql<{ id: string; name: string }>`
      select id, name from ${sql.table(`genesys.dim_${list}`)}`.execute(warehouse.db)
    return [list, new Map(rows.map(({ id, name }) => [id, name]))]
  }
  return Object.fromEntries(await Promise.all(nameLists.map(read))) as unknown as Names
}

/** What the organization has of these days now. */
function truthOf(range: Range): Conversation[] {
  // day by day: the organization goes on for weeks after these
  const texts = [0, 1, 2, 3, 4].flatMap((day) =>
    it.org.truthText(new Date(+range.start + day * DAY_MS).toISOString().slice(0, 10)),
  )
  return texts.flatMap((text) => {
    const conversation = readConversation(parseTruth(text))
    const isWithin = conversation && conversation.start >= +range.start * 1000 && conversation.start < +range.end * 1000
    return isWithin ? [conversation] : []
  })
}

async function expectViewsEqual(): Promise<Readonly<Record<string, number>>> {
  const truth = truthOf(days)
  const attributesOf = ({ id, participants }: Conversation) => {
    const attributes = stored ? it.org.attributesOf(id) : {}
    const ids = participants.map(({ raw }) => String(raw['participantId']))
    // where ids are repeated, they are those of the first, which is the customer
    return ids.map((participantId, index) =>
      ids.indexOf(participantId) === index ? attributes[participantId] : undefined,
    )
  }
  const { differences, rows } = await compareViews(it.warehouse, days, truth, names, attributesOf)
  expect(differences).toEqual([])
  return rows
}

/** Whether attributes have been read. */
let stored = false

test('views equal the oracle right after a load, while many conversations are open', async () => {
  await it.backfill(days)
  const rows = await expectViewsEqual()
  expect(rows).toMatchObject({ conversations: expect.any(Number) as number, participant_attributes: 0 })
  for (const view of [
    'conversations',
    'queue_entries',
    'agent_sessions',
    'metric_events',
    'wrap_ups',
    'flows',
    'conversation_timeline',
  ])
    expect(rows[view], view).toBeGreaterThan(100)
})

test('and after weeks of corrections, moved starts, deletions, evaluations and surveys', async () => {
  it.org.control.clock.set(now + 45 * DAY_MS)
  await it.backfill(days, { reload: true })
  const rows = await expectViewsEqual()
  for (const view of ['flow_outcomes', 'evaluations', 'surveys']) expect(rows[view], view).toBeGreaterThan(30)
  const { rows: left } = await sql<{
    reason: string
  }>`select distinct reason from reporting.deletions order by 1`.execute(it.warehouse.db)
  expect(left).toEqual([{ reason: 'missing' }, { reason: 'moved' }])
})

test('so do the waits over a limit, and the hours', async () => {
  const truth = truthOf(days)
  const [from, to] = ['2025-06-10T08:10:00Z', '2025-06-12T11:45:00Z'].map((text) => new Date(text)) as [Date, Date]
  const waits = await sql<{ id: string; entry: number }>`
    select conversation_id as id, _session_index as entry from reporting.waits_over(42, ${from}, ${to})`.execute(
    it.warehouse.db,
  )
  const expected = truth.flatMap((c) =>
    queueEntryRows(c, names).flatMap(({ wait_seconds: wait, entered_at: entered, _session_index: entry }) =>
      Number(wait) > 42 && Number(entered) >= +from * 1000 && Number(entered) < +to * 1000
        ? [`${c.id} ${Number(entry)}`]
        : [],
    ),
  )
  expect(waits.rows.map(({ id, entry }) => `${id} ${entry}`).sort()).toEqual(expected.sort())
  expect(expected.length).toBeGreaterThan(50)

  await sql`update reporting.settings set time_zone = 'Asia/Kolkata'`.execute(it.warehouse.db)
  const { rows } = await sql<Record<string, unknown>>`
    select (extract(epoch from hour) * 1000)::bigint as hour, direction, media_type, conversations, handled, average_duration_seconds,
      average_hold_seconds, average_handle_seconds
    from reporting.hourly_by_direction where hour < ${days.end}`.execute(it.warehouse.db)
  await sql`update reporting.settings set time_zone = 'UTC'`.execute(it.warehouse.db)
  const hours = hourlyRows(truth, 5.5).filter(({ hour }) => Number(hour) < +days.end)
  const label = (row: Record<string, unknown>) => JSON.stringify([row['hour'], row['direction'], row['media_type']])
  const found = new Map(rows.map((row) => [label(row), row]))
  expect([...found.keys()].sort()).toEqual(hours.map(label).sort())
  for (const hour of hours) {
    for (const [column, value] of Object.entries(hour)) {
      const actual = found.get(label(hour))![column]
      if (typeof value === 'number') expect(actual, `${label(hour)} ${column}`).toBeCloseTo(value, 6)
      else expect(actual, `${label(hour)} ${column}`).toBe(value)
    }
  }
})

test('and with the attributes that jobs deliver', async () => {
  const timing = { firstPollMs: 10, longestPollMs: 50, deadlineMs: 60_000 }
  const overrides: RunOverrides = { settings: { jobs: { attributes: 'auto', timing, pageSize: 100 } } }
  await it.run({ job: 'backfill', range: days, reload: true, source: 'jobs' }, overrides)
  stored = true
  expect((await expectViewsEqual())['participant_attributes']).toBeGreaterThan(100)
})

test('and over conversations in which times, queues and agents coincide, and anything can be missing', async () => {
  const raw = fc.sample(arbitraryConversation, { numRuns: 400, seed: 20_250_611 })
  const conversations = raw.map((each, index): JsonObject => ({ ...each, conversationId: `arbitrary-${index}` }))
  await using database = await createTestDatabase()
  await using warehouse = connect(database.url)
  const known = await writeNames(warehouse, {
    queues: ['queue-1', 'queue-2'],
    users: ['user-1', 'user-2'],
    flows: ['flow-1'],
    evaluation_forms: ['form-1'],
  })
  await load(warehouse, conversations, 1)
  const { differences } = await compareViews(
    warehouse,
    days,
    conversations.map((each) => readConversation(each)!),
    known,
  )
  expect(differences).toEqual([])
})
