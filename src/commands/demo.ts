import { openApp, type App } from '../app.ts'
import { startEmbeddedPostgres } from '../embedded-postgres/server.ts'
import { runHistory } from '../history/sync.ts'
import { addDays, startOfDay } from '../model/interval.ts'
import { readReference } from '../reference/read-reference.ts'
import { updateTimeZone } from '../reporting/settings.ts'
import { runService } from '../service.ts'
import { startSimulator } from '../simulator/server.ts'
import { type CommandContext } from './context.ts'
import { printKpis, readKpis } from './demo-kpis.ts'
import { fillTrend } from './demo-trend.ts'
import { readFigures, type Figures } from './figures.ts'
import { table, type Output } from './print.ts'
import { printLiveFigures, takeSnapshot } from './snapshot.ts'

/** A week, and the days before it with which today and yesterday are compared. */
const DAYS = 9
const CONVERSATIONS_PER_DAY = 800
/** Local time of the simulated organization when the demo starts: mid-morning, its busiest time. */
const LOCAL_HOUR = 10

/**
 * `demo`: a simulated organization, its own Postgres, nine days of history, and then the service. It reads nothing from the
 * environment, so it cannot touch a database or an organization that the environment names.
 */
export async function demo({ once }: { readonly once: boolean }, { output, signal }: CommandContext): Promise<void> {
  output.line('Starting a simulated Genesys Cloud organization and an embedded Postgres …')
  const utcOffsetHours = utcOffsetAt(new Date())
  await using org = await startSimulator({
    seed: 7,
    days: DAYS,
    perDay: CONVERSATIONS_PER_DAY,
    utcOffsetHours,
    busyHours: true,
    // absurd durations among them would be all that one sees of an average
    malformedShare: 0,
  })
  await using postgres = await startEmbeddedPostgres({ persistent: false })
  await using app = await openApp(
    {
      GENESYS_API_URL: org.url,
      GENESYS_LOGIN_URL: org.url,
      GENESYS_CLIENT_ID: org.clientId,
      GENESYS_CLIENT_SECRET: org.clientSecret,
      DATABASE_URL: postgres.url,
      INTRADAY_CRON: '* * * * *',
      LIVE_CRON: '*/10 * * * * *',
      HTTP_PORT: '0',
      LOG_LEVEL: 'warn',
    },
    { genesys: true, database: true },
  )
  await app.ensureSchema()
  await updateTimeZone(app.warehouse.db, timeZoneOf(utcOffsetHours))
  await readReference(app.referenceDependencies(), { trigger: 'demo' }, signal)
  output.line(`Loading ${DAYS} days of conversations …`)
  const figures = await loadHistory(app, signal)
  const live = await takeSnapshot(app, signal)
  const kpis = await readKpis(app.warehouse.db)
  output.data({ ...figures, live, kpis })
  printFigures(output, figures)
  printLiveFigures(output, live)
  printKpis(output, kpis)
  if (once) return
  await fillTrend(app.warehouse, live.snapshotAt)
  await runService(app, signal, (url) => printNextSteps(output, postgres, url))
}

/** A time zone of the whole-hour UTC offset; the names of these zones count the other way round. */
export function timeZoneOf(utcOffsetHours: number): string {
  if (utcOffsetHours === 0) return 'UTC'
  return `Etc/GMT${utcOffsetHours > 0 ? '-' : '+'}${Math.abs(utcOffsetHours)}`
}

/** The whole-hour UTC offset, -12 to 11, of a time zone in which it is mid-morning at `now`. */
export function utcOffsetAt(now: Date): number {
  return ((LOCAL_HOUR - now.getUTCHours() + 36) % 24) - 12
}

async function loadHistory(app: App, signal: AbortSignal): Promise<Figures> {
  const tomorrow = addDays(startOfDay(new Date()), 1)
  const range = { start: addDays(tomorrow, -DAYS), end: tomorrow }
  await runHistory(app.historyDependencies(), { job: 'backfill', range, reload: false }, 'demo', signal)
  return await readFigures(app.warehouse.db)
}

function printFigures(output: Output, { byDay, byMedia, rows }: Figures): void {
  output.line()
  output.line('Conversations by UTC day')
  output.line(
    table(
      ['day', 'conversations', 'handled by an agent', 'average handle time (s)'],
      byDay.map((day) => [day.day, day.conversations, day.handled, day.averageHandleSeconds]),
    ),
  )
  output.line()
  output.line('Conversations by media type and direction')
  output.line(
    table(
      ['media type', 'direction', 'conversations', 'average handle time (s)'],
      byMedia.map((media) => [media.mediaType, media.direction, media.conversations, media.averageHandleSeconds]),
    ),
  )
  output.line()
  output.line('Rows by table')
  output.line(
    table(
      ['table', 'rows'],
      Object.entries(rows).map(([name, count]) => [`genesys.${name}`, count]),
    ),
  )
}

/** The last thing on the screen: what to look at, and how to stop. */
function printNextSteps(output: Output, postgres: { readonly psql: string; readonly url: string }, url: string): void {
  const steps = [
    '',
    'What to do next',
    '',
    `  Status page      ${url}/`,
    `  Wallboard        ${url}/live`,
    `  Reports          ${url}/reports`,
    `  SQL              ${postgres.psql}`,
    `  Connection URL   ${postgres.url}`,
    '',
    '  A first query: the queues of every day, with KPIs',
    '',
    '    select day, queue_name, media_type, offered, answered, abandoned, service_level, average_handle_seconds',
    '    from reporting.queue_daily order by day desc, offered desc limit 20;',
    '',
    '  Tables and columns   docs/data-dictionary.md',
    '  Your own org         README.md, then .env.example',
    '',
    `It is mid-morning in the simulated organization. The service reads the current day every minute and open conversations`,
    `every ten seconds. The wallboard's trend before the start of the demo is computed from the loaded history.`,
    'Ctrl-C stops everything and deletes the data.',
  ]
  for (const step of steps) output.line(step)
}
