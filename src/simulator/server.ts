import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Simulator, SimulatorOptions } from './contract.ts'
import type { Json } from './conversation-plan.ts'
import { readDetailsQuery } from './details-query.ts'
import { parseExactly } from './exact-json.ts'
import { DAY_MS } from './generate.ts'
import { isKeyable } from './malformed-records.ts'
import { createRequestHandler } from './request-handler.ts'
import { createControl, createState, truthLines, visibleConversations, type SimulatorState } from './state.ts'

export type { Simulator, SimulatorOptions } from './contract.ts'

const KEEP_ALIVE_MS = 60_000
const PRECOMPUTED_PAGE_SIZE = 100

/** Starts the simulated organization: an HTTP server with the login, the API and the control API. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const state = createState(options)
  const control = createControl(state)
  if (options.precompute) precomputePages(state)

  const handle = createRequestHandler(state, control)
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.keepAliveTimeout = KEEP_ALIVE_MS
  const { host = '127.0.0.1' } = options
  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  async function close(): Promise<void> {
    if (!server.listening) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  const truthText = (day?: string): string[] => truthLines(state.store, dayNumber(day)).map(String)

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    clientId: state.firstClient.id,
    clientSecret: state.firstClient.secret,
    org: state.org,
    control,
    requests: state.requests,
    violations: state.rateLimit.violations,
    truth: (day) => truthText(day).map(parseExactly),
    truthText,
    attributesOf(id) {
      const stored = state.store.find(id)
      const inLake = stored && state.store.showInLake(stored, state.clock.now())
      const { participants = [] } = (inLake ? JSON.parse(inLake.bytes.toString()) : {}) as { participants?: Json[] }
      return Object.fromEntries(
        participants.flatMap(({ participantId, attributes }) =>
          attributes === undefined ? [] : [[String(participantId), attributes as Record<string, string>]],
        ),
      )
    },
    malformed: (day) =>
      visibleConversations(state.store, dayNumber(day)).flatMap(({ id, malformed: kind }) =>
        kind ? [{ id, kind, keyable: isKeyable(kind) }] : [],
      ),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function dayNumber(day?: string): number | undefined {
  return day === undefined ? undefined : Date.parse(`${day}T00:00:00Z`) / DAY_MS
}

/** Writes the pages of every day, as a client that reads whole days asks for them. */
function precomputePages({ store, selector }: SimulatorState): void {
  const { first, end } = store.days()
  for (let day = first; day < end; day++) {
    const interval = `${new Date(day * DAY_MS).toISOString()}/${new Date((day + 1) * DAY_MS).toISOString()}`
    for (let pageNumber = 1, left = 1; left > 0; pageNumber++) {
      const query = readDetailsQuery({ interval, paging: { pageSize: PRECOMPUTED_PAGE_SIZE, pageNumber } }, Infinity)
      const selection = selector.select(query)
      selector.page(query, selection)
      left = selection.totalHits - pageNumber * PRECOMPUTED_PAGE_SIZE
    }
  }
}
