import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HttpServer } from '../../src/http/server.ts'
import { launchBrowser, noBrowser } from './chromium.ts'
import { serveCrowd, type Crowd } from './crowded-board.ts'

const PHONE = { width: 390, height: 844 }
const DESKTOP = { width: 1280, height: 900 }
const WALL = { width: 1920, height: 1080 }

describe.skipIf(noBrowser)('a crowded wallboard', () => {
  let browser: Browser
  let server: HttpServer
  let crowd: Crowd = {}

  beforeAll(async () => {
    browser = await launchBrowser()
    server = await serveCrowd(() => crowd)
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
  })

  async function open(viewport: { width: number; height: number }, of: Crowd): Promise<Page> {
    crowd = of
    const page = await browser.newPage({ viewport })
    await page.goto(`${server.url}/live`)
    return page
  }

  test.each([PHONE, { width: 360, height: 740 }, { width: 700, height: 900 }, DESKTOP, WALL])(
    'has totals that stay in their columns, up to a day and five digits, at $width px',
    async (viewport) => {
      const page = await open(viewport, { longestSeconds: 86_400, ageSeconds: 86_400, conversations: 98_765 })
      const wide = `[...document.querySelectorAll('.totals dd')].filter((dd) => dd.scrollWidth > dd.clientWidth).map((dd) => dd.textContent)`
      expect(await page.locator('.totals').textContent()).toContain('24:00:0')
      expect(await page.evaluate(wide)).toEqual([])
      await page.close()
    },
  )

  const ERROR = 'Genesys answered 503 to POST /api/v2/analytics/conversations/details/query. '.repeat(4)
  test.each<[string, Crowd]>([
    ['in its usual state', {}],
    ['with a line above it', { stretched: true }],
    ['with a failure above it', { error: ERROR }],
    ['with agents that could not be read', { lacksAgents: true, stretched: true, error: ERROR }],
    ['without figures of the day', { lacksToday: true, stretched: true }],
    ['stale', { ageSeconds: 400 }],
    ['stale for a long reason', { ageSeconds: 400, error: ERROR, lacksAgents: true }],
  ])('fits a wall %s, with complete rows and a correct line about the others', async (_, of) => {
    for (const viewport of [WALL, { width: 1800, height: 1000 }]) {
      const page = await open(viewport, of)
      expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0)
      expect(await page.evaluate(CUT_OFF)).toEqual([])
      const rows = await page.locator('.queues tbody tr:visible').count()
      expect(rows).toBeGreaterThanOrEqual(4)
      expect(await page.locator('.queues .more:visible').textContent()).toContain(`and ${27 - rows} more queues: `)
      const agents = await page.locator('.agents tbody tr:visible').count()
      expect(await page.locator('.agents .more:visible').textContent()).toContain(`and ${40 - agents} more agents, `)
      if (of.lacksToday !== true) {
        expect(await page.locator('.today dd:visible').count()).toBe(5)
        const today = await page.locator('.today tbody tr:visible').count()
        const line = today === 0 ? [] : [`and ${27 - today} more queues`]
        expect(await page.locator('.today .more:visible').allTextContents()).toEqual(line)
        if (!hasLine(of)) expect(today).toBeGreaterThan(0)
      }
      await page.close()
    }
  })

  test('makes room on a wall when it goes stale by itself, or the service does not answer', async () => {
    const page = await open(WALL, { ageSeconds: 176, lacksAgents: true, stretched: true })
    const agents = await page.locator('.agents tbody tr:visible').count()
    await page.route('**/*fragment', (route) => route.abort())
    await page.locator('#offline').waitFor({ state: 'visible' })
    await page.locator('.banner.stale').waitFor({ state: 'visible' })
    expect(await page.evaluate(CUT_OFF)).toEqual([])
    expect(await page.locator('.agents tbody tr:visible').count()).toBeLessThan(agents)
    await page.close()
  })

  test.each([PHONE, DESKTOP, WALL])(
    'distinguishes names that differ only at their ends, at $width px',
    async (viewport) => {
      const names = Array.from({ length: 40 }, (_, index) => `Northern region, customer care ${100 + index}`)
      const page = await open(viewport, { names })
      expect(await page.locator('.queues tbody tr').first().textContent()).toContain(names[0])
      expect(await page.evaluate(UNSEEN_ENDS)).toEqual([])
      await page.close()
    },
  )

  test.each([PHONE, DESKTOP])('shows every queue where the page scrolls, at $width px', async (viewport) => {
    const page = await open(viewport, {})
    expect(await page.locator('.queues tbody tr:visible').count()).toBe(27)
    expect(await page.locator('.queues .more:visible').count()).toBe(0)
    expect(await page.locator('.today tbody tr:visible').count()).toBe(27)
    expect(await page.locator('.today .more:visible').count()).toBe(0)
    expect(await page.locator('.agents .more:visible').textContent()).toBe('and 28 more agents, busy for less time')
    await page.close()
  })
})

/** Whether there is a line above the board, which takes room from it. */
const hasLine = (of: Crowd): boolean => Object.keys(of).length > 0

/** The parts, rows and lines that are cut off by the part that contains them, or by the screen. */
const CUT_OFF = `[...document.querySelectorAll('.banner, .part, .totals dd, tbody tr, tfoot tr, .part p, figcaption, .bottom')]
  .filter((element) => element.checkVisibility() && !element.matches('.freshness, .unseen'))
  .filter((element) => {
    const bottom = element.getBoundingClientRect().bottom
    const holder = element.parentElement.closest('.part:not(.freshness)')
    return bottom > innerHeight + 0.5 || (holder && bottom > holder.getBoundingClientRect().bottom + 0.5)
  })
  .map((element) => element.className + ' ' + element.textContent.slice(0, 40))`

/** Names whose last letter lies outside their cell. */
const UNSEEN_ENDS = `[...document.querySelectorAll('.queues bdi, .today bdi, .agents bdi')]
  .filter((name) => name.checkVisibility())
  .filter((name) => {
    const walker = document.createTreeWalker(name, NodeFilter.SHOW_TEXT)
    let text
    while (walker.nextNode()) text = walker.currentNode
    const range = document.createRange()
    range.setStart(text, text.length - 1)
    range.setEnd(text, text.length)
    return range.getBoundingClientRect().right > name.closest('th, td').getBoundingClientRect().right + 0.5
  })
  .map((name) => name.textContent)`
