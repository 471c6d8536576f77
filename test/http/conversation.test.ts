/** `/conversations/ID`: what it shows, and what it does not. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRoutes } from '../../src/http/routes.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { transferredCall } from '../support/transferred-call.ts'
import { load } from '../loader/conversations.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { createTestRoutes, createTestSources, TOKEN } from './service.ts'

const database = await createFileDatabase()
let warehouse: Warehouse
const HOSTILE = `<script>alert(1)</script>"'`
const ID = 'a2b0e4c6-1111-4222-8333-444455556666'
beforeAll(async () => {
  warehouse = connect(database.url)
  await sql`insert into genesys.dim_queues (id, name) values ('q1', 'Billing'), ('q2', ${HOSTILE})`.execute(
    warehouse.db,
  )
  await sql`insert into genesys.dim_users (id, name) values ('u1', 'Ada Lind'), ('u2', 'Bo Ek')`.execute(warehouse.db)
  await sql`insert into genesys.dim_wrap_up_codes (id, name, is_system) values ('w1', 'Solved', false)`.execute(
    warehouse.db,
  )
  await load(warehouse, [transferredCall(ID)], 1)
})
afterAll(() => warehouse.close())

async function get(id: string, options: Parameters<typeof createTestSources>[1] = {}) {
  const response = await createTestRoutes(warehouse, options).request(`http://localhost/conversations/${id}`)
  return { status: response.status, text: await response.text(), headers: response.headers }
}

/** The words of a page without its markup. */
const words = (html: string): string =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()

test('shows who took part, how it ended, and every event in order', async () => {
  const { status, text, headers } = await get(ID)
  expect(status).toBe(200)
  expect(headers.get('Cache-Control')).toBe('no-store')
  const shown = words(text)
  expect(shown).toContain('Voice, inbound, Thu 5 Mar 2026')
  expect(shown).toContain(ID)
  expect(shown).toMatch(/Started 2026-03-05 10:00 Ended 2026-03-05 10:09 after 9 min/)
  expect(shown).toMatch(/Outcome answered 1 transfer Queues Billing → .*Agents Ada Lind → Bo Ek/)
  expect(shown).toMatch(/Waited 2 min Talked 5 min/)
  const events = [...text.matchAll(/<th scope="row">([\w ]+)/g)].map(([, event]) => event)
  expect(events).toEqual(expect.arrayContaining(['Connect', 'Queue entered', 'Alert', 'Answer', 'Transfer', 'Wrap up']))
  const times = [...text.matchAll(/<tr><td><time datetime="([^"]+)"/g)].map(([, time]) => Date.parse(time ?? ''))
  expect(times.length).toBeGreaterThan(8)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('shows times in the zone of the settings, as the list that links to it', async () => {
  const setZone = (zone: string) => sql`update reporting.settings set time_zone = ${zone}`.execute(warehouse.db)
  await setZone('Pacific/Auckland')
  try {
    const { text } = await get(ID)
    const shown = words(text)
    expect(shown).toContain('Voice, inbound, Thu 5 Mar 2026')
    expect(shown).toMatch(/Started 2026-03-05 23:00 Ended 2026-03-05 23:09/)
    expect(shown).toMatch(/23:00:10 Queue entered .*Times are those of Pacific\/Auckland\./)
  } finally {
    await setZone('UTC')
  }
})

test('names are text, whatever they are', async () => {
  const { text } = await get(ID)
  expect(text).not.toContain('<script>alert')
  expect(text).toContain('&lt;script&gt;alert(1)')
})

test('addresses and notes are not shown unless HTTP_SHOW_PERSONAL says so', async () => {
  const hidden = await get(ID)
  expect(hidden.text).not.toMatch(/15550|secret note|Jane Doe/)
  expect(hidden.text).toContain('Addresses and notes are not shown.')
  const shown = await get(ID, { showPersonal: true })
  expect(words(shown.text)).toContain('+15550100')
  expect(shown.text).toContain('secret note')
  expect(shown.text).not.toContain('are not shown')
  // the setting of one request is not that of the next one on the same connection
  expect((await get(ID)).text).not.toContain('secret note')
  const { rows } = await sql<{ shown: boolean }>`select etl.shows_personal() as shown`.execute(warehouse.db)
  expect(rows).toEqual([{ shown: true }])
})

describe('an id that is not stored', () => {
  test.each([
    ['00000000-0000-4000-8000-000000000000'],
    ['%27%3B%20drop%20table%20x'],
    ['..%2F..%2Fetc'],
    ['%00'],
    ['x'.repeat(65)],
    ['+49%20170%201234567'],
    [encodeURIComponent(HOSTILE)],
  ])('%s is a page with 404, which repeats nothing of it', async (id) => {
    const { status, text } = await get(id)
    expect(status).toBe(404)
    expect(words(text)).toContain('No such conversation')
    expect(text).not.toContain(decodeURIComponent(id))
    // it would ask again every few seconds, and then claim that the service is away
    expect(text).not.toContain('page.js')
  })
})

test('a conversation that Genesys has no more says so, and shows nothing of it', async () => {
  await load(warehouse, [transferredCall('gone')], 1)
  await sql`update genesys.conversations set _missing_since = '2026-03-09T00:00Z' where conversation_id = 'gone'`.execute(
    warehouse.db,
  )
  const { status, text } = await get('gone')
  expect(status).toBe(200)
  expect(words(text)).toContain('Genesys has it no more since 2026-03-09 00:00')
  expect(text).not.toContain('Ada Lind')
})

test('a conversation whose reporting rows are not derived yet says so, with its timeline', async () => {
  await load(warehouse, [transferredCall('fresh')], 1)
  await sql`delete from etl.conversation_facts where conversation_id = 'fresh'`.execute(warehouse.db)
  const { status, text } = await get('fresh')
  expect(status).toBe(200)
  expect(words(text)).toContain('It is not in the reports yet.')
  expect(text).toContain('Ada Lind')
})

test('needs the token', async () => {
  const routes = createTestRoutes(warehouse, { token: TOKEN })
  expect((await routes.request(`http://localhost/conversations/${ID}`)).status).toBe(401)
})

test('no id, name or address reaches the log, whatever happens', async () => {
  const lines: string[] = []
  const logger = createLogger('trace', {
    write: (line: string) => lines.push(line),
  } as unknown as NodeJS.WritableStream)
  await using broken = await createTestDatabase()
  await using away = connect(broken.url)
  await sql`drop function reporting.timeline(text)`.execute(away.db)
  await load(away, [transferredCall(ID)], 1)
  const routes = createRoutes({ ...createTestSources(away, { logger, showPersonal: true }), logger })
  for (const id of [ID, '4917012345678', 'nobody-knows', '%E0%A4%A']) {
    const response = await routes.request(`http://localhost/conversations/${id}`)
    expect([400, 404, 503]).toContain(response.status)
  }
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.join('\n')).not.toMatch(/a2b0e4c6|4917012345678|nobody|15550|Jane|secret/)
})
