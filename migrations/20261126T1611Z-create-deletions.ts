import { sql, type Kysely } from 'kysely'

/**
 * What has left the tables, for those who copy them; and of rejected records as of when they were read, which decides whether loading them
 * again would replace something newer. No row is touched. If it can't get a lock for 3 s, it gives up and is tried again.
 */
const statements = `
create table etl.deletions (
  id bigint generated always as identity primary key,
  conversation_id text not null,
  conversation_start timestamptz not null,
  at timestamptz not null default now(),
  reason text not null
);
create index on etl.deletions (at);

alter table etl.rejected_records add column fetched_at timestamptz;
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Drops the list of what has left; what is stored stays. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`alter table etl.rejected_records drop column fetched_at`.execute(db)
  await sql`drop table etl.deletions`.execute(db)
}
