import { sql } from 'kysely'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startHttpServer, type HttpServer } from '../../src/http/server.ts'
import { selectLocalDay, writeToday } from '../../src/live/today-store.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createTestSources, jobState, TOKEN } from '../http/service.ts'
import { busyRows, writeBusyCenter, writeNames, writeSnapshot } from '../support/busy-center.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { patience } from '../support/patience.ts'
import { launchBrowser, noBrowser } from './chromium.ts'
import { WEAKEST_CONTRAST } from './contrast.ts'

const HOSTILE = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

/** What a page must not do: errors, console messages, violations of its policy, requests elsewhere. */
interface Watched extends AsyncDisposable {
  readonly page: Page
  readonly complaints: string[]
}

describe.skipIf(noBrowser)('in a real browser', () => {
  let browser: Browser
  let database: TestDatabase
  let warehouse: Warehouse
  let server: HttpServer

  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())

  beforeEach(async () => {
    database = await createTestDatabase()
    warehouse = connect(database.url)
    server = await startHttpServer({ host: '127.0.0.1', port: 0, ...createTestSources(warehouse) })
  })
  afterEach(async () => {
    await server.close()
    await warehouse.close()
    await database.drop()
  })

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    // It runs as usual, but can be moved forward.
    await page.clock.install()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(`asked ${request.url()}`)
    })
    await page.goto(`${server.url}${path}`)
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
  }

  const rows = (waiting: number, at = new Date()) =>
    Array.from({ length: waiting }, (_, index) => ({ id: `c${index}`, state: 'waiting', queueId: 'q1', since: at }))

  /** Moves the page's clock forward to its next refresh. */
  const nextRefresh = (page: Page) => page.clock.fastForward(5_000)

  const widthOverflow = (page: Page) =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

  const ground = (page: Page) => page.evaluate('getComputedStyle(document.body).backgroundColor')

  test('status and wallboard render without errors, and their clock runs', async () => {
    await writeBusyCenter(warehouse, new Date(), 60)
    for (const path of ['/', '/live']) {
      await using opened = await open(path)
      const { page, complaints } = opened
      await page.getByRole('main').waitFor()
      await page.waitForFunction(`/\\d\\d:\\d\\d:\\d\\d UTC/.test(document.getElementById('clock').textContent)`)
      expect(complaints).toEqual([])
    }
  })

  test('the wallboard shows a new snapshot without being reloaded, and keeps unchanged parts', async () => {
    await writeSnapshot(warehouse, new Date(), rows(2))
    await using opened = await open('/live')
    const { page, complaints } = opened
    const waiting = page.locator('.totals dd').first()
    expect(await waiting.textContent()).toBe('2')
    await page.evaluate(`window.loadedOnce = true; document.querySelector('.trend').marked = true`)
    await writeSnapshot(warehouse, new Date(), rows(5))
    await nextRefresh(page)
    await waiting.getByText('5', { exact: true }).waitFor()
    expect(await page.evaluate('[window.loadedOnce, document.querySelector(".trend").marked]')).toEqual([true, true])
    expect(complaints).toEqual([])
  })

  test('the wallboard adds its parts when the first snapshot arrives', async () => {
    await using opened = await open('/live')
    const { page, complaints } = opened
    const text = (selector: string) => async () => (await page.locator(selector).allTextContents()).join(' | ')
    await expect.poll(text('.banner'), { ...patience, message: 'banner' }).toContain('There is no snapshot yet')
    expect(await page.locator('.queues td').count(), 'cells of queues before the first snapshot').toBe(0)
    await writeSnapshot(warehouse, new Date(), rows(3))
    await nextRefresh(page)
    const cells = () => page.locator('.queues td').allTextContents()
    await expect.poll(cells, { ...patience, message: 'cells of queues' }).toContain('3')
    expect(await text('.totals dd')(), 'totals').toMatch(/^3 /)
    expect(await text('.banner')(), 'banner').not.toContain('There is no snapshot yet')
    expect(complaints).toEqual([])
  })

  test('shows that its data is stale even without the server, and recovers', async () => {
    // fresh for two more seconds
    await writeSnapshot(warehouse, new Date(Date.now() - 178_000), rows(1))
    await using opened = await open('/live')
    const { page } = opened
    const banner = page.locator('.banner.stale')
    await server.close()
    await banner.waitFor({ state: 'visible' })
    expect(await banner.textContent()).toMatch(/Stale: this snapshot is 3:0\d old/)
    expect(await page.locator('main').getAttribute('data-stale')).toBe('yes')
    expect(await page.locator('#announcement').textContent()).toBe('The data is stale')
    expect(Number(await page.evaluate(`getComputedStyle(document.querySelector('.queues')).opacity`))).toBeLessThan(0.6)
    await page.locator('#offline').waitFor({ state: 'visible' })

    const port = Number(new URL(server.url).port)
    server = await startHttpServer({ host: '127.0.0.1', port, ...createTestSources(warehouse) })
    await writeSnapshot(warehouse, new Date(), rows(4))
    await banner.waitFor({ state: 'hidden' })
    await page.locator('#offline').waitFor({ state: 'hidden' })
    expect(await page.locator('main').getAttribute('data-stale')).toBe('no')
  })

  test('hostile names are text: no element, no script, no violation of the policy', async () => {
    const now = new Date()
    await writeNames(warehouse, { queues: [['q1', HOSTILE]], users: [['u1', HOSTILE]] })
    await writeSnapshot(warehouse, now, [
      { id: 'c1', state: 'waiting', queueId: 'q1', since: now },
      { id: 'c2', state: 'interacting', queueId: HOSTILE, userId: 'u1', since: now },
    ])
    await using opened = await open('/live')
    const { page, complaints } = opened
    await page.locator('.queues').getByText(HOSTILE).first().waitFor()
    await page.locator('.agents').getByText(HOSTILE).first().waitFor()
    // A part that the script inserts is as inert as the page itself.
    await writeSnapshot(warehouse, new Date(), [
      { id: 'c1', state: 'waiting', queueId: 'q1', since: now },
      { id: 'c3', state: 'waiting', queueId: 'q1', since: now },
    ])
    await nextRefresh(page)
    await page.locator('.totals dd').first().getByText('2', { exact: true }).waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.title()).toBe('Wallboard · genesys-etl')
    expect(complaints).toEqual([])
  })

  test('the figures of the day appear beside the rest, say where they come from, and follow without being reloaded', async () => {
    const now = new Date()
    await writeSnapshot(warehouse, now, rows(2))
    await writeNames(warehouse, { queues: [['q1', HOSTILE]] })
    await using opened = await open('/live')
    const { page, complaints } = opened
    expect(await page.locator('.today').count()).toBe(0)
    const { day, timeZone } = await selectLocalDay(warehouse.db, now)
    const figures = {
      offered: 1_234,
      answered: 1_000,
      answerMs: 42_000_000,
      abandoned: 9,
      answeredInTime: 799,
      serviceLevelContacts: 1_000,
    }
    const write = (source: 'genesys' | 'warehouse', readAt: Date) =>
      writeToday(warehouse, { day, timeZone, source, readAt }, [
        { queueId: null, ...figures },
        { queueId: 'q1', ...figures, answered: 0, serviceLevelContacts: 0 },
      ])
    await write('genesys', now)
    await nextRefresh(page)
    await page.locator('.today').waitFor()
    expect(await page.locator('.today dd').allTextContents()).toEqual(['1,234', '1,000', '9', '79%', '0:42'])
    const row = page.locator('.today tbody tr').first()
    await row.getByText(HOSTILE).waitFor()
    expect(await row.locator('td').allInnerTexts()).toEqual(['1,234', '0', '9', '–\nnone', '–\nnone'])
    expect(await page.locator('.today .origin').innerText()).toMatch(/^As of .*\d\d:\d\d UTC, \w{3} \d+ \w+, UTC\.$/)
    await write('warehouse', new Date(+now - 20 * 60_000))
    await nextRefresh(page)
    await page.locator('.today .origin').getByText('20 min old').waitFor()
    expect(await page.locator('.today .origin').innerText()).toContain('doctor shows the missing permission')
    expect(complaints).toEqual([])
  })

  test('the policy stops injected markup', async () => {
    await using opened = await open('/')
    const { page, complaints } = opened
    await page.evaluate(
      `document.getElementById('main').insertAdjacentHTML('beforeend', '<img src=x onerror="document.title=1"><p style="color:red">')`,
    )
    await expect.poll(() => complaints.join()).toContain('Content Security Policy')
    expect(await page.title()).not.toBe('1')
  })

  test('the status page shows a failure without being reloaded', async () => {
    await using opened = await open('/')
    const { page } = opened
    await page.getByRole('heading', { level: 1 }).getByText('Catching up').waitFor()
    await sql`insert into etl.runs (job, trigger, status, finished_at, error, hint)
      values ('sync', 'cron', 'failed', now(), 'Genesys said 403', 'Grant the permission.')`.execute(warehouse.db)
    await nextRefresh(page)
    await page.getByRole('heading', { level: 1 }).getByText('Action required').waitFor()
    expect(await page.locator('#announcement').textContent()).toContain('sync has failed')
    expect(await page.title()).toContain('Action required')
    expect(await page.locator('.problem').first().textContent()).toContain('Grant the permission.')
  })

  test.each(['/', '/live'])('%s fits a phone, follows light and dark, and can be forced to either', async (path) => {
    await writeBusyCenter(warehouse, new Date(), 120)
    await writeNames(warehouse, { users: [['user-1', 'W'.repeat(120)]] })
    const viewport = { width: 360, height: 740 }
    await using light = await open(path, { viewport, colorScheme: 'light' })
    await using dark = await open(path, { viewport, colorScheme: 'dark' })
    await using forced = await open(`${path}?theme=dark`, { viewport, colorScheme: 'light' })
    expect(await widthOverflow(light.page)).toBe(0)
    expect(await ground(light.page)).not.toBe(await ground(dark.page))
    expect(await ground(forced.page)).toBe(await ground(dark.page))
    expect([...light.complaints, ...dark.complaints, ...forced.complaints]).toEqual([])
  })

  test('the wallboard fits a wall without scrolling', async () => {
    const now = new Date()
    await writeBusyCenter(warehouse, now, 3)
    const many = Array.from({ length: 40 }, (_, index) => ({
      id: `many-${index}`,
      state: index % 2 === 0 ? 'waiting' : 'interacting',
      queueId: `queue-${index}`,
      userId: index % 2 === 0 ? null : `user-${index}`,
      since: now,
    }))
    const mail = many.map((row) => ({ ...row, id: `${row.id}-mail`, mediaType: 'email', userId: null }))
    await writeNames(warehouse, {
      queues: many.map(
        ({ queueId }) => [queueId, `Customers of the region ${queueId} who want to return something`] as const,
      ),
      users: many.flatMap(({ userId }) =>
        userId ? [[userId, `Wolfeschlegelsteinhausenbergerdorff ${userId}`] as const] : [],
      ),
    })
    await writeSnapshot(warehouse, new Date(), [...busyRows(now), ...many, ...mail])
    await using opened = await open('/live', { viewport: { width: 1920, height: 1080 } })
    const overflow = await opened.page.evaluate('document.documentElement.scrollHeight - innerHeight')
    expect(overflow).toBe(0)
    expect(await widthOverflow(opened.page)).toBe(0)
  })

  test('the status page goes from what matters most to the details, whether something is wrong or not', async () => {
    await writeBusyCenter(warehouse, new Date(), 3)
    const tops = (page: Page) =>
      page.evaluate(
        `['verdict', 'problems', 'figures', 'coverage', 'volume', 'runs'].filter((name) => document.querySelector('.part.' + name).checkVisibility()).map((name) => document.querySelector('.part.' + name).getBoundingClientRect().top)`,
      ) as Promise<number[]>
    await using opened = await open('/')
    const well = await tops(opened.page)
    expect(well.toSorted((a, b) => a - b)).toEqual(well)
    await sql`insert into etl.rejected_records (stream, reason, raw, raw_hash) values ('conversations', 'no id', '{}', 'h')`.execute(
      warehouse.db,
    )
    await opened.page.reload()
    const noticing = await tops(opened.page)
    expect(noticing.toSorted((a, b) => a - b)).toEqual(noticing)
  })

  test('the table of jobs is not cut on a desktop', async () => {
    const now = Date.now()
    const names = ['sync', 'intraday', 'deep', 'derive', 'reference', 'reconcile', 'live']
    const jobs = names.map((name) => ({
      ...jobState(name),
      running: true,
      overlaps: 12,
      nextRun: new Date(now + 44 * 60_000),
    }))
    for (const job of names)
      await sql`insert into etl.runs (job, trigger, status, finished_at) values (${job}, 'cron', 'done', now() - interval '44 minutes')`.execute(
        warehouse.db,
      )
    const budget = { sent: 141, live: 22, waiting: 3, pausedForMs: 0, waitMs: 0, limit: 270 }
    const sources = createTestSources(warehouse, { process: () => ({ jobs, budget }) })
    await using busy = await startHttpServer({ host: '127.0.0.1', port: 0, ...sources }).then((started) => ({
      ...started,
      [Symbol.asyncDispose]: () => started.close(),
    }))
    for (const width of [1280, 1440, 1920]) {
      const context = await browser.newContext({ viewport: { width, height: 900 } })
      const page = await context.newPage()
      await page.goto(`${busy.url}/`)
      const hidden = `Math.max(...[...document.querySelectorAll('.schedule .scroll')].map((box) => box.scrollWidth - box.clientWidth))`
      // the hidden caption takes a pixel
      expect(await page.evaluate(hidden), `hidden pixels at ${width}`).toBeLessThanOrEqual(1)
      await context.close()
    }
  })

  test('has landmarks, a heading, named tables and enough contrast of text', async () => {
    await writeBusyCenter(warehouse, new Date(), 20)
    for (const path of ['/', '/live']) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await using opened = await open(path, { colorScheme })
        const { page } = opened
        for (const role of ['banner', 'main', 'contentinfo', 'navigation'] as const) {
          expect(await page.getByRole(role).count(), role).toBe(1)
        }
        expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1)
        expect(await page.locator('table:not(:has(th[scope=col]))').count()).toBe(0)
        expect(await page.evaluate(WEAKEST_CONTRAST)).toEqual([])
      }
    }
  })

  test('a token in the address, as a kiosk has it, keeps the wallboard up to date too', async () => {
    await writeSnapshot(warehouse, new Date(), rows(2))
    const guarded = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      ...createTestSources(warehouse, { token: TOKEN }),
    })
    try {
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.clock.install()
      await page.goto(`${guarded.url.replace('//', `//kiosk:${TOKEN}@`)}/live`)
      await writeSnapshot(warehouse, new Date(), rows(5))
      await nextRefresh(page)
      await page.locator('.totals dd').first().getByText('5', { exact: true }).waitFor()
      expect(await page.locator('#offline').isVisible()).toBe(false)
      await context.close()
    } finally {
      await guarded.close()
    }
  })

  test('the password of Basic opens the page and its script', async () => {
    const guarded = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      ...createTestSources(warehouse, { token: TOKEN }),
    })
    try {
      const context = await browser.newContext({ httpCredentials: { username: 'me', password: TOKEN } })
      const page = await context.newPage()
      const answer = await page.goto(guarded.url)
      expect(answer?.status(), 'answer to the password').toBe(200)
      const clock = () => page.locator('#clock').textContent()
      await expect.poll(clock, { ...patience, message: 'clock, which the script sets' }).toMatch(/\d\d:\d\d:\d\d UTC/)
      await context.close()
    } finally {
      await guarded.close()
    }
  })
})
