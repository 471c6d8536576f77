import { sql, type Kysely } from 'kysely'

/**
 * What follows from each conversation as a whole, from its stays in queues and from its agents' sessions. Derived as the interval cells are,
 * by rules of version 2; conversations that are stored are filled by the service. Only new tables, which are empty.
 */
const statements = `
create table etl.conversation_facts (
  conversation_id text not null,
  conversation_start timestamptz not null,
  conversation_end timestamptz,
  originating_direction text,
  media_type text,
  media_types text[],
  message_type text,
  division_ids text[],
  first_queue_id text,
  last_queue_id text,
  queue_count integer not null,
  first_user_id text,
  last_user_id text,
  agent_count integer not null,
  customer_end timestamptz,
  customer_address text,
  wrap_up_code_id text,
  disconnect_type text,
  survey_score bigint,
  evaluation_score bigint,
  offered bigint,
  transferred bigint,
  blind_transferred bigint,
  consult_transferred bigint,
  answered bigint,
  abandoned bigint,
  short_abandoned bigint,
  flow_outs bigint,
  wait_ms bigint,
  handled bigint,
  handle_ms bigint,
  talk_ms bigint,
  holds bigint,
  hold_ms bigint,
  acw_ms bigint,
  ivr_ms bigint,
  loaded_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (conversation_id, conversation_start)
) partition by range (conversation_start);
create index on etl.conversation_facts using brin (conversation_start, updated_at) with (pages_per_range = 32);

create table etl.queue_entries (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _session_index integer not null,
  queue_id text,
  media_type text,
  direction text,
  entered_at timestamptz,
  left_at timestamptz,
  answered_by_user_id text,
  requested_skill_ids text[],
  requested_language_id text,
  outcome text not null,
  wait_ms bigint,
  over_service_level bigint,
  updated_at timestamptz not null default now(),
  primary key (conversation_id, conversation_start, _session_index)
) partition by range (conversation_start);
create index on etl.queue_entries using brin (conversation_start, entered_at, updated_at) with (pages_per_range = 32);

create table etl.agent_sessions (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _session_index integer not null,
  user_id text,
  queue_id text,
  media_type text,
  direction text,
  alerted_at timestamptz,
  answered_at timestamptz,
  ended_at timestamptz,
  is_answered boolean not null,
  wrap_up_code_id text,
  wrap_up_note_index integer,
  disconnect_type text,
  campaign_id text,
  alert_ms bigint,
  talk_ms bigint,
  hold_ms bigint,
  acw_ms bigint,
  handle_ms bigint,
  transferred bigint,
  updated_at timestamptz not null default now(),
  primary key (conversation_id, conversation_start, _session_index)
) partition by range (conversation_start);
create index on etl.agent_sessions using brin (conversation_start, updated_at) with (pages_per_range = 32);

-- an empty database has nothing to fill
update etl.derivation set version = 2 where not exists (select from etl.conversations);
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/**
 * Drops the facts. Every conversation counts as derived by version 1 again, so that the next upgrade derives its facts again: a new column
 * with a default says so without a write of any row.
 */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop table etl.conversation_facts, etl.queue_entries, etl.agent_sessions`.execute(db)
  await sql`alter table etl.conversations drop column derived_version, add column derived_version integer default 1`.execute(
    db,
  )
  await sql`alter table etl.conversations alter column derived_version drop default`.execute(db)
  await sql`update etl.derivation set version = 1`.execute(db)
}
