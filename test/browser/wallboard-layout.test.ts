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
})
