import type { Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

/** Which Genesys organization a warehouse belongs to. */
export interface Organization {
  readonly id: string
  readonly name?: string | undefined
}

/** Stores the organization if none is stored yet, and returns the one that is: the first ever. */
export async function rememberOrganization(db: Kysely<Database>, organization: Organization): Promise<Organization> {
  await db
    .insertInto('etl.meta')
    .values({ key: 'organization', value: JSON.stringify({ id: organization.id, name: organization.name }) })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute()
  return (await selectOrganization(db)) ?? organization
}

/** The organization whose conversations are here; null before the first load. */
export async function selectOrganization(db: Kysely<Database>): Promise<Organization | null> {
  const row = await db.selectFrom('etl.meta').select('value').where('key', '=', 'organization').executeTakeFirst()
  return (row?.value as Organization | undefined) ?? null
}
