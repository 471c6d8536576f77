import { sql, type Kysely } from 'kysely'

/** The roles that read schema genesys without personal columns. deploy/roles.sql creates the same table where it runs before the first migration. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table if not exists etl.restricted_readers (
      role_name text primary key,
      registered_at timestamptz not null default now()
    )`.execute(db)
}

/** Their rights stay; which roles they are is forgotten. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table etl.restricted_readers`.execute(db)
}
