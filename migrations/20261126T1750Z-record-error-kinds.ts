import { sql, type Kysely } from 'kysely'

/** Whether the error that ended a run is worth another try. Runs before this do not say. Touches no row. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`alter table etl.runs add column error_kind text`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`alter table etl.runs drop column error_kind`.execute(db)
}
