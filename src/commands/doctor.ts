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
import { inspectDatabase } from '../warehouse/inspect.ts'
import { migrationStatus, unfilledColumns } from '../warehouse/migrate.ts'

/** One thing that was looked at. */
interface Check {
  readonly name: string
  readonly verdict: 'ok' | 'warning' | 'failed'
  readonly detail: string
  /** What to do, where it is not ok. */
  readonly mend?: string | undefined
}

const READ_PERMISSION = 'analytics:conversationDetail:view'
/** Beyond this the clock rather than the network is off; node-cron and token renewal go by our clock. */
const CLOCK_TOLERANCE_MILLISECONDS = 30_000

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
      await attempt('clock', async () => [clockCheck(await probeClock(genesys, sending))])
    }
    await attempt('database', async () =>
      (await inspectDatabase(opened.warehouse)).map((finding) => ({ ...finding, name: `database: ${finding.name}` })),
    )
    await attempt('schema', async () => {
      const states = await migrationStatus(opened.warehouse.db)
      return [schemaCheck(states, await unfilledColumns(opened.warehouse.db, states))]
    })
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

function clockCheck(aheadMilliseconds: number | null): Check {
  const name = 'clock'
  if (aheadMilliseconds === null) return { name, verdict: 'warning', detail: 'the API did not say what time it is' }
  const seconds = Math.round(aheadMilliseconds / 1000)
  if (Math.abs(aheadMilliseconds) <= CLOCK_TOLERANCE_MILLISECONDS)
    return { name, verdict: 'ok', detail: 'agrees with the API' }
  return {
    name,
    verdict: 'failed',
    detail: `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the API`,
    mend: 'Synchronise this machine with a time server (NTP).',
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
