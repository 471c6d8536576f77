/** Guards against mixing two orgs, or an org and the simulator, in one database. */
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { GenesysError } from '../genesys/errors.ts'
import { probeOrganization } from '../genesys/probes.ts'
import type { Priority } from '../genesys/send-budget.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { rememberOrganization, selectOrganization, type Organization } from './organization.ts'

/**
 * For what only looks: refuses an organization other than that of the first load. Where the API does not tell, nothing is refused.
 * @throws EtlError FOREIGN_ORGANIZATION
 */
export async function refuseForeignOrganization(
  genesys: GenesysClient,
  warehouse: Warehouse,
  signal: AbortSignal,
): Promise<void> {
  const organization = await tryOrganization(genesys, 'history', signal)
  if (organization) refuseUnlessSame(organization, await selectOrganization(warehouse.db))
}

/**
 * For what loads: the same, and remembers the organization if it is the first.
 * @throws EtlError FOREIGN_ORGANIZATION
 */
export async function claimForOrganization(
  genesys: GenesysClient,
  warehouse: Warehouse,
  signal: AbortSignal,
  priority: Priority = 'history',
): Promise<void> {
  const organization = await tryOrganization(genesys, priority, signal)
  if (organization) refuseUnlessSame(organization, await rememberOrganization(warehouse.db, organization))
}

function refuseUnlessSame(organization: Organization, remembered: Organization | null): void {
  if (remembered === null || remembered.id === organization.id) return
  throw new EtlError(
    `This database holds the conversations of the organization ${remembered.name ?? ''} (${remembered.id}), ` +
      `but the client logs in to ${organization.name ?? ''} (${organization.id})`,
    {
      code: 'FOREIGN_ORGANIZATION',
      kind: 'fatal',
      hint: 'Give each organization, and the simulator, a database of its own: check DATABASE_URL and the GENESYS_* variables.',
    },
  )
}

/** The API, or what stands in for it, answers, but does not tell. An outage is another matter: it passes. */
const NOT_TOLD = new Set(['GENESYS_NOT_FOUND', 'GENESYS_FORBIDDEN', 'GENESYS_BAD_REQUEST', 'GENESYS_BAD_ANSWER'])

async function tryOrganization(
  genesys: GenesysClient,
  priority: Priority,
  signal: AbortSignal,
): Promise<Organization | null> {
  try {
    return await probeOrganization(genesys, { priority, signal })
  } catch (error) {
    if (error instanceof GenesysError && NOT_TOLD.has(error.code)) return null
    throw error
  }
}
