import { sql, type Kysely } from 'kysely'

/**
 * Details jobs under way, and what loading their results needs: as of when stored attributes are current; and one row of the ledger
 * per window, whatever source has read it. If a table can't be locked for 3 s, the migration gives up and is tried again.
 */
const statements = `
create table etl.details_jobs (
  job_id text primary key,
  stream text not null,
  filter jsonb not null,
  start timestamptz not null,
  "end" timestamptz not null,
  submitted_at timestamptz not null,
  available_until timestamptz not null,
  run_id bigint,
  check (start < "end")
);

alter table etl.conversations add column attributes_fetched_at timestamptz;

create unique index windows_window_key on etl.windows (stream, filter, start, "end");
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Windows that were read by jobs count as read by query, which is all that the version before knows. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`delete from etl.windows where stream = 'activity'`.execute(db)
  await sql`update etl.windows set source = 'query' where source = 'jobs'`.execute(db)
  await sql`drop index etl.windows_window_key`.execute(db)
  await sql`alter table etl.conversations drop column attributes_fetched_at`.execute(db)
  await sql`drop table etl.details_jobs`.execute(db)
}
