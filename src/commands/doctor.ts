import { openApp, type App } from '../app.ts'
import type { CommandContext } from './context.ts'
import { ConfigError, EtlError } from '../errors.ts'
import {
  probeClock,
  probeDetailsQuery,
  probeDivisions,
  probeOrganization,
  probeQueueObservations,
  probeQueues,
} from '../genesys/probes.ts'
import { isFromFuture } from '../history/plan.ts'
import { windowKey } from '../history/context.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { inspectDatabase, inspectSchema, type Check } from '../postgres/inspect.ts'
import { selectEmptyDays, selectEmptyMonths } from '../history/missing-rows.ts'
import { selectWindows } from '../history/ledger.ts'
import { countFetchedInFuture, selectFutureDates } from '../monitoring/status-queries.ts'
import { migrationStatus, unfilledColumns } from '../postgres/migrate.ts'

const READ_PERMISSION = 'analytics:conversationDetail:view'
/** Beyond this the clock rather than the network is off; node-cron and token renewal go by our clock. */
const CLOCK_TOLERANCE_MS = 30_000

/** `doctor`: checks everything a load needs and says how to mend what is wrong; exit code 1 when something fails. */
export async function doctor(_options: object, { env, output, signal }: CommandContext): Promise<number> {
  const checks: Check[] = []
  const record = (check: Check): void => {
    checks.push(check)
    output.line(`${{ ok: '✓', warning: '!', failed: '✗' }[check.verdict]} ${check.name}: ${check.detail}`)
    if (check.mend) output.line(`    ${check.mend}`)
  }
  const attempt = async (name: string, look: () => Promise<Check[]>): Promise<void> => {
    try {
      for (const check of await look()) record(check)
    } catch (error) {
      if (signal.aborted) throw error
      record(failed(name, error))
    }
  }

  let app: App | undefined
  await attempt('configuration', async () => {
    app = await openApp({ ...env, LOG_LEVEL: 'silent' }, { genesys: true, database: true })
    return [{ name: 'configuration', verdict: 'ok', detail: 'every variable is understood' }]
  })
  if (app) {
    await using opened = app
    const sending = { priority: 'live', signal } as const
    const genesys = opened.genesys()
    let isLoggedIn = false
    await attempt('login', async () => {
      const organization = await probeOrganization(genesys, sending)
      isLoggedIn = true
      return [
        {
          name: 'login',
          verdict: 'ok',
          detail: `organization ${organization.name ?? ''} (${organization.id}) at ${opened.config.genesys.apiUrl}`,
        },
      ]
    })
    if (isLoggedIn) {
      await attempt(`permission ${READ_PERMISSION}`, async () => {
        const hits = await probeDetailsQuery(genesys, new Date(), sending)
        return [
          {
            name: `permission ${READ_PERMISSION}`,
            verdict: 'ok',
            detail: `${hits} conversations started today are visible`,
          },
        ]
      })
      for (const permission of OPTIONAL_PERMISSIONS)
        record(await optionalCheck(permission, () => permission.probe(genesys, sending)))
      await attempt('divisions', async () => [divisionsCheck(await probeDivisions(genesys, READ_PERMISSION, sending))])
      await attempt('clock', async () => [clockCheck('clock', 'this machine', await probeClock(genesys, sending))])
      await attempt('database clock', async () => {
        const databaseClock = await readDatabaseClock(opened.warehouse.db)
        const ahead = await probeClock(genesys, sending, () => +databaseClock.now())
        return [clockCheck('database clock', 'the machine of the database', ahead)]
      })
    }
    await attempt('database', async () =>
      (await inspectDatabase(opened.warehouse)).map((finding) => ({ ...finding, name: `database: ${finding.name}` })),
    )
    let isMigrated = false
    await attempt('schema', async () => {
      const states = await migrationStatus(opened.warehouse.db)
      const check = schemaCheck(states, await unfilledColumns(opened.warehouse.db, states))
      isMigrated = states.every(({ executedAt, known }) => executedAt !== null && known)
      return [check, ...(await inspectSchema(opened.warehouse.db, states))]
    })
    if (isMigrated) {
      await attempt('ledger', async () => [await ledgerCheck(opened)])
      await attempt('dates', async () => [await datesCheck(opened)])
    }
  }
  const failures = checks.filter(({ verdict }) => verdict === 'failed').length
  const warnings = checks.filter(({ verdict }) => verdict === 'warning').length
  output.data({ ok: failures === 0, checks })
  output.line()
  output.line(
    failures === 0
      ? `Ready to load${warnings > 0 ? `, with ${warnings} warnings` : ''}.`
      : `${failures} checks failed.`,
  )
  if (failures === 0) return 0
  return app ? 1 : 78
}

/** What works without these permissions, but less well. */
const OPTIONAL_PERMISSIONS = [
  {
    name: 'routing:queue:view',
    lost: 'days beyond 20 000 conversations can’t be split by queue, and live queues lack their agents',
    probe: probeQueues,
  },
  {
    name: 'analytics:queueObservation:view',
    lost: 'live queues show no agents on and off queue, and open conversations older than a day that no snapshot has seen yet appear up to an hour late',
    probe: probeQueueObservations,
  },
] as const

async function optionalCheck(
  permission: { readonly name: string; readonly lost: string },
  probe: () => Promise<void>,
): Promise<Check> {
  const name = `permission ${permission.name}`
  try {
    await probe()
    return { name, verdict: 'ok', detail: 'granted' }
  } catch (error) {
    if (!(error instanceof EtlError)) throw error
    return { name, verdict: 'warning', detail: `${error.message}; without it ${permission.lost}`, mend: error.hint }
  }
}

function failed(name: string, error: unknown): Check {
  if (error instanceof ConfigError) return { name, verdict: 'failed', detail: error.message, mend: error.hint }
  if (error instanceof EtlError) return { name, verdict: 'failed', detail: error.message, mend: error.hint }
  return { name, verdict: 'failed', detail: error instanceof Error ? error.message : String(error) }
}

function divisionsCheck({ all, visible }: Awaited<ReturnType<typeof probeDivisions>>): Check {
  const name = 'divisions'
  if (!visible) {
    return {
      name,
      verdict: 'warning',
      detail: `the organization has ${all.length}; Genesys does not tell which of them the client sees`,
      mend: 'Look at the OAuth client in Admin → Integrations → OAuth: its role should be granted for all divisions.',
    }
  }
  const hidden = all.filter(({ id }) => !visible.some((division) => division.id === id))
  if (hidden.length === 0) return { name, verdict: 'ok', detail: `all ${all.length} are visible` }
  return {
    name,
    verdict: 'warning',
    detail: `${visible.length} of ${all.length} are visible; conversations of ${hidden.map((division) => division.name ?? division.id).join(', ')} are silently left out`,
    mend: 'Grant the role of the OAuth client for these divisions too, if their conversations belong into the warehouse.',
  }
}

function clockCheck(name: string, machine: string, aheadMilliseconds: number | null): Check {
  if (aheadMilliseconds === null) return { name, verdict: 'warning', detail: 'the API did not say what time it is' }
  const seconds = Math.round(aheadMilliseconds / 1000)
  if (Math.abs(aheadMilliseconds) <= CLOCK_TOLERANCE_MS) return { name, verdict: 'ok', detail: 'agrees with the API' }
  return {
    name,
    verdict: 'failed',
    detail: `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the API`,
    mend: `Synchronise ${machine} with a time server (NTP).`,
  }
}

const DAYS_NAMED = 5

/** Whether the tables have something of every day that the ledger says was loaded, and every table something of its month. */
async function ledgerCheck({ warehouse, config }: App): Promise<Check> {
  const name = 'ledger'
  const windows = await selectWindows(warehouse.db, windowKey(config.history))
  const days = await selectEmptyDays(warehouse.db, windows)
  const months = await selectEmptyMonths(warehouse.db, windows)
  const emptied = months.filter(({ tables }) => !tables.includes('conversations'))
  if (days.length + emptied.length === 0)
    return { name, verdict: 'ok', detail: 'the tables have rows of every day that is loaded' }
  const details = [
    ...(days.length > 0 ? [`genesys.conversations has nothing of ${naming(days)}`] : []),
    ...emptied.map(
      ({ month, tables }) => `${tables.map((table) => `genesys.${table}`).join(', ')} has nothing of ${month}`,
    ),
  ]
  return {
    name,
    verdict: 'failed',
    detail: `says that they are loaded, but ${details.join('; ')}`,
    mend: 'Load them again: verify, then backfill --reload, over their range. Dropped on purpose: see "Dropping a month" in docs/operations.md.',
  }
}

function naming(days: readonly string[]): string {
  const named = days.slice(0, DAYS_NAMED).join(', ')
  return days.length > DAYS_NAMED ? `${named} and ${days.length - DAYS_NAMED} more days` : named
}

/** Whether anything is dated in the future, which only a clock that was ahead can have written. */
async function datesCheck({ warehouse, config }: App): Promise<Check> {
  const name = 'dates'
  const { db } = warehouse
  const now = (await readDatabaseClock(db)).now()
  const windows = (await selectWindows(db, windowKey(config.history))).filter((window) => isFromFuture(window, now))
  const { snapshotAt, loadedAt } = await selectFutureDates(db)
  const fetched = await countFetchedInFuture(db)
  const found = [
    ...(windows.length > 0 ? [`${windows.length} windows of the ledger`] : []),
    ...(fetched > 0 ? [`${fetched} conversations in etl.conversations`] : []),
    ...(loadedAt ? ['_loaded_at in genesys.conversations'] : []),
    ...(snapshotAt ? ['the newest live snapshot'] : []),
  ]
  if (found.length === 0) return { name, verdict: 'ok', detail: 'nothing is dated in the future' }
  return {
    name,
    verdict: 'warning',
    detail: `dated in the future, by a clock of the database that was ahead: ${found.join(', ')}`,
    mend: 'Once that clock is right, sync reads again what it owes, and backfill --reload what is older.',
  }
}

function schemaCheck(migrations: Awaited<ReturnType<typeof migrationStatus>>, unfilled: readonly string[]): Check {
  const name = 'schema'
  const pending = migrations.filter(({ executedAt }) => !executedAt)
  if (migrations.some(({ known }) => !known))
    return {
      name,
      verdict: 'failed',
      detail: 'was migrated by a newer version',
      mend: 'Run that version or a later one.',
    }
  if (pending.length > 0)
    return {
      name,
      verdict: 'warning',
      detail: `${pending.length} migrations are pending`,
      mend: 'Run: genesys-etl migrate up (serve, sync and backfill do it by themselves unless AUTO_MIGRATE is false)',
    }
  if (unfilled.length > 0)
    return {
      name,
      verdict: 'warning',
      detail: `${unfilled.length} columns have yet to be filled from _extra`,
      mend: 'Run: genesys-etl migrate up (serve, sync and backfill do it by themselves unless AUTO_MIGRATE is false)',
    }
  return { name, verdict: 'ok', detail: 'up to date' }
}
