/** `serve` as a process of its own between a simulated organization and a database, on a schedule of seconds. */
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

/** How long something may take that should come by itself; a request is tried for half a minute before it has failed. */
export const longPatience = { timeout: 60_000, interval: 100 } as const

type Status = Partial<StatusDocument> & {
  readonly schedule: readonly { readonly name: string; readonly failure: { readonly code: string } | null }[]
  readonly reason?: string
}

/** Killed at the end of its block, where it was not stopped. */
export interface Service extends AsyncDisposable {
  readonly process: CliProcess
  readonly url: string
  /** Status of an answer, and its text. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>
  status(): Promise<Status>
  /** The title of each problem with its detail and hint, one text. */
  problems(): Promise<string>
  /** The value of a metric, its labels included in the name as Prometheus writes them; undefined where there is none. */
  metric(name: string): Promise<number | undefined>
  /** Resolves when all is well, by a snapshot and a run of each job (but the excepted) that began after this call. */
  wellAgain(options?: { readonly except?: readonly string[] }): Promise<void>
  /** Stops it: its exit code must be 0, and its log without errors that nobody expected. */
  stop(): Promise<void>
}

// Every test with a service is about today.
stayClearOfMidnight()

/** An organization whose time stands still now, with open conversations and two days of history. */
export async function startLivingOrg(): Promise<Simulator> {
  const org = await startOrg({ now: new Date(), days: 2, perDay: 40, malformedShare: 0 })
  for (const kind of ['inboundCall', 'chat', 'message', 'email'] as const) {
    for (const secondsAgo of [5, 25, 60]) org.control.changes.begin(kind, org.control.clock.now() - secondsAgo * 1000)
  }
  return org
}

/** Starts it, and waits until it listens. */
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
      HISTORY_CRON: '*/2 * * * * *',
      INTRADAY_CRON: '1-59/2 * * * * *',
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
    async wellAgain({ except = [] } = {}) {
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
        .poll(seen, { ...longPatience, message: 'all is well again' })
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

/** Lines of a log that tell of a bug: what is no JSON, and errors that are none of ours. */
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

/** Requires that history and live tables are what the organization has. */
export async function expectEqual(warehouse: Warehouse, org: Simulator): Promise<void> {
  await expectTablesEqualTruth(warehouse, org, loadedDays())
  await expect.poll(() => livePicture(warehouse), patience).toEqual(openOf(org, new Date()))
}

/** The rows of genesys.live_conversations, as `id state`. */
export async function livePicture(warehouse: Warehouse): Promise<string[]> {
  const { rows } = await sql<{ row: string }>`
    select concat_ws(' ', conversation_id, state) as row from genesys.live_conversations order by 1`.execute(
    warehouse.db,
  )
  return rows.map(({ row }) => row)
}

/** What of the organization is open, or in after-call work, in the form of `livePicture`. */
export function openOf(org: Simulator, now: Date): string[] {
  return org
    .truthText()
    .map((text) => readAnalytics(parseTruth(text), now))
    .flatMap((reading) =>
      reading.kind === 'open' ? [`${reading.conversation.conversationId} ${reading.conversation.state}`] : [],
    )
    .sort()
}
