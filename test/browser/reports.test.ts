import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { sql } from 'kysely'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHttpServer, type HttpServer } from '../../src/http/server.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createTestSources } from '../http/service.ts'
import { load } from '../loader/conversations.ts'
import { writeNames } from '../support/busy-center.ts'
import { call } from '../support/calls.ts'
import { createFileDatabase } from '../support/database.ts'
import { launchBrowser, noBrowser } from './chromium.ts'
import { WEAKEST_CONTRAST } from './contrast.ts'

const DAY = 'from=2026-03-12&to=2026-03-12'
const PHONE = { width: 360, height: 740 }
const LONG_NAME = 'Donaudampfschifffahrtsgesellschaftskapitänsangelegenheiten und Verschiedenes'
const QUEUES = [
  ['q1', 'Billing'],
  ['q2', LONG_NAME],
  ['q3', '=1+1'],
  ['q4', 'Äpfel'],
] as const

/** Calls of a day: one for the first queue, two for the second, and so on, at ten in the morning and after. */
function callsOf(day: string): ReturnType<typeof call>[] {
  return QUEUES.flatMap(([queue], index) =>
    Array.from({ length: index + 1 }, (_, number) =>
      call(`${day}-${queue}-${number}`, {
        start: `${day}T1${number}:0${index}:00.000Z`,
        queue,
        user: `u${index}`,
        handleMs: 100_000 - 10_000 * index,
        mediaType: index === 3 ? 'message' : 'voice',
      }),
    ),
  )
}

interface Watched extends AsyncDisposable {
  readonly page: Page
  readonly complaints: string[]
}

describe.skipIf(noBrowser)('the reports in a real browser', () => {
  const database = createFileDatabase()
  let browser: Browser
  let warehouse: Warehouse
  let server: HttpServer

  beforeAll(async () => {
    browser = await launchBrowser()
    warehouse = connect((await database).url)
    await writeNames(warehouse, { queues: QUEUES, users: [['u1', 'Wolfeschlegelsteinhausenbergerdorff '.repeat(3)]] })
    await load(warehouse, [...callsOf('2026-03-05'), ...callsOf('2026-03-12')], 1)
    await sql`insert into etl.windows (stream, source, filter, start, "end", status, hits, read_at)
      select 'conversations', 'query', '{}', day, day + interval '1 day', 'done', 10, now()
      from generate_series('2026-03-01'::timestamptz, '2026-03-12', '1 day') day`.execute(warehouse.db)
    server = await startHttpServer({ host: '127.0.0.1', port: 0, ...createTestSources(warehouse) })
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
    await warehouse.close()
  })

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(`asked ${request.url()}`)
    })
    await page.goto(`${server.url}${path}`)
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
  }

  const names = (page: Page) => page.locator('.rows tbody th bdi').allTextContents()
  const query = (page: Page) => new URL(page.url()).search
  const widthOverflow = (page: Page) =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  const MOST_FIRST = ['Äpfel', '=1+1', LONG_NAME, 'Billing']

  test('sorts at once, and the address, the file and the filters go on with it', async () => {
    await using opened = await open(`/reports?${DAY}`)
    const { page, complaints } = opened
    expect(await names(page)).toEqual(MOST_FIRST)
    await page.evaluate('window.loadedOnce = true')
    await page.locator('a[data-sort=name]').click()
    expect(await names(page)).toEqual(['=1+1', 'Äpfel', 'Billing', LONG_NAME])
    expect(await page.locator('th[aria-sort=ascending]').textContent()).toContain('Queue')
    await page.locator('a[data-sort=average_handle_seconds]').click()
    const slowestFirst = ['Billing', LONG_NAME, '=1+1', 'Äpfel']
    expect(await names(page)).toEqual(slowestFirst)
    expect(await page.evaluate('window.loadedOnce')).toBe(true)
    expect(query(page)).toBe(`?${DAY}&sort=-average_handle_seconds`)
    await page.reload()
    expect(await names(page), 'the same order from the address alone').toEqual(slowestFirst)
    await page.locator('a[data-sort=offered]').click()
    await page.locator('a[data-sort=offered]').click()
    const fewestFirst = MOST_FIRST.toReversed()
    expect(await names(page)).toEqual(fewestFirst)
    await page.locator('select[name=media]').selectOption('voice')
    await page.waitForURL(/media=voice/)
    expect(query(page)).toContain('sort=offered')
    expect(await names(page)).toEqual(fewestFirst.filter((name) => name !== 'Äpfel'))
    expect(await page.locator('.notes').textContent()).toContain('It hides 4 offered of the rest.')
    expect(complaints).toEqual([])
  })

  test('the same order comes from the server without a script', async () => {
    await using opened = await open(`/reports?${DAY}`, { javaScriptEnabled: false })
    const { page } = opened
    for (const column of ['name', 'average_handle_seconds', 'average_handle_seconds', 'offered']) {
      await page.locator(`a[data-sort=${column}]`).click()
      await page.waitForLoadState()
      const fromServer = await names(page)
      await using scripted = await open(`/reports?${DAY}`)
      const target = new URLSearchParams(query(page)).get('sort') ?? '-offered'
      const link = scripted.page.locator(`a[data-sort=${target.replace('-', '')}]`)
      for (let clicks = 0; clicks < 3; clicks++) {
        await link.click()
        if (new URLSearchParams(query(scripted.page)).get('sort') === target) break
      }
      expect(await names(scripted.page), target).toEqual(fromServer)
    }
    await page.getByRole('button', { name: 'Show' }).click()
    expect(query(page)).toContain('from=2026-03-12')
  })

  test('the file has the rows of the page, in its order', async () => {
    await using opened = await open(`/reports?${DAY}`)
    const { page } = opened
    await page.locator('a[data-sort=name]').click()
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('CSV file').click()])
    expect(download.suggestedFilename()).toBe('report-by-queue-2026-03-12-to-2026-03-12.csv')
    const records: string[][] = parse(readFileSync(await download.path(), 'utf8'), { bom: true })
    expect(records.map((record) => record.slice(0, 4))).toEqual([
      ['queue_id', 'queue_name', 'offered', 'answered'],
      ['q3', "'=1+1", '3', '3'],
      ['q4', 'Äpfel', '4', '4'],
      ['q1', 'Billing', '1', '1'],
      ['q2', LONG_NAME, '2', '2'],
    ])
  })

  test('a row leads to its conversations and back', async () => {
    await using opened = await open(`/reports?${DAY}`)
    const { page, complaints } = opened
    await page.locator('.rows tbody a').nth(1).click()
    await page.getByRole('heading', { name: '3 conversations' }).waitFor()
    expect(await page.locator('.conversations tbody tr').count()).toBe(3)
    expect(await page.locator('.conversations tbody a').first().getAttribute('href')).toBe(
      '/conversations/2026-03-12-q3-2',
    )
    await page.getByText('To the report').click()
    expect(await names(page)).toEqual(['=1+1'])
    expect(complaints).toEqual([])
  })

  test.each([
    `/reports?${DAY}`,
    `/reports?${DAY}&by=agent`,
    '/reports?from=2026-03-01&to=2026-03-12&by=media',
    `/conversations?${DAY}`,
    '/reports?by=nonsense',
  ])('%s fits a phone, follows light and dark, and has enough contrast', async (path) => {
    const grounds: unknown[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await using opened = await open(path, { viewport: PHONE, colorScheme })
      const { page, complaints } = opened
      expect(await widthOverflow(page), colorScheme).toBe(0)
      expect(await page.evaluate(WEAKEST_CONTRAST), colorScheme).toEqual([])
      grounds.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
      expect(complaints.filter((text) => !text.includes('status of 400'))).toEqual([])
    }
    expect(grounds[0]).not.toBe(grounds[1])
  })

  test('the columns that a phone shows fit it without scrolling the table', async () => {
    const hidden = `Math.max(...[...document.querySelectorAll('.rows .scroll')].map((box) => box.scrollWidth - box.clientWidth))`
    await using opened = await open(`/reports?${DAY}&queue=q1`, { viewport: PHONE })
    expect(await opened.page.evaluate(hidden)).toBeLessThanOrEqual(1)
  })

  test('the theme of an address stays in its links', async () => {
    await using opened = await open(`/reports?${DAY}&theme=dark`)
    const { page } = opened
    await page.locator('.pills').getByText('Agents').click()
    expect(query(page)).toContain('theme=dark')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
  })

  test('charts are readable without color, and as a table', async () => {
    await using opened = await open(`/reports?${DAY}`)
    const { page } = opened
    const style = (selector: string, property: string) =>
      page.evaluate(`getComputedStyle(document.querySelector('${selector}')).${property}`)
    expect(await style('.plot .abandoned', 'fill')).toContain('#hatch')
    expect(await style('.volume-chart .before', 'strokeDasharray')).not.toBe('none')
    expect(await style('.quality-chart .current', 'strokeDasharray')).toBe('none')
    expect(await page.getByRole('img').count()).toBe(2)
    expect(await page.getByRole('img', { name: 'Offered: 10 in 48 steps' }).count()).toBe(1)
    const row = page.locator('.numbers tbody tr').first()
    expect(await row.isVisible()).toBe(false)
    await page.getByText('The charts as a table').first().click()
    expect(await row.innerText()).toMatch(/^Thu 12 Mar 10:00\s+4\s+4\s+0\s+100\.0%\s+4\s+100\.0%$/)
    for (const role of ['banner', 'main', 'contentinfo'] as const) expect(await page.getByRole(role).count()).toBe(1)
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Thu 12 Mar 2026')
    expect(await page.locator('table:not(:has(th[scope=col]))').count()).toBe(0)
  })
})
