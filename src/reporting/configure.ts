/** Hands settings of the environment to the reporting views. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'

export interface ReportingConfiguration {
  /** HISTORY_MEDIA_TYPES; absent: all. */
  readonly mediaTypes?: readonly string[] | undefined
  /** HISTORY_SETTLE_DAYS. */
  readonly settleDays: number
}

/** Stores them where the views read them; what has not changed is not written. To be called at the start of whatever loads. */
export async function storeConfiguration(
  db: Kysely<Database>,
  { mediaTypes, settleDays }: ReportingConfiguration,
): Promise<void> {
  const types = mediaTypes ?? null
  await recording('storing the settings of the reporting views', async () => {
    await sql`
      update etl.derivation set media_types = ${types}::text[], updated_at = now()
      where media_types is distinct from ${types}::text[]`.execute(db)
    await sql`
      update reporting.settings set settle_days = ${settleDays} where settle_days <> ${settleDays}`.execute(db)
  })
}
