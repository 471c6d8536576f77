/** The routes of the service: requests in, responses out, no socket. */
import { Hono, type Context } from 'hono'
import { etag } from 'hono/etag'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { type Logger } from '../log.ts'
import { assets } from './assets.ts'
import { addConversationRoute, type ConversationSource } from './conversation-route.ts'
import { describePublicly, withDatabaseTimeout } from './database-reads.ts'
import { guard, noStore, pageHeaders } from './guard.ts'
import { addReportRoutes, type ReportSources } from './report-routes.ts'
import { type LiveView, type ServiceStatus } from './service-status.ts'
import { page, type View } from './views/layout.ts'
import { livePage } from './views/live-page.ts'
import { statusPage } from './views/status-page.ts'

export interface RouteDependencies extends ReportSources, ConversationSource {
  readonly logger: Logger
  /** Guards everything but the health checks; null: only loopback names are answered. */
  readonly token: string | null
  /** Resolves if the service can work: database, schema and jobs; rejects with the reason otherwise. */
  readonly ready: () => Promise<void>
  /** Never rejects: if the database cannot be read, the result says so. */
  readonly status: () => Promise<ServiceStatus>
  /** Never rejects, as `status`. */
  readonly live: () => Promise<LiveView>
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
}

/** A database that does not answer within this time is not ready. Below the timeout of the Kubernetes probe in deploy/. */
const READY_TIMEOUT_MS = 4_000

/**
 * `/healthz`: the process is alive. `/readyz`: it can work. `/metrics`, `/status.json`, `/` (status), `/live` (wallboard), the reports
 * and `/conversations/ID` are guarded by the token. With `?fragment`, status and wallboard come without their frame, for their script.
 */
export function createRoutes(dependencies: RouteDependencies): Hono {
  const { logger, token } = dependencies
  const routes = new Hono()
  routes.use(pageHeaders, noStore)
  routes.use(
    methodNotAllowed({
      app: routes,
      onMethodNotAllowed: (context, methods) =>
        context.text('Method not allowed.\n', 405, { Allow: methods.join(', ') }),
    }),
  )
  routes.onError((error, context) => {
    logger.error({ err: error, path: context.req.path }, 'request failed')
    return context.text('Internal error; see the log.\n', 500)
  })
  routes.notFound((context) => context.text('Not found. Try /, /live or /reports.\n', 404))
  addHealthChecks(routes, dependencies)
  routes.use(guard(token))
  addMachineRoutes(routes, dependencies)
  routes.get('/', async (context) => respond(context, statusPage(await dependencies.status())))
  routes.get('/live', async (context) => respond(context, livePage(await dependencies.live())))
  addReportRoutes(routes, dependencies)
  addConversationRoute(routes, dependencies)
  for (const { name, contentType, body } of assets) {
    routes.get(`/assets/${name}`, etag(), (context) =>
      context.body(body, 200, { 'Cache-Control': 'no-cache', 'Content-Type': contentType }),
    )
  }
  return routes
}

function addHealthChecks(routes: Hono, { logger, ready }: RouteDependencies): void {
  let wasReady = true
  routes.get('/healthz', (context) => context.text('ok\n'))
  routes.get('/readyz', async (context) => {
    try {
      await withDatabaseTimeout(READY_TIMEOUT_MS, ready())
      wasReady = true
      return context.text('ready\n')
    } catch (error) {
      // Once, not for each probe every few seconds.
      if (wasReady) logger.warn({ err: error }, 'the service is not ready')
      wasReady = false
      return context.text(`not ready: ${describePublicly(error)}\n`, 503)
    }
  })
}

function addMachineRoutes(routes: Hono, { status, metrics }: RouteDependencies): void {
  routes.get('/metrics', async (context) => {
    const { text, contentType } = await metrics()
    return context.body(text, 200, { 'Content-Type': contentType })
  })
  routes.get('/status.json', async (context) => {
    const { document, reason, process } = await status()
    const body = {
      ...(document ?? { state: 'failing', reason }),
      nextRuns: Object.fromEntries(process.jobs.map(({ name, nextRun }) => [name, nextRun])),
      schedule: process.jobs,
      budget: process.budget,
    }
    return context.json(body, document ? 200 : 503)
  })
}

function respond(context: Context, view: View): Response | Promise<Response> {
  const theme = context.req.query('theme')
  const body =
    context.req.query('fragment') === undefined
      ? page(view, theme === 'dark' || theme === 'light' ? theme : null)
      : view.main
  return context.html(body, view.isComplete ? 200 : 503)
}
