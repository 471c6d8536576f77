-- As its owner, since its functions are in schema etl.
create or replace function reporting.interval_series(from_time timestamptz, to_time timestamptz, granularity text default '30 minutes')
returns table (interval_start timestamptz, interval_end timestamptz)
language plpgsql stable parallel safe security definer rows 1000 set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  zone text := (select s.time_zone from reporting.settings s);
  first_of_week integer := (select s.first_day_of_week from reporting.settings s);
  step interval := case when granularity in ('15 minutes', '30 minutes', '1 hour') then granularity end;
begin
  perform etl.require_granularity(granularity);
  if not isfinite(from_time) or not isfinite(to_time) then
    raise exception 'a series of intervals needs two finite times' using errcode = 'invalid_parameter_value';
  end if;
  if from_time is null or to_time is null or from_time >= to_time then
    return;
  end if;
  return query
    select greatest(x.period_start, from_time), least(x.period_end, to_time)
    from (
      select distinct p.period_start, p.period_end from etl.local_periods(zone, first_of_week, granularity,
        (from_time at time zone zone)::date, (to_time at time zone zone)::date) p
      where step is null
      union all
      select p.midnight + n * step, least(p.midnight + (n + 1) * step, p.next_midnight)
      from etl.local_periods(zone, first_of_week, granularity, (from_time at time zone zone)::date, (to_time at time zone zone)::date) p
      cross join lateral generate_series(0, ceil(extract(epoch from p.next_midnight - p.midnight) / extract(epoch from step))::integer - 1) n
      where step is not null) x
    where x.period_start < to_time and x.period_end > from_time
    order by 1;
end $$;
comment on function reporting.interval_series(timestamptz, timestamptz, text) is
  'The periods that reporting.queue_performance has between two instants, those without any metric included: join them with its rows by interval_start for charts without gaps. Same granularities, cut at the same ends.';
