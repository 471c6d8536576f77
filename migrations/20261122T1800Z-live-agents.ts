import { sql, type Kysely } from 'kysely'

/** What each agent of an open conversation does; the next snapshot fills it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table genesys.live_conversations add column agents jsonb`.execute(db)
}

/** Drops the column: nothing of it is not in the next snapshot. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`alter table genesys.live_conversations drop column agents`.execute(db)
}
