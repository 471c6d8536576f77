import { sql, type Kysely } from 'kysely'

/**
 * The conversations that may still change, how far that list has been filled for what is stored already, and since when Genesys lacks a
 * conversation. Where conversations are stored, the service fills the list, from the newest to the oldest; no row of the history is touched
 * here. If it can't get a lock for 3 s, it gives up and is tried again, so that loads do not queue behind it.
 */
const statements = `
create table etl.unsettled (
  conversation_id text primary key,
  conversation_start timestamptz not null,
  ended_at timestamptz,
  reread_at timestamptz
);
create index on etl.unsettled (conversation_start);
create index on etl.unsettled (ended_at);

create table etl.settling (
  id boolean primary key default true check (id),
  settle_days integer not null,
  position_start timestamptz,
  position_id text,
  updated_at timestamptz not null default now()
);
insert into etl.settling (settle_days, position_start)
select settle_days, case when exists (select from etl.conversations) then 'infinity'::timestamptz end from reporting.settings;

analyze etl.unsettled;
analyze etl.settling;

alter table genesys.conversations add column _missing_since timestamptz;
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Drops what is kept about conversations; they themselves stay. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`alter table genesys.conversations drop column _missing_since`.execute(db)
  await sql`drop table etl.settling, etl.unsettled`.execute(db)
}
