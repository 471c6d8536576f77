import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { measures } from '../../src/intervals/measures.ts'
import { connect } from '../../src/postgres/connect.ts'
import { load } from '../loader/conversations.ts'
import { writeNames } from '../support/busy-center.ts'
import { call } from '../support/calls.ts'
import { createTestDatabase } from '../support/database.ts'
import { startTestOrg, type TestOrg } from '../support/simulated-org.ts'
import { createTestRoutes } from './service.ts'

const HOSTILE = `"><img src=x onerror="alert(1)"><script>alert('x')</script>`
const DAYS = 'from=2025-06-11&to=2025-06-12'
const FROM = sql`'2025-06-11 00:00 America/New_York'::timestamptz`
const TO = sql`'2025-06-13 00:00 America/New_York'::timestamptz`

let testOrg: TestOrg
beforeAll(async () => {
  testOrg = await startTestOrg()
  await sql`update reporting.settings set time_zone = 'America/New_York'`.execute(testOrg.warehouse.db)
  await testOrg.backfill()
})
afterAll(() => testOrg[Symbol.asyncDispose]())

async function get(path: string): Promise<{ status: number; text: string }> {
  const answer = await createTestRoutes(testOrg.warehouse).request(path)
  return { status: answer.status, text: await answer.text() }
}

const unescaped = (text: string): string => text.replaceAll('&amp;', '&')

/** The ids of all pages, in their order, following the links. */
async function allPages(path: string): Promise<string[]> {
  const ids: string[] = []
  for (let next: string | undefined = path; next !== undefined;) {
    const { status, text } = await get(next)
    expect(status).toBe(200)
    const page = [...text.matchAll(/href="\/conversations\/([^"]+)"/g)].map(([, id = '']) => decodeURIComponent(id))
    expect(page.length).toBeLessThanOrEqual(50)
    ids.push(...page)
    const link = /href="(\/conversations\?[^"]*)" rel="next"/.exec(text)?.[1]
    next = link === undefined ? undefined : unescaped(link)
  }
  return ids
}

/** Conversations with a metric that the interval views count, the newest first, from the view of single metrics. */
async function expectedIds(condition: ReturnType<typeof sql>): Promise<string[]> {
  const names = [...new Set(measures.map(({ metric }) => metric))]
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from (
      select distinct conversation_id, conversation_start from reporting.metric_events
      where emit_date >= ${FROM} and emit_date < ${TO} and name = any(${names}::text[]) and value <> 0 and ${condition}) m
    order by conversation_start desc, conversation_id desc`.execute(testOrg.warehouse.db)
  return rows.map(({ id }) => id)
}

test('each row of the report leads to the conversations that it counts', async () => {
  for (const by of ['queue', 'media', 'agent']) {
    const report = (await get(`/reports?${DAYS}&by=${by}`)).text
    const rows = [...report.matchAll(/<a href="(\/conversations\?[^"]*)">[\s\S]*?<\/tr>/g)]
    expect(rows.length).toBeGreaterThan(3)
    for (const [row, address = ''] of rows.slice(0, 4)) {
      const { text } = await get(unescaped(address))
      const [first = 0, second = 0, third = 0] = [...row.matchAll(/<td[^>]*data-value="([^"]*)"/g)].map(([, value]) =>
        Number(value),
      )
      const counted =
        by === 'agent' ? `<b>${first} handled` : `<b>${first} offered, ${second} answered, ${third} abandoned`
      expect(text.replaceAll('&#39;', "'")).toContain(counted)
    }
  }
})

test('a list has every conversation with a metric of the queue in the local days, once, the newest first', async () => {
  const { rows } = await sql<{ id: string }>`
    select queue_id as id from etl.interval_cells where queue_id is not null group by 1 order by count(*) desc limit 1`.execute(
    testOrg.warehouse.db,
  )
  const queue = rows[0]!.id
  const expected = await expectedIds(sql`queue_id = ${queue}`)
  expect(expected.length).toBeGreaterThan(50)
  expect(await allPages(`/conversations?${DAYS}&queue=${queue}`)).toEqual(expected)
  expect(await allPages(`/conversations?${DAYS}&queue=${queue}&media=voice`)).toEqual(
    await expectedIds(sql`queue_id = ${queue} and media_type = 'voice'`),
  )
  expect(await allPages(`/conversations?${DAYS}&queue=none`)).toEqual(await expectedIds(sql`queue_id is null`))
  expect(await allPages(`/conversations?${DAYS}`)).toEqual(await expectedIds(sql`true`))
})

test('a list by agent has what the agent took part in', async () => {
  const { rows } = await sql<{ id: string }>`
    select user_id as id from etl.interval_cells where user_id is not null group by 1 order by count(*) desc limit 1`.execute(
    testOrg.warehouse.db,
  )
  const agent = rows[0]!.id
  expect(await allPages(`/conversations?${DAYS}&agent=${agent}`)).toEqual(await expectedIds(sql`user_id = ${agent}`))
})

test('shows neither addresses nor notes', async () => {
  const { rows } = await sql<{ secret: string }>`
    select distinct secret from reporting.conversations, lateral (values (customer_address)) v (secret) where secret is not null
    union select distinct wrap_up_note from reporting.agent_sessions where wrap_up_note is not null`.execute(
    testOrg.warehouse.db,
  )
  expect(rows.length).toBeGreaterThan(20)
  const { text } = await get(`/conversations?${DAYS}`)
  for (const { secret } of rows) expect(text).not.toContain(secret)
})

test('shows start, duration, media type, queues, agents, wait and outcome', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await writeNames(warehouse, { queues: [['q1', 'Billing']], users: [['u1', HOSTILE]] })
  await load(warehouse, [call('c1', { start: '2026-03-05T10:00:00Z' })], 1)
  const routes = createTestRoutes(warehouse)
  const page = await (await routes.request('/conversations?from=2026-03-05&to=2026-03-05&queue=q1')).text()
  const row = /<tbody>([\s\S]*?)<\/tbody>/.exec(page)?.[1] ?? ''
  const cells = [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell = '']) =>
    cell.replaceAll(/<[^>]+>/g, '').replaceAll(/\s+/g, ' '),
  )
  expect(cells[0]).toBe('Thu 5 Mar 10:00:00')
  expect(cells.slice(1, 4)).toEqual(['5 min', 'voice', 'Billing'])
  expect(cells[4]).toContain('&lt;img src=x')
  expect(cells.slice(5)).toEqual(['0:10', 'answered'])
  expect(page).toContain('of queue Billing')
  expect(page).not.toContain('<img')
  expect(page.match(/<script/g)).toHaveLength(1)
})

test('a conversation whose facts are not derived yet is listed without them', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await load(warehouse, [call('c1', { start: '2026-03-05T10:00:00Z' })], 1)
  await sql`delete from etl.conversation_facts`.execute(warehouse.db)
  const page = await (await createTestRoutes(warehouse).request('/conversations?from=2026-03-05&to=2026-03-05')).text()
  expect(page).toContain('/conversations/c1"')
  expect(page).toContain('not derived yet')
})

test.each([
  ['from=2025-01-01&to=2026-01-01', 'at most 31'],
  ['agent=%27', 'is no id'],
  ['after=1', 'is not the address of a further page'],
  ['by=queue', 'is no parameter of this page'],
  ['from=2025-06-12&to=2025-06-11', 'is after to'],
])('%s is answered with 400 and the reason', async (query, reason) => {
  const { status, text } = await get(`/conversations?${query}`)
  expect(status).toBe(400)
  expect(text).toContain(reason)
})

test('a range without conversations, and an id that nothing has, give an empty list', async () => {
  for (const query of ['from=2020-01-01&to=2020-01-02', `${DAYS}&queue=unknown`, `${DAYS}&agent=none&queue=unknown`]) {
    const { status, text } = await get(`/conversations?${query}`)
    expect(status).toBe(200)
    expect(text).toContain('There is none.')
  }
})

test('a database that is away is 503', async () => {
  await using gone = connect('postgres://nobody:secret-password@127.0.0.1:1/none')
  const answer = await createTestRoutes(gone).request('/conversations')
  expect(answer.status).toBe(503)
  expect(await answer.text()).not.toContain('secret-password')
})
