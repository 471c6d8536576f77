create or replace view reporting.freshness as
with days as (
  select (w.start at time zone 'UTC')::date as day, w.filter,
    case
      when range_agg(tstzrange(w.start, w."end")) filter (where w.status = 'done')
        @> tstzrange(date_trunc('day', min(w.start), 'UTC'), date_trunc('day', min(w.start), 'UTC') + interval '1 day') then 'done'
      when bool_or(w.status = 'failed') then 'failed'
      when bool_or(w.status = 'unstable') then 'unstable'
      when bool_or(w.status = 'provisional') then 'provisional'
      else 'partial'
    end as status,
    -- beside a window of the whole day there can be others of parts of it
    coalesce(max(w.read_at) filter (where w."end" - w.start = interval '1 day'), min(w.read_at)) as loaded_at,
    coalesce(max(w.hits) filter (where w."end" - w.start = interval '1 day'), sum(w.hits))::bigint as conversations
  from etl.windows w
  where w.stream = 'conversations'
  group by 1, 2
), runs as (
  select filter, min(day) as first_day, max(day) as last_day
  from (
    select filter, day, day - (row_number() over (partition by filter order by day))::integer as run
    from days where status = 'done') d
  group by filter, run
), complete as (
  select r.filter, r.first_day, r.last_day,
    r.first_day + case
      when case when r.filter ? 'mediaTypes' then r.filter -> 'mediaTypes' ?| array['email', 'message']
        else exists (
          select from etl.queue_days q
          where q.time_zone = (select time_zone from reporting.settings)
            and q.day >= r.first_day - 1 and q.day <= r.first_day + 41 and q.media_type in ('email', 'message')) end
      then 40 else 0 end as whole_from
  from runs r
), emitting as materialized (
  select day from etl.unsettled_days() as day
), settling as (
  -- how far the list of those that are not final is filled
  select coalesce(w.position_start, '-infinity') as position, w.position_start is null as complete
  from etl.settling w join reporting.settings s on s.settle_days = w.settle_days
), erased as (
  select (conversation_start at time zone 'UTC')::date as day, count(distinct conversation_id) as conversations
  from etl.deletions where reason = 'erased' group by 1
)
select d.day, d.filter, d.filter ?| array['direction', 'minDurationSeconds'] as filtered, d.status, d.loaded_at, d.conversations,
  d.day::timestamp at time zone 'UTC' >= (select shown_from from etl.derivation)
    and not exists (
      select from (
        -- the expression of the index conversations_stale_v2_idx
        select (case when derived_hash is distinct from content_hash or derived_version is distinct from 2 then conversation_start end) as start,
          -- earlier versions of the rules knew no facts
          derived_hash is distinct from content_hash or derived_version < 2 as changed
        from etl.conversations) c
      where c.start >= d.day::timestamp at time zone 'UTC' and c.start < (d.day + 1)::timestamp at time zone 'UTC' and c.changed) as derived,
  d.status = 'done'
    and d.day::timestamp at time zone 'UTC' > coalesce((select position from settling), 'infinity')
    and not exists (
      select from etl.unsettled u
      where u.conversation_start >= d.day::timestamp at time zone 'UTC'
        and u.conversation_start < (d.day + 1)::timestamp at time zone 'UTC') as started_settled,
  d.status = 'done'
    and coalesce((select complete from settling), false)
    and d.day::timestamp at time zone 'UTC' >= (select shown_from from etl.derivation)
    and not exists (select from emitting e where e.day = d.day) as emitted_settled, r.reconciled_at, r.differences,
  coalesce(x.conversations, 0)::bigint as erased, c.whole_from as complete_from, c.last_day as complete_until
from days d
left join etl.reconciled_days r on r.day = d.day and r.filter = d.filter
left join erased x on x.day = d.day
-- a day that is not complete yet goes with the days before it
left join complete c on c.filter = d.filter and d.day >= c.first_day and d.day <= c.last_day + 1;

comment on view reporting.freshness is
  'How fresh and how complete the numbers are: one row per UTC day of conversation starts and filter of the history that was read.';
comment on column reporting.freshness.day is 'UTC day.';
comment on column reporting.freshness.filter is 'The filters with which it was read (HISTORY_MEDIA_TYPES, …), as in etl.windows; {} without any.';
comment on column reporting.freshness.filtered is
  'True: conversations were left out by direction or duration, so that numbers differ from those of Genesys. Media types that are left out are no such filter: the views leave them out as a whole.';
comment on column reporting.freshness.status is
  'done; provisional (read while the day was not over); unstable (loaded, but not known to be complete); failed; partial (a part of the day was never read).';
comment on column reporting.freshness.loaded_at is 'The conversations of the day are current as of this time; where it was read in parts, as of the oldest read.';
comment on column reporting.freshness.conversations is 'Conversations that Genesys reported for the day.';
comment on column reporting.freshness.derived is
  'True: the reporting views show the day, and every conversation that started on it counts as it is stored. False while the history is being filled after an upgrade.';
comment on column reporting.freshness.started_settled is
  'True: the day is done, and all conversations that started on it are final (reporting.conversation_status), apart from those that Genesys has no more. False also for some minutes after an upgrade or a change of settle_days, until they have been looked at.';
comment on column reporting.freshness.emitted_settled is
  'True: the day is done, and all conversations that count in its intervals are final, whenever they started. False while a thread of e-mail or messages with metrics on the day is open; otherwise as started_settled.';
comment on column reporting.freshness.reconciled_at is 'When the numbers of the day were last compared with those of Genesys; null: never.';
comment on column reporting.freshness.differences is 'Figures that the comparison found to differ for no expected cause; null: the day was not compared.';
comment on column reporting.freshness.erased is 'Conversations of the day that were stored, and were erased on request.';
comment on column reporting.freshness.complete_from is
  'First day from which numbers are whole: the first of the days without a gap up to this one, or 40 days later where e-mail or messages are loaded, since those go on for weeks. Null: the day is not loaded.';
comment on column reporting.freshness.complete_until is
  'Last day of the days without a gap that this one belongs to, or follows. Null: the day is not loaded.';
