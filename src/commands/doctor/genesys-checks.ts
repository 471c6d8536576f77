/** Checks of Genesys Cloud: login, permissions, divisions, clocks. */
import { EtlError } from '../../errors.ts'
import { AGGREGATES_PERMISSION } from '../../genesys/conversation-aggregates.ts'
import { GDPR_PERMISSION, probeGdprRequests } from '../../genesys/gdpr-requests.ts'
import {
  probeAggregates,
  probeClock,
  probeDetailsJobs,
  probeDetailsQuery,
  probeDivisions,
  probeOrganization,
  probeQueueObservations,
  probeReferenceList,
} from '../../genesys/probes.ts'
import { referenceEntity, referenceNames } from '../../model/reference.ts'
import { type GenesysClient, type RequestOptions } from '../../genesys/client.ts'
import { readDatabaseClock } from '../../postgres/clock.ts'
import { formatCount } from '../print.ts'
import { type Check, type CheckContext, type Finding } from './check.ts'

const READ_PERMISSION = 'analytics:conversationDetail:view'
/** Beyond this it is the clock rather than the network; ticks and the renewal of tokens go by our clock. */
const CLOCK_TOLERANCE_MS = 30_000

/** A permission without which loading works, but less well. */
interface OptionalPermission {
  readonly name: string
  /** To follow "without it". */
  readonly lost: string
  readonly probe: (client: GenesysClient, options: RequestOptions) => Promise<void>
}

/** What else is lost without the permission of a list of reference data. */
const LOST_BESIDE_NAMES: Readonly<Record<string, string>> = {
  'routing:queue:view': 'days beyond 20 000 conversations cannot be split by queue, and live queues lack their agents',
}

const OPTIONAL_PERMISSIONS: readonly OptionalPermission[] = [
  {
    name: 'analytics:queueObservation:view',
    lost: 'live queues show no agents on and off queue, and open conversations older than a day that no snapshot has seen yet appear up to an hour late',
    probe: probeQueueObservations,
  },
  {
    name: AGGREGATES_PERMISSION,
    lost: 'the figures of today on the wallboard come from the loaded conversations, without those in progress, and reports cannot be compared with Genesys',
    probe: probeAggregates,
  },
  {
    name: GDPR_PERMISSION,
    lost: 'deletions that were requested at Genesys cannot be applied here (GDPR_CRON, erase --from-genesys)',
    probe: probeGdprRequests,
  },
  ...referencePermissions(),
]

/** The permissions of the lists of reference data, each once: the first list that needs it stands for the others. */
function referencePermissions(): OptionalPermission[] {
  const permissions = new Map<string, OptionalPermission>()
  for (const list of referenceNames) {
    const { permission, listing, lost } = referenceEntity(list)
    if (permission === null || listing === null || permissions.has(permission)) continue
    const beside = LOST_BESIDE_NAMES[permission]
    permissions.set(permission, {
      name: permission,
      lost: beside === undefined ? lost : `${lost}; ${beside}`,
      probe: (client, options) => probeReferenceList(client, listing, options),
    })
  }
  return [...permissions.values()]
}

export const genesysChecks: readonly Check[] = [
  { name: 'login', run: checkLogin },
  { name: `permission ${READ_PERMISSION}`, needs: 'login', run: checkReadPermission },
  ...OPTIONAL_PERMISSIONS.map((permission): Check => {
    const name = `permission ${permission.name}`
    return { name, needs: 'login', run: (context) => checkOptionalPermission(name, permission, context) }
  }),
  { name: 'details jobs', needs: 'login', run: checkDetailsJobs },
  { name: 'divisions', needs: 'login', run: checkDivisions },
  { name: 'clock', needs: 'login', run: checkClock },
  { name: 'database clock', needs: 'login', run: checkDatabaseClock },
]

function options({ signal }: CheckContext): { readonly priority: 'live'; readonly signal: AbortSignal } {
  return { priority: 'live', signal }
}

async function checkLogin(context: CheckContext): Promise<Finding[]> {
  const { name, id } = await probeOrganization(context.genesys, options(context))
  const { apiUrl } = context.app.config.genesys
  return [{ name: 'login', verdict: 'ok', detail: `organization ${name ?? ''} (${id}) at ${apiUrl}` }]
}

async function checkReadPermission(context: CheckContext): Promise<Finding[]> {
  const hits = await probeDetailsQuery(context.genesys, new Date(), options(context))
  const detail = `${formatCount(hits, 'conversation')} that started today ${hits === 1 ? 'is' : 'are'} visible`
  return [{ name: `permission ${READ_PERMISSION}`, verdict: 'ok', detail }]
}

async function checkOptionalPermission(
  name: string,
  { lost, probe }: OptionalPermission,
  context: CheckContext,
): Promise<Finding[]> {
  try {
    await probe(context.genesys, options(context))
    return [{ name, verdict: 'ok', detail: 'granted' }]
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof EtlError)) throw error
    return [{ name, verdict: 'warning', detail: `${error.message}; without it ${lost}`, fix: error.hint }]
  }
}

const LOST_WITHOUT_JOBS =
  'participant attributes are not loaded, nor what happens in old e-mail and message threads after the lookback, and backfills are read by query'

async function checkDetailsJobs(context: CheckContext): Promise<Finding[]> {
  const name = 'details jobs'
  const isDemanded = context.app.config.history.attributes === 'true'
  try {
    const availableUntil = await probeDetailsJobs(context.genesys, options(context))
    const detail = `permitted; their data are complete until ${availableUntil.toISOString().slice(0, 16)}Z`
    return [{ name, verdict: 'ok', detail }]
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof EtlError) || isDemanded) throw error
    return [
      { name, verdict: 'warning', detail: `${error.message}; without them ${LOST_WITHOUT_JOBS}`, fix: error.hint },
    ]
  }
}

async function checkDivisions(context: CheckContext): Promise<Finding[]> {
  const name = 'divisions'
  const { all, visible } = await probeDivisions(context.genesys, READ_PERMISSION, options(context))
  if (!visible) {
    return [
      {
        name,
        verdict: 'warning',
        detail: `the organization has ${all.length}; Genesys does not say which of them the OAuth client sees`,
        fix: 'Look at the OAuth client in Admin → Integrations → OAuth: its role should be granted for all divisions.',
      },
    ]
  }
  const hidden = all.filter(({ id }) => !visible.some((division) => division.id === id))
  if (hidden.length === 0) return [{ name, verdict: 'ok', detail: `all ${all.length} are visible` }]
  const names = hidden.map((division) => division.name ?? division.id).join(', ')
  return [
    {
      name,
      verdict: 'warning',
      detail: `${visible.length} of ${all.length} are visible; conversations of ${names} are silently missing`,
      fix: 'If their conversations belong in the warehouse, grant the role of the OAuth client for these divisions, too.',
    },
  ]
}

async function checkClock(context: CheckContext): Promise<Finding[]> {
  return [clockFinding('clock', 'this machine', await probeClock(context.genesys, options(context)))]
}

async function checkDatabaseClock(context: CheckContext): Promise<Finding[]> {
  const clock = await readDatabaseClock(context.app.warehouse.db)
  const aheadMs = await probeClock(context.genesys, options(context), () => +clock.now())
  return [clockFinding('database clock', 'the machine of the database', aheadMs)]
}

function clockFinding(name: string, machine: string, aheadMs: number | null): Finding {
  if (aheadMs === null) return { name, verdict: 'warning', detail: 'the API did not say what time it is' }
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return { name, verdict: 'ok', detail: 'agrees with the API' }
  return {
    name,
    verdict: 'failed',
    detail: `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the API`,
    fix: `Synchronize ${machine} with a time server (NTP).`,
  }
}
