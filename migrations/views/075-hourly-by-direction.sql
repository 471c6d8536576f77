create or replace view reporting.hourly_by_direction as
select date_trunc('hour', f.conversation_start, s.time_zone) as hour, f.originating_direction as direction, f.media_type,
  count(*) as conversations, avg(extract(epoch from f.conversation_end - f.conversation_start))::double precision as average_duration_seconds,
  reporting.seconds(sum(f.hold_ms)::double precision, sum(f.holds)::double precision) as average_hold_seconds,
  coalesce(sum(f.handled), 0)::bigint as handled,
  reporting.seconds(sum(f.handle_ms)::double precision, sum(f.handled)::double precision) as average_handle_seconds
from etl.conversation_facts f, reporting.settings s
group by 1, 2, 3;

comment on view reporting.hourly_by_direction is
  'Conversations by the hour in which they began: one row per local hour (time_zone of reporting.settings), direction and media type. All numbers of a conversation count in its first hour; the interval views have them when they happened.';
comment on column reporting.hourly_by_direction.hour is 'Start of the hour.';
comment on column reporting.hourly_by_direction.direction is 'Direction in which the conversations began: inbound or outbound.';
comment on column reporting.hourly_by_direction.media_type is 'Media type of the conversations, as in reporting.conversations.';
comment on column reporting.hourly_by_direction.conversations is 'How many began.';
comment on column reporting.hourly_by_direction.average_duration_seconds is
  'From start to end, on average of those that have ended; null: none has.';
comment on column reporting.hourly_by_direction.average_hold_seconds is
  'Hold time per agent who held: sum over number of tHeldComplete; null: nobody did.';
comment on column reporting.hourly_by_direction.handled is 'Handled, once for every agent who took part: number of tHandle.';
comment on column reporting.hourly_by_direction.average_handle_seconds is
  'Average handle time: sum over number of tHandle; null: nothing was handled.';
