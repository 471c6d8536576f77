create or replace function etl.local_periods(zone text, first_day_of_week integer, granularity text, first_day date, last_day date)
returns table (day date, midnight timestamptz, next_midnight timestamptz, period date, period_start timestamptz, period_end timestamptz)
language sql stable parallel safe rows 400 as $$
  select d.day, etl.local_midnight(d.day, zone), etl.local_midnight(d.day + 1, zone), d.period, etl.local_midnight(d.period, zone),
    etl.local_midnight((d.period + granularity::interval)::date, zone)
  from (
    select first_day + n as day, etl.period_of(first_day + n, granularity, first_day_of_week) as period
    from generate_series(0, last_day - first_day) n) d
$$;
comment on function etl.local_periods(text, integer, text, date, date) is
  'The local days of a range with their instants, and the day, week or month that each belongs to; the latter null for granularities of less than a day, whose steps are counted from midnight.';
