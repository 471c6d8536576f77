import { sql, type Kysely } from 'kysely'

/** The live side: what is open now, and what the last days' snapshots counted. */
const liveTables = `
create table genesys.live_conversations (
  conversation_id text primary key,
  conversation_start timestamptz not null,
  media_type text,
  message_type text,
  direction text,
  state text not null,
  state_since timestamptz,
  queue_id text,
  user_id text,
  user_ids text[],
  waiting_since timestamptz,
  division_ids text[],
  participants integer not null,
  skill_ids text[],
  language_id text,
  scheduled_at timestamptz,
  snapshot_at timestamptz not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.2);

create table genesys.live_snapshots (
  snapshot_at timestamptz not null,
  source text not null,
  conversations integer,
  ended integer,
  duration_ms integer not null,
  requests integer not null,
  complete boolean not null,
  stretched boolean not null default false,
  error text,
  primary key (snapshot_at)
) partition by range (snapshot_at);

create table genesys.live_queues (
  snapshot_at timestamptz not null,
  queue_id text not null,
  media_type text not null,
  waiting integer not null,
  alerting integer not null,
  interacting integer not null,
  hold integer not null,
  acw integer not null,
  longest_wait_seconds double precision,
  on_queue_users integer,
  off_queue_users integer,
  primary key (snapshot_at, queue_id, media_type)
) partition by range (snapshot_at);
`

/** What is to be told to WEBHOOK_URL: written with the snapshot that saw it, kept until delivered or given up. */
const outbox = `
create table etl.webhook_outbox (
  id bigint generated always as identity primary key,
  message_id text not null unique,
  conversation_id text not null,
  event text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  delivered_at timestamptz,
  given_up_at timestamptz,
  last_error text
);
create index on etl.webhook_outbox (conversation_id, id) where delivered_at is null and given_up_at is null;
create index on etl.webhook_outbox (next_attempt_at) where delivered_at is null and given_up_at is null;
create index on etl.webhook_outbox (created_at);
`

const names = ['etl.webhook_outbox', 'genesys.live_queues', 'genesys.live_snapshots', 'genesys.live_conversations']

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(liveTables).execute(db)
  await sql.raw(outbox).execute(db)
}

/** Drops the live tables and whatever was not delivered yet. History stays. */
export async function down(db: Kysely<unknown>): Promise<void> {
  for (const name of names) await sql`drop table ${sql.raw(name)}`.execute(db)
}
