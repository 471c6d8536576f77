import { sql, type Kysely } from 'kysely'

/**
 * What each conversation adds to each interval, and which hours of the interval rows have to be computed again. The new columns of
 * etl.conversations say what the cells of a conversation were derived from; they are null in every existing row, so nothing is rewritten.
 * If it can't get a lock for 3 s, it gives up and is tried again, so that loads do not queue behind it.
 */
const statements = `
create table etl.interval_cells (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  interval_start timestamptz not null,
  queue_id text,
  user_id text,
  media_type text,
  direction text,
  originating_direction text,
  offered bigint,
  over_service_level bigint,
  transferred bigint,
  blind_transferred bigint,
  consult_transferred bigint,
  consults bigint,
  outbound bigint,
  outbound_attempted bigint,
  outbound_connected bigint,
  outbound_abandoned bigint,
  connected bigint,
  errors bigint,
  answered bigint,
  answer_ms bigint,
  answer_ms_max bigint,
  abandoned bigint,
  abandon_ms bigint,
  abandon_ms_max bigint,
  short_abandoned bigint,
  flow_outs bigint,
  waits bigint,
  wait_ms bigint,
  wait_ms_max bigint,
  handled bigint,
  handle_ms bigint,
  handle_ms_max bigint,
  talks bigint,
  talk_ms bigint,
  holds bigint,
  hold_ms bigint,
  acws bigint,
  acw_ms bigint,
  alerts bigint,
  alert_ms bigint,
  not_responding bigint,
  not_responding_ms bigint,
  dialing bigint,
  dialing_ms bigint,
  contacting bigint,
  contacting_ms bigint,
  voicemails bigint,
  voicemail_ms bigint,
  agent_responses bigint,
  agent_response_ms bigint,
  user_responses bigint,
  user_response_ms bigint,
  ivrs bigint,
  ivr_ms bigint,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on etl.interval_cells (interval_start);

create table etl.dirty_hours (
  hour timestamptz not null,
  dirtied_at timestamptz not null default now()
);
create index on etl.dirty_hours (hour);

alter table etl.conversations add column derived_hash text, add column derived_version integer;

create table etl.derivation (
  id boolean primary key default true check (id),
  version integer not null,
  position_start timestamptz,
  position_id text,
  shown_from timestamptz not null,
  media_types text[],
  updated_at timestamptz not null default now()
);
insert into etl.derivation (version, position_start, shown_from)
select 1, case when holds.conversations then 'infinity'::timestamptz end,
  case when holds.conversations then 'infinity'::timestamptz else '-infinity'::timestamptz end
from (select exists (select from etl.conversations) as conversations) as holds;
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Drops what is derived; the history stays. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop table etl.derivation, etl.dirty_hours, etl.interval_cells`.execute(db)
  await sql`alter table etl.conversations drop column derived_hash, drop column derived_version`.execute(db)
}
