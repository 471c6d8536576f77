/** Reads reporting.settings. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { type ServiceLevelSettings } from './service-level.ts'

/** What of the settings the program itself needs. */
export interface ReportingSettings extends ServiceLevelSettings {
  /** Days after which Genesys has finished its corrections of a day. */
  readonly settle_days: number
}

/** Sets the time zone of days and reports, a name of pg_timezone_names. Only the owner of the settings may do that. */
export async function updateTimeZone(db: Kysely<Database>, timeZone: string): Promise<void> {
  await sql`update reporting.settings set time_zone = ${timeZone}`.execute(db)
}

/** The one row of reporting.settings. */
export async function selectSettings(db: Kysely<Database>): Promise<ReportingSettings> {
  const { rows } = await sql<ReportingSettings>`
    select service_level_includes_abandons, service_level_includes_short_abandons, service_level_includes_flow_outs, settle_days
    from reporting.settings`.execute(db)
  return rows[0]!
}
