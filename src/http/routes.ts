/** The routes of the service: requests in, answers out, no socket. */
import { Hono } from 'hono'
import type { StatusDocument } from '../core/status.ts'

export interface RouteDependencies {
  /** Resolves when the database answers and the schema is the one this code expects; rejects with the reason. */
  readonly ready: () => Promise<void>
  readonly status: () => Promise<StatusDocument & { readonly nextRuns: Readonly<Record<string, Date | null>> }>
}

/** `/healthz`: the process lives. `/readyz`: it can work. `/status.json`: what state the history is in. */
export function createRoutes({ ready, status }: RouteDependencies): Hono {
  const routes = new Hono()
  routes.get('/healthz', (context) => context.text('ok\n'))
  routes.get('/readyz', async (context) => {
    try {
      await ready()
      return context.text('ready\n')
    } catch (error) {
      return context.text(`not ready: ${error instanceof Error ? error.message : 'unknown reason'}\n`, 503)
    }
  })
  routes.get('/status.json', async (context) => context.json(await status()))
  return routes
}
