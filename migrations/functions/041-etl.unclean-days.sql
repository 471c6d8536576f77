create or replace function etl.unclean_days() returns setof date language sql stable parallel safe security definer rows 10 set search_path = pg_catalog, pg_temp as $$
  select d.day from etl.stale_days d, reporting.settings s where d.time_zone = s.time_zone
  union
  select ((d.hour + part) at time zone s.time_zone)::date
  from etl.dirty_hours d, reporting.settings s, unnest(array[interval '0', interval '45 minutes']) part
  union
  select (v.shown_from at time zone s.time_zone)::date from etl.derivation v, reporting.settings s where isfinite(v.shown_from)
$$;
comment on function etl.unclean_days() is
  'The days of the time zone of the settings that the views compute from intervals: those whose rows of etl.queue_days and etl.agent_days are out of date, those with a dirty hour, and the one of which only a part is shown.';
