create or replace view reporting.weekly_handle_time as
select w.week_start, w.queue_id, w.queue_name, w.media_type, w.handled, reporting.seconds(w.handle_ms, w.handled) as average_handle_seconds
from (
  select day - (extract(isodow from day)::integer - (select first_day_of_week from reporting.settings) + 7) % 7 as week_start,
    queue_id, queue_name, media_type, etl.total(handled) as handled, etl.total(handle_ms) as handle_ms
  from reporting.queue_daily
  group by 1, 2, 3, 4) w
where w.handled > 0;

comment on view reporting.weekly_handle_time is
  'Average handle time (AHT), one row per week, queue and media type with something handled; weeks begin on first_day_of_week of reporting.settings.';
comment on column reporting.weekly_handle_time.week_start is 'First day of the week, in the time zone of reporting.settings.';
comment on column reporting.weekly_handle_time.queue_id is 'Queue; null where the metrics belong to none.';
comment on column reporting.weekly_handle_time.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.weekly_handle_time.media_type is 'Media type of the sessions.';
comment on column reporting.weekly_handle_time.handled is 'Number of tHandle: handled, once for every agent who took part.';
comment on column reporting.weekly_handle_time.average_handle_seconds is 'Sum of tHandle over their number, in seconds.';
