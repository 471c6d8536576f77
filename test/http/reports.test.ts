import { parse } from 'csv-parse/sync'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRoutes } from '../../src/http/routes.ts'
import { connect } from '../../src/postgres/connect.ts'
import { conversation, load } from '../loader/conversations.ts'
import { writeNames } from '../support/busy-center.ts'
import { call } from '../support/calls.ts'
import { createTestDatabase } from '../support/database.ts'
import { startTestOrg, type TestOrg } from '../support/simulated-org.ts'
import { createTestRoutes, createTestSources } from './service.ts'

const HOSTILE = `"><img src=x onerror="alert(1)"><script>alert('x')</script>=1+1`
const ZONE = 'Europe/Berlin'
const DAYS = 'from=2025-06-11&to=2025-06-12'

let testOrg: TestOrg
beforeAll(async () => {
  testOrg = await startTestOrg()
  await sql`update reporting.settings set time_zone = ${ZONE}`.execute(testOrg.warehouse.db)
  await testOrg.backfill()
  await sql`insert into genesys.dim_queues (id, name)
    select queue_id, 'Queue ' || row_number() over (order by queue_id) from (select distinct queue_id from etl.interval_cells) q
    where queue_id is not null on conflict (id) do nothing`.execute(testOrg.warehouse.db)
})
afterAll(() => testOrg[Symbol.asyncDispose]())

async function get(path: string): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await createTestRoutes(testOrg.warehouse).request(path)
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

/** The rows of the table: names, and values as the page has them for its script. */
function tableRows(page: string): [string, ...(number | null)[]][] {
  const body = /class="part rows"[\s\S]*?<tbody>([\s\S]*?)<\/tbody>/.exec(page)?.[1] ?? ''
  return [...body.matchAll(/<tr>[\s\S]*?<\/tr>/g)].map(([row]) => {
    const [name = '', ...values] = [...row.matchAll(/data-value="([^"]*)"/g)].map(([, value = '']) => value)
    return [name, ...values.map((value) => (value === '' ? null : Number(value)))]
  })
}

const sorted = <Row extends readonly unknown[]>(rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => String(a[0]).localeCompare(String(b[0])))

const QUEUE_SUMS = sql`sum(offered)::float8, sum(answered)::float8, sum(abandoned)::float8,
  reporting.ratio(sum(abandoned), sum(offered)),
  reporting.service_level(sum(answered), sum(over_service_level), sum(abandoned), sum(short_abandoned), sum(flow_outs)),
  reporting.seconds(sum(answer_ms), sum(answered)), reporting.seconds(sum(handle_ms), sum(handled))`
const COUNTS = sql`sum(offered + answered + abandoned + handled + transferred) > 0`

/** The days of DAYS by a column of a daily view, as arrays. */
async function expected(view: string, column: string, sums = QUEUE_SUMS, where = sql`true`): Promise<unknown[][]> {
  const { rows } = await sql<{ values: unknown[] }>`
    select to_jsonb(array[to_jsonb(${sql.raw(column)}), ${sql.join(
      Array.from({ length: 7 }, (_, index) => sql`to_jsonb(${sql.raw(`c${index}`)})`),
    )}]) as values
    from (
      select * from (select ${sql.raw(column)}, ${sums} from reporting.${sql.raw(view)}
        where day between '2025-06-11' and '2025-06-12' and ${where} group by 1 having ${COUNTS}) s (
        ${sql.raw(column)}, c0, c1, c2, c3, c4, c5, c6)) r`.execute(testOrg.warehouse.db)
  return rows.map(({ values }) => values)
}

describe('the numbers are those of the views', () => {
  test('by queue, for local days', async () => {
    const { status, text } = await get(`/reports?${DAYS}`)
    expect(status).toBe(200)
    const rows = await expected('queue_daily', 'queue_name')
    const named = rows.map(([name, ...values]) => [name ?? 'Without a queue', ...values])
    expect(named.length).toBeGreaterThan(5)
    expect(sorted(tableRows(text))).toEqual(sorted(named))
  })

  test('by media type, and by agent, who has no service level', async () => {
    const media = await expected('queue_daily', 'media_type')
    expect(sorted(tableRows((await get(`/reports?${DAYS}&by=media`)).text))).toEqual(sorted(media))
    const agents = await expected(
      'agent_daily',
      'user_name',
      sql`sum(handled)::float8, reporting.seconds(sum(talk_ms), sum(talks)), reporting.seconds(sum(hold_ms), sum(holds)),
        reporting.seconds(sum(acw_ms), sum(acws)), reporting.seconds(sum(handle_ms), sum(handled)),
        sum(transferred)::float8, reporting.ratio(sum(transferred), sum(handled))`,
    )
    const { text } = await get(`/reports?${DAYS}&by=agent`)
    expect(agents.length).toBeGreaterThan(5)
    expect(sorted(tableRows(text))).toEqual(sorted(agents))
    expect(text).not.toContain('Service level')
  })

  test('with filters, which say what they hide', async () => {
    const { rows } = await sql<{ queue_id: string; name: string; offered: number; hidden: number }>`
      select queue_id, max(queue_name) as name, sum(offered) filter (where media_type = 'voice')::float8 as offered,
        (select sum(offered)::float8 from reporting.queue_daily where day between '2025-06-11' and '2025-06-12') as hidden
      from reporting.queue_daily where day between '2025-06-11' and '2025-06-12' and queue_id is not null
      group by queue_id order by 3 desc nulls last limit 1`.execute(testOrg.warehouse.db)
    const { queue_id: queue, name, offered, hidden } = rows[0]!
    const { text } = await get(`/reports?${DAYS}&queue=${queue}&media=voice`)
    const only = await expected(
      'queue_daily',
      'queue_name',
      QUEUE_SUMS,
      sql`queue_id = ${queue} and media_type = 'voice'`,
    )
    expect(tableRows(text)).toEqual(only)
    expect(text).toContain(`queue ${name}, media type voice. It hides ${hidden - offered} offered of the rest.`)
  })

  test('the charts, half hour by half hour', async () => {
    const { text } = await get('/reports?from=2025-06-11&to=2025-06-11')
    const table = /class="part numbers"[\s\S]*?<tbody>([\s\S]*?)<\/tbody>/.exec(text)?.[1] ?? ''
    const shown = [...table.matchAll(/<th scope="row">(.*?)<\/th>\s*<td class="right">([\d,]+|<)/g)]
      .map(([, slot = '', offered = '']) => [slot.slice(-5), Number(offered)])
      .filter(([, offered]) => Number(offered) > 0)
    const { rows } = await sql<{ slot: string; offered: number }>`
      select to_char(interval_start at time zone ${ZONE}, 'HH24:MI') as slot, sum(offered)::float8 as offered
      from reporting.queue_performance('2025-06-11 00:00 Europe/Berlin', '2025-06-12 00:00 Europe/Berlin', '30 minutes')
      group by interval_start having sum(offered) > 0 order by interval_start`.execute(testOrg.warehouse.db)
    expect(shown.length).toBeGreaterThan(8)
    expect(shown).toEqual(rows.map(({ slot, offered }) => [slot, offered]))
  })

  test('the CSV file, in the order of the page', async () => {
    const query = `${DAYS}&sort=answered`
    const { text, headers, status } = await get(`/reports.csv?${query}`)
    expect(status).toBe(200)
    expect(headers.get('Content-Type')).toBe('text/csv; charset=utf-8; header=present')
    expect(headers.get('Content-Disposition')).toBe(
      'attachment; filename="report-by-queue-2025-06-11-to-2025-06-12.csv"',
    )
    const records: string[][] = parse(text, { bom: true })
    const shown = tableRows((await get(`/reports?${query}`)).text)
    expect(
      records
        .slice(1)
        .map(([, name, ...values]) => [
          name || 'Without a queue',
          ...values.map((value) => (value === '' ? null : Number(value))),
        ]),
    ).toEqual(shown)
    const answered = shown.map(([, , value]) => Number(value))
    expect(answered.toSorted((a, b) => a - b)).toEqual(answered)
  })
})

test('says up to when the range is complete', async () => {
  expect((await get('/reports?from=2025-06-11&to=2025-06-11')).text).toContain('<b>Complete.</b>')
  const { text } = await get('/reports?from=2025-06-12&to=2025-06-14')
  expect(text).toMatch(/<b>Complete until\s+Fri 13 Jun\s+02:00\.<\/b> Not complete: Fri 13 Jun, Sat 14 Jun \(UTC\)/)
  const before = await get('/reports?from=2025-06-01&to=2025-06-02')
  expect(before.text).toContain('<b>Not loaded</b>')
  expect(before.text).toContain('Nothing counts in this range.')
})

test('compares with the same weekdays before, unless they are not loaded', async () => {
  expect((await get('/reports?from=2025-06-12&to=2025-06-12')).text).toContain('Nothing to compare with: Thu 5 Jun')
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await load(
    warehouse,
    [call('c1', { start: '2026-03-05T10:00:00Z' }), call('c2', { start: '2026-03-12T10:20:00Z' })],
    1,
  )
  await sql`insert into etl.windows (stream, source, filter, start, "end", status, hits, read_at)
    select 'conversations', 'query', '{}', day, day + interval '1 day', 'done', 1, now()
    from generate_series('2026-03-04'::timestamptz, '2026-03-12', '1 day') day`.execute(warehouse.db)
  const answer = await createTestRoutes(warehouse).request('/reports?from=2026-03-12&to=2026-03-12')
  const page = await answer.text()
  expect(page).toContain('Compared with Thu 5 Mar.')
  expect(page).toContain('Thu 12 Mar 10:00: offered 1, abandoned 0, service level 100.0%; before 1')
})

describe('a bad address', () => {
  test.each([
    ['granularity=5-minutes', 'granularity: 5-minutes is none of'],
    ['from=2026-11-26&to=2026-11-20', 'from: 2026-11-26 is after to'],
    ['from=2016-01-01&to=2026-01-01', 'days are too many; at most 400'],
    ["queue=';drop table x--", 'queue: &#39;;drop table x-- is no id'],
    [`queue=${'a'.repeat(2000)}`, 'is no id'],
    ['media=%3Cscript%3Ealert(1)%3C/script%3E', '&lt;script&gt;'],
    ['fragment=1', 'fragment: is no parameter of this page'],
    ['sort=name&sort=offered', 'given twice'],
    ['nonsense=1', 'nonsense: is no parameter of this page'],
  ])('%s is answered with 400 and the reason', async (query, reason) => {
    const { status, text, headers } = await get(`/reports?${query}`)
    expect(status).toBe(400)
    expect(text).toContain(reason)
    expect(text.match(/<script/g)).toHaveLength(1)
    expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'")
    const file = await get(`/reports.csv?${query}`)
    expect([file.status, file.headers.get('Content-Type')]).toEqual([400, 'text/plain; charset=UTF-8'])
  })

  test('the last days that can be asked for have nothing', async () => {
    const { status, text } = await get('/reports?from=2999-12-31&to=2999-12-31')
    expect(status).toBe(200)
    expect(text).toContain('Nothing counts in this range.')
  })

  test('an id that nothing has shows nothing', async () => {
    const { status, text } = await get(`/reports?${DAYS}&queue=00000000-0000-4000-8000-000000000000`)
    expect(status).toBe(200)
    expect(text).toContain('Nothing counts in this range.')
  })
})

test('hostile names are text on the page and in the file', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await writeNames(warehouse, { queues: [['q1', HOSTILE]], users: [['u1', `=${HOSTILE}`]] })
  await load(warehouse, [call('c1', { start: '2026-03-05T10:00:00Z', mediaType: HOSTILE })], 1)
  const routes = createTestRoutes(warehouse)
  for (const by of ['queue', 'media', 'agent']) {
    const page = await (await routes.request(`/reports?from=2026-03-05&to=2026-03-05&by=${by}`)).text()
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;')
    expect(page).not.toContain('<img')
    expect(page.match(/<script/g)).toHaveLength(1)
  }
  const file = await (await routes.request('/reports.csv?from=2026-03-05&to=2026-03-05&by=agent')).text()
  const records: string[][] = parse(file, { bom: true })
  expect(records[1]![1]).toBe(`'=${HOSTILE}`)
})

test('a day on which clocks go back has its hour twice in one step', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await sql`update reporting.settings set time_zone = ${ZONE}`.execute(warehouse.db)
  const starts = ['2025-10-26T00:10:00Z', '2025-10-26T01:10:00Z', '2025-10-25T22:00:00Z', '2025-10-26T22:59:00Z']
  await load(
    warehouse,
    starts.map((start, index) => call(`c${index}`, { start })),
    1,
  )
  const page = await (await createTestRoutes(warehouse).request('/reports?from=2025-10-26&to=2025-10-26')).text()
  expect(page).toContain('Sun 26 Oct 02:00: offered 2')
  expect(page).toContain('Sun 26 Oct 00:00: offered 1')
  expect(page).toContain('Sun 26 Oct 23:30: offered 1')
  expect(tableRows(page)).toEqual([expect.arrayContaining(['q1', 4])])
})

test('filters of the history are named', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await sql`insert into etl.windows (stream, source, filter, start, "end", status, hits, read_at)
    values ('conversations', 'query', '{"direction":"inbound","minDurationSeconds":10}', '2026-03-05Z', '2026-03-06Z', 'done', 1, now())`.execute(
    warehouse.db,
  )
  const page = await (await createTestRoutes(warehouse).request('/reports?from=2026-03-05&to=2026-03-05')).text()
  expect(page).toContain('<b>Loaded with a filter:</b> only inbound conversations, none shorter than 10 s.')
})

describe('without data', () => {
  test('an empty database gives empty pages for every range', async () => {
    await using own = await createTestDatabase()
    await using warehouse = connect(own.url)
    for (const query of [
      '',
      '?range=yesterday',
      '?range=7-days&by=media',
      '?range=28-days&by=agent',
      '?from=2025-01-01&to=2026-01-01',
    ]) {
      const answer = await createTestRoutes(warehouse).request(`/reports${query}`)
      expect([query, answer.status]).toEqual([query, 200])
      const page = await answer.text()
      expect(page).toContain('Nothing counts in this range.')
      expect(page).toContain('Not loaded')
    }
  })

  test('a database that is away is 503, without its address', async () => {
    await using gone = connect('postgres://nobody:secret-password@127.0.0.1:1/none')
    for (const path of ['/reports', '/reports.csv']) {
      const answer = await createTestRoutes(gone).request(path)
      expect(answer.status).toBe(503)
      const text = await answer.text()
      expect(text).toContain('database failed while')
      expect(text).not.toMatch(/secret-password/)
    }
  })

  test('a schema that is behind is 503 with the command to run', async () => {
    await using empty = await createTestDatabase({ empty: true })
    await using other = connect(empty.url)
    const answer = await createTestRoutes(other).request('/reports')
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('npm run etl -- migrate')
  })

  test('an error that is not expected is withheld', async () => {
    const routes = createRoutes({
      ...createTestSources(testOrg.warehouse),
      report: () => Promise.reject(new Error('secret-password')),
    })
    const answer = await routes.request('/reports')
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret-password')
  })
})

test('metrics without a queue have a row of their own', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  await load(warehouse, [conversation('c1', { conversationStart: '2026-03-05T10:00:00.000Z' })], 1)
  const page = await (await createTestRoutes(warehouse).request('/reports?from=2026-03-05&to=2026-03-05')).text()
  expect(tableRows(page)).toEqual([['Without a queue', 0, 0, 0, null, null, null, 60]])
})
