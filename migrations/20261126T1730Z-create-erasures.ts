import { sql, type Kysely } from 'kysely'

/**
 * Which conversations were erased on request, so that no load brings them back, and who asked for it. Rejected records without an id are
 * kept out by the hash of their content. If it can't get a lock for 3 s, it gives up and is tried again.
 */
const statements = `
create table etl.erasures (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  database_user text not null default session_user,
  os_user text,
  key_kind text not null,
  keys integer not null,
  keep_statistics boolean not null,
  request_id text unique,
  conversations bigint not null default 0,
  rejected_records bigint not null default 0,
  deleted jsonb not null default '{}'
);

create table etl.tombstones (
  conversation_id text primary key,
  erased_at timestamptz not null default now(),
  erasure_id bigint not null,
  pending boolean not null default true
);
create index on etl.tombstones (conversation_id) where pending;

create table etl.erased_records (
  raw_hash text primary key,
  erasure_id bigint not null
);

create index on etl.deletions (conversation_start) where reason = 'erased';
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Drops the records of what was erased: what is erased stays so only until it is read again. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop index etl.deletions_conversation_start_idx`.execute(db)
  await sql`drop table etl.erased_records, etl.tombstones, etl.erasures`.execute(db)
}
