import { sql, type Kysely } from 'kysely'

/**
 * What the cells add up to, by interval and by day, and the settings of the reports. Zeros are null here, as in the cells. Keys can be
 * null, so that a row is found by the hash of its keys. The small tables are analyzed, since the planner takes one that never was for
 * thousands of rows.
 */
const statements = `
create table etl.queue_intervals (
  interval_start timestamptz not null,
  key uuid not null,
  queue_id text,
  media_type text,
  direction text,
  originating_direction text,
  updated_at timestamptz not null default now(),
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
  primary key (interval_start, key)
);

create table etl.agent_intervals (
  interval_start timestamptz not null,
  key uuid not null,
  queue_id text,
  user_id text not null,
  media_type text,
  direction text,
  originating_direction text,
  updated_at timestamptz not null default now(),
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
  primary key (interval_start, key)
);

create table etl.queue_days (
  time_zone text not null,
  day date not null,
  key uuid not null,
  queue_id text,
  media_type text,
  direction text,
  updated_at timestamptz not null default now(),
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
  primary key (time_zone, day, key)
);

create table etl.agent_days (
  time_zone text not null,
  day date not null,
  key uuid not null,
  queue_id text,
  user_id text not null,
  media_type text,
  direction text,
  updated_at timestamptz not null default now(),
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
  primary key (time_zone, day, key)
);

create table etl.stale_days (
  time_zone text not null,
  day date not null,
  primary key (time_zone, day)
);

create table reporting.settings (
  id boolean primary key default true check (id),
  time_zone text not null default 'UTC',
  service_level_includes_abandons boolean not null default true,
  service_level_includes_short_abandons boolean not null default false,
  service_level_includes_flow_outs boolean not null default false,
  first_day_of_week integer not null default 1 check (first_day_of_week between 1 and 7),
  settle_days integer not null default 4 check (settle_days >= 0)
);
insert into reporting.settings default values;

create function etl.check_time_zone() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_timezone_names where name = new.time_zone) then
    raise exception 'time_zone: % is not a time zone of this server', coalesce(quote_literal(new.time_zone), 'null')
      using errcode = 'invalid_parameter_value', hint = 'Use a name of pg_timezone_names, e.g. Europe/Berlin.';
  end if;
  return new;
end $$;
create trigger check_time_zone before insert or update of time_zone on reporting.settings
  for each row execute function etl.check_time_zone();

-- The days of a zone are true only while the zone is set. Every day that has an interval, or a row of the last time the zone was set, is
-- stale: a day of UTC reaches into two days of the zone.
create function etl.mark_days_stale() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into etl.stale_days (time_zone, day)
  with recursive utc_days (day) as (
    select date_bin('24 hours', min(interval_start), 'epoch') from etl.queue_intervals
    union all
    select date_bin('24 hours', (select min(interval_start) from etl.queue_intervals where interval_start >= day + interval '24 hours'), 'epoch')
    from utc_days where day is not null
  )
  select distinct new.time_zone, ((day + part) at time zone new.time_zone)::date
  from utc_days, unnest(array[interval '0', interval '23 hours 45 minutes']) part where day is not null
  union
  select new.time_zone, day from etl.queue_days where time_zone = new.time_zone
  on conflict do nothing;
  return null;
end $$;
create trigger mark_days_stale after update of time_zone on reporting.settings
  for each row when (new.time_zone is distinct from old.time_zone) execute function etl.mark_days_stale();

analyze etl.derivation;
analyze etl.dirty_hours;
analyze etl.stale_days;
analyze reporting.settings;
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/**
 * Drops what is computed from the cells, and the settings. The cells stay, but count as those of no version and are not shown, so that the
 * next upgrade derives them again and adds them up: a new column with a default says so without a write of any row.
 */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop table reporting.settings, etl.queue_intervals, etl.agent_intervals, etl.queue_days, etl.agent_days, etl.stale_days`.execute(
    db,
  )
  await sql`drop function etl.check_time_zone(), etl.mark_days_stale()`.execute(db)
  await sql`alter table etl.conversations drop column derived_version, add column derived_version integer default 0`.execute(
    db,
  )
  await sql`alter table etl.conversations alter column derived_version drop default`.execute(db)
  await sql`
    update etl.derivation set position_start = 'infinity', position_id = null, shown_from = 'infinity'
    where exists (select from etl.conversations)`.execute(db)
}
