/** Reads reporting.settings. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { type ServiceLevelSettings } from './service-level.ts'

/** What of the settings the program itself needs. */
export interface ReportingSettings extends ServiceLevelSettings {
  /** Days after which Genesys has finished its corrections of a day. */
  readonly settle_days: number
}

/** The one row of reporting.settings. */
export async function selectSettings(db: Kysely<Database>): Promise<ReportingSettings> {
  const { rows } = await sql<ReportingSettings>`
    select service_level_includes_abandons, service_level_includes_short_abandons, service_level_includes_flow_outs, settle_days
    from reporting.settings`.execute(db)
  return rows[0]!
}
