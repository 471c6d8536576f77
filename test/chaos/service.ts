/** Runs `serve` as a child process between a simulated organization and a database, on a schedule of seconds. */
import { sql } from 'kysely'
import { expect } from 'vitest'
import { readAnalytics } from '../../src/live/from-analytics.ts'
import type { StatusDocument } from '../../src/monitoring/status.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { environmentOf, startCli, type CliProcess } from '../support/cli.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { startOrg } from '../support/simulated-org.ts'
import { expectTablesEqualTruth, parseTruth, type Range } from '../support/truth.ts'

/** For conditions that should become true by themselves; a request is retried for half a minute before it fails. */
export const longPatience = { timeout: 60_000, interval: 100 } as const

type Status = Partial<StatusDocument> & {
  readonly schedule: readonly { readonly name: string; readonly failure: { readonly code: string } | null }[]
  readonly reason?: string
}

/** A running service; killed at the end of its block unless it was stopped. */
export interface Service extends AsyncDisposable {
  readonly process: CliProcess
  readonly url: string
  /** The status and the body of an answer. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>
  status(): Promise<Status>
  /** The title, detail and hint of each problem, joined. */
  problems(): Promise<string>
  /** The value of a metric, its labels included in the name as Prometheus writes them; undefined where there is none. */
  metric(name: string): Promise<number | undefined>
  /** Resolves when the status is ok and a snapshot and a run of each job, with the given exceptions, have begun after this call and succeeded. */
  waitUntilHealthy(options?: { readonly except?: readonly string[] }): Promise<void>
  /** Stops it: its exit code must be 0, and its log must have no unexpected errors. */
  stop(): Promise<void>
}

// Every test with a service is about today.
stayClearOfMidnight()

/** Starts an organization whose clock is stopped now, with open conversations and two days of history. */
export async function startActiveOrg(): Promise<Simulator> {
  const org = await startOrg({ now: new Date(), days: 2, perDay: 40, malformedShare: 0 })
  for (const kind of ['inboundCall', 'chat', 'message', 'email'] as const) {
    for (const secondsAgo of [5, 25, 60]) org.control.changes.begin(kind, org.control.clock.now() - secondsAgo * 1000)
  }
  return org
}

/** Starts the service, and waits until it listens. */
export async function startService(
  org: Simulator,
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<Service> {
  const process = startCli(['serve'], {
    env: {
      ...environmentOf(org, databaseUrl),
      HTTP_PORT: '0',
      HISTORY_LOOKBACK_DAYS: '2',
      HISTORY_CRON: '* * * * * *',
      INTRADAY_CRON: '* * * * * *',
      LIVE_CRON: '* * * * * *',
      ...env,
    },
  })
  const started = (): string | undefined => /"url":"(http:[^"]+)"[^\n]*service started/.exec(process.stderr())?.[1]
  await expect.poll(started, { ...longPatience, message: 'the service starts' }).toBeDefined()
  const url = started() ?? ''

  const get: Service['get'] = async (path) => {
    const answer = await fetch(`${url}${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  const status = async () => JSON.parse((await get('/status.json')).text) as Status
  return {
    process,
    url,
    get,
    status,
    async problems() {
      const { problems = [], reason } = await status()
      return [reason, ...problems.map(({ title, detail, hint }) => `${title}: ${detail} ${hint}`)].join('\n')
    },
    async metric(name) {
      const line = (await get('/metrics')).text.split('\n').find((each) => each.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.slice(name.length + 1))
    },
    async waitUntilHealthy({ except = [] } = {}) {
      const { at } = await status()
      const since = +new Date(at ?? Date.now())
      const seen = async () => {
        const { state, runs = [], live } = await status()
        const isNewer = (date: unknown): boolean => date !== null && +new Date(date as string) > since
        const done = runs.flatMap(({ job, status, startedAt }) =>
          status === 'done' && isNewer(startedAt) ? [job] : [],
        )
        return {
          state,
          late: ['sync', 'intraday'].filter((job) => !except.includes(job) && !done.includes(job)),
          isLive: isNewer(live?.snapshotAt ?? null) && live?.failure === null,
        }
      }
      await expect
        .poll(seen, { ...longPatience, message: 'the service is healthy' })
        .toEqual({ state: 'ok', late: [], isLive: true })
    },
    async stop() {
      process.kill('SIGTERM')
      const { code, stderr } = await process.result
      expect(code, stderr.slice(-2000)).toBe(0)
      expect(unexpected(stderr)).toEqual([])
    },
    async [Symbol.asyncDispose]() {
      process.kill('SIGKILL')
      await process.result
    },
  }
}

/** Lines of a log that indicate a bug: lines that are not JSON, and errors without one of our codes. */
export function unexpected(log: string): string[] {
  return log.split('\n').filter((line) => {
    if (line === '' || line.startsWith('SIGTERM: ')) return false
    if (!line.startsWith('{')) return true
    const { err, level } = JSON.parse(line) as { err?: { code?: string; type?: string }; level: string }
    return level === 'fatal' || (level === 'error' && err !== undefined && err.code === undefined)
  })
}

/** The days that the service has loaded, the current one included. */
function loadedDays(): Range {
  const today = startOfDay(new Date())
  return { start: addDays(today, -2), end: addDays(today, 1) }
}

/** Requires that the history and live tables equal the organization. */
export async function expectEqual(warehouse: Warehouse, org: Simulator): Promise<void> {
  await expectTablesEqualTruth(warehouse, org, loadedDays())
  await expect.poll(() => liveRows(warehouse), patience).toEqual(openOf(org, new Date()))
}

/** The rows of genesys.live_conversations, as `id state`. */
export async function liveRows(warehouse: Warehouse): Promise<string[]> {
  const { rows } = await sql<{ row: string }>`
    select concat_ws(' ', conversation_id, state) as row from genesys.live_conversations order by 1`.execute(
    warehouse.db,
  )
  return rows.map(({ row }) => row)
}

/** The conversations that are open or in after-call work, in the form of `liveRows`. */
export function openOf(org: Simulator, now: Date): string[] {
  return org
    .truthText()
    .map((text) => readAnalytics(parseTruth(text), now))
    .flatMap((reading) =>
      reading.kind === 'open' ? [`${reading.conversation.conversationId} ${reading.conversation.state}`] : [],
    )
    .sort()
}
