/** The page of a conversation in a real browser: phone, desktop, dark. SCREENSHOTS=folder keeps what it shows. */
import path from 'node:path'
import { sql } from 'kysely'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHttpServer, type HttpServer } from '../../src/http/server.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createTestSources } from '../http/service.ts'
import { load } from '../loader/conversations.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { transferredCall } from '../support/transferred-call.ts'
import { launchBrowser, noBrowser } from './chromium.ts'

const HOSTILE = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

describe.skipIf(noBrowser)('the page of a conversation', () => {
  let browser: Browser
  let database: TestDatabase
  let warehouse: Warehouse
  let server: HttpServer

  beforeAll(async () => {
    browser = await launchBrowser()
    database = await createTestDatabase()
    warehouse = connect(database.url)
    await sql`insert into genesys.dim_queues (id, name) values ('q1', 'Billing'), ('q2', ${HOSTILE})`.execute(
      warehouse.db,
    )
    await sql`insert into genesys.dim_users (id, name) values ('u1', 'Ada Lind'), ('u2', 'Bo Ek')`.execute(warehouse.db)
    await load(warehouse, [transferredCall('a-call')], 1)
    await sql`update genesys.dim_queues set name = 'Technical support' where id = 'q2'`.execute(warehouse.db)
    server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      ...createTestSources(warehouse, { showPersonal: true }),
    })
  })
  afterAll(async () => {
    await server.close()
    await warehouse.close()
    await database.drop()
    await browser.close()
  })

  async function open(url: string, options: BrowserContextOptions = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => complaints.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(`asked ${request.url()}`)
    })
    const response = await page.goto(`${server.url}${url}`)
    return { page, complaints, status: response?.status(), [Symbol.asyncDispose]: () => context.close() }
  }

  const widthOverflow = (page: Page) =>
    page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

  async function keep(page: Page, name: string): Promise<void> {
    const folder = process.env['SCREENSHOTS']
    if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true })
  }

  test.each([
    ['desktop', { width: 1280, height: 800 }, 'light'],
    ['desktop-dark', { width: 1280, height: 800 }, 'dark'],
    ['phone', { width: 360, height: 740 }, 'light'],
    ['phone-dark', { width: 360, height: 740 }, 'dark'],
  ] as const)('%s: everything is there, and nothing is wider than the screen', async (name, viewport, colorScheme) => {
    await using opened = await open('/conversations/a-call', { viewport, colorScheme })
    const { page, complaints } = opened
    await keep(page, `conversation-${name}`)
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Voice, inbound, Thu 5 Mar 2026')
    const rows = page.locator('.timeline tbody tr')
    expect(await rows.count()).toBeGreaterThan(12)
    // at every width, the reader sees who, in which queue, and the note
    for (const text of ['Ada Lind', 'Technical support', 'secret note'])
      expect(await page.locator('.timeline').getByText(text).locator('visible=true').count(), text).toBeGreaterThan(0)
    expect(await page.locator('.figure-list').getByText('+15550100').isVisible()).toBe(true)
    expect(await widthOverflow(page)).toBeLessThanOrEqual(0)
    expect(
      await page.evaluate(
        `(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.timeline .scroll'))`,
      ),
    ).toBeLessThanOrEqual(0)
    expect(complaints).toEqual([])
  })

  test('hostile names are text', async () => {
    await sql`update genesys.dim_queues set name = ${HOSTILE} where id = 'q2'`.execute(warehouse.db)
    await using opened = await open('/conversations/a-call')
    const { page, complaints } = opened
    await page.locator('.timeline').getByText(HOSTILE).locator('visible=true').first().waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.title()).toBe('Conversation · genesys-etl')
    expect(complaints).toEqual([])
  })

  test('an unknown id is a page that leads on', async () => {
    await using opened = await open('/conversations/unknown')
    const { page, status } = opened
    await keep(page, 'conversation-unknown')
    expect(status).toBe(404)
    await page.getByRole('link', { name: 'status' }).last().click()
    await page.getByRole('heading', { level: 1 }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/')
  })
})
