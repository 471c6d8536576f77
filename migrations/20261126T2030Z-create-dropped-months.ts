import { sql, type Kysely } from 'kysely'

/**
 * Which months were dropped, since they are older than the history is kept, and which of them were brought back. What the hours of a dropped
 * month were added up from is gone, so none of them may become dirty again, whoever writes cells. Only a new table and a trigger on a
 * small one. If it can't get a lock for 3 s, it gives up and is tried again.
 */
const statements = `
create table etl.dropped_months (
  month date primary key check (extract(day from month) = 1),
  started_at timestamptz,
  frozen_at timestamptz,
  agents_until timestamptz,
  finished_at timestamptz,
  conversations bigint not null default 0,
  restored_at timestamptz,
  kept_until timestamptz
);

-- Volatile, so that it sees what has committed since the statement began.
create function etl.skip_frozen_hour() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from etl.dropped_months
    where month = date_trunc('month', new.hour at time zone 'UTC')::date and frozen_at is not null)
  then
    return null;
  end if;
  return new;
end $$;
create trigger skip_frozen_hour before insert on etl.dirty_hours for each row execute function etl.skip_frozen_hour();

analyze etl.dropped_months;
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Forgets which months were dropped: they are loaded again as far as they are due, and their numbers are added up anew. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop trigger skip_frozen_hour on etl.dirty_hours`.execute(db)
  await sql`drop function etl.skip_frozen_hour()`.execute(db)
  await sql`drop table etl.dropped_months`.execute(db)
}
