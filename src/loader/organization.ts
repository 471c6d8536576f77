/** The organization of a warehouse: guards against mixing two of them, or one and the simulator, in one database. */
import type { Kysely } from 'kysely'
import { EtlError } from '../errors.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { GenesysError } from '../genesys/errors.ts'
import { probeOrganization } from '../genesys/probes.ts'
import type { Priority } from '../genesys/send-budget.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'

/** Which Genesys organization a warehouse belongs to. */
interface Organization {
  readonly id: string
  readonly name?: string | undefined
}

/**
 * Before reading: refuses an organization other than that of the first load. Where the API does not name it, nothing is refused.
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
 * Before loading: the same, and remembers the organization if it is the first.
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

/** The API, or what stands in for it, answers without naming the organization. An outage is another matter: it is temporary. */
const UNNAMED = new Set(['GENESYS_NOT_FOUND', 'GENESYS_FORBIDDEN', 'GENESYS_BAD_REQUEST', 'GENESYS_BAD_ANSWER'])

async function tryOrganization(
  genesys: GenesysClient,
  priority: Priority,
  signal: AbortSignal,
): Promise<Organization | null> {
  try {
    return await probeOrganization(genesys, { priority, signal })
  } catch (error) {
    if (error instanceof GenesysError && UNNAMED.has(error.code)) return null
    throw error
  }
}

/** Stores the organization if none is stored yet, and returns the one that is: the first ever. */
async function rememberOrganization(db: Kysely<Database>, organization: Organization): Promise<Organization> {
  await db
    .insertInto('etl.meta')
    .values({ key: 'organization', value: JSON.stringify({ id: organization.id, name: organization.name }) })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute()
  return (await selectOrganization(db)) ?? organization
}

/** The organization whose conversations are here; null before the first load. */
async function selectOrganization(db: Kysely<Database>): Promise<Organization | null> {
  const row = await db.selectFrom('etl.meta').select('value').where('key', '=', 'organization').executeTakeFirst()
  return (row?.value as Organization | undefined) ?? null
}
