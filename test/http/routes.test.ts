import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createRoutes } from '../../src/http/routes.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { writeBusyCenter, writeFailedSnapshot, writeNames, writeSnapshot } from '../support/busy-center.ts'
import { createTestRoutes, createTestSources, jobState, TOKEN } from './service.ts'

const HOSTILE = `"><img src=x onerror="alert(1)"><script>alert('x')</script>&amp;\u202e`

const database = await createFileDatabase()
let warehouse: Warehouse
beforeAll(async () => {
  warehouse = connect(database.url)
  await writeBusyCenter(warehouse, new Date(), 40)
})
afterAll(() => warehouse.close())

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

describe('access', () => {
  const guarded = [
    '/',
    '/live',
    '/reports',
    '/reports.csv',
    '/?fragment',
    '/metrics',
    '/status.json',
    '/assets/page.js',
    '/assets/style.css',
    '/none',
  ]
  const refused: [string, string | undefined][] = [
    ['nothing', undefined],
    ['a wrong Bearer', 'Bearer wrong'],
    ['a beginning of the token', `Bearer ${TOKEN.slice(0, -1)}`],
    ['more than the token', `Bearer ${TOKEN}x`],
    ['the token as the user', basic(TOKEN, '')],
    ['a wrong password', basic('admin', 'wrong')],
    ['another scheme', `Digest ${TOKEN}`],
    ['the bare token', TOKEN],
    ['Basic without a colon', `Basic ${Buffer.from(TOKEN).toString('base64')}`],
    ['Basic that is no base64', 'Basic ***'],
  ]

  test.each(refused)('%s is refused everywhere and asked for the password', async (_, header) => {
    const routes = createTestRoutes(warehouse, { token: TOKEN })
    for (const path of guarded) {
      const answer = await routes.request(path, header === undefined ? {} : { headers: { Authorization: header } })
      expect([path, answer.status]).toEqual([path, 401])
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/)
      expect(await answer.text()).not.toContain('queue')
    }
  })

  test.each([
    ['Bearer', `Bearer ${TOKEN}`],
    ['bearer in small letters', `bearer ${TOKEN}`],
    ['Basic with any user', basic('anyone', TOKEN)],
    ['Basic without a user', basic('', TOKEN)],
  ])('%s opens everything', async (_, header) => {
    const routes = createTestRoutes(warehouse, { token: TOKEN })
    for (const path of guarded.slice(0, -1)) {
      const answer = await routes.request(path, { headers: { Authorization: header } })
      expect([path, answer.status]).toEqual([path, 200])
    }
    expect((await routes.request('/none', { headers: { Authorization: header } })).status).toBe(404)
  })

  test('a password may contain colons and letters of any script', async () => {
    const token = 'pass:word:ünïcode-日本'
    const routes = createTestRoutes(warehouse, { token })
    expect((await routes.request('/', { headers: { Authorization: basic('me', token) } })).status).toBe(200)
  })

  test('the health checks need no token', async () => {
    const routes = createTestRoutes(warehouse, { token: TOKEN })
    expect((await routes.request('/healthz')).status).toBe(200)
    expect((await routes.request('/readyz')).status).toBe(200)
  })

  test('without a token only loopback names are answered, so that DNS rebinding reads nothing', async () => {
    const routes = createTestRoutes(warehouse)
    for (const host of ['localhost', '127.0.0.1:8080', '[::1]:8080']) {
      expect((await routes.request(`http://${host}/`)).status).toBe(200)
    }
    for (const host of ['rebound.example', '192.168.0.7', '127.0.0.1.rebound.example', 'localhost.example']) {
      expect((await routes.request(`http://${host}/`)).status).toBe(421)
    }
  })
})

describe('every response', () => {
  test.each(['/', '/live', '/reports', '/reports.csv', '/metrics', '/healthz', '/assets/page.js', '/none'])(
    '%s has the security headers',
    async (path) => {
      const { headers } = await createTestRoutes(warehouse).request(path)
      const policy = headers.get('Content-Security-Policy') ?? ''
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*|data:/)
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
      expect(headers.get('Referrer-Policy')).toBe('no-referrer')
      expect(headers.get('Cache-Control')).toMatch(/^no-/)
    },
  )

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is not allowed on any page', async (method) => {
    const routes = createTestRoutes(warehouse)
    for (const path of [
      '/',
      '/live',
      '/reports',
      '/reports.csv',
      '/metrics',
      '/status.json',
      '/healthz',
      '/readyz',
      '/assets/page.js',
    ]) {
      const { status, headers } = await routes.request(path, { method })
      expect([path, status, headers.get('Allow')]).toEqual([path, 405, 'GET, HEAD'])
    }
    for (const path of ['/none', '/assets/none']) expect((await routes.request(path, { method })).status).toBe(404)
    const open = createTestRoutes(warehouse, { token: TOKEN })
    expect((await open.request('/live', { method })).status).toBe(401)
  })

  test('an unchanged asset is not sent again', async () => {
    const routes = createTestRoutes(warehouse)
    const first = await routes.request('/assets/style.css')
    const again = await routes.request('/assets/style.css', {
      headers: { 'If-None-Match': first.headers.get('ETag') ?? '' },
    })
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
  })

  test('pages contain nothing inline and nothing from other hosts', async () => {
    const routes = createTestRoutes(warehouse)
    for (const path of ['/', '/live', '/reports', '/reports?by=nonsense']) {
      const page = await (await routes.request(path)).text()
      expect(page).not.toMatch(/<style|style=|\son\w+=|javascript:|https?:\/\//)
      expect(page.match(/<script/g)).toHaveLength(1)
    }
  })
})

describe('the status page', () => {
  test('shows coverage, volume, jobs, budget and runs when all is well', async () => {
    const page = await (await createTestRoutes(warehouse).request('/')).text()
    expect(page).toContain('All is well')
    expect(page).toContain('141 of 270 per minute')
    expect(page.match(/<rect class="volume loaded"/g)?.length).toBeGreaterThan(30)
    expect(page).toMatch(/title="\d{4}-\d{2}-\d{2}: loaded, [\d,]+ conversations"/)
    expect(page).toContain('84,210')
    expect(page).toContain('<th scope="row">intraday</th>')
  })

  test('counts the ticks of a job that were skipped', async () => {
    const jobs = [jobState('sync', { overlaps: 1 }), jobState('live', { overlaps: 2 })]
    const page = await (
      await createTestRoutes(warehouse, { process: () => ({ jobs, budget: null }) }).request('/')
    ).text()
    expect(page).toContain('1 tick skipped')
    expect(page).toContain('2 ticks skipped')
  })

  test('shows what failed, what to do and when it is retried', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    await sql`insert into etl.runs (job, trigger, status, finished_at, error_code, error, hint)
      values ('sync', 'cron', 'failed', now(), 'GENESYS_FORBIDDEN', 'Genesys said 403', 'Grant the permission Analytics.')`.execute(
      other.db,
    )
    const failure = {
      at: new Date(),
      code: 'GENESYS_FORBIDDEN',
      kind: 'fatal',
      message: 'Genesys said 403',
      hint: null,
    } as const
    const budget = null
    const jobs = [jobState('sync', { failure, retryAt: new Date(Date.now() + 300_000) })]
    const page = await (await createTestRoutes(other, { process: () => ({ jobs, budget }) }).request('/')).text()
    expect(page).toContain('Action required')
    expect(page).toContain('Grant the permission Analytics.')
    expect(page).toContain('retry in')
  })

  test('reports with 503 that the database is away, and shows what the scheduler knows', async () => {
    await using gone = connect('postgres://nobody:secret-password@127.0.0.1:1/none')
    const failure = {
      at: new Date(),
      code: 'X',
      kind: 'retryable',
      message: 'the connection broke',
      hint: null,
    } as const
    const routes = createTestRoutes(gone, { process: () => ({ jobs: [jobState('sync', { failure })], budget: null }) })
    const answer = await routes.request('/')
    const page = await answer.text()
    expect(answer.status).toBe(503)
    expect(page).toContain('The database does not answer')
    expect(page).toContain('the connection broke')
    expect(page).not.toContain('secret-password')
    expect((await routes.request('/live')).status).toBe(503)
    expect((await routes.request('/status.json')).status).toBe(503)
    expect((await routes.request('/healthz')).status).toBe(200)
    const ready = await routes.request('/readyz')
    expect(ready.status).toBe(503)
    expect(await ready.text()).toBe('not ready: the database is not usable (DATABASE_UNAVAILABLE); see the log\n')
  })
})

test('/readyz is 503 after four seconds while the database accepts but does not answer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const routes = createRoutes({ ...createTestSources(warehouse), ready: () => new Promise(() => {}) })
  let answer: Response | undefined
  void Promise.resolve(routes.request('/readyz')).then((response) => (answer = response))
  await vi.advanceTimersByTimeAsync(3_999)
  expect(answer, 'an answer before four seconds are over').toBeUndefined()
  await vi.advanceTimersByTimeAsync(1)
  expect(answer?.status, 'the answer after four seconds').toBe(503)
  expect(await answer?.text()).toContain('The database has not answered within 4 s')
})

test('/readyz reveals neither host nor user nor database, whatever the database says', async () => {
  const wrong = new URL(database.url)
  wrong.pathname = '/secret_database'
  const stopped = 'postgres://secret_user:secret@127.0.0.1:1/secret_database'
  for (const url of [wrong.href, stopped, 'postgres://secret_user:secret@host.invalid/secret_database']) {
    await using other = connect(url)
    const answer = await createTestRoutes(other).request('/readyz')
    expect(answer.status).toBe(503)
    const text = await answer.text()
    expect(text).toMatch(/^not ready: the database is not usable \(DATABASE_[A-Z]+\); see the log$/m)
    expect(text).not.toMatch(/secret|127\.0|invalid|postgres/)
  }
})

test('a stuck job makes /readyz 503 and the status page say so', async () => {
  const stuckSince = new Date('2026-11-22T10:20:00Z')
  const jobs = [jobState('sync', { running: true, stuckSince }), jobState('live')]
  const routes = createTestRoutes(warehouse, { process: () => ({ jobs, budget: null }) })
  const answer = await routes.request('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.text()).toContain(
    'No progress in a running job: sync since 2026-11-22T10:20Z. Restart the service',
  )
  const page = await (await routes.request('/')).text()
  expect(page).toContain('sync shows no progress')
  expect(page).toContain('Action required')
  expect((await createTestRoutes(warehouse).request('/readyz')).status).toBe(200)
})

test('the status page does not say that all is well above a notice', async () => {
  await using own = await createTestDatabase()
  await using other = connect(own.url)
  await writeBusyCenter(other, new Date(), 10)
  await sql`insert into etl.rejected_records (stream, reason, raw, raw_hash) values ('conversations', 'no id', '{}', 'h')`.execute(
    other.db,
  )
  const page = await (await createTestRoutes(other).request('/')).text()
  expect(page).not.toContain('All is well')
  expect(page).toContain('<h1>Up to date</h1>')
  expect(page).toContain('1 notice below')
})

test('/readyz is 503 with the command to run while the schema is behind', async () => {
  await using empty = await createTestDatabase({ empty: true })
  await using other = connect(empty.url)
  const answer = await createTestRoutes(other).request('/readyz')
  expect(answer.status).toBe(503)
  expect(await answer.text()).toContain('npm run etl -- migrate')
})

test('/status.json has the state, the next runs and the schedule', async () => {
  const body = (await (await createTestRoutes(warehouse).request('/status.json')).json()) as Record<string, unknown>
  expect(body).toMatchObject({
    state: 'ok',
    problems: [],
    nextRuns: { sync: expect.any(String) },
    live: { isStale: false },
  })
})

describe('the wallboard', () => {
  test('shows queues by name, the longest wait first, states, agents and the trend', async () => {
    const page = await (await createTestRoutes(warehouse).request('/live')).text()
    const order = ['Billing', 'Technical support', 'Web chat'].map((name) => page.indexOf(`title="${name} (`))
    expect(order.every((position) => position > 0)).toBe(true)
    expect(order.toSorted((a, b) => a - b)).toEqual(order)
    expect(page).toContain('Ines Duarte')
    expect(page).toMatch(/<path class="waiting-line" d="M/)
    expect(page).toMatch(/<b>10<\/b> waiting/)
    expect(page).toContain('data-stale="no"')
    expect(page).toMatch(/7<span class="quiet wide"> of 9/)
    expect(page).not.toContain('could not be read')
  })

  test('says why no queue has agents when the permission for them is missing', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const now = new Date()
    await writeSnapshot(other, now, [{ id: 'c1', state: 'waiting', queueId: 'q1', since: now }])
    expect(await (await createTestRoutes(other).request('/live')).text()).toContain('Agents on queue could not be read')
  })

  test('shows that its data is stale and why, and counts no wait further', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const at = new Date(Date.now() - 600_000)
    const since = new Date(+at - 30_000)
    await writeSnapshot(other, at, [{ id: 'c1', state: 'waiting', queueId: 'q1', since }])
    await writeFailedSnapshot(other, new Date(Date.now() - 5_000), 'Genesys does not answer (503)')
    const page = await (await createTestRoutes(other).request('/live')).text()
    expect(page).toContain('data-stale="yes"')
    expect(page).toMatch(/<p class="banner stale" >\s*<strong>Stale: this snapshot is .*10:0\d.* old/)
    expect(page).toContain('Genesys does not answer (503)')
    expect(page).toMatch(/<dt>Longest wait<\/dt><dd><time[^>]*>0:30<\/time>/)
  })

  test('says when there is no snapshot yet, and when live is off', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    expect(await (await createTestRoutes(other).request('/live')).text()).toContain('There is no snapshot yet')
    expect(await (await createTestRoutes(other, { isLiveOn: false }).request('/live')).text()).toContain('Live is off')
  })

  test('does not highlight the wait of an e-mail', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const now = new Date()
    const since = new Date(+now - 86_400_000)
    await writeSnapshot(other, now, [{ id: 'c1', state: 'waiting', queueId: 'q1', mediaType: 'email', since }])
    const page = await (await createTestRoutes(other).request('/live')).text()
    expect(page).toContain('24:00:0')
    expect(page).not.toContain('class="trouble"')
  })

  test('means the same by "longest wait" everywhere: e-mail is not included, and its waits are gray', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const now = new Date()
    const ago = (minutes: number): Date => new Date(+now - minutes * 60_000)
    const call = { id: 'c1', state: 'waiting', queueId: 'q1', since: ago(1) }
    await writeSnapshot(other, now, [
      call,
      { ...call, id: 'c2', mediaType: 'email', since: ago(120) },
      { ...call, id: 'c3', queueId: 'q2', mediaType: 'email', since: ago(180) },
    ])
    const page = await (await createTestRoutes(other).request('/live')).text()
    expect(page).toMatch(/<dt>Longest wait<\/dt><dd><time[^>]*>1:0\d</)
    const waits = [...page.matchAll(/<td class="right strong">(?:<span class="(quiet)">.*?)?<time[^>]*>([\d:]+)</g)]
    expect(waits.slice(0, 2).map(([, gray, wait = '']) => [gray, wait.slice(0, 3)])).toEqual([
      [undefined, '1:0'],
      ['quiet', '3:0'],
    ])
    expect(page).toContain('The longest wait does not include e-mail')
  })

  test('has columns that add up to their last row and to the totals', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const now = new Date()
    const states = ['waiting', 'waiting', 'alerting', 'interacting', 'hold', 'acw']
    const rows = ['q1', 'q2', null].flatMap((queueId, index) =>
      states
        .slice(index)
        .map((state) => ({ id: `${queueId}-${index}-${state}-${Math.random()}`, state, queueId, since: now })),
    )
    await writeSnapshot(other, now, [...rows, { id: 'flow', state: 'ivr', queueId: null, since: now }])
    const page = await (await createTestRoutes(other).request('/live')).text()
    const table = /data-part="queues"[\s\S]*?<\/table>/.exec(page)?.[0] ?? ''
    const counts = [...table.matchAll(/<tr[^>]*>\s*<th scope="row">[\s\S]*?<\/tr>/g)].map(([row]) => {
      const cells = [...row.matchAll(/<td class="right[^"]*">(.*?)<\/td>/g)].map(([, cell = '']) => cell)
      return cells.map((cell) => /^(?:<span class="zero">)?(\d+)/.exec(cell)?.[1]).filter((text) => text !== undefined)
    })
    expect(counts.map((row) => row.map(Number))).toEqual([
      [2, 1, 1, 1, 1],
      [1, 1, 1, 1, 1],
      [0, 1, 1, 1, 1],
      [3, 3, 3, 3, 3],
    ])
    const total = (label: string): string | undefined => new RegExp(`<dt>${label}</dt><dd>([\\d,]+)`).exec(page)?.[1]
    expect(['Waiting', 'Interacting', 'Open'].map(total)).toEqual(['3', '3', '16'])
  })

  test('shows hostile names as text, in attributes too', async () => {
    await using own = await createTestDatabase()
    await using other = connect(own.url)
    const now = new Date()
    await writeNames(other, { queues: [['q1', HOSTILE]], users: [[HOSTILE, HOSTILE]] })
    await writeSnapshot(other, now, [
      { id: 'c1', state: 'waiting', queueId: 'q1', since: now },
      { id: 'c2', state: 'interacting', queueId: HOSTILE, userId: HOSTILE, mediaType: HOSTILE, since: now },
    ])
    await sql`insert into etl.runs (job, trigger, status, finished_at, error, hint) values (${HOSTILE}, 'cron', 'failed', now(), ${HOSTILE}, ${HOSTILE})`.execute(
      other.db,
    )
    const routes = createTestRoutes(other)
    for (const path of ['/live', '/', '/?theme=%22%3E%3Cscript%3E']) {
      const page = await (await routes.request(path)).text()
      expect(page).not.toContain('<img')
      expect(page.match(/<script/g)).toHaveLength(1)
      expect(page).not.toContain('onerror="')
    }
    const live = await (await routes.request('/live')).text()
    expect(live).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;')
  })
})
