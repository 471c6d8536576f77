-- Where clocks go back at midnight, the first of the two midnights begins the day; where they go forward, the day begins later.
create or replace function etl.local_midnight(day date, zone text) returns timestamptz language sql stable parallel safe as $$
  select min(t) from (
    select (day::timestamp at time zone zone) - earlier
    from unnest(array[interval '0', interval '30 minutes', interval '1 hour', interval '2 hours']) earlier) candidates (t)
  where (t at time zone zone)::date = day
$$;
comment on function etl.local_midnight(date, text) is 'First instant of a day in a time zone.';
