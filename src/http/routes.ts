/** The routes of the service: requests in, answers out, no socket. */
import { Hono, type Context } from 'hono'
import type { Logger } from '../log.ts'
import { assets } from './assets.ts'
import { guard, secureHeaders } from './guard.ts'
import type { LiveView, ServiceStatus } from './service-status.ts'
import { page, type View } from './views/layout.ts'
import { livePage } from './views/live-page.ts'
import { statusPage } from './views/status-page.ts'
import { reasonOf, within } from './within.ts'

export interface RouteDependencies {
  readonly logger: Logger
  /** Guards all but the health checks; null: only loopback names are answered. */
  readonly token: string | null
  /** Resolves when the database answers and the schema is the one this code expects; rejects with the reason. */
  readonly ready: () => Promise<void>
  /** Never rejects: where the books can't be read it says so. */
  readonly status: () => Promise<ServiceStatus>
  /** Never rejects either. */
  readonly live: () => Promise<LiveView>
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
}

/** A database that does not answer within this is not ready. Below the timeout of a Kubernetes probe as deploy/ sets it. */
const READY_TIMEOUT_MS = 4_000

/**
 * `/healthz`: the process lives. `/readyz`: it can work. `/metrics`, `/status.json`, `/` (status) and `/live` (wallboard) are
 * guarded by the token. A page asked for with `?fragment` comes without its frame, for its own script.
 */
export function createRoutes(dependencies: RouteDependencies): Hono {
  const { logger, ready, status, live, metrics } = dependencies
  const routes = new Hono()
  routes.use(secureHeaders)
  routes.onError((error, context) => {
    logger.error({ err: error, path: context.req.path }, 'a request could not be answered')
    return context.text('This went wrong; the log says why.\n', 500)
  })
  routes.get('/healthz', (context) => context.text('ok\n'))
  routes.get('/readyz', async (context) => {
    try {
      await within(READY_TIMEOUT_MS, ready())
      return context.text('ready\n')
    } catch (error) {
      return context.text(`not ready: ${reasonOf(error)}\n`, 503)
    }
  })
  for (const path of ['/healthz', '/readyz']) routes.all(path, onlyRead)

  routes.use(guard(dependencies.token))
  routes.get('/metrics', async (context) => {
    const { text, contentType } = await metrics()
    return context.body(text, 200, { 'Content-Type': contentType })
  })
  routes.get('/status.json', async (context) => {
    const { document, reason, process } = await status()
    const nextRuns = Object.fromEntries(process.jobs.map(({ name, nextRun }) => [name, nextRun]))
    const body = {
      ...(document ?? { state: 'failing', reason }),
      nextRuns,
      schedule: process.jobs,
      budget: process.budget,
    }
    return context.json(body, document ? 200 : 503)
  })
  routes.get('/', async (context) => answer(context, statusPage(await status())))
  routes.get('/live', async (context) => answer(context, livePage(await live())))
  routes.get('/assets/:name', (context) => {
    const asset = assets.get(context.req.param('name'))
    if (!asset) return context.notFound()
    const headers = { 'Cache-Control': 'no-cache', ETag: asset.etag }
    if (context.req.header('If-None-Match') === asset.etag) return context.body(null, 304, headers)
    return context.body(asset.body, 200, { ...headers, 'Content-Type': asset.contentType })
  })
  for (const path of ['/metrics', '/status.json', '/', '/live']) routes.all(path, onlyRead)
  routes.all('/assets/:name', (context) =>
    assets.has(context.req.param('name')) ? onlyRead(context) : context.notFound(),
  )
  routes.notFound((context) => context.text('There is no such page; there are / and /live.\n', 404))
  return routes
}

/** To a method other than GET and HEAD on a path that has these. */
function onlyRead(context: Context): Response {
  return context.text('This can only be read.\n', 405, { Allow: 'GET, HEAD' })
}

function answer(context: Context, view: View): Response | Promise<Response> {
  const theme = context.req.query('theme')
  const body =
    context.req.query('fragment') === undefined
      ? page(view, theme === 'dark' || theme === 'light' ? theme : null)
      : view.main
  return context.html(body, view.isWhole ? 200 : 503)
}
