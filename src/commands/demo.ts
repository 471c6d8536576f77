import { openApp, type App } from '../app.ts'
import type { CommandContext } from './context.ts'
import { addDays, startOfDay } from '../model/interval.ts'
import { runHistory } from '../history/sync.ts'
import { startSimulator } from '../simulator/server.ts'
import { startEmbeddedPostgres } from '../embedded-postgres/server.ts'
import { readFigures, type Figures } from './figures.ts'
import { table, type Output } from './print.ts'
import { runService } from '../service.ts'
import { printLiveFigures, takeSnapshot } from './snapshot.ts'

const DAYS = 7
const CONVERSATIONS_A_DAY = 1000

/**
 * `demo`: a simulated org, a Postgres of its own, the history of a week, and then the service. It reads nothing from the
 * environment, so it can't touch a database or an org that the environment names.
 */
export async function demo({ once }: { readonly once: boolean }, { output, signal }: CommandContext): Promise<void> {
  output.line('Starting a simulated Genesys Cloud organization and a Postgres of its own …')
  await using org = await startSimulator({ seed: 7, days: DAYS, perDay: CONVERSATIONS_A_DAY })
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
  const figures = await loadWeek(app, signal)
  const live = await takeSnapshot(app, signal)
  output.data({ ...figures, live })
  printFigures(output, figures)
  printLiveFigures(output, live)
  output.line()
  if (once) return

  output.line('Look around in the database:')
  output.line()
  output.line(`  ${postgres.psql}`)
  output.line(`  ${postgres.url}`)
  output.line()
  output.line(
    'Each minute the service reads the current day again, and every ten seconds what is open. Ctrl-C ends everything and removes it.',
  )
  await runService(app, signal, (url) => output.line(`Status page: ${url}/   Wallboard: ${url}/live`))
}

async function loadWeek(app: App, signal: AbortSignal): Promise<Figures> {
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
  output.line()
}
